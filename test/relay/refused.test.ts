// What is refused before the store is asked is counted, over real sockets: each refusal once, by its code, and nothing else with it.

import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { ready } from '../../crypto/sodium.js';
import { admissionHash } from '../../relay/core/admission.js';
import { LIMITS } from '../../relay/core/limits.js';
import { GATE } from '../../relay/gate.js';
import type { RelayOptions, RunningRelay } from '../../relay/run.js';
import { LIFETIME, lifetime } from '../../relay/turn/attribute.js';
import { LIMITS as TURN_LIMITS } from '../../relay/turn/limits.js';
import { ALLOCATE, BINDING_REQUEST, REFRESH, writeMessage } from '../../relay/turn/message.js';
import { COLLECT_PATH, DEPOSIT_PATH, FRAME_MAX_BYTES } from '../../relay/wire/limits.js';
import { acknowledge, collect, newMailbox, put, random, TestClient, testRelay, type Body } from './support.js';
import { SocketClient } from './turn/client.js';
import { asHex, credential, gist, newTransaction, UDP_TRANSPORT } from './turn/support.js';

beforeAll(ready);

const METRICS = { host: '127.0.0.1', port: 0, orAny: false };
const PATIENCE = { timeout: 60_000, interval: 50 };
const THERE = { 'x-forwarded-for': '192.0.2.1' };
const BEHIND = { ...GATE, behindProxy: true };
const END = { type: LIFETIME, value: lifetime(0) };
const PING: Body = { case: 'ping', value: {} };

/** Everything refused that a relay has counted, by the store and before it. */
async function counted({ metricsPort }: RunningRelay): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const before = [...text.matchAll(/^sotto_refused_total\{code="(.+)"\} (\d+)$/gm)].map(([, code, times]) => [code!, Number(times)]);
  const byStore = [...text.matchAll(/^sotto_operations_total\{operation="(.+)",outcome="(?!done)(.+)"\} (\d+)$/gm)].map(([, operation, code, times]) => [`${operation}: ${code}`, Number(times)]);
  return Object.fromEntries([...before, ...byStore]) as Record<string, number>;
}

/** What a request for a WebSocket is answered with. */
async function knock({ port }: RunningRelay, path = DEPOSIT_PATH, headers: Record<string, string> = {}): Promise<number | 'open'> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers }).on('error', () => {});
  onTestFinished(() => socket.terminate());
  const refused = once(socket, 'unexpected-response') as Promise<[unknown, { readonly statusCode: number }]>;
  return Promise.race([once(socket, 'open').then(() => 'open' as const), refused.then(([, { statusCode }]) => statusCode)]);
}

/** The status of a request that asks for a WebSocket in another way, and the version that it is told. */
async function knockWrongly({ port }: RunningRelay, headers: Record<string, string>): Promise<unknown> {
  const asked = request({ port, host: '127.0.0.1', path: COLLECT_PATH, headers: { connection: 'upgrade', upgrade: 'websocket', ...headers } }).end();
  const [{ statusCode, headers: told }] = await once(asked, 'response') as [{ statusCode: number; headers: Record<string, string> }];
  return [statusCode, told['sec-websocket-version']];
}

