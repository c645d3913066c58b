// Two peer connections of libdatachannel that know nothing of each other but relayed candidates.

import nodeDataChannel from 'node-datachannel';

/** A server and what opens it, for one side. */
export interface Access {
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
}

/** What was heard, and the types of the candidates in use on both sides. */
export interface Talk {
  readonly answer: unknown;
  readonly types: readonly (string | undefined)[];
}

const ATTEMPTS = 3;

/** Connects two of them, and says something; again, as a client dials again, where the library gives up, which it does with one connection in a hundred. */
export async function relayPair(near: Access, far: Access, bindAddress?: string): Promise<Talk> {
  for (let attempts = 0; attempts < ATTEMPTS; attempts += 1) {
    const talk = await attempt(near, far, bindAddress);
    if (talk !== null) return talk;
  }
  throw new Error(`${ATTEMPTS} attempts in a row have failed`);
}

/** One attempt to connect; null if the library has given up. */
async function attempt(near: Access, far: Access, bindAddress?: string): Promise<Talk | null> {
  const [one, other] = [near, far].map(({ hostname, port, username, password }, index) => new nodeDataChannel.PeerConnection(`peer ${index}`, {
    iceServers: [{ hostname, port, username, password, relayType: 'TurnUdp' }],
    ...bindAddress !== undefined && { bindAddress },
  })) as [nodeDataChannel.PeerConnection, nodeDataChannel.PeerConnection];
  let giveUp: (nothing: null) => void;
  const failed = new Promise<null>((resolve) => { giveUp = resolve; });
  // The library frees a thing in the call of its handler, so each has one, and none is left when its threads end.
  const closed = [one, other].map((peer) => new Promise<void>((resolve) => peer.onStateChange((state) => {
    if (state === 'failed' || state === 'closed') giveUp(null);
    if (state === 'closed') resolve();
  })));
  for (const [from, to] of [[one, other], [other, one]] as const) {
    from.onLocalDescription((sdp, type) => to.setRemoteDescription(sdp.replaceAll(/a=candidate:.*\r\n/g, ''), type));
    from.onLocalCandidate((candidate) => {
      if (candidate.includes('typ relay')) to.addRemoteCandidate(candidate, '0');
    });
  }
  const heard = new Promise<{ readonly answer: unknown }>((resolve) => other.onDataChannel((opened) => {
    opened.onClosed(() => {});
    opened.onMessage((answer) => resolve({ answer }));
  }));
  const channel = one.createDataChannel('data');
  channel.onClosed(() => {});
  channel.onOpen(() => channel.sendMessage('hello'));
  const said = await Promise.race([heard, failed]);
  const types = [one, other].map((peer) => peer.getSelectedCandidatePair()).flatMap((pair) => [pair?.local.type, pair?.remote.type]);
  [one, other].forEach((peer) => peer.close());
  await Promise.all(closed);
  return said && { ...said, types };
}
