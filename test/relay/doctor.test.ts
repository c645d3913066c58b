// `sotto relay doctor` at relays that are well, short of something, and not there.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { ready } from '../../crypto/sodium.js';
import { examine, type Finding } from '../../relay/doctor.js';
import { LIMITS as TURN_LIMITS } from '../../relay/turn/limits.js';
import { Story } from '../support/command.js';
import { freePort } from '../support/port.js';
import { temporaryFolder, testRelay } from './support.js';
import { CERTIFICATE } from './turn/certificate.js';

beforeAll(ready);

const ILL = { connections: 1, diskReserve: 1 };
const states = (findings: readonly Finding[]) => Object.fromEntries(findings.map(({ what, state }) => [what, state]));

test('a relay that is well is found so, from outside and from inside', async () => {
  const data = temporaryFolder();
  const relay = await testRelay({ data });
  const findings = await examine({ url: `http://127.0.0.1:${relay.port}`, data, ...ILL });
  const inside = process.platform === 'linux' ? 'good' : 'unknown';
  expect(states(findings)).toEqual({ 'name': 'good', 'HTTP': 'good', 'clock': 'good', 'WebSocket': 'good', 'mailbox': 'good', 'STUN': 'good', 'TURN': 'good', 'TURN by TCP': 'good', 'disk': 'good', 'open files': inside });
  const ears = findings.filter(({ what }) => what === 'STUN').map(({ sentence }) => /UDP port (\d+) of 127\.0\.0\.1/.exec(sentence)?.[1]);
  expect([ears.length, ears[0]]).toEqual([2, String(relay.stunPort)]);
  expect(new Set(ears).size).toBe(2);
});

test('a packet goes through TURN: from one allocation to another on one machine, and from outside where that is let in', async () => {
  const [own, open] = [await testRelay(), await testRelay({ turn: { exempt: ['127.0.0.0/8'] } })];
  for (const [relay, seen] of [[own, /^At UDP port \d+ of 127\.0\.0\.1 a packet went from one allocation to another/], [open, /^An allocation was made at UDP port \d+ of 127\.0\.0\.1, and a packet came through UDP port \d+ of 127\.0\.0\.1/]] as const) {
    const findings = await examine({ url: `http://127.0.0.1:${relay.port}`, data: '/nowhere', ...ILL });
    expect(findings.find(({ what }) => what === 'TURN')).toMatchObject({ state: 'good', sentence: expect.stringMatching(seen) });
  }
});

test('without a URL the relay that uses the data is looked at, wherever it listens', async () => {
  const story = new Story();
  onTestFinished(() => story.end());
  const relay = story.start(['relay', '--port', '0', '--stun-port', '0', '--data', story.home('relay'), '--json']);
  const { port, stunPort } = JSON.parse(await relay.line((line) => line.includes('listening'))) as { port: number; stunPort: number };
  expect(port).not.toBe(8_080);
  const { code, out } = await story.run(['relay', 'doctor', '--data', story.home('relay'), '--connections', '100']);
  expect([code, out]).toEqual([0, expect.stringContaining(`UDP port ${stunPort} of 127.0.0.1`)]);
});

test('every thread of TURN is tried, by UDP and by TCP, and the main one by TLS where the relay has a certificate', async () => {
  const story = new Story();
  onTestFinished(() => story.end());
  const [cert, key] = [join(story.folder, 'cert.pem'), join(story.folder, 'key.pem')];
  writeFileSync(cert, CERTIFICATE.cert);
  writeFileSync(key, CERTIFICATE.key);
  const relay = await testRelay({ tls: CERTIFICATE, turn: { workers: 2 } });
  const [url, env] = [`https://localhost:${relay.port}`, { NODE_EXTRA_CA_CERTS: cert }];
  const { code, json, err } = await story.start(['relay', 'doctor', '--json', url], env).finished();
  expect([code, err]).toEqual([0, '']);
  const findings = json as unknown as readonly Finding[];
  const seen = (what: string) => findings.filter((finding) => finding.what === what).map(({ state, sentence }) => `${state} ${/\w+ port \d+ of \w+/.exec(sentence)![0]}`).toSorted();
  expect(new Set([...seen('TURN'), `good UDP port ${relay.stunPort} of localhost`]).size).toBe(3);
  expect(seen('TURN by TCP')).toEqual(seen('TURN').map((udp) => udp.replace('UDP', 'TCP')));
  expect(seen('TURN by TLS')).toEqual([`good TCP port ${relay.port} of localhost`]);
  expect(findings.find(({ what }) => what === 'certificate')).toMatchObject({ state: 'good', sentence: expect.stringContaining('for localhost') });
});

