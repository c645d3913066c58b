// `sotto relay doctor` at relays that are well, short of something, and not there.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { ready } from '../../crypto/sodium.js';
import { examine, type Finding } from '../../relay/doctor.js';
import { LIMITS as TURN_LIMITS } from '../../relay/turn/limits.js';
import { Story } from '../support/command.js';
import { freePort } from '../support/port.js';
import { temporaryFolder, testRelay } from './support.js';

beforeAll(ready);

const ILL = { connections: 1, diskReserve: 1 };
const states = (findings: readonly Finding[]) => Object.fromEntries(findings.map(({ what, state }) => [what, state]));

test('a relay that is well is found so, from outside and from inside', async () => {
  const data = temporaryFolder();
  const relay = await testRelay({ data });
  const findings = await examine({ url: `http://127.0.0.1:${relay.port}`, data, ...ILL });
  const inside = process.platform === 'linux' ? 'good' : 'unknown';
  expect(states(findings)).toEqual({ 'name': 'good', 'HTTP': 'good', 'clock': 'good', 'WebSocket': 'good', 'mailbox': 'good', 'STUN': 'good', 'TURN': 'good', 'disk': 'good', 'open files': inside });
});

test('a packet goes through TURN: from one allocation to another on one machine, and from outside where that is let in', async () => {
  const [own, open] = [await testRelay(), await testRelay({ turn: { exempt: ['127.0.0.0/8'] } })];
  for (const [relay, seen] of [[own, /^A packet went from one allocation to another/], [open, /^An allocation was made, and a packet came through UDP port \d+ of 127\.0\.0\.1/]] as const) {
    const findings = await examine({ url: `http://127.0.0.1:${relay.port}`, data: '/nowhere', ...ILL });
    expect(findings.find(({ what }) => what === 'TURN')).toMatchObject({ state: 'good', sentence: expect.stringMatching(seen) });
  }
});

test('a TURN server that announces an address at which it is not reached is found out, and gets back what it has allocated', async () => {
  const relay = await testRelay({ turn: { exempt: ['127.0.0.0/8'], announced: ['127.0.0.77'], limits: { ...TURN_LIMITS, allocations: 1 } } });
  for (let again = 0; again < 2; again += 1) {
    const findings = await examine({ url: `http://127.0.0.1:${relay.port}`, data: '/nowhere', ...ILL });
    expect(findings.find(({ what }) => what === 'TURN')).toMatchObject({ state: 'bad', sentence: expect.stringMatching(/^Nothing that is sent to UDP port \d+ of 127\.0\.0\.77 comes through\. .*--turn-address/) });
  }
});

test('what answers on the WebSocket and is no relay is found out', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  server.on('connection', (socket) => socket.send('hello'));
  await once(server, 'listening');
  const findings = await examine({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, data: '/nowhere', ...ILL });
  expect(findings.find(({ what }) => what === 'WebSocket')).toMatchObject({ state: 'bad', sentence: expect.stringContaining('no relay of Sotto') });
});

test('what is wrong is said with what to do', async () => {
  const data = temporaryFolder();
  const relay = await testRelay({ data, diskReserveBytes: Number.MAX_SAFE_INTEGER });
  const findings = await examine({ url: `http://127.0.0.1:${relay.port}`, data, connections: 1_000_000, diskReserve: 1e15 });
  expect(states(findings)).toMatchObject({ 'HTTP': 'bad', 'mailbox': 'bad', 'WebSocket': 'good', 'disk': 'bad' });
  const sentence = (name: string) => findings.find(({ what }) => what === name)!.sentence;
  expect(sentence('HTTP')).toMatch(/takes nothing new: short of disk\. Start the relay/);
  expect(sentence('disk')).toMatch(/MiB left.*Give the disk more room/);
  if (process.platform === 'linux') expect(sentence('open files')).toContain('LimitNOFILE');
});

test('a relay on terms makes no mailbox for the doctor, and is not ill for that', async () => {
  const relay = await testRelay({ admission: { kind: 'work', bits: 20 } });
  const findings = await examine({ url: `http://127.0.0.1:${relay.port}`, data: '/nowhere', ...ILL });
  expect(states(findings)).toMatchObject({ mailbox: 'unknown', disk: 'unknown' });
});

test('where there is no relay, or a server that is none, everything that was tried is bad', async () => {
  const nothing = await examine({ url: `http://127.0.0.1:${await freePort()}`, data: '/nowhere', ...ILL });
  expect(states(nothing)).toEqual({ 'name': 'good', 'HTTP': 'bad', 'clock': 'bad', 'WebSocket': 'bad', 'mailbox': 'bad', 'disk': 'unknown', 'open files': 'unknown' });
});

test('the command prints a line for each and ends with 4 where something is bad', async () => {
  const story = new Story();
  try {
    const relay = await testRelay();
    const well = await story.run(['relay', 'doctor', `http://127.0.0.1:${relay.port}`]);
    expect([well.code, well.out]).toEqual([0, expect.stringMatching(/^\+ mailbox +An envelope was kept/m)]);
    const gone = await story.run(['relay', 'doctor', '--json', `http://127.0.0.1:${await freePort()}`]);
    expect(gone.code).toBe(4);
  } finally {
    await story.end();
  }
});
