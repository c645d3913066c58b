// A TURN server of several threads: clients are shared out among them, their allocations reach each other, and nothing else of this
// machine is reached for that.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import nodeDataChannel from 'node-datachannel';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Commons } from '../../../relay/turn/commons.js';
import { mintCredential, rotatingSecrets } from '../../../relay/turn/credential.js';
import { LIMITS } from '../../../relay/turn/limits.js';
import { REFRESH } from '../../../relay/turn/message.js';
import { LIFETIME, lifetime } from '../../../relay/turn/attribute.js';
import { startTurnThreads, type TurnThreadsOptions } from '../../../relay/turn/workers.js';
import { TestClient, testRelay } from '../support.js';
import { SocketClient } from './client.js';
import { relayPair } from './pair.js';
import { asHex, BrainClient, gist, hex, KEY, NOW, SERVER, testTurn, toClient } from './support.js';

const WITHIN = { 4: '127.0.0.1', 6: '::1' };
const PATIENCE = { timeout: 60_000, interval: 50 };
const END = { type: LIFETIME, value: lifetime(0) };

afterAll(() => nodeDataChannel.cleanup());

/** Brains of two threads, and a client of each with an allocation at its port. */
function threads() {
  const memory = new Commons().memory;
  const brains = [0, 1].map((thread) => testTurn({ commons: new Commons(memory, thread), within: WITHIN }));
  const [near, far] = brains.map((brain, index) => new BrainClient(brain, { source: { address: '192.0.2.9', port: index + 1 } }));
  return { brains, near: near!, far: far!, commons: new Commons(memory) };
}

describe('the brains of two threads', () => {
  test('let an allocation of the other be a peer while it lives, and no other port of the same address', () => {
    const { near, far } = threads();
    const [there, beside] = [{ address: SERVER, port: 50_001 }, { address: SERVER, port: 22 }];
    near.allocate(50_000);
    expect([near.permit(there), near.bind(0x4000, there)]).toEqual([403, 403]);
    far.allocate(there.port);
    expect([near.permit(there), near.bind(0x4000, there)]).toEqual(['0108', '0109']);
    expect([near.permit(beside), near.bind(0x4001, beside), near.send(beside, hex('2a'))]).toEqual([403, 403, []]);
    expect(near.say(hex('40000001 2a'))).toMatchObject([{ kind: 'to-peer', to: { address: WITHIN[4], port: there.port } }]);
    far.request(REFRESH, [END]);
    expect([near.permit(there), near.send(there, hex('2a')), near.say(hex('40000001 2a'))]).toEqual([403, [], []]);
  });

  test('know each other by the address that clients know, and nobody else by it', () => {
    const { brains, near, far } = threads();
    const socket = near.allocate(50_000);
    const hear = (port: number) => toClient(brains[0]!.handle({ kind: 'from-peer', socket, source: { address: WITHIN[4], port }, bytes: hex('2a') }, NOW));
    far.allocate(50_001);
    expect(hear(50_001)).toBe(null);
    expect(near.bind(0x4000, { address: SERVER, port: 50_001 })).toBe('0109');
    expect(asHex(hear(50_001))).toBe('400000012a');
    expect(hear(50_002)).toBe(null);
    far.request(REFRESH, [END]);
    expect(hear(50_001)).toBe(null);
  });

  test('count together what lives and what was relayed', () => {
    const { near, far, commons } = threads();
    expect(commons.totals).toEqual({ allocations: 0, relayedBytes: 0, refused: [] });
    near.allocate(50_000);
    far.allocate(50_001);
    near.permit({ address: SERVER, port: 50_001 });
    near.send({ address: SERVER, port: 50_001 }, new Uint8Array(100));
    far.permit({ address: SERVER, port: 50_000 });
    far.send({ address: SERVER, port: 50_000 }, new Uint8Array(11));
    expect(commons.totals).toEqual({ allocations: 2, relayedBytes: 111, refused: [] });
    near.request(REFRESH, [END]);
    expect(commons.totals.allocations).toBe(1);
  });

  test('count together what they refuse, once however often it is asked for', () => {
    const { near, far, commons } = threads();
    const refused = near.write(REFRESH, [END]);
    expect([near.ask(refused), near.ask(refused)].map(gist)).toEqual([437, 437]);
    expect(far.request(REFRESH, [END])).toBe(437);
    expect(gist(far.ask(hex(`00010008 2112a442 ${'ab'.repeat(12)} 00030004 00000004`)))).toBe(420);
    far.allocate(50_001);
    expect(far.permit({ address: '10.0.0.1', port: 9 })).toBe(403);
    expect(commons.totals.refused).toEqual([[403, 1], [420, 1], [437, 2]]);
  });
});

async function testThreads(options: Partial<TurnThreadsOptions> = {}) {
  const server = await startTurnThreads({ address: '127.0.0.1', port: 0, secret: KEY, peers: 'clients', workers: 2, ...options });
  onTestFinished(() => server.close());
  return server;
}

