// What a relay meets and goes on after: files that run out, a log that nobody takes, a certificate that cannot be reached. And how it
// ends when it must. Real processes with real limits.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { Guard } from '../../relay/guard.js';
import { ownerOfFolder } from '../../relay/stores/upkeep.js';
import { eventually, type Json, Running, SOTTO, Story } from '../support/command.js';
import { temporaryFolder, TestClient } from './support.js';
import { CERTIFICATE } from './turn/certificate.js';

const story = new Story();
afterAll(() => story.end());

const onLinux = process.platform === 'linux';
/** Files that a process may have open: few more than a relay needs for itself. */
const FILES = 160;
/** Longer than the relay takes to look at itself. */
const WHILE_MS = 4_000;

/** A program run by a shell that first does something to it, as limiting its files. */
function shell(before: string, ...args: readonly string[]): Running {
  const child = spawn('sh', ['-c', `${before} exec "$@"`, 'sh', process.execPath, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return new Running(child);
}

function relayIn(data: string): string[] {
  return [SOTTO, 'relay', '--port', '0', '--stun-port', '0', '--data', data, '--json'];
}

/** What is in a file; nothing if it is not there. */
function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

async function listening(relay: Running): Promise<Json & { readonly port: number }> {
  return JSON.parse(await relay.line((line) => line.includes('listening'))) as Json & { port: number };
}

async function health(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(5_000) }).catch(() => null);
  return response?.status ?? 0;
}

test.runIf(onLinux)('connections that take all files end no relay: it serves again when they are gone', async () => {
  const relay = shell(`ulimit -n ${FILES};`, ...relayIn(temporaryFolder()));
  const { port } = await listening(relay);
  const crowd: Socket[] = Array.from({ length: 2 * FILES }, () => connect(port, '127.0.0.1').on('error', () => {}));
  onTestFinished(() => crowd.forEach((socket) => socket.destroy()));
  await eventually(() => Promise.resolve(readdirSync(`/proc/${relay.child.pid}/fd`).length), (open) => open >= FILES - 2);
  await sleep(WHILE_MS);
  for (const socket of crowd) socket.destroy();
  await eventually(() => health(port), (status) => status === 200);
  await relay.kill('SIGTERM');
  expect([relay.child.exitCode, relay.err]).toEqual([0, expect.not.stringContaining('EMFILE')]);
});

test.runIf(onLinux)('a process without a file left still knows its addresses and its memory', async () => {
  const modules = ['turn/socket.js', 'guard.js'].map((name) => new URL(`../../dist/relay/${name}`, import.meta.url).href);
  const program = `
    import { openSync } from 'node:fs';
    const [{ ownAddresses }, { ownMemoryBytes }] = [await import('${modules[0]}'), await import('${modules[1]}')];
    const [before, memory] = [ownAddresses(), ownMemoryBytes()];
    let refused; while (refused === undefined) try { openSync('/dev/null'); } catch ({ code }) { refused = code; }
    console.log(JSON.stringify({ refused, same: JSON.stringify(before) === JSON.stringify(ownAddresses()), memory: memory > 0 && ownMemoryBytes() > 0 }));`;
  const { code, json } = await shell(`ulimit -n ${FILES};`, '--input-type=module', '--eval', program).finished();
  expect([code, json]).toEqual([0, { refused: 'EMFILE', same: true, memory: true }]);
});

test('a look at the disk that comes back after the store was closed asks it nothing', async () => {
  let closed = false;
  const reusableBytes = (): number => {
    if (closed) throw new Error('the store is closed');
    return 0;
  };
  const guard = new Guard({ folder: temporaryFolder(), diskReserveBytes: 1, memoryMaxBytes: null, reusableBytes, onPressure: () => {} });
  await guard.look();
  const looking = guard.look();
  guard.stop();
  closed = true;
  await looking;
});

