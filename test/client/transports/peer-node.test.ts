import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { promisify } from 'node:util';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import type { Description } from '../../../client/core/description.js';
import { PEER_TIMING } from '../../../client/transports/engine.js';
import { openNodePeer, shutdownNodePeers } from '../../../client/transports/peer-node.js';
import type { Peer, PeerOptions } from '../../../client/transports/peer.js';

/** Longer than the library tries to connect. */
const WAIT = { timeout: 60_000, interval: 5 };

/** One end of a connection, and everything that it has reported. */
interface End {
  readonly peer: Peer;
  readonly descriptions: Description[];
  readonly candidates: string[];
  readonly frames: Uint8Array[];
  readonly opened: { readonly local: Uint8Array; readonly remote: Uint8Array }[];
  readonly closed: string[];
}

const ends: End[] = [];

function open(role: PeerOptions['role'], options: Partial<PeerOptions> = {}, timing = PEER_TIMING): End {
  const heard = { descriptions: [], candidates: [], frames: [], opened: [], closed: [] } as Omit<End, 'peer'>;
  const peer = openNodePeer(
    {
      role,
      stun: null,
      turn: null,
      bindAddress: '127.0.0.1',
      onDescription: (description) => heard.descriptions.push(description),
      onCandidates: (candidates) => heard.candidates.push(...candidates),
      onOpen: (fingerprints) => heard.opened.push(fingerprints),
      onRelayed: () => {},
      onFrame: (frame) => heard.frames.push(frame),
      onClosed: (reason) => heard.closed.push(reason),
      ...options,
    },
    timing,
  );
  const end = { peer, ...heard };
  ends.push(end);
  return end;
}

async function described(end: End): Promise<Description> {
  await vi.waitFor(() => expect(end.descriptions).toHaveLength(1), WAIT);
  return end.descriptions[0] as Description;
}

/** Whether an end comes to be open; false if the library gives up, which on a busy machine it does at once with one connection in a hundred. */
async function opens(end: End): Promise<boolean> {
  await vi.waitFor(() => expect(end.opened.length + end.closed.length).toBeGreaterThan(0), WAIT);
  return end.closed.length === 0;
}

/** Tries again where an attempt gives null, as a client dials again. */
async function again<T>(attempting: () => Promise<T | null>): Promise<T> {
  for (let attempts = 0; attempts < 3; attempts += 1) {
    const connected = await attempting();
    if (connected !== null) return connected;
  }
  throw new Error('three attempts in a row have failed');
}

/** One attempt to connect. */
async function attempt(dtls: 'client' | 'server'): Promise<{ offerer: End; answerer: End } | null> {
  const offerer = open('offerer');
  const answerer = open('answerer');
  answerer.peer.setRemote(await described(offerer), dtls);
  offerer.peer.setRemote(await described(answerer));
  const [near, far] = [await opens(offerer), await opens(answerer)];
  return near && far ? { offerer, answerer } : null;
}

const connect = (dtls: 'client' | 'server' = 'server') => again(() => attempt(dtls));

afterEach(async () => {
  for (const { peer } of ends) peer.close();
  await vi.waitFor(() => expect(ends.every((end) => end.closed.length === 1)).toBe(true), WAIT);
  ends.length = 0;
});

afterAll(shutdownNodePeers);

test.each(['client', 'server'] as const)('two peers open a channel with the answerer as DTLS %s, and each sees the certificate of the other', async (dtls) => {
  const { offerer, answerer } = await connect(dtls);
  expect(offerer.descriptions[0]?.setup).toBe('actpass');
  expect(answerer.descriptions[0]?.setup).toBe(dtls === 'client' ? 'active' : 'passive');
  expect(offerer.opened[0]?.local).toEqual(offerer.descriptions[0]?.fingerprint);
  expect(answerer.opened[0]?.local).toEqual(answerer.descriptions[0]?.fingerprint);
  expect(offerer.opened[0]?.remote).toEqual(answerer.opened[0]?.local);
  expect(answerer.opened[0]?.remote).toEqual(offerer.opened[0]?.local);
  expect(offerer.peer.pair()?.remote).toMatch(/^127\.0\.0\.1:[0-9]+ (host|prflx)$/);
  await vi.waitFor(() => expect(offerer.peer.rttMs()).toBeGreaterThan(0), WAIT);
});