describe('a server of several threads', () => {
  test.each(['127.0.0.1', '0.0.0.0'])('at %s points clients to its workers in turn, and joins their allocations', async (address) => {
    const server = await testThreads({ address });
    const ports = [server.nextPorts(), server.nextPorts(), server.nextPorts()].map(({ udp }) => udp);
    expect(ports[2]).toBe(ports[0]);
    expect(new Set([...ports, server.port]).size).toBe(3);
    const clients = await Promise.all([...ports.slice(0, 2), server.port].map((port) => SocketClient.open(port)));
    const relayed = await Promise.all(clients.map((client) => client.allocate()));
    expect(server.totals.allocations).toBe(3);
    for (const [from, to] of [[0, 1], [1, 0], [1, 2], [2, 1]] as const) {
      expect(await clients[from]!.bind(0x4000 + to, relayed[to]!)).toBe('0109');
      expect(await clients[to]!.bind(0x4000 + from, relayed[from]!)).toBe('0109');
      // A datagram may be lost where the system has no room for it.
      const saying = setInterval(() => clients[from]!.write(hex(`400${to}0001 2a`)), 50);
      // What was said again on the channel before may come as late as now.
      while (asHex(await clients[to]!.next()) !== `400${from}00012a`);
      clearInterval(saying);
    }
    expect(server.totals.relayedBytes).toBeGreaterThan(4);
    await clients[0]!.ask(REFRESH, [END]);
    expect(await clients[1]!.permit(relayed[0]!)).toBe(403);
  });

  test('reaches no service of this machine through any of them', async () => {
    const server = await testThreads();
    const service = createSocket('udp4').bind(0, '127.0.0.1');
    onTestFinished(() => void service.close());
    await once(service, 'listening');
    const heard = vi.fn();
    service.on('message', heard);
    const { port } = service.address();
    for (const at of [server.nextPorts().udp, server.nextPorts().udp, server.port]) {
      const client = await SocketClient.open(at);
      const own = await client.allocate();
      expect(await client.permit(own)).toBe('0108');
      expect([await client.permit({ ...own, port }), await client.bind(0x4000, { ...own, port })]).toEqual([403, 403]);
      client.send({ ...own, port }, hex('2a'));
      // What was sent before this answer is here, or nowhere.
      expect(await client.permit({ ...own, port })).toBe(403);
    }
    expect(heard).not.toHaveBeenCalled();
  });

  test('tells every thread who is a client of the relay', async () => {
    const server = await testThreads({ workers: 1 });
    const client = await SocketClient.open(server.nextPorts().udp);
    await client.allocate();
    const peer = { address: '8.8.4.4', port: 9 };
    expect(await client.permit(peer)).toBe(403);
    server.came(peer.address);
    await vi.waitFor(async () => expect(await client.permit(peer)).toBe('0108'), PATIENCE);
    server.went(peer.address);
    await vi.waitFor(async () => expect(await client.permit(peer)).toBe(403), PATIENCE);
  });

  test('has as many allocations as a server of one', async () => {
    const server = await testThreads({ workers: 1, limits: { ...LIMITS, allocations: 2 } });
    const open = async () => await SocketClient.open(server.nextPorts().udp);
    await (await open()).allocate();
    await expect((await open()).allocate()).rejects.toThrow('508');
  });

  test('joins two of libdatachannel that it has pointed to different threads, relay candidates on both sides', async () => {
    const server = await testThreads({ address: '127.0.0.2', exempt: ['127.0.0.0/8'] });
    const from = mintCredential(rotatingSecrets(KEY), Date.now(), new Uint8Array(9));
    const [near, far] = [server.nextPorts(), server.nextPorts()].map(({ udp }) => ({ hostname: '127.0.0.2', port: udp, ...from }));
    expect(await relayPair(near!, far!, '127.0.0.1')).toEqual({ answer: 'hello', types: ['relay', 'relay', 'relay', 'relay'] });
  });
});

test('a relay with workers offers each client the next one of them, with a credential that is good there, and counts what all of them do', async () => {
  const relay = await testRelay({ turn: { workers: 2 }, metrics: { host: '127.0.0.1', port: 0, orAny: false } });
  const allocations = await Promise.all([1, 2, 3].map(async () => {
    const answer = await (await TestClient.connect(relay.port, 'deposit')).ask({ case: 'askTurn', value: {} });
    if (answer.case !== 'turn') throw new Error(answer.case);
    const port = Number(/^turn:127\.0\.0\.1:(\d+)\?transport=udp$/.exec(answer.value.urls[0]!)?.[1]);
    const client = await SocketClient.open(port, '127.0.0.1', answer.value);
    return { port, client, relayed: await client.allocate() };
  }));
  const ports = new Set(allocations.map(({ port }) => port));
  expect(ports.size).toBe(2);
  expect(ports).not.toContain(relay.stunPort);
  const [{ client }, { relayed }] = [allocations[0]!, allocations[1]!];
  expect(await client.permit(relayed)).toBe('0108');
  await vi.waitFor(async () => {
    client.send(relayed, hex('2a'));
    const text = await (await fetch(`http://127.0.0.1:${relay.metricsPort}/metrics`)).text();
    expect(text).toContain('sotto_turn_allocations 3\n');
    expect(text).toMatch(/\nsotto_turn_relayed_bytes_total [1-9]/);
  }, PATIENCE);
});
