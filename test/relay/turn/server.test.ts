// The TURN server as it runs, with clients that share no code with it: coturn's tools, libdatachannel and Chromium.

import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import nodeDataChannel from 'node-datachannel';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Endpoint } from '../../../relay/turn/address.js';
import { REQUESTED_ADDRESS_FAMILY } from '../../../relay/turn/attribute.js';
import { Commons } from '../../../relay/turn/commons.js';
import type { Credential } from '../../../relay/turn/credential.js';
import { decodeRelayFrame, encodeClientFrame } from '../../../relay/wire/frame.js';
import { hasChromium } from '../../support/chromium.js';
import { TestClient, testRelay } from '../support.js';
import { relayInBrowser } from './browser.js';
import { CERTIFICATE } from './certificate.js';
import { SocketClient } from './client.js';
import { relayPair } from './pair.js';
import { asHex, credential, hex, testServer } from './support.js';

const run = promisify(execFile);
const hasCoturn = existsSync('/usr/bin/turnutils_uclient');
const DATA = hex('68656c6c6f');

/** A tool that has not ended by then will not end. */
const TOOL_MS = 120_000;

afterAll(() => nodeDataChannel.cleanup());

/** A UDP service that sends everything back; its port. */
async function echo(address = '127.0.0.1'): Promise<Endpoint> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4').bind(0, address);
  onTestFinished(() => void socket.close());
  await once(socket, 'listening');
  socket.on('message', (bytes, { port }) => socket.send(bytes, port, address));
  return { address, port: socket.address().port };
}

/** Says something to an echo, as an indication and on a channel. */
async function converse(client: SocketClient, peer: Endpoint): Promise<void> {
  expect(await client.permit(peer)).toBe('0108');
  client.send(peer, DATA);
  expect(asHex((await client.next()).subarray(0, 2))).toBe('0017');
  expect(await client.bind(0x4000, peer)).toBe('0109');
  client.write(hex('40000005 68656c6c6f 000000'));
  expect(asHex((await client.next()).subarray(0, 9))).toBe('4000000568656c6c6f');
}

describe('an allocation carries data to a peer and back', () => {
  test('over UDP', async () => {
    const server = await testServer();
    const client = await SocketClient.open(server.port);
    expect((await client.allocate()).address).toBe('127.0.0.1');
    await converse(client, await echo());
  });

  test('over TCP however many streams another address holds, which are so many and no more', async () => {
    const commons = new Commons();
    const server = await testServer({ address: '0.0.0.0', commons });
    const open = (localAddress: string): Promise<Socket> => new Promise((resolve, reject) => {
      const stream = connect({ port: server.port, host: '127.0.0.1', localAddress, allowHalfOpen: false }).on('error', reject);
      onTestFinished(() => void stream.destroy());
      stream.resume().on('connect', () => resolve(stream));
    });
    const many: Socket[] = [];
    while (many.length < 1_000) many.push(...await Promise.all(Array.from({ length: 100 }, () => open('127.0.0.2'))));
    const isTaken = async (localAddress: string): Promise<boolean> => {
      const stream = await open(localAddress);
      return Promise.race([once(stream, 'close').then(() => false, () => false), SocketClient.over(stream, credential()).allocate().then(() => true)]);
    };
    expect([await isTaken('127.0.0.2'), await isTaken('127.0.0.1')]).toEqual([false, true]);
    expect(commons.totals.refused).toEqual([['limit', 1]]);
    expect(many.filter(({ destroyed }) => destroyed)).toEqual([]);
    many[0]!.destroy();
    await expect.poll(() => isTaken('127.0.0.2'), { timeout: 20_000 }).toBe(true);
  });

  test('over TCP, too, at a port that nobody has chosen, however many of them are in use', async () => {
    const others = await Promise.all(Array.from({ length: 3_000 }, async () => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      return other;
    }));
    onTestFinished(() => others.forEach((other) => other.close()));
    for (let servers = 0; servers < 40; servers += 1) expect((await testServer()).tcp).toBe(true);
  });

  test('over IPv6', async ({ skip }) => {
    const server = await testServer({ address: '::1' }).catch(() => null);
    if (server === null) return skip('this machine has no IPv6 loopback');
    const client = await SocketClient.open(server.port, '::1');
    expect((await client.allocate([{ type: REQUESTED_ADDRESS_FAMILY, value: Uint8Array.of(2, 0, 0, 0) }])).address).toBe('::1');
    await converse(client, await echo('::1'));
  });

  test('over TCP, in pieces of any size', async () => {
    const server = await testServer();
    const stream = connect(server.port, '127.0.0.1').setNoDelay(true);
    const client = SocketClient.over(stream, credential(), (bytes) => bytes.forEach((byte) => stream.write(Uint8Array.of(byte))));
    await client.allocate();
    await converse(client, await echo());
  });
});