test.each(['tcp', 'udp', 'tls'] as const)('a TURN server that does not answer by %s is found out, with the port to open', async (transport) => {
  // It takes connections and datagrams, and says nothing.
  const [port, silent] = [await freePort(), createServer().unref()];
  silent.listen(port, '127.0.0.1');
  onTestFinished(() => void silent.close());
  const url = transport === 'tls' ? `turns:127.0.0.1:${port}?transport=tcp` : `turn:127.0.0.1:${port}?transport=${transport}`;
  const relay = await testRelay({ turn: { external: { urls: [url], secret: 'secret' } } });
  const findings = await examine({ url: `http://127.0.0.1:${relay.port}`, data: '/nowhere', ...ILL });
  const what = transport === 'udp' ? 'TURN' : `TURN by ${transport.toUpperCase()}`;
  const seen = transport === 'tls' ? 'No connection with TLS to' : 'Nothing answers at';
  const name = `${transport === 'udp' ? 'UDP' : 'TCP'} port ${port}`;
  expect(findings.find((finding) => finding.what === what)).toMatchObject({ state: 'bad', sentence: expect.stringMatching(new RegExp(`^${seen} ${name} of 127\\.0\\.0\\.1${transport === 'tls' ? ' \\(no answer in time\\)' : ' as such a server does'}\\. Open ${name} in the firewall`)) });
  expect(states(findings)).toMatchObject(transport === 'udp' ? { 'TURN by TCP': 'unknown' } : { TURN: 'unknown' });
});

test('a TURN server whose certificate clients refuse, or whose port nobody listens at, is found out', async () => {
  const [relay, nobody] = [await testRelay({ tls: CERTIFICATE }), await freePort()];
  const urls = [`turns:localhost:${relay.port}?transport=tcp`, `turn:127.0.0.1:${nobody}?transport=tcp`];
  const { port } = await testRelay({ turn: { external: { urls, secret: 'secret' } } });
  const findings = await examine({ url: `http://127.0.0.1:${port}`, data: '/nowhere', ...ILL });
  expect(findings.find(({ what }) => what === 'TURN by TLS')).toMatchObject({ state: 'bad', sentence: expect.stringMatching(/^No connection with TLS .*\(DEPTH_ZERO_SELF_SIGNED_CERT\)\. .*--tls-cert a certificate for localhost\.$/) });
  expect(findings.find(({ what }) => what === 'TURN by TCP')).toMatchObject({ state: 'bad', sentence: `No connection to TCP port ${nobody} of 127.0.0.1 (ECONNREFUSED). Open TCP port ${nobody} in the firewall.` });
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
  expect(sentence('HTTP')).toMatch(/takes nothing new: short of disk\. Look at the relay’s log/);
  expect(sentence('disk')).toMatch(/MiB left.*Give the disk more room/);
  if (process.platform === 'linux') expect(sentence('open files')).toContain('LimitNOFILE');
});

test('a relay on terms makes no mailbox for the doctor, and is not ill for that', async () => {
  const relay = await testRelay({ admission: { kind: 'work', bits: 20 } });
  const findings = await examine({ url: `http://127.0.0.1:${relay.port}`, data: '/nowhere', ...ILL });
  expect(states(findings)).toMatchObject({ mailbox: 'unknown', disk: 'unknown' });
});

test('a certificate that clients refuse is the only thing to do something about', async () => {
  const relay = await testRelay({ tls: CERTIFICATE });
  const findings = await examine({ url: `https://localhost:${relay.port}`, data: '/nowhere', ...ILL });
  expect(states(findings)).toMatchObject({ HTTP: 'bad', certificate: 'bad', WebSocket: 'bad' });
  for (const name of ['HTTP', 'WebSocket']) expect(findings.find(({ what }) => what === name)!.sentence).toMatch(/^self-signed certificate\. Look at the certificate\.$/);
  expect(findings.find(({ what }) => what === 'certificate')!.sentence).toContain('give --tls-cert the whole chain');
});

test('where there is no relay, everything that was tried is bad, and what could not be tried is not called so', async () => {
  const secure = await examine({ url: `https://127.0.0.1:${await freePort()}`, data: '/nowhere', ...ILL });
  expect(states(secure)).toMatchObject({ HTTP: 'bad', certificate: 'unknown' });
  const nothing = await examine({ url: `http://127.0.0.1:${await freePort()}`, data: '/nowhere', ...ILL });
  expect(nothing.find(({ what }) => what === 'HTTP')!.sentence).toMatch(/^connect ECONNREFUSED 127\.0\.0\.1:\d+\. Start the relay/);
  expect(states(nothing)).toEqual({ 'name': 'good', 'HTTP': 'bad', 'clock': 'unknown', 'WebSocket': 'bad', 'disk': 'unknown', 'open files': 'unknown' });
});

test('the command prints a line for each and ends with 4 where something is bad', async () => {
  const story = new Story();
  try {
    const relay = await testRelay();
    const well = await story.run(['relay', 'doctor', `http://127.0.0.1:${relay.port}`]);
    expect([well.code, well.out]).toEqual([0, expect.stringMatching(/^\+ mailbox +An envelope was kept/m)]);
    const gone = await story.run(['relay', 'doctor', '--json', `http://127.0.0.1:${await freePort()}`]);
    expect(gone.code).toBe(4);
    for (const url of ['relay.example', 'localhost:8080', 'ftp://relay.example', 'http://']) {
      expect(await story.run(['relay', 'doctor', url]), url).toMatchObject({ code: 2, err: expect.stringContaining('must look like https://relay.example') });
    }
  } finally {
    await story.end();
  }
});