test.runIf(onLinux)('a certificate whose link leads nowhere, or in a circle, leaves the one that is there', async () => {
  const folder = temporaryFolder();
  writeFileSync(`${folder}/good.pem`, CERTIFICATE.cert);
  writeFileSync(`${folder}/key.pem`, CERTIFICATE.key);
  symlinkSync('good.pem', `${folder}/cert.pem`);
  const relay = shell('', ...relayIn(temporaryFolder()), '--tls-cert', `${folder}/cert.pem`, '--tls-key', `${folder}/key.pem`);
  await listening(relay);
  symlinkSync('cert.pem', `${folder}/next.pem`);
  renameSync(`${folder}/next.pem`, `${folder}/cert.pem`);
  await eventually(() => Promise.resolve(relay.err), (log) => log.includes('the new certificate cannot be read, the old one stays'));
  symlinkSync('good.pem', `${folder}/next.pem`);
  renameSync(`${folder}/next.pem`, `${folder}/cert.pem`);
  await eventually(() => Promise.resolve(relay.err), (log) => log.includes('the certificate was read again'));
  await relay.kill('SIGTERM');
  expect(relay.child.exitCode).toBe(0);
});

test.runIf(onLinux).each([
  ['its words nobody reads', '| true'],
  ['its words go to a disk that is full', '> /dev/full'],
  ['its log nobody reads', '2>&1 >/dev/null | true'],
  ['its log goes to a disk that is full', '2> /dev/full'],
])('a relay goes on where %s, and ends with 0 when it is told to', async (_, redirected) => {
  const data = temporaryFolder();
  const code = `${data}/code`;
  // The shell writes down the code, for behind a pipe it is nobody's; where the relay is, its notice says.
  shell(`relay() { "$@"; echo $? > ${code}; }; relay "$@" ${redirected}; while [ ! -s ${code} ]; do sleep 0.1; done; exit; `, ...relayIn(data));
  const url = await eventually(() => readText(`${data}/url`), (text) => text !== '');
  const port = Number(new URL(url).port);
  await eventually(() => health(port), (status) => status === 200);
  await sleep(500);
  expect(await health(port)).toBe(200);
  await TestClient.connect(port, 'deposit');
  process.kill((await ownerOfFolder(data))!, 'SIGTERM');
  expect(await eventually(() => readText(code), (text) => text !== '')).toBe('0\n');
});

test.runIf(process.platform !== 'win32')('an error that nobody foresaw ends a relay with a sentence that names nobody, with 1, and after a goodbye', async () => {
  const program = `import { isMainThread } from 'node:worker_threads'; if (isMainThread) process.on('SIGUSR2', () => { throw new TypeError('send EINVAL 192.0.2.7:9'); });`;
  const relay = story.start(relayIn(story.home('broken')).slice(1), { NODE_OPTIONS: `--import data:text/javascript;base64,${Buffer.from(program).toString('base64')}` });
  const { port } = await listening(relay);
  const client = await TestClient.connect(port, 'deposit');
  relay.child.kill('SIGUSR2');
  expect(await client.closed).toBe('relay-closing');
  const { code, err } = await relay.finished();
  const [, told] = relay.events();
  expect(code).toBe(1);
  expect(told).toMatchObject({ error: { code: 'internal', message: expect.stringMatching(/^Something has failed inside the relay \(TypeError at .*\), so it has ended; what it accepted is kept\. Start it again/) } });
  expect(`${err}${JSON.stringify(told)}`).not.toContain('192.0.2.7');
});

test.runIf(process.platform !== 'win32')('a relay whose terminal is closed says goodbye, and dies by the signal that said so', async () => {
  const relay = story.start(relayIn(story.home('hung up')).slice(1));
  const { port } = await listening(relay);
  const client = await TestClient.connect(port, 'deposit');
  relay.child.kill('SIGHUP');
  expect(await client.closed).toBe('relay-closing');
  await relay.finished();
  expect(relay.child.signalCode).toBe('SIGHUP');
});