/** A frame whose length and content tell its number. */
function frameOf(number: number): Uint8Array {
  return new Uint8Array(1 + ((number * 37) % 4_000)).fill(number % 251);
}

test('1,000 frames go each way, whole and in order', async () => {
  const { offerer, answerer } = await connect();
  const numbers = Array.from({ length: 1_000 }, (_, number) => number);
  for (const number of numbers) {
    expect(offerer.peer.send(frameOf(number))).toBe(true);
    expect(answerer.peer.send(frameOf(number + 7))).toBe(true);
  }
  await vi.waitFor(() => expect([offerer.frames.length, answerer.frames.length]).toEqual([1_000, 1_000]), WAIT);
  expect(answerer.frames.every((got, number) => Buffer.compare(got, frameOf(number)) === 0)).toBe(true);
  expect(offerer.frames.every((got, number) => Buffer.compare(got, frameOf(number + 7)) === 0)).toBe(true);
});

test('a frame larger than the channel takes is refused, and the channel lives on', async () => {
  const { offerer, answerer } = await connect();
  expect(offerer.peer.send(new Uint8Array(262_144))).toBe(false);
  expect(offerer.peer.send(new Uint8Array(262_143))).toBe(true);
  await vi.waitFor(() => expect(answerer.frames[0]).toHaveLength(262_143), WAIT);
});

test('a close is told once on both sides, never from within the call, and nothing is sent after it', async () => {
  const { offerer, answerer } = await connect();
  offerer.peer.close();
  offerer.peer.close();
  expect(offerer.closed).toEqual([]);
  expect(offerer.peer.send(Uint8Array.of(1))).toBe(false);
  expect([offerer.peer.bufferedBytes(), offerer.peer.pair()]).toEqual([0, null]);
  // The goodbye is one datagram, which may be lost: then the silence tells.
  await vi.waitFor(() => expect([offerer.closed, answerer.closed]).toEqual([['closed'], [expect.stringMatching(/^(left|silent)$/)]]), WAIT);
  expect(answerer.peer.send(Uint8Array.of(1))).toBe(false);
});

test('what had waited for a handler when the connection was closed is not told, and does not end the process', async () => {
  const [offerer, answerer] = [open('offerer'), open('answerer')];
  answerer.peer.setRemote(await described(offerer), 'server');
  offerer.peer.setRemote(await described(answerer));
  // The library connects on its own threads while this one stands still; every handler is called after the close.
  const idle = new Int32Array(new SharedArrayBuffer(4));
  for (let waits = 0; waits < 300 && offerer.peer.pair() === null; waits += 1) Atomics.wait(idle, 0, 0, 20);
  expect(offerer.peer.pair()).not.toBeNull();
  Atomics.wait(idle, 0, 0, 1_000);
  expect(offerer.opened).toEqual([]);
  offerer.peer.close();
  answerer.peer.close();
  await vi.waitFor(() => expect([offerer.closed, answerer.closed]).toEqual([['closed'], ['closed']]), WAIT);
  expect([offerer.opened, answerer.opened]).toEqual([[], []]);
});

