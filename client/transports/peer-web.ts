// Peer connections in the browser: RTCPeerConnection. The only file that knows it. Its methods are promises, which the
// browser itself runs in the order of the calls.

import { describe } from '../core/sdp.js';
import { CHANNEL_LABEL, EnginePeer, PEER_TIMING, type OpenEngine, type PeerTiming } from './engine.js';
import type { Peer, PeerOptions } from './peer.js';
import { parseTurnUrl } from './turn-url.js';

/** Opens a peer connection with a DTLS certificate of its own. @param timing shorter in tests. */
export function openWebPeer(options: PeerOptions, timing: PeerTiming = PEER_TIMING): Peer {
  return new EnginePeer(options, timing, openEngine);
}

const openEngine: OpenEngine = (events, { stun, turn }) => {
  const connection = new RTCPeerConnection({ iceServers: iceServers(stun, turn) });
  let channel: RTCDataChannel | null = null;

  // The fingerprints of the descriptions as they were applied. The browser ends the handshake of a certificate that has
  // another (RFC 8122 §6.2, RFC 8827 §6.5), and our template names exactly one: so these are what DTLS really used.
  function announce(): void {
    const [local, remote] = [connection.localDescription, connection.remoteDescription];
    if (local && remote) events.onOpen({ local: describe(local.sdp).fingerprint, remote: describe(remote.sdp).fingerprint });
  }

  function attach(opened: RTCDataChannel): void {
    channel = opened;
    opened.binaryType = 'arraybuffer';
    opened.addEventListener('open', announce);
    opened.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      if (data instanceof ArrayBuffer) events.onMessage(new Uint8Array(data));
    });
    opened.addEventListener('close', () => events.onEnd('left'));
  }

  async function describeUs(): Promise<void> {
    await connection.setLocalDescription();
    events.onLocalDescription(connection.localDescription?.sdp ?? '');
  }

  async function applyRemote(description: RTCSessionDescriptionInit): Promise<void> {
    await connection.setRemoteDescription(description);
    if (description.type === 'offer') await describeUs();
  }

  const fail = (): void => events.onEnd('failed');

  connection.addEventListener('icecandidate', ({ candidate }) => {
    if (candidate === null) events.onGathered();
    else events.onLocalCandidate(candidate.candidate);
  });
  connection.addEventListener('connectionstatechange', () => {
    if (connection.connectionState === 'failed') fail();
  });
  connection.addEventListener('datachannel', (event) => {
    if (channel === null) attach(event.channel);
    else event.channel.close();
  });

  return {
    offer: () => {
      attach(connection.createDataChannel(CHANNEL_LABEL));
      describeUs().catch(fail);
    },
    setRemote: (type, sdp) => {
      applyRemote({ type, sdp }).catch(fail);
    },
    addCandidate: (candidate) => {
      connection.addIceCandidate({ candidate, sdpMid: '0' }).catch(() => {});
    },
    send: (message) => {
      if (channel?.readyState !== 'open') return false;
      try {
        channel.send(message);
        return true;
      } catch {
        return false; // larger than the other side takes, or the browser's buffer is full
      }
    },
    bufferedBytes: () => channel?.bufferedAmount ?? 0,
    pair: () => {
      // Firefox has this from 154 on.
      const transport: Partial<RTCIceTransport> | undefined = connection.sctp?.transport.iceTransport;
      const pair = transport?.getSelectedCandidatePair?.();
      return pair?.local && pair.remote ? { local: text(pair.local), remote: text(pair.remote) } : null;
    },
    close: () => connection.close(),
  };
};

function iceServers(stun: PeerOptions['stun'], turn: PeerOptions['turn']): RTCIceServer[] {
  return [
    ...(stun === null ? [] : [{ urls: stunUrl(stun) }]),
    ...(turn === null ? [] : [{ urls: turn.urls.filter((url) => parseTurnUrl(url) !== null), username: turn.username, credential: turn.password }]),
  ];
}

function stunUrl({ host, port }: { readonly host: string; readonly port: number }): string {
  return `stun:${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** A browser hides the address of a peer that it found by its checks alone. */
function text({ address, port, type }: RTCIceCandidate): string {
  const host = address ? (address.includes(':') ? `[${address}]` : address) : 'hidden';
  return `${host}:${port} ${type}`;
}
