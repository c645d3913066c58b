// Two peer connections of libdatachannel that know nothing of each other but relayed candidates.

import nodeDataChannel from 'node-datachannel';

/** A server and what opens it, for one side. */
export interface Access {
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
}

/** Connects two of them, and says something. @returns what was heard, and the types of the candidates in use on both sides. */
export async function relayPair(near: Access, far: Access, bindAddress?: string): Promise<{ readonly answer: unknown; readonly types: readonly (string | undefined)[] }> {
  const [one, other] = [near, far].map(({ hostname, port, username, password }, index) => new nodeDataChannel.PeerConnection(`peer ${index}`, {
    iceServers: [{ hostname, port, username, password, relayType: 'TurnUdp' }],
    ...bindAddress !== undefined && { bindAddress },
  })) as [nodeDataChannel.PeerConnection, nodeDataChannel.PeerConnection];
  // The library frees a thing in the call of its handler, so each has one, and none is left when its threads end.
  const closed = [one, other].map((peer) => new Promise<void>((resolve) => peer.onStateChange((state) => state === 'closed' && resolve())));
  for (const [from, to] of [[one, other], [other, one]] as const) {
    from.onLocalDescription((sdp, type) => to.setRemoteDescription(sdp.replaceAll(/a=candidate:.*\r\n/g, ''), type));
    from.onLocalCandidate((candidate) => {
      if (candidate.includes('typ relay')) to.addRemoteCandidate(candidate, '0');
    });
  }
  const answered = new Promise((resolve) => other.onDataChannel((opened) => {
    opened.onClosed(() => {});
    opened.onMessage(resolve);
  }));
  const channel = one.createDataChannel('data');
  channel.onClosed(() => {});
  channel.onOpen(() => channel.sendMessage('hello'));
  const answer = await answered;
  const types = [one, other].map((peer) => peer.getSelectedCandidatePair()).flatMap((pair) => [pair?.local.type, pair?.remote.type]);
  [one, other].forEach((peer) => peer.close());
  await Promise.all(closed);
  return { answer, types };
}
