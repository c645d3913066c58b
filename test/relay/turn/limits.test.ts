// What a TURN server gives at most, and to whom: numbers, meters, and the brain at each of its limits.

import { describe, expect, test } from 'vitest';
import type { Flow } from '../../../relay/turn/allocation.js';
import { Commons, PORTS_EACH, WORKERS_MAX } from '../../../relay/turn/commons.js';
import * as numbers from '../../../relay/turn/limits.js';
import { LIMITS } from '../../../relay/turn/limits.js';
import { ALLOCATE, REFRESH, writeMessage, type Attribute } from '../../../relay/turn/message.js';
import { Meter, SourceMeter } from '../../../relay/turn/meter.js';
import { Places } from '../../../relay/turn/places.js';
import { Tally } from '../../../relay/turn/tally.js';
import { heapUsed } from './fuzz.js';
import { BrainClient, credential, DATA, gist, hex, KEY, newTransaction, NOW, PEER, ready, seconds, testTurn, UDP_TRANSPORT } from './support.js';

const TRANSACTION = 'b7e7a701 bc34d686 fa87dfae';

test('the numbers are those of PROTOCOL.md §11.6 and §11.8', () => {
  expect({ ...numbers }).toEqual({
    LIMITS: {
      allocations: 4_000, allocationsPerCredential: 16, allocationsPerSource: 400, permissionsPerAllocation: 64, channelsPerAllocation: 64,
      bytesPerSecondPerAllocation: 12_500_000, bytesPerSecond: 125_000_000, strangersPerSecond: 50,
    },
    BURST_MS: 1_000, STRANGERS_BURST_MS: 10_000, LIFETIME_SECONDS: 600, LIFETIME_MAX_SECONDS: 3_600, PERMISSION_MS: 300_000, CHANNEL_MS: 600_000, RESERVATION_MS: 30_000,
    ANSWER_MS: 40_000, ANSWERS_MAX: 10_000, SWEEP_MS: 1_000, CREDENTIAL_SECONDS: 600, NONCE_MS: 600_000, AMPLIFICATION_MAX: 1.5,
  });
  expect([WORKERS_MAX, PORTS_EACH]).toEqual([64, 2]);
});

test('every thread has a place for its counts, and they see each other’s allocations by family and port', () => {
  const main = new Commons();
  const last = new Commons(main.memory, WORKERS_MAX);
  for (const port of [0, 65_535]) last.setLive(6, port, true);
  main.setLive(4, 1, true);
  for (const one of [main, last]) one.addRelayed(5);
  expect(main.totals).toMatchObject({ allocations: 3, relayedBytes: 10 });
  last.addInput();
  expect([main.inputsOf(0), main.inputsOf(WORKERS_MAX)]).toEqual([0, 1]);
  for (const one of [main, last]) {
    expect([one.isLive(6, 0), one.isLive(6, 65_535), one.isLive(4, 1)]).toEqual([true, true, true]);
    expect([one.isLive(4, 0), one.isLive(4, 65_535), one.isLive(6, 1)]).toEqual([false, false, false]);
  }
});

test('what has gone takes no memory', () => {
  const places = new Places<number>();
  const tally = new Tally();
  const before = heapUsed();
  for (let index = 1; index <= 200_000; index += 1) {
    places.set('192.0.2.1', 5_000, index, -index);
    places.delete('192.0.2.1', 5_000, -index);
    tally.add(`name ${index}`, 1);
    tally.add(`name ${index}`, -1);
  }
  expect(heapUsed() - before).toBeLessThan(4 * 1_048_576);
  expect([places.get('192.0.2.1', 5_000, -1), tally.of('name 1')]).toEqual([undefined, 0]);
});

describe('a meter', () => {
  test('gives its burst, then what grows back, and begins anew where the clock was set back far', () => {
    const meter = new Meter(1_000, 1_000);
    const take = (amount: number, now: number): boolean => meter.take(amount, now);
    expect([take(999, 10_000), take(1, 10_000), take(1, 10_000), take(1, 10_001), take(1, 10_001)]).toEqual([true, true, false, true, false]);
    expect([take(1, 9_002), take(1, 9_001), take(1, 9_001)]).toEqual([false, true, true]);
    const small = new Meter(1_000, 1_000);
    expect(Array.from({ length: 2_000 }, () => small.take(1, NOW)).filter(Boolean)).toHaveLength(1_000);
    const source = new SourceMeter(KEY, 1, 1_000);
    expect([NOW, NOW, NOW + 1, NOW + 1].map((now) => source.take('192.0.2.1', now))).toEqual([true, false, true, false]);
  });

  test('of sources has a secret by which they share a place, so that nobody can choose whom to silence', () => {
    const addresses = Array.from({ length: 2_000 }, (_, index) => `203.0.${index >> 8}.${index & 255}`);
    const silenced = (key: Uint8Array): string => {
      const meter = new SourceMeter(key, 1, 1_000);
      return addresses.filter((address) => !meter.take(address, NOW)).join(' ');
    };
    const [first, again, other] = [KEY, KEY, new Uint8Array(32)].map(silenced);
    expect(first).not.toBe('');
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    // As few as chance has it, among so many places: 30.
    expect(first!.split(' ').length).toBeLessThan(60);
  });
});

