// Who comes in and who does not, over real sockets on 127.0.0.1. A proxy's header stands in for other addresses.

import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { ready } from '../../crypto/sodium.js';
import { Gate, GATE, type GateOptions } from '../../relay/gate.js';
import { isPrivate } from '../../relay/tls.js';
import { DEPOSIT_PATH } from '../../relay/wire/limits.js';
import type { IncomingMessage } from 'node:http';
import { testRelay } from './support.js';

beforeAll(ready);

/** What becomes of a request for a WebSocket: `open`, or the HTTP status. */
function knock(port: number, headers: Record<string, string> = {}): Promise<string> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${DEPOSIT_PATH}`, { headers });
  return new Promise((resolve) => {
    socket.once('open', () => {
      resolve('open');
      socket.terminate();
    });
    socket.once('unexpected-response', (_, { statusCode }) => {
      resolve(String(statusCode));
      socket.terminate();
    });
    socket.on('error', () => {});
  });
}

function requestFrom(remoteAddress: string, forwarded?: string): IncomingMessage {
  return { socket: { remoteAddress }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } } as unknown as IncomingMessage;
}

const gate = (options: Partial<GateOptions> = {}) => new Gate({ ...GATE, ...options });

describe('pages', () => {
  test('of our own, of the user’s machine and of those that the operator named may connect, and no others', async () => {
    const { port } = await testRelay({ gate: { ...GATE, origins: ['https://app.example'] } });
    for (const origin of [`http://127.0.0.1:${port}`, 'http://localhost:3000', 'http://[::1]:99', 'https://app.example']) expect([origin, await knock(port, { origin })]).toEqual([origin, 'open']);
    for (const origin of ['https://evil.example', 'null', 'https://app.example.evil.example', 'http://localhost.evil.example', 'https://app.example:8443', '']) {
      expect([origin, await knock(port, { origin })]).toEqual([origin, '403']);
    }
    expect(await knock(port)).toBe('open');
  });

  test('of everywhere may connect where the operator says so', async () => {
    const { port } = await testRelay({ gate: { ...GATE, origins: ['*'] } });
    expect(await knock(port, { origin: 'https://evil.example' })).toBe('open');
  });
});

describe('sources', () => {
  test('an IPv4 address is one, an IPv6 network of 64 bits is one, and this machine is none', () => {
    const { sourceOf } = { sourceOf: (address: string) => one.sourceOf(requestFrom(address)) };
    const one = gate();
    expect(sourceOf('192.0.2.1')).toBe(sourceOf('::ffff:192.0.2.1'));
    expect(sourceOf('192.0.2.1')).not.toBe(sourceOf('192.0.2.2'));
    expect(sourceOf('2001:db8::1')).toBe(sourceOf('2001:db8::ffff:1'));
    expect(sourceOf('2001:db8::1')).not.toBe(sourceOf('2001:db8:0:1::1'));
    expect(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'].map(sourceOf)).toEqual([null, null, null, null]);
  });

  test('a source’s number is another one in every process, so that it tells nothing elsewhere', () => {
    expect(gate().sourceOf(requestFrom('192.0.2.1'))).not.toBe(gate().sourceOf(requestFrom('192.0.2.1')));
  });

  test('behind a proxy the last address that it adds is the source, and what a client claims before that is not', () => {
    const behind = gate({ behindProxy: true });
    expect(behind.sourceOf(requestFrom('127.0.0.1', '203.0.113.9, 192.0.2.1'))).toBe(behind.sourceOf(requestFrom('127.0.0.1', '192.0.2.1')));
    expect(gate().sourceOf(requestFrom('127.0.0.1', '192.0.2.1'))).toBeNull();
  });

  test('one that knocks too often waits, on the page and on the WebSocket, while others come in', async () => {
    const { port } = await testRelay({ gate: { ...GATE, behindProxy: true, sourceRequestsPerMinute: 3 } });
    const from = (address: string) => ({ 'x-forwarded-for': address });
    const outcomes = [];
    for (let count = 0; count < 3; count += 1) outcomes.push(await knock(port, from('192.0.2.1')));
    expect([...outcomes, await knock(port, from('192.0.2.1')), await knock(port, from('192.0.2.2'))]).toEqual(['open', 'open', 'open', '429', 'open']);
    const page = await fetch(`http://127.0.0.1:${port}/`, { headers: from('192.0.2.1') });
    expect([page.status, page.headers.get('retry-after')]).toEqual([429, '60']);
  });
});

test('no more connections than the relay takes at a time', async () => {
  const { port } = await testRelay({ gate: { ...GATE, connections: 1 } });
  const first = new WebSocket(`ws://127.0.0.1:${port}${DEPOSIT_PATH}`);
  await new Promise((resolve) => first.once('message', resolve));
  expect(await knock(port)).toBe('503');
  first.terminate();
  await expect.poll(() => knock(port), { timeout: 60_000 }).toBe('open');
});

test('without TLS a relay listens on this machine alone, or among private addresses where it was told to', async () => {
  await expect(testRelay({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'option-invalid', message: expect.stringContaining('--tls-cert') });
  const lan = await testRelay({ host: '0.0.0.0', plain: 'lan', gate: { ...GATE, lan: true } });
  expect(await knock(lan.port)).toBe('open');
  const near = gate({ lan: true });
  expect(['10.1.2.3', '192.168.0.1', '172.31.0.1', 'fe80::1', 'fd00::1', '::ffff:10.0.0.1', '8.8.8.8', '172.32.0.1', '2001:db8::1', '::ffff:8.8.8.8'].map(isPrivate)).toEqual([...Array(6).fill(true), ...Array(4).fill(false)]);
  expect(await near.judge({ ...requestFrom('8.8.8.8'), url: DEPOSIT_PATH } as IncomingMessage, 0)).toBe(403);
});
