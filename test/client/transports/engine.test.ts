// What a peer connection says of its path, over a library that a test plays: what the other side has told of an address counts more than
// how the library came to know it.

import { expect, test, vi } from 'vitest';
import { EnginePeer, PEER_TIMING, type Engine } from '../../../client/transports/engine.js';
import type { Description } from '../../../client/core/description.js';
import type { Pair, PeerOptions } from '../../../client/transports/peer.js';

const OTHER: Description = { ufrag: 'abcd', pwd: 'abcdefghijklmnopqrstuv', fingerprint: new Uint8Array(32), setup: 'active', candidates: [] };
const FINGERPRINTS = { local: new Uint8Array(32), remote: new Uint8Array(32) };

/** A connection that is open between two addresses; `use` lets the library go over to others, or tell none. */
function openPeer(remote: string, local = '192.0.2.1:1000 host') {
  let pair: Pair | null = { local, remote };
  let ping: Uint8Array = new Uint8Array(0);
  const onRelayed = vi.fn<PeerOptions['onRelayed']>();
  const engine: Engine = {
    offer: () => {},
    setRemote: () => {},
    addCandidate: () => {},
    send: (message) => {
      ping = message;
      return true;
    },
    bufferedBytes: () => 0,
    pair: () => pair,
    close: () => {},
  };
  const ignore = (): void => {};
  const order: string[] = [];
  onRelayed.mockImplementation(() => order.push('onRelayed'));
  const options = { role: 'offerer', stun: null, turn: null, bindAddress: null, onDescription: ignore, onCandidates: ignore, onOpen: () => order.push('onOpen'), onRelayed, onFrame: ignore, onClosed: ignore } as const;
  const peer = new EnginePeer(options, PEER_TIMING, () => engine);
  peer.setRemote(OTHER);
  peer.onOpen(FINGERPRINTS);
  const use = (next: Pair | null): void => {
    pair = next;
    peer.onMessage(Uint8Array.of(1, ...ping.subarray(1)));
  };
  return { peer, onRelayed, order, use };
}

test.each([
  ['198.51.100.1:50000', 'candidate:1 1 udp 1 198.51.100.1 50000 typ relay'],
  ['[2600::1]:50000', 'candidate:1 1 udp 1 2600::1 50000 typ relay'],
])('a path whose packets came from a TURN server, %s, before the other side had named it is nobody’s until then', (remote, candidate) => {
  const { peer, onRelayed } = openPeer(`${remote} prflx`);
  expect(onRelayed.mock.calls).toEqual([[null]]);
  peer.addCandidates([candidate.replace('50000', '50001'), candidate.replace('typ relay', 'typ srflx')]);
  expect(onRelayed.mock.calls).toEqual([[null]]);
  expect(peer.pair()).toMatchObject({ remote: `${remote} prflx` });
  peer.addCandidates([candidate]);
  expect(onRelayed.mock.calls).toEqual([[null], [true]]);
  expect(peer.pair()).toEqual({ local: '192.0.2.1:1000 host', remote: `${remote} relay` });
  peer.close();
});

test.each([
  ['198.51.100.1:50000 relay', '192.0.2.1:1000 host', true],
  ['198.51.100.1:50000 prflx', '192.0.2.1:1000 relay', true],
  ['198.51.100.1:50000 srflx', '192.0.2.1:1000 host', false],
  ['hidden:50000 prflx', '192.0.2.1:1000 prflx', null],
])('whether a path to %s from %s goes by way of a TURN server is known before it is open', (remote, local, relayed) => {
  const { peer, onRelayed, order } = openPeer(remote, local);
  expect(onRelayed.mock.calls).toEqual([[relayed]]);
  expect(order).toEqual(['onRelayed', 'onOpen']);
  peer.close();
});

test('a library that goes over to another pair, however late, is found out by the next ping that is answered', () => {
  const { peer, onRelayed, use } = openPeer('198.51.100.1:50000 srflx');
  const direct: Pair = { local: '192.0.2.1:1000 host', remote: '198.51.100.1:50000 srflx' };
  for (const pair of [direct, { ...direct, local: '203.0.113.1:50000 relay' }, null, direct]) use(pair);
  expect(onRelayed.mock.calls).toEqual([[false], [true], [null], [false]]);
  peer.close();
});
