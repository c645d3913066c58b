// How a connected client learns of TURN, and what an operator may say about it.

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ready } from '../../../crypto/sodium.js';
import { Relay, type TurnOffer } from '../../../relay/core/relay.js';
import { CREDENTIAL_RANDOM_BYTES, credentialKey, longTermKey, mintCredential, rotatingSecrets, sharedSecret } from '../../../relay/turn/credential.js';
import { CREDENTIAL_SECONDS } from '../../../relay/turn/limits.js';
import { ownUrls } from '../../../relay/turn/offer.js';
import { decodeRelayFrame, encodeClientFrame, encodeRelayFrame } from '../../../relay/wire/frame.js';
import { Story } from '../../support/command.js';
import { temporaryFolder, TestClient, testRelay } from '../support.js';
import { CERTIFICATE } from './certificate.js';
import { SocketClient } from './client.js';
import { hex, KEY, NOW } from './support.js';

const OFFER: TurnOffer = { urls: ['turn:relay.example:3478?transport=udp'], username: '1:a', password: 'b', ttlSeconds: 600 };
/** How long coturn may take to answer for the first time. */
const COTURN_START_MS = 30_000;

const story = new Story();
beforeAll(ready);
afterAll(() => story.end());

describe('a request for TURN', () => {
  /** What the brain makes of it: its output's kind, and what the client is told. */
  function ask(relay: Relay, now: number) {
    const [output] = relay.handle({ kind: 'frame', connection: 1, bytes: encodeClientFrame(9, { case: 'askTurn', value: {} }) }, now);
    return output?.kind === 'send' ? decodeRelayFrame(output.frame) : output;
  }

  test('gets one credential, and a new one when half of its time is over', () => {
    for (const role of ['collect', 'deposit'] as const) {
      const relay = new Relay(3_478, 3_479);
      const [welcome] = relay.handle({ kind: 'opened', connection: 1, role, challenge: new Uint8Array(32), source: null }, NOW);
      expect(welcome?.kind === 'send' && decodeRelayFrame(welcome.frame).body.value).toMatchObject({ stunPort: 3_478, stunOtherPort: 3_479 });
      expect(ask(relay, NOW)).toEqual({ kind: 'offer', connection: 1, request: 9 });
      const [told] = relay.handle({ kind: 'offered', connection: 1, request: 9, offer: OFFER }, NOW);
      expect(told?.kind === 'send' && decodeRelayFrame(told.frame)).toMatchObject({ request: 9, body: { case: 'turn', value: OFFER } });
      expect(ask(relay, NOW + 500)).toMatchObject({ body: { value: { ttlSeconds: 599 } } });
      expect(ask(relay, NOW + 300_000)).toMatchObject({ body: { value: { ...OFFER, ttlSeconds: 300 } } });
      expect(ask(relay, NOW + 300_001)).toMatchObject({ kind: 'offer' });
    }
  });

  test('at a relay without TURN is told so, and one of a client that is gone is told nothing', () => {
    const relay = new Relay(0);
    relay.handle({ kind: 'opened', connection: 1, role: 'deposit', challenge: new Uint8Array(32), source: null }, NOW);
    const [told] = relay.handle({ kind: 'offered', connection: 1, request: 9, offer: null }, NOW);
    expect(told?.kind === 'send' && decodeRelayFrame(told.frame).body.value).toMatchObject({ urls: [] });
    expect(relay.handle({ kind: 'offered', connection: 2, request: 9, offer: OFFER }, NOW)).toEqual([]);
  });

  test('is answered within bounds, or the answer is no frame', () => {
    const url = 'turn:relay.example';
    for (const value of [{ urls: Array<string>(9).fill(url) }, { urls: ['x'.repeat(513)] }, { username: 'x'.repeat(513) }, { password: 'x'.repeat(513) }]) {
      expect(() => decodeRelayFrame(encodeRelayFrame(1, { case: 'turn', value }))).toThrow();
    }
  });
});

test('our URLs stand at the name by which a client calls us, and at nothing that is no name', () => {
  const ports = { udp: 3_478, tcp: 3_478, tls: 443 };
  expect(ownUrls(ports, 'relay.example')).toEqual(['turn:relay.example:3478?transport=udp', 'turn:relay.example:3478?transport=tcp', 'turns:relay.example:443?transport=tcp']);
  expect(ownUrls({ udp: 1, tcp: null, tls: null }, '[2001:db8::1]:8080')).toEqual(['turn:[2001:db8::1]:1?transport=udp']);
  for (const host of ['', ':80', 'a b', 'a/b', 'a?b', 'a@b', '[::1', '2001:db8::1', 'a:b', 'a:1:2', 'é.example']) expect(ownUrls(ports, host), host).toEqual([]);
});

