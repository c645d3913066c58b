// A thread of the TURN server that hangs is noticed, whatever it hangs in; one that is only kept from answering, by a flood or with the
// whole process, is not taken for one. With less patience than a relay has (test/relay/failure.test.ts has all of it).

import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { BINDING_REQUEST, writeMessage } from '../../../relay/turn/message.js';
import type { TurnPorts } from '../../../relay/turn/workers.js';
import { Running } from '../../support/command.js';
import { temporaryFolder } from '../support.js';
import { SocketClient } from './client.js';
import { KEY, newTransaction } from './support.js';

const BUILT = new URL('../../../dist/relay/turn/workers.js', import.meta.url);
const PATIENCE = { askedEveryMs: 250, unansweredMax: 20 };
/** Longer than that. */
const LONG_MS = 8_000;
const SENTENCE = /^A thread of the TURN server has failed \(it does not answer\), so the relay has ended;/;

/** A server of two threads beside the main one, in a process that ends as a relay does. Told of a client that is gone, they do something. */
function startThreads(what: string): Running {
  const inThreads = `import { isMainThread, parentPort } from 'node:worker_threads'; import { openSync } from 'node:fs'; if (!isMainThread) { ${what} }`;
  const program = `import { startTurnThreads } from '${BUILT.href}';
    const server = await startTurnThreads({ address: '127.0.0.1', port: 0, secret: Uint8Array.of(${KEY.join()}), peers: 'clients', workers: 2, patience: ${JSON.stringify(PATIENCE)} }).catch((error) => {
      console.log(error.message);
      process.exit(1);
    });
    server.failed.then(async ({ message }) => {
      await server.close();
      console.log(message);
      process.exit(1);
    });
    console.log(JSON.stringify(server.offered));
    process.stdin.on('data', () => server.went('192.0.2.7'));`;
  const file = join(temporaryFolder(), 'threads.mjs');
  writeFileSync(file, program);
  const child = spawn(process.execPath, [file], { stdio: 'pipe', env: { ...process.env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(inThreads)}` } });
  onTestFinished(() => void child.kill('SIGKILL'));
  return new Running(child);
}

const told = (what: string): string => `parentPort.on('message', ({ kind }) => { if (kind === 'went') ${what}; });`;

async function portsOf(threads: Running): Promise<readonly TurnPorts[]> {
  return JSON.parse(await threads.line((line) => line.startsWith('['))) as TurnPorts[];
}

/** All of them make allocations; throws with what they said if they have ended instead. */
async function serve(threads: Running, ports: readonly TurnPorts[]): Promise<void> {
  const ended = threads.finished().then(({ out }) => { throw new Error(out); });
  await Promise.race([Promise.all(ports.map(async ({ udp }) => (await SocketClient.open(udp)).allocate())), ended]);
}

test.skipIf(process.platform === 'win32')('a process that is stopped for long and goes on has lost no thread, and notices one that hangs then', async () => {
  const threads = startThreads(told('for (;;)'));
  const ports = await portsOf(threads);
  for (let stop = 0; stop < 2; stop += 1) {
    threads.child.kill('SIGSTOP');
    await sleep(LONG_MS);
    threads.child.kill('SIGCONT');
    await serve(threads, ports);
  }
  await sleep(LONG_MS);
  await serve(threads, ports);
  expect([threads.child.exitCode, threads.lines.length]).toEqual([null, 1]);
  threads.child.stdin!.write('x');
  const { code } = await threads.finished();
  expect([code, threads.lines.at(-1)]).toEqual([1, expect.stringMatching(SENTENCE)]);
});

test('a thread that hangs as it starts is noticed, too', async () => {
  const { code, out } = await startThreads('for (;;);').finished();
  expect([code, out]).toEqual([1, expect.stringMatching(SENTENCE)]);
});

test.skipIf(process.platform === 'win32')('a thread that hangs in the system, where nothing ends it, keeps the process neither from telling nor from ending', async () => {
  // Nobody ever writes to it.
  const pipe = join(temporaryFolder(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const threads = startThreads(told(`openSync('${pipe}')`));
  await portsOf(threads);
  threads.child.stdin!.write('x');
  await threads.finished();
  expect([threads.child.signalCode, threads.lines.at(-1)]).toEqual(['SIGKILL', expect.stringMatching(SENTENCE)]);
});

test('a thread that works is none that hangs, however long its answers wait behind that', async () => {
  const threads = startThreads(told('parentPort.postMessage = () => {}'));
  const ports = await portsOf(threads);
  const client = createSocket('udp4').bind(0, '127.0.0.1');
  await once(client, 'listening');
  onTestFinished(() => void client.close());
  const request = writeMessage({ type: BINDING_REQUEST, transaction: newTransaction(), attributes: [], fingerprint: false });
  const work = setInterval(() => ports.forEach(({ udp }) => client.send(request, udp, '127.0.0.1')), 50);
  onTestFinished(() => clearInterval(work));
  threads.child.stdin!.write('x');
  await sleep(LONG_MS);
  await serve(threads, ports);
  expect([threads.child.exitCode, threads.lines.length]).toEqual([null, 1]);
});

test('a flood keeps no thread from answering', async () => {
  const threads = startThreads('');
  const ports = await portsOf(threads);
  const stranger = createSocket('udp4').bind(0, '127.0.0.9');
  await once(stranger, 'listening');
  onTestFinished(() => void stranger.close());
  const flood = setInterval(() => {
    const request = writeMessage({ type: BINDING_REQUEST, transaction: newTransaction(), attributes: [], fingerprint: false });
    for (let burst = 0; burst < 100; burst += 1) for (const { udp } of ports) stranger.send(request, udp, '127.0.0.1');
  }, 1);
  await sleep(2 * LONG_MS);
  clearInterval(flood);
  await serve(threads, ports);
  expect([threads.child.exitCode, threads.lines.length]).toEqual([null, 1]);
});
