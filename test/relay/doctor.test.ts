// `sotto relay doctor` at relays that are well, short of something, and not there.

import { beforeAll, expect, test } from 'vitest';
import { ready } from '../../crypto/sodium.js';
import { examine, type Finding } from '../../relay/doctor.js';
import { freePort, Story } from '../support/command.js';
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