// Anybody can send a datagram that claims to come from port 0; the answer takes the same way out as what is for a peer.
test('a peer at port 0, where nobody can be written to, ends nothing', async () => {
  const server = await testServer();
  const client = await SocketClient.open(server.port);
  await client.allocate();
  const nobody = { address: '127.0.0.1', port: 0 };
  expect(await client.permit(nobody)).toBe('0108');
  client.send(nobody, DATA);
  expect(await client.bind(0x4001, nobody)).toBe('0109');
  client.write(hex('40010005 68656c6c6f 000000'));
  await converse(client, await echo());
});

describe('the port of HTTP', () => {
  test('with a certificate speaks HTTPS, WebSocket over TLS and TURN over TLS', async () => {
    const relay = await testRelay({ tls: CERTIFICATE, turn: { exempt: ['127.0.0.0/8'] } });
    const socket = new WebSocket(`wss://127.0.0.1:${relay.port}/v1/collect`, { rejectUnauthorized: false });
    onTestFinished(() => socket.terminate());
    await once(socket, 'message');
    const client = turnOver(connectTls({ port: relay.port, host: '127.0.0.1', rejectUnauthorized: false }), await accessOf(relay.port, 'wss'));
    await client.allocate();
    await converse(client, await echo());
    const page = connectTls({ port: relay.port, host: '127.0.0.1', rejectUnauthorized: false });
    page.write('GET /health HTTP/1.0\r\n\r\n');
    expect((await page.toArray()).join('')).toContain('{"status":"ok"}');
  });

  test('without one speaks HTTP, WebSocket and TURN over TCP', async () => {
    const relay = await testRelay({ turn: { exempt: ['127.0.0.0/8'] } });
    expect((await fetch(`http://127.0.0.1:${relay.port}/health`)).status).toBe(200);
    const client = turnOver(connect(relay.port, '127.0.0.1'), await accessOf(relay.port, 'ws'));
    await client.allocate();
    await converse(client, await echo());
  });

  test('ends a stream that begins like STUN and is none, and lets nobody who says nothing keep it open', async () => {
    const relay = await testRelay();
    const silent = connect(relay.port, '127.0.0.1');
    const noise = connect(relay.port, '127.0.0.1');
    await Promise.all([once(silent, 'connect'), once(noise, 'connect')]);
    const [ended, left] = [noise, silent].map((stream) => once(stream.on('error', () => {}).resume(), 'close'));
    noise.write(hex('0001ffff 00000000'));
    await ended;
    await relay.close();
    await left;
  });
});

describe('a connected client', () => {
  test('is told where TURN is by the name that it used, and gets no more than one credential', async () => {
    const relay = await testRelay({ turn: {} });
    const client = await TestClient.connect(relay.port, 'deposit');
    const first = await client.ask({ case: 'askTurn', value: {} });
    if (first.case !== 'turn') throw new Error(first.case);
    expect(first.value.urls).toEqual([`turn:127.0.0.1:${relay.stunPort}?transport=udp`, `turn:127.0.0.1:${relay.stunPort}?transport=tcp`]);
    expect(first.value.username).toMatch(/^\d{10}:[\w-]{12}$/);
    expect(first.value.ttlSeconds).toBe(600);
    const second = await client.ask({ case: 'askTurn', value: {} });
    expect(second.value).toMatchObject({ username: first.value.username, password: first.value.password });
    const other = await TestClient.connect(relay.port, 'collect');
    expect((await other.ask({ case: 'askTurn', value: {} })).value).not.toMatchObject({ username: first.value.username });
  });

  test('allocates with what it was told, and nobody else does', async () => {
    const relay = await testRelay({ turn: { exempt: ['127.0.0.0/8'] } });
    const access = await accessOf(relay.port, 'ws');
    expect((await (await SocketClient.open(relay.stunPort, '127.0.0.1', access)).allocate()).address).toBe('127.0.0.1');
    const guess = await SocketClient.open(relay.stunPort, '127.0.0.1', { ...access, password: 'guess' });
    await expect(guess.allocate()).rejects.toThrow('401');
  });
});

