// What a peer connection says of its path, over a library that a test plays: what the other side has told of an address counts more than
// how the library came to know it.

import { expect, test, vi } from 'vitest';
import { EnginePeer, PEER_TIMING, type Engine } from '../../../client/transports/engine.js';
import type { Description } from '../../../client/core/description.js';

const OTHER: Description = { ufrag: 'abcd', pwd: 'abcdefghijklmnopqrstuv', fingerprint: new Uint8Array(32), setup: 'active', candidates: [] };
const FINGERPRINTS = { local: new Uint8Array(32), remote: new Uint8Array(32) };

/** A connection that is open between our host candidate and an address that the library knows from the other side's checks alone. */
function openPeer(remote: string) {
  const onRelayed = vi.fn<(relayed: boolean) => void>();
  const engine: Engine = {
    offer: () => {},
    setRemote: () => {},
    addCandidate: () => {},
    send: () => true,
    bufferedBytes: () => 0,
    pair: () => ({ local: '192.0.2.1:1000 host', remote, relayed: false }),
    close: () => {},
  };
  const ignore = (): void => {};
  const options = { role: 'offerer', stun: null, turn: null, bindAddress: null, onDescription: ignore, onCandidates: ignore, onOpen: ignore, onRelayed, onFrame: ignore, onClosed: ignore } as const;
  const peer = new EnginePeer(options, PEER_TIMING, () => engine);
  peer.setRemote(OTHER);
  peer.onOpen(FINGERPRINTS);
  return { peer, onRelayed };
}

test.each([
  ['198.51.100.1:50000', 'candidate:1 1 udp 1 198.51.100.1 50000 typ relay'],
  ['[2600::1]:50000', 'candidate:1 1 udp 1 2600::1 50000 typ relay'],
])('a path whose packets came from a TURN server, %s, before the other side had named it is `turn` from its word on', (remote, candidate) => {
  const { peer, onRelayed } = openPeer(`${remote} prflx`);
  expect(onRelayed.mock.calls).toEqual([]);
  peer.addCandidates([candidate.replace('50000', '50001'), candidate.replace('typ relay', 'typ srflx')]);
  expect(onRelayed.mock.calls).toEqual([]);
  expect(peer.pair()).toMatchObject({ relayed: false });
  peer.addCandidates([candidate]);
  expect(onRelayed.mock.calls).toEqual([[true]]);
  expect(peer.pair()).toEqual({ local: '192.0.2.1:1000 host', remote: `${remote} relay`, relayed: true });
  peer.close();
});