test('a credential names nobody, and none tells the secret of another day', () => {
  const secrets = rotatingSecrets(KEY);
  const [one, other] = [1, 2].map((fill) => mintCredential(secrets, NOW, new Uint8Array(9).fill(fill)));
  expect(one!.username).toBe(`${NOW / 1_000 + 600}:AQEBAQEBAQEB`);
  expect(other!.password).not.toBe(one!.password);
  const day = NOW / 1_000 - (NOW / 1_000) % 86_400;
  expect(secrets(day)).toEqual(secrets(day + 86_399));
  for (const another of [day - 1, day + 86_400]) expect(secrets(day)).not.toEqual(secrets(another));
  expect([CREDENTIAL_RANDOM_BYTES, CREDENTIAL_SECONDS]).toEqual([9, 600]);
});

test('a name that no credential of ours has belongs to no key, whatever the secret', () => {
  for (const secrets of [rotatingSecrets(KEY), sharedSecret('north')]) {
    const { username, password } = mintCredential(secrets, NOW, new Uint8Array(9));
    expect(credentialKey(secrets, username)).toEqual(longTermKey(username, 'sotto', password));
    for (const name of ['', 'alice', ':alice', '1', '-1:a', '1e9:a', '12345678901:a', ' 1:a']) expect(credentialKey(secrets, name), name).toBeNull();
  }
});

test.skipIf(!existsSync('/usr/bin/turnserver'))('coturn takes the credentials that a relay makes with its secret (skipped where it is not installed)', async () => {
  expect(mintCredential(sharedSecret('north'), NOW, new Uint8Array(9)).password).toMatch(/^[\w+/]{27}=$/);
  const port = await startCoturn('north');
  const urls = [`turn:127.0.0.1:${port}?transport=udp`];
  const relay = await testRelay({ turn: { external: { urls, secret: 'north' } } });
  const answer = await (await TestClient.connect(relay.port, 'deposit')).ask({ case: 'askTurn', value: {} });
  if (answer.case !== 'turn') throw new Error(answer.case);
  expect(answer.value.urls).toEqual(urls);
  expect((await (await SocketClient.open(port, '127.0.0.1', answer.value)).allocate()).address).toBe('127.0.0.1');
  await expect((await SocketClient.open(relay.stunPort, '127.0.0.1', answer.value)).allocate()).rejects.toThrow('401');
});

describe('the command sotto relay', () => {
  const start = ['relay', '--port', '0', '--stun-port', '0'];

  test('refuses what makes no sense about TURN and TLS', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, 'x');
    const wrong = [
      ['--turn-peers', 'all'], ['--turn-address', 'relay.example'], ['--turn-ports', '5'], ['--turn-ports', '9-8'], ['--turn-workers', '65'], ['--turn-url', 'turn:a'], ['--turn-secret-file', file],
      ['--turn-url', 'turn:a', '--turn-secret-file', '/nowhere'], ['--tls-cert', file], ['--tls-cert', file, '--tls-key', file],
    ];
    const codes = await Promise.all(wrong.map(async (options) => (await story.run([...start, '--data', story.home('wrong'), ...options])).code));
    expect(codes).toEqual(wrong.map(() => 2));
  });

  test('speaks HTTPS with a certificate', async () => {
    const folder = temporaryFolder();
    const [cert, key] = [join(folder, 'cert'), join(folder, 'key')];
    writeFileSync(cert, CERTIFICATE.cert);
    writeFileSync(key, CERTIFICATE.key);
    const relay = story.start([...start, '--data', story.home('tls'), '--json', '--tls-cert', cert, '--tls-key', key]);
    const { url } = JSON.parse(await relay.line((line) => line.includes('listening'))) as { url: string };
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  });
});

/** Starts coturn with a shared secret at a port that was free; another one, should somebody have taken that meanwhile. */
async function startCoturn(secret: string, tries = 3): Promise<number> {
  const probe = createSocket('udp4').bind(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  const folder = temporaryFolder();
  const coturn = spawn('/usr/bin/turnserver', [
    '-n', '--use-auth-secret', '--static-auth-secret', secret, '-r', 'sotto', '-L', '127.0.0.1', '-E', '127.0.0.1', '-p', `${port}`, '--no-tls', '--no-dtls', '--no-cli',
    '--pidfile', join(folder, 'pid'), '--userdb', join(folder, 'db'), '--log-file', '/dev/null', '--simple-log',
  ], { stdio: 'ignore' });
  const gone = once(coturn, 'exit');
  onTestFinished(async () => {
    coturn.kill('SIGKILL');
    await gone;
  });
  const socket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  const asking = setInterval(() => socket.send(hex('00010000 2112a442 000000000000000000000000'), port, '127.0.0.1'), 50);
  const answers = await once(socket, 'message', { signal: AbortSignal.timeout(COTURN_START_MS) }).catch(() => null);
  clearInterval(asking);
  if (answers !== null) return port;
  if (tries === 1) throw new Error('coturn does not answer');
  return await startCoturn(secret, tries - 1);
}