describe.skipIf(!hasCoturn)("coturn's clients (skipped where it is not installed)", () => {
  test('relay to a peer without loss, many at once and in every manner', async () => {
    const [server, peer] = [await testServer(), await echo()];
    const manners = [[], ['-s'], ['-D'], ['-G'], ['-t'], ['-t', '-s'], ['-m', '40']];
    await Promise.all(manners.map((manner) => uclient(server.port, [...credentials(), '-e', peer.address, '-r', `${peer.port}`, '-c', ...manner])));
  });

  test('relay to each other without loss, in pairs of ports and in every manner', async () => {
    const { port } = await testServer();
    const manners = [[], ['-s'], ['-t'], ['-c', '-m', '20']];
    await Promise.all(manners.map((manner) => uclient(port, [...credentials(), '-y', ...manner])));
  });

  test('relay over TLS', async () => {
    const relay = await testRelay({ tls: CERTIFICATE, turn: { exempt: ['127.0.0.0/8'] } });
    const { username, password } = await accessOf(relay.port, 'wss');
    const peer = await echo();
    // One message at a time: of answers that come close together over TLS this client calls some lost, from coturn's own server, too.
    await uclient(relay.port, ['-u', username, '-w', password, '-t', '-S', '-e', peer.address, '-r', `${peer.port}`, '-c', '-z', '200']);
  });

  test('are told their address, and what their NAT does', async () => {
    const { port, otherPort } = await testServer();
    const told = await run('turnutils_stunclient', ['-p', `${port}`, '127.0.0.1'], { timeout: TOOL_MS });
    expect(told.stdout).toMatch(/UDP reflexive addr: 127\.0\.0\.1:\d+/);
    const discovered = await run('turnutils_natdiscovery', ['-m', '-P', '-p', `${port}`, '127.0.0.1'], { timeout: TOOL_MS });
    expect(discovered.stdout).toContain(`Other addr: : 127.0.0.1:${otherPort}`);
    expect(discovered.stdout).toContain('Endpoint Independent Mapping');
  });
});

// At another address than its clients, so that no packet of theirs counts as coming from a relayed address.
test.each([['127.0.0.2', '127.0.0.2', '127.0.0.1'], ['::', '::1', '::1']])('libdatachannel relays through it at %s, relay candidates on both sides', async (address, hostname, bindAddress) => {
  const server = await testServer({ address });
  const { username, password } = credential();
  const access = { hostname, port: server.port, username, password };
  expect(await relayPair(access, access, bindAddress)).toEqual({ answer: 'hello', types: ['relay', 'relay', 'relay', 'relay'] });
});

describe.skipIf(!hasChromium)('Chromium (skipped where there is none)', () => {
  test.each([['127.0.0.1', 'udp'], ['127.0.0.1', 'tcp'], ['[::1]', 'udp']])('relays through it at %s over %s, relay candidates on both sides', async (host, transport) => {
    const server = await testServer({ address: host === '[::1]' ? '::' : host });
    const { username, password } = credential();
    const types = await relayInBrowser({ urls: `turn:${host}:${server.port}?transport=${transport}`, username, credential: password }, ['--allow-loopback-in-peer-connection']);
    expect(types).toEqual([['relay', 'relay'], ['relay', 'relay']]);
  });
});

function credentials(): string[] {
  const { username, password } = credential();
  return ['-u', username, '-w', password];
}

async function uclient(port: number, options: readonly string[]): Promise<void> {
  const { stdout } = await run('turnutils_uclient', ['-p', `${port}`, '-n', '5', ...options, '127.0.0.1'], { timeout: TOOL_MS });
  expect(stdout).toContain('Total lost packets 0 ');
  const [, sent, received] = /tot_send_msgs=(\d+), tot_recv_msgs=(\d+)(?![\s\S]*tot_send_msgs)/.exec(stdout)!;
  expect(Number(sent)).toBeGreaterThan(0);
  expect(received).toBe(sent);
}

/** The credential that a relay gives to a client of it. */
async function accessOf(port: number, scheme: 'ws' | 'wss') {
  const socket = new WebSocket(`${scheme}://127.0.0.1:${port}/v1/deposit`, { rejectUnauthorized: false });
  onTestFinished(() => socket.terminate());
  await once(socket, 'message');
  socket.send(encodeClientFrame(1, { case: 'askTurn', value: {} }));
  const [answer] = (await once(socket, 'message')) as [Buffer];
  const { body } = decodeRelayFrame(answer);
  if (body.case !== 'turn') throw new Error(body.case);
  return body.value;
}

function turnOver(stream: Socket, from: Credential): SocketClient {
  stream.setNoDelay(true);
  return SocketClient.over(stream, from);
}