/** A socket that comes by a proxy, and what it is told first: Welcome, or Goodbye. */
async function comeFrom({ port }: RunningRelay, headers: Record<string, string>): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${DEPOSIT_PATH}`, { headers });
  onTestFinished(() => socket.terminate());
  await once(socket, 'message');
  return socket;
}

/** Says something on a connection that ends for it. @returns the codes of its end, Sotto's and the WebSocket's. */
async function sayLast({ port }: RunningRelay, data: Uint8Array | string): Promise<unknown> {
  const client = await TestClient.connect(port, 'deposit');
  client.socket.send(data);
  const [code] = await once(client.socket, 'close') as [number];
  return [await client.closed, code];
}

async function ask({ port }: RunningRelay, role: 'collect' | 'deposit', body: Body): Promise<string> {
  return (await TestClient.connect(port, role)).try(body);
}

async function makeMailbox({ port }: RunningRelay): Promise<string> {
  return (await TestClient.connect(port, 'collect')).collect(newMailbox());
}

type Way = readonly [what: string, code: string, options: Partial<RelayOptions>, provoke: (relay: RunningRelay) => Promise<unknown>, answer: unknown, byStore?: string];

const WAYS: readonly Way[] = [
  ['a path that is none', 'http-404', {}, (relay) => knock(relay, '/nowhere'), 404],
  ['a foreign page', 'http-403', {}, (relay) => knock(relay, DEPOSIT_PATH, { origin: 'https://evil.example' }), 403],
  ['a handshake without a key', 'http-400', {}, (relay) => knockWrongly(relay, { 'sec-websocket-version': '13' }), [400, '13']],
  ['a handshake of another version', 'http-400', {}, (relay) => knockWrongly(relay, { 'sec-websocket-key': Buffer.alloc(16).toString('base64'), 'sec-websocket-version': '12' }), [400, '13']],
  ['a source with too many requests', 'http-429', { gate: { ...BEHIND, sourceRequestsPerMinute: 1 } }, async (relay) => [await knock(relay, DEPOSIT_PATH, THERE), await knock(relay, DEPOSIT_PATH, THERE)], ['open', 429]],
  ['a source that looks at too many pages', 'http-429', { gate: { ...BEHIND, sourceRequestsPerMinute: 1 } }, async ({ port }) => {
    const look = async () => (await fetch(`http://127.0.0.1:${port}/health`, { headers: THERE })).status;
    return [await look(), await look()];
  }, [200, 429]],
  ['one connection too many', 'http-503', { gate: { ...GATE, connections: 1 } }, async (relay) => [await TestClient.connect(relay.port, 'deposit').then(() => 'open'), await knock(relay)], ['open', 503]],
  ['a source with too many connections', 'relay-busy', { gate: BEHIND, limits: { ...LIMITS, sourceConnections: 1 } }, async (relay) => {
    await comeFrom(relay, THERE);
    await once(await comeFrom(relay, THERE), 'close');
  }, undefined],
  ['a source that asks too much', 'relay-busy', { gate: BEHIND, limits: { ...LIMITS, sourceBurst: 1, sourceRequestsPerSecond: 0.001 } }, async (relay) => {
    const client = await TestClient.connect(relay.port, 'deposit', THERE);
    return [await client.try(PING), await client.try(PING)];
  }, ['done', 'relay-busy']],
  ['a source that leaves too many bytes', 'relay-busy', { gate: BEHIND, limits: { ...LIMITS, sourceBytesPerHour: 10 } }, async (relay) => {
    const [owner, sender, mailbox] = [await TestClient.connect(relay.port, 'collect'), await TestClient.connect(relay.port, 'deposit', THERE), newMailbox()];
    await owner.collect(mailbox);
    return [await sender.try(put(mailbox, random(10))), await sender.try(put(mailbox, random(10)))];
  }, ['done', 'relay-busy']],
  ['a source that makes too many mailboxes', 'relay-busy', { gate: BEHIND, limits: { ...LIMITS, sourceMailboxesPerDay: 1 } }, async (relay) => {
    const owner = await TestClient.connect(relay.port, 'collect', THERE);
    return [await owner.collect(newMailbox()), await owner.collect(newMailbox())];
  }, ['done', 'relay-busy'], 'open: mailbox-unknown'],
  ['an envelope for want of memory', 'relay-busy', { memoryMaxBytes: 1 }, (relay) => ask(relay, 'deposit', put(newMailbox(), random(10))), 'relay-busy'],
  ['a mailbox without the operator’s token', 'admission-required', { admission: { kind: 'token', tokenHash: new Uint8Array(32) } }, makeMailbox, 'admission-required', 'open: mailbox-unknown'],
  ['a mailbox without work', 'work-required', { admission: { kind: 'work', bits: 24 } }, makeMailbox, 'work-required', 'open: mailbox-unknown'],
  ['a frame that is none', 'frame-malformed', {}, (relay) => sayLast(relay, Uint8Array.of(0xff)), ['frame-malformed', 1005]],
  ['a text', 'frame-malformed', {}, (relay) => sayLast(relay, 'hello'), ['frame-malformed', 1005]],
  ['a frame that is too large', 'frame-malformed', {}, (relay) => sayLast(relay, random(FRAME_MAX_BYTES + 1)), ['', 1009]],
  ['a field of another length', 'frame-malformed', {}, (relay) => ask(relay, 'deposit', put({ ...newMailbox(), token: random(15) }, random(10))), 'frame-malformed'],
  ['an envelope that is too large', 'envelope-too-large', {}, (relay) => ask(relay, 'deposit', put(newMailbox(), random(65_537))), 'envelope-too-large'],
  ['a request on the other connection', 'wrong-connection', {}, (relay) => ask(relay, 'collect', put(newMailbox(), random(10))), 'wrong-connection'],
  ['a mailbox that is not collected', 'not-collecting', {}, (relay) => ask(relay, 'collect', acknowledge(newMailbox(), 1)), 'not-collecting'],
  ['a signature for another challenge', 'signature-wrong', {}, (relay) => ask(relay, 'collect', collect(newMailbox(), random(32))), 'signature-wrong'],
];

test.each(WAYS.map((way) => [way[0], way[1], way] as const))('%s is refused, and counted once as %s', async (_, code, [, , options, provoke, answer, byStore]) => {
  const relay = await testRelay({ metrics: METRICS, ...options });
  expect(await counted(relay)).toEqual({});
  expect(await provoke(relay)).toEqual(answer);
  expect(await counted(relay)).toEqual({ [code]: 1, ...byStore !== undefined && { [byStore]: 1 } });
});

