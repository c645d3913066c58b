// What a peer connection says of its path, over a library that a test plays.

import { expect, test, vi } from 'vitest';
import { EnginePeer, PEER_TIMING, type Engine } from '../../../client/transports/engine.js';
import type { Description } from '../../../client/core/description.js';
import type { Pair, PeerOptions } from '../../../client/transports/peer.js';

const OTHER: Description = { ufrag: 'abcd', pwd: 'abcdefghijklmnopqrstuv', fingerprint: new Uint8Array(32), setup: 'active', candidates: [] };
const FINGERPRINTS = { local: new Uint8Array(32), remote: new Uint8Array(32) };

/** A connection that is open between two addresses, and what it has told. */
function openPeer(pair: Pair | null, turn: PeerOptions['turn'] = null) {
  const told: unknown[] = [];
  const engine: Engine = {
    offer: () => {},
    setRemote: () => {},
    addCandidate: () => {},
    send: () => true,
    bufferedBytes: () => 0,
    pair: () => pair,
    close: () => {},
  };
  const ignore = (): void => {};
  const options: PeerOptions = {
    role: 'offerer', stun: null, turn, bindAddress: null,
    onDescription: ignore, onCandidates: ignore, onFrame: ignore, onClosed: ignore,
    onOpen: () => told.push('open'),
    onRelayed: (relayed) => told.push(relayed),
  };
  // Nobody answers a ping here.
  const peer = new EnginePeer(options, { ...PEER_TIMING, busyMs: 3_600_000, idleMs: 3_600_000 }, () => engine);
  peer.setRemote(OTHER);
  peer.onOpen(FINGERPRINTS);
  return { peer, told };
}

test.each([
  ['198.51.100.1:50000 relay', true],
  ['192.0.2.1:1000 host', false],
])('whether our own address is one of a TURN server (%s) is known before the connection is open', (local, relayed) => {
  const { peer, told } = openPeer({ local, remote: '203.0.113.1:1000 relay' });
  expect(told).toEqual([relayed, 'open']);
  peer.close();
});

test('where a library does not tell its pair, our own address may be one of a TURN server if there is any', () => {
  for (const turn of [null, { urls: [], username: '', password: '' }]) {
    const { peer, told } = openPeer(null, turn);
    expect(told).toEqual([turn !== null, 'open']);
    peer.close();
  }
});

test('a change of the pair is noticed, though the library tells of none: at once to a TURN server, at the second look from it', () => {
  vi.useFakeTimers();
  const pair = { local: '198.51.100.1:50000 relay', remote: '203.0.113.1:1000 host' };
  const { peer, told } = openPeer(pair);
  for (const local of [pair.local, '192.0.2.1:1000 prflx', pair.local, '192.0.2.1:1000 prflx', '192.0.2.1:1000 prflx', pair.local]) {
    pair.local = local;
    vi.advanceTimersByTime(2_500);
  }
  expect(told).toEqual([true, 'open', false, true]);
  peer.close();
  pair.local = '192.0.2.1:1000 host';
  vi.advanceTimersByTime(10_000);
  expect([told.length, vi.getTimerCount()]).toEqual([4, 0]);
  vi.useRealTimers();
});
