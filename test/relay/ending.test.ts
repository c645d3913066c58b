// What a relay meets and goes on after: files that run out, a certificate that cannot be reached. Real processes with real limits.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { Guard } from '../../relay/guard.js';
import { eventually, type Json, Running, SOTTO } from '../support/command.js';
import { temporaryFolder } from './support.js';
import { CERTIFICATE } from './turn/certificate.js';

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