test('what the store refuses, what is done, and clients who go are not counted', async () => {
  const relay = await testRelay({ metrics: METRICS, admission: { kind: 'token', tokenHash: admissionHash(random(8)) } });
  const [guest, sender] = [await TestClient.connect(relay.port, 'collect'), await TestClient.connect(relay.port, 'deposit')];
  expect([await guest.try(PING), await sender.try(put(newMailbox(), random(10)))]).toEqual(['done', 'mailbox-unknown']);
  guest.socket.terminate();
  await guest.closed;
  sender.socket.close();
  await sender.closed;
  expect(await counted(relay)).toEqual({ 'put: mailbox-unknown': 1 });
});

test('a flood of refusals is answered and counted, to the last of them, and the status page has it', async () => {
  const relay = await testRelay({ metrics: METRICS });
  const client = await TestClient.connect(relay.port, 'collect');
  const body = put(newMailbox(), random(10));
  const answers = await Promise.all(Array.from({ length: 10_000 }, () => client.try(body)));
  expect(new Set(answers)).toEqual(new Set(['wrong-connection']));
  expect(await counted(relay)).toEqual({ 'wrong-connection': 10_000 });
  expect(await (await fetch(`http://127.0.0.1:${relay.metricsPort}/`)).text()).toContain('<dt>Refused by the store</dt><dd>nothing since the start</dd>\n<dt>Refused before it</dt><dd>10,000 wrong-connection</dd>');
});

describe.each([0, 1])('TURN with %s threads beside the main one', (workers) => {
  /** A relay, and a client of TURN that says everything once: no stream loses anything. */
  async function turnClient(options: Partial<RelayOptions['turn']> = {}, password?: string) {
    const relay = await testRelay({ metrics: METRICS, turn: { workers, ...options } });
    const answer = await (await TestClient.connect(relay.port, 'deposit')).ask({ case: 'askTurn', value: {} });
    if (answer.case !== 'turn') throw new Error(answer.case);
    const port = Number(/^turn:127\.0\.0\.1:(\d+)\?transport=tcp$/.exec(answer.value.urls.find((url) => url.endsWith('tcp'))!)?.[1]);
    const { username } = answer.value;
    const stream = connect(port, '127.0.0.1');
    const said = new Set<string>();
    const client = SocketClient.over(stream, { ...credential(), username, password: password ?? answer.value.password }, (bytes) => {
      const text = asHex(bytes)!;
      if (!said.has(text)) stream.write(bytes);
      said.add(text);
    });
    return { relay, client, stream };
  }

  test('counts no client that is only told a nonce', async () => {
    const { relay, client } = await turnClient();
    await client.allocate();
    expect(await counted(relay)).toEqual({});
  });

  test('counts a wrong password, a second allocation, a peer that nobody lets in, and an allocation that is gone', async () => {
    const stranger = await turnClient({}, 'wrong');
    await expect(stranger.client.allocate()).rejects.toThrow('401');
    expect(await counted(stranger.relay)).toEqual({ 'turn-401': 1 });
    const { relay, client } = await turnClient();
    await client.allocate();
    await expect(client.allocate()).rejects.toThrow('437');
    expect(await counted(relay)).toEqual({ 'turn-437': 1 });
    expect(await client.permit({ address: '10.0.0.1', port: 9 })).toBe(403);
    expect(await counted(relay)).toEqual({ 'turn-437': 1, 'turn-403': 1 });
    expect(gist(await client.ask(REFRESH, [END]))).toBe('0104');
    expect(gist(await client.ask(REFRESH, [END]))).toBe(437);
    expect(await counted(relay)).toEqual({ 'turn-437': 2, 'turn-403': 1 });
  });

  test('counts an allocation that a limit forbids, and an attribute that it does not know', async () => {
    const { relay, client } = await turnClient({ limits: { ...TURN_LIMITS, allocationsPerCredential: 0 } });
    await expect(client.allocate()).rejects.toThrow('486');
    expect(await counted(relay)).toEqual({ 'turn-486': 1 });
    await client.ask(ALLOCATE, [UDP_TRANSPORT, { type: 0x7abc, value: new Uint8Array(4) }]);
    expect(await counted(relay)).toEqual({ 'turn-486': 1, 'turn-420': 1 });
  });

  test('counts each message of a flood that it leaves unanswered', async () => {
    const { relay, stream } = await turnClient({ limits: { ...TURN_LIMITS, strangersPerSecond: 1 } });
    const message = (): Uint8Array => writeMessage({ type: BINDING_REQUEST, transaction: newTransaction(), attributes: [], fingerprint: false });
    let answeredBytes = 0;
    stream.on('data', (chunk: Buffer) => { answeredBytes += chunk.length; });
    stream.write(Buffer.concat(Array.from({ length: 1_000 }, message)));
    // The least answer, with an address of IPv4.
    const answered = () => answeredBytes / 32;
    await expect.poll(async () => ((await counted(relay))['turn-limit'] ?? 0) + answered(), PATIENCE).toBe(1_000);
    expect(answered()).toBeGreaterThan(0);
    expect(answered()).toBeLessThan(500);
  });
});
