// Hostile bytes at the TURN server: a corpus, what a fuzzer makes of it, and a flood at the server as it runs.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ANSWERS_MAX, LIMITS } from '../../../relay/turn/limits.js';
import { ALLOCATE, REFRESH } from '../../../relay/turn/message.js';
import { SocketClient } from './client.js';
import { CORPUS, fuzz, heapUsed, readsQuietly } from './fuzz.js';
import { asHex, BrainClient, hex, seconds, testServer, testTurn, UDP_TRANSPORT } from './support.js';

test('no bytes of the corpus make the parser throw', () => {
  for (const bytes of CORPUS) expect(readsQuietly(hex(bytes)), bytes).toBe(true);
});

test('no bytes make the brain throw, send anywhere else, or tell a stranger more than it may', () => {
  const { inputs, answered, faults } = fuzz(30_000, 7);
  expect(faults).toEqual([]);
  expect(answered).toBeGreaterThan(inputs / 20);
});

test('allocations that have ended, or never were, leave nothing behind but the answers that may be asked for again', () => {
  const turn = testTurn({ limits: { ...LIMITS, strangersPerSecond: 1e9 } });
  const client = new BrainClient(turn);
  const comeAndGo = (): number => {
    // Three answers each time: by the end of it as many are remembered as ever.
    for (let count = 0; count < ANSWERS_MAX / 3; count += 1) {
      client.allocate(50_000);
      client.request(REFRESH, [seconds(0)]);
      const open = client.say(client.write(ALLOCATE, [UDP_TRANSPORT])).find((output) => output.kind === 'open')!;
      turn.handle({ kind: 'not-opened', socket: open.socket }, client.now);
    }
    return heapUsed();
  };
  const before = comeAndGo();
  expect(comeAndGo() - before).toBeLessThan(2 * 1_048_576);
});

test('a flood of strangers leaves the well-behaved served', async () => {
  const server = await testServer({ limits: LIMITS });
  const echo = createSocket('udp4').bind(0, '127.0.0.1');
  await once(echo, 'listening');
  echo.on('message', (bytes, { port }) => echo.send(bytes, port, '127.0.0.1'));
  const client = await SocketClient.open(server.port);
  await client.allocate();
  expect(await client.bind(0x4000, { address: '127.0.0.1', port: echo.address().port })).toBe('0109');

  // From another address, since the allowance of strangers is one per address.
  const stranger = createSocket('udp4').bind(0, '127.0.0.9');
  await once(stranger, 'listening');
  onTestFinished(() => [echo, stranger].forEach((socket) => socket.close()));
  let answers = 0;
  stranger.on('message', () => (answers += 1));
  let sent = 0;
  const flood = setInterval(() => {
    for (let burst = 0; burst < 200; burst += 1) stranger.send(Buffer.concat([hex('00010000 2112a442'), randomBytes(12)]), server.port, '127.0.0.1');
    sent += 200;
  }, 1);
  // A datagram may be lost where the system has no room for it, as any may.
  const saying = setInterval(() => client.write(hex('40000001 2a')), 20);
  for (let turn = 0; turn < 20; turn += 1) expect(asHex(await client.next())).toBe('400000012a');
  clearInterval(saying);
  const newcomer = await SocketClient.open(server.port);
  await newcomer.allocate();
  await vi.waitUntil(() => sent >= 5_000, { timeout: 120_000 });
  clearInterval(flood);
  // The burst of ten seconds and what grew back since, not what was asked for.
  expect(answers).toBeLessThan(sent / 2);
});