test('a tally never goes below nothing', () => {
  const tally = new Tally();
  tally.add('a', -1);
  tally.add('a', 1);
  expect([tally.of('a'), tally.of('b')]).toEqual([1, 0]);
});

describe('limits', () => {
  test('hold for allocations of a credential and of the server', () => {
    const turn = testTurn({ limits: { ...LIMITS, allocations: 3, allocationsPerCredential: 2 } });
    const from = credential(NOW);
    const clients = [1, 2, 3].map((port) => new BrainClient(turn, { from, source: { address: '192.0.2.9', port } }));
    clients[0]!.allocate(50_000);
    clients[1]!.allocate(50_001);
    expect(clients[2]!.request(ALLOCATE, [UDP_TRANSPORT])).toBe(486);
    new BrainClient(turn, { source: { address: '192.0.2.9', port: 4 } }).allocate(50_002);
    expect(new BrainClient(turn, { source: { address: '192.0.2.9', port: 5 } }).request(ALLOCATE, [UDP_TRANSPORT])).toBe(508);
    clients[0]!.request(REFRESH, [seconds(0)]);
    clients[2]!.allocate(50_003);
  });

  test('hold for a credential and an address as often as allocations end', () => {
    for (const limits of [{ ...LIMITS, allocationsPerCredential: 2 }, { ...LIMITS, allocationsPerSource: 2 }]) {
      const turn = testTurn({ limits });
      const from = credential(NOW);
      const clients = [1, 2, 3, 4].map((port) => new BrainClient(turn, { from, source: { address: '192.0.2.9', port } }));
      clients[0]!.allocate(50_000);
      clients[1]!.allocate(50_001);
      clients[0]!.request(REFRESH, [seconds(0)]);
      clients[2]!.allocate(50_002);
      expect(clients[3]!.request(ALLOCATE, [UDP_TRANSPORT])).toBe(486);
    }
  });

  test('hold for allocations of an address, or IPv6 /64, whatever their credentials, and what is given back makes room', () => {
    const turn = testTurn({ limits: { ...LIMITS, allocationsPerSource: 2 } });
    const at = (address: string, port: number) => new BrainClient(turn, { source: { address, port } });
    for (const [address, neighbour, stranger] of [['192.0.2.9', '192.0.2.9', '192.0.2.10'], ['2001:db8:7:7::1', '2001:db8:7:7:ffff::', '2001:db8:7:8::1']] as const) {
      const first = at(address, 1);
      first.allocate(50_000);
      at(neighbour, 2).allocate(50_001);
      expect(at(address, 3).request(ALLOCATE, [UDP_TRANSPORT])).toBe(486);
      at(stranger, 4).allocate(50_002);
      first.request(REFRESH, [seconds(0)]);
      at(neighbour, 5).allocate(50_003);
    }
  });

  test('hold for permissions and channels of an allocation, and what has expired makes room', () => {
    const { turn, client } = ready({ limits: { ...LIMITS, permissionsPerAllocation: 2, channelsPerAllocation: 2 } });
    const peers = ['8.8.8.1', '8.8.8.2', '8.8.8.3'].map((address) => ({ address, port: 1 }));
    for (const { address } of peers) turn.handle({ kind: 'came', address }, NOW);
    expect(client.permit(...peers)).toBe(508);
    expect(client.permit(peers[0]!, peers[1]!, { ...peers[0]!, port: 2 })).toBe('0108');
    expect(client.permit(peers[2]!)).toBe(508);
    expect(client.bind(0x4000, peers[2]!)).toBe(508);
    // Whoever is in may stay.
    expect([client.permit(peers[1]!), client.permit(peers[0]!, peers[1]!)]).toEqual(['0108', '0108']);
    client.now += 299_999;
    expect(client.permit(peers[2]!)).toBe(508);
    client.now += 1;
    expect([client.permit(peers[2]!), client.permit(peers[2]!, peers[1]!)]).toEqual(['0108', '0108']);
    client.now += 300_000;
    expect(client.bind(0x4000, peers[2]!)).toBe('0109');
    expect(client.bind(0x4001, { ...peers[2]!, port: 2 })).toBe('0109');
    expect(client.bind(0x4002, { ...peers[2]!, port: 3 })).toBe(508);
  });

  test('hold for the bytes of an allocation, and of all together', () => {
    for (const limits of [{ ...LIMITS, bytesPerSecondPerAllocation: 1_000 }, { ...LIMITS, bytesPerSecond: 1_000 }]) {
      const { client } = ready({ limits });
      client.permit(PEER);
      const sent = () => Array.from({ length: 20 }, () => client.send(PEER, new Uint8Array(100)).length).filter((count) => count > 0).length;
      expect(sent()).toBe(10);
      client.now += 500;
      expect(sent()).toBe(5);
    }
  });

  test('hold for what peers say, too, and what was relayed is counted in both directions', () => {
    const commons = new Commons();
    const turn = testTurn({ limits: { ...LIMITS, bytesPerSecondPerAllocation: 1_000 }, commons });
    turn.handle({ kind: 'came', address: PEER.address }, NOW);
    const client = new BrainClient(turn);
    const socket = client.allocate(50_000);
    client.permit(PEER);
    const heard = Array.from({ length: 20 }, () => turn.handle({ kind: 'from-peer', socket, source: PEER, bytes: new Uint8Array(100) }, NOW).length).filter((count) => count > 0);
    expect([heard.length, client.send(PEER, DATA).length]).toEqual([10, 0]);
    expect(commons.totals).toMatchObject({ allocations: 1, relayedBytes: 1_000 });
    client.now += 1_000;
    client.send(PEER, DATA);
    client.request(REFRESH, [seconds(0)]);
    expect(commons.totals).toMatchObject({ allocations: 0, relayedBytes: 1_005 });
  });

  test('hold for whoever asks at an allocation without a right to it, and not for whoever has it', () => {
    const { turn, client } = ready({ limits: { ...LIMITS, strangersPerSecond: 1 } });
    const answered = (attributes: readonly Attribute[], flow: Flow) => Array.from({ length: 30 }, () => {
      const bytes = writeMessage({ type: ALLOCATE, transaction: newTransaction(), attributes, fingerprint: false });
      return turn.handle({ kind: 'from-client', flow, bytes }, client.now).filter(({ kind }) => kind === 'to-client');
    }).flat();
    const stranger = { listener: 0, source: { address: '192.0.2.66', port: 6 } };
    // A refusal that would be more than half as long again is not sent.
    expect(answered([], stranger)).toEqual([]);
    client.now += 60_000;
    expect(answered([UDP_TRANSPORT], stranger)).toHaveLength(10);
    expect(Array.from({ length: 30 }, () => client.request(REFRESH))).toEqual(Array(30).fill('0104'));
    expect(answered([], client.flow)).toEqual([]);
    client.now += 60_000;
    expect(answered([UDP_TRANSPORT], client.flow)).toHaveLength(10);
    expect(client.request(REFRESH)).toBe('0104');
  });

  test('hold for strangers by their address, and leave others and allocations alone', () => {
    const { turn, client } = ready({ limits: { ...LIMITS, strangersPerSecond: 1 } });
    const request = hex(`00010000 2112a442 ${TRANSACTION}`);
    const ask = (address: string, port: number) => turn.handle({ kind: 'from-client', flow: { listener: 0, source: { address, port } }, bytes: request }, NOW).length;
    const flood = (prefix: string) => Array.from({ length: 100 }, (_, port) => ask(prefix.replace('*', `${port}`), port)).reduce((sum, count) => sum + count);
    expect(flood('192.0.2.77')).toBe(10);
    expect(flood('2001:db8:7:7::*')).toBe(10);
    expect(flood('192.0.2.78')).toBe(10);
    expect(ask('192.0.2.77', 1)).toBe(0);
    // What is passed over in any case costs nothing.
    const noise = { kind: 'from-client', flow: { listener: 0, source: { address: '192.0.2.79', port: 1 } }, bytes: hex('40000000') } as const;
    for (let count = 0; count < 100; count += 1) expect(turn.handle(noise, NOW)).toEqual([]);
    expect(ask('192.0.2.79', 1)).toBe(1);
    expect(gist(client.ask(request))).toBe('0101');
    expect(client.request(REFRESH)).toBe('0104');
  });
});
