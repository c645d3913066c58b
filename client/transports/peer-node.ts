// Peer connections in Node: libdatachannel through node-datachannel's native API (its polyfill lacks half of what it
// names). The only file that knows this library.

import nodeDataChannel, { type DataChannel, type IceServer, type SelectedCandidateInfo } from 'node-datachannel';
import { fromHex } from '../../crypto/bytes.js';
import { CHANNEL_MESSAGE_MAX_BYTES, describe, isHidden } from '../core/sdp.js';
import { CHANNEL_LABEL, EnginePeer, PEER_TIMING, type OpenEngine, type PeerTiming } from './engine.js';
import type { Peer, PeerOptions, TurnServer } from './peer.js';
import { parseTurnUrl } from './turn-url.js';

/** Send and receive buffers of SCTP, in bytes: a path of 40 ms carries ten times more than with the library's 1 MiB. */
const SCTP_BUFFER_BYTES = 32 * 1024 * 1024;
/** Chunks that may wait in those buffers, enough to fill them at one packet per chunk. */
const SCTP_CHUNKS_MAX = 32_768;

const TURN_SERVERS_MAX = 2;

let tuned = false;

/** Opens a peer connection with a DTLS certificate of its own. @param timing shorter in tests. */
export function openNodePeer(options: PeerOptions, timing: PeerTiming = PEER_TIMING): Peer {
  return new EnginePeer(options, timing, openEngine);
}

/** Ends what the library keeps running once no connection is open any more. Call it last, before the process exits. */
export function shutdownNodePeers(): void {
  if (tuned) nodeDataChannel.cleanup();
}

const openEngine: OpenEngine = (events, { stun, turn, bindAddress }) => {
  tuneOnce();
  const connection = new nodeDataChannel.PeerConnection('sotto', {
    // Objects only: the library misreads URLs with IPv6 literals or user names.
    iceServers: [...(stun === null ? [] : [{ hostname: stun.host, port: stun.port }]), ...turnServers(turn)],
    maxMessageSize: CHANNEL_MESSAGE_MAX_BYTES,
    ...(bindAddress !== null && { bindAddress }),
  });
  let channel: DataChannel | null = null;
  let closed = false;

  // The library calls handlers also with what had waited when the connection was closed.
  function heard<Args extends unknown[]>(handler: (...args: Args) => void): (...args: Args) => void {
    return caught((...args) => {
      if (!closed) handler(...args);
    });
  }

  // Every object of the library gets a handler for its end, because it is freed in the call of that handler.
  function attach(opened: DataChannel): void {
    channel = opened;
    let open = false;
    const announce = (): void => {
      if (open) return;
      open = true;
      events.onOpen({ local: localFingerprint(), remote: remoteFingerprint() });
    };
    opened.onOpen(heard(announce));
    opened.onMessage(heard((message) => {
      if (typeof message === 'string') return;
      announce(); // a message can overtake the notice that its channel is open
      events.onMessage(message instanceof ArrayBuffer ? new Uint8Array(message) : message);
    }));
    opened.onError(heard(() => events.onEnd('failed')));
    opened.onClosed(heard(() => events.onEnd('left')));
    if (opened.isOpen()) announce();
  }

  const localFingerprint = (): Uint8Array => describe(connection.localDescription()?.sdp ?? '').fingerprint;
  // Of the certificate that the library saw in the handshake, not of the description.
  const remoteFingerprint = (): Uint8Array => fromHex(connection.remoteFingerprint().value.replaceAll(':', ''));

  connection.onLocalDescription(heard((sdp) => events.onLocalDescription(sdp)));
  connection.onLocalCandidate(heard((candidate) => events.onLocalCandidate(candidate)));
  connection.onGatheringStateChange(heard((state) => {
    if (state === 'complete') events.onGathered();
  }));
  connection.onStateChange(heard((state) => {
    if (state === 'failed') events.onEnd('failed');
    if (state === 'closed') events.onEnd('left');
  }));
  connection.onDataChannel(caught((opened) => {
    if (channel === null && !closed) return attach(opened);
    opened.onClosed(() => {});
    opened.close();
  }));

  return {
    offer: () => attach(connection.createDataChannel(CHANNEL_LABEL)),
    setRemote: (type, sdp) => connection.setRemoteDescription(sdp, type),
    addCandidate: (candidate) => {
      // The library would ask the system's DNS for it; the browser behind it finds us by our own candidates.
      if (!isHidden(candidate)) connection.addRemoteCandidate(candidate, '0');
    },
    send: (message) => {
      try {
        return channel !== null && channel.isOpen() && channel.sendMessageBinary(message);
      } catch {
        return false; // larger than the other side takes, or closed since the question on the library's own thread
      }
    },
    bufferedBytes: () => channel?.bufferedAmount() ?? 0,
    pair: () => {
      const pair = connection.getSelectedCandidatePair();
      return pair && { local: text(pair.local), remote: text(pair.remote) };
    },
    close: () => {
      closed = true;
      connection.close();
    },
  };
};

/** The library ends the whole process where a handler throws: what is thrown becomes an ordinary uncaught error, with its stack. */
function caught<Args extends unknown[]>(handler: (...args: Args) => void): (...args: Args) => void {
  return (...args) => {
    try {
      handler(...args);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}

/** The library speaks TURN over UDP alone, and takes two servers. */
function turnServers(turn: TurnServer | null): IceServer[] {
  if (turn === null) return [];
  const { urls, username, password } = turn;
  return urls.map(parseTurnUrl).filter((url) => url?.transport === 'udp').slice(0, TURN_SERVERS_MAX)
    .map((url) => ({ hostname: url!.host, port: url!.port, username, password, relayType: 'TurnUdp' }));
}

function text({ address, port, type }: SelectedCandidateInfo): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port} ${type}`;
}

/** Once per process, before the first connection; these settings are the library's own, for all of its connections. */
function tuneOnce(): void {
  if (tuned) return;
  tuned = true;
  nodeDataChannel.setSctpSettings({ sendBufferSize: SCTP_BUFFER_BYTES, recvBufferSize: SCTP_BUFFER_BYTES, maxChunksOnQueue: SCTP_CHUNKS_MAX });
}