test('what a handler throws is an ordinary error of the process, also where the channel is open when it is first heard of', async () => {
  // A process of its own: such an error ends it.
  const program = `
    const { openNodePeer } = await import('${new URL('../../../client/transports/peer-node.ts', import.meta.url).href}');
    process.on('uncaughtException', ({ message }) => { console.log(message); process.exit(0); });
    const open = (role, onOpen) => {
      let peer;
      const described = new Promise((onDescription) => {
        peer = openNodePeer({ role, stun: null, turn: null, bindAddress: '127.0.0.1', onDescription, onCandidates() {}, onOpen, onRelayed() {}, onFrame() {}, onClosed() {} });
      });
      return { peer, described };
    };
    const [offerer, answerer] = [open('offerer', () => {}), open('answerer', () => { throw new Error('thrown by a handler'); })];
    answerer.peer.setRemote(await offerer.described, 'server');
    offerer.peer.setRemote(await answerer.described);
    const idle = new Int32Array(new SharedArrayBuffer(4));
    for (let waits = 0; waits < 300 && answerer.peer.pair() === null; waits += 1) Atomics.wait(idle, 0, 0, 20);
    Atomics.wait(idle, 0, 0, 1_000);
    setInterval(() => {}, 1_000);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], { timeout: 120_000 });
  expect(stdout).toBe('thrown by a handler\n');
});

test('before the channel is open nothing is sent', () => {
  expect(open('offerer').peer.send(Uint8Array.of(1))).toBe(false);
});

test('a peer that says nothing more is noticed', async () => {
  const mute = { ...PEER_TIMING, busyMs: 3_600_000, idleMs: 3_600_000 };
  const { offerer, wire } = await again(async () => {
    const [near, far] = [open('offerer', {}, { ...PEER_TIMING, busyMs: 50, idleMs: 50 }), open('answerer', {}, mute)];
    // Neither knows the other's address: everything passes through a wire that stops carrying, as a path does.
    far.peer.setRemote({ ...(await described(near)), candidates: [] }, 'server');
    const answer = await described(far);
    const [target] = answer.candidates.map((candidate) => Number(candidate.split(' ')[5]));
    const between = await openWire(target as number);
    near.peer.setRemote({ ...answer, candidates: [`candidate:1 1 UDP 2114977791 127.0.0.1 ${between.port} typ host`] });
    if (await opens(near)) return { offerer: near, wire: between };
    between.cut();
    return null;
  });
  wire.cut();
  await vi.waitFor(() => expect(offerer.closed).toEqual(['silent']), WAIT);
});

/** Forwards datagrams between whoever writes first and a port on this machine, until it is cut. */
async function openWire(target: number): Promise<{ readonly port: number; cut(): void }> {
  const [near, far] = [createSocket('udp4'), createSocket('udp4')];
  let back = 0;
  near.on('message', (message, { port }) => {
    back = port;
    far.send(message, target, '127.0.0.1');
  });
  far.on('message', (message) => near.send(message, back, '127.0.0.1'));
  await new Promise<void>((resolve) => far.bind(0, '127.0.0.1', () => near.bind(0, '127.0.0.1', resolve)));
  return {
    port: near.address().port,
    cut: () => {
      near.close();
      far.close();
    },
  };
}

test('a contact that is answered by somebody else with another certificate does not open', async () => {
  const [offerer, answerer] = [open('offerer'), open('answerer')];
  answerer.peer.setRemote(await described(offerer));
  offerer.peer.setRemote({ ...(await described(answerer)), fingerprint: new Uint8Array(32).fill(9) });
  await vi.waitFor(() => expect(offerer.closed).toEqual(['failed']), WAIT);
  expect(offerer.opened).toEqual([]);
});

/** Connects so that only the answerer's own checks, sent to the offerer's loopback candidates, can open the channel. */
async function reachLoopback(answerer: End): Promise<{ readonly offerer: End; readonly told: readonly string[] }> {
  const offerer = open('offerer');
  const offer = await described(offerer);
  expect(offer.candidates.every((candidate) => candidate.includes(' 127.0.0.1 '))).toBe(true);
  answerer.peer.setRemote({ ...offer, candidates: [] });
  answerer.peer.addCandidates(offer.candidates);
  const answer = await described(answerer);
  offerer.peer.setRemote({ ...answer, candidates: [] });
  return { offerer, told: [...answer.candidates, ...answerer.candidates] };
}

test('loopback candidates are neither told nor taken by a peer that is not bound to loopback', async () => {
  const wide = open('answerer', { bindAddress: null });
  const { offerer, told } = await reachLoopback(wide);
  expect(told.filter((candidate) => candidate.includes(' 127.'))).toEqual([]);
  // The same between two that are bound to loopback opens, and in that time the other has not.
  await again(async () => await opens((await reachLoopback(open('answerer'))).offerer) || null);
  expect([wide.opened, offerer.opened]).toEqual([[], []]);
});

test('the description does not wait for a slow STUN server, whose candidate follows', async () => {
  const server = createSocket('udp4');
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  const asked: (() => void)[] = [];
  server.on('message', (request, { port }) => asked.push(() => server.send(mapped(request), port, '127.0.0.1')));
  const offerer = open('offerer', { stun: { host: '127.0.0.1', port: server.address().port } });
  const description = await described(offerer);
  expect(description.candidates).toHaveLength(1);
  await vi.waitFor(() => expect(asked.length).toBeGreaterThan(0), WAIT);
  asked.forEach((answer) => answer());
  await vi.waitFor(() => expect(offerer.candidates).toHaveLength(1), WAIT);
  expect(offerer.candidates[0]).toMatch(/^candidate:[0-9]+ 1 udp [0-9]+ 192\.0\.2\.9 4000 typ srflx raddr 0\.0\.0\.0 rport 9$/);
  server.close();
});

/** The answer to a STUN Binding request (RFC 8489 §5, §14.2): it came from 192.0.2.9:4000. */
function mapped(request: Buffer): Buffer {
  const answer = Buffer.concat([request.subarray(0, 20), Buffer.from('0020000800010fa0c0000209', 'hex')]);
  answer.writeUInt16BE(0x0101, 0);
  answer.writeUInt16BE(12, 2);
  answer.writeUInt16BE(4_000 ^ 0x2112, 26);
  answer.writeUInt32BE((0xc0000209 ^ 0x2112a442) >>> 0, 28);
  return answer;
}

test('candidates may come before and after the description', async () => {
  await again(async () => {
    const [offerer, answerer] = [open('offerer'), open('answerer')];
    const offer = await described(offerer);
    answerer.peer.addCandidates(['candidate:rubbish', ...offer.candidates]);
    answerer.peer.setRemote({ ...offer, candidates: [] });
    const answer = await described(answerer);
    offerer.peer.setRemote({ ...answer, candidates: [] });
    offerer.peer.addCandidates(answer.candidates);
    return await opens(offerer) || null;
  });
});

test.each([
  ['password', { pwd: 'short' }],
  ['fingerprint', { fingerprint: new Uint8Array(3) }],
  ['DTLS role', { setup: 'actpass' }],
] as const)('an answer with a bad %s ends the connection and throws nothing', async (_, part) => {
  const [offerer, answerer] = [open('offerer'), open('answerer')];
  answerer.peer.setRemote(await described(offerer));
  offerer.peer.setRemote({ ...(await described(answerer)), ...part });
  expect(offerer.closed).toEqual([]);
  await vi.waitFor(() => expect(offerer.closed).toEqual(['malformed']), WAIT);
});

test('an address that cannot be bound ends the connection and throws nothing', async () => {
  const offerer = open('offerer', { bindAddress: '192.0.2.1' });
  expect(offerer.closed).toEqual([]);
  await vi.waitFor(() => expect(offerer.closed).toEqual(['failed']), WAIT);
});

test('of 20 connections in a row nearly all open with the DTLS role that two peers equally far from the relay agree on', async () => {
  const took: number[] = [];
  for (let count = 0; count < 20; count += 1) {
    const since = performance.now();
    const connected = await attempt('server');
    if (connected !== null) took.push(performance.now() - since);
    connected?.offerer.peer.close();
    connected?.answerer.peer.close();
  }
  const sorted = took.toSorted((one, other) => one - other);
  console.log(`p50 ${sorted[10]?.toFixed(0)} ms, worst ${sorted.at(-1)?.toFixed(0)} ms, stalls over 900 ms: ${took.filter((ms) => ms > 900).length} of ${took.length}`);
  expect(took.length).toBeGreaterThanOrEqual(17);
});

test('a process that shut its connections down ends by itself', async () => {
  const script = `
    import { openNodePeer, shutdownNodePeers } from './client/transports/peer-node.ts';
    const nothing = () => {};
    const peer = openNodePeer({ role: 'offerer', stun: null, bindAddress: '127.0.0.1', onCandidates: nothing, onOpen: nothing, onFrame: nothing,
      onDescription: () => { peer.close(); },
      onClosed: () => { shutdownNodePeers(); console.log('closed'); } });`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { timeout: 120_000 });
  expect(stdout).toBe('closed\n');
});
