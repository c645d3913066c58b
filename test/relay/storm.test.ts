// Many connections: all idle at once, all coming back at once after a restart. The relay serves whoever behaves all the while.
// SOTTO_STORM=10000 is what it must bear; a run of all tests has patience for fewer.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ready } from '../../crypto/sodium.js';
import { Story, type Running } from '../support/command.js';
import { newMailbox, put, random, TestClient } from './support.js';

const CONNECTIONS = Number(process.env['SOTTO_STORM'] ?? 1_000);
const MAX_MS = 60_000 + 30 * CONNECTIONS;

const story = new Story();
beforeAll(ready);
afterAll(() => story.end());

/**
 * The crowd, in a process of its own, as thin as can be: it connects when told to, counts greetings and goodbyes, and comes back
 * when the relay says so.
 */
const CROWD = `
import { WebSocket } from 'ws';
const [port, count] = process.argv.slice(1).map(Number);
let open = 0, failed = 0, came = 0;
const since = performance.now();
function connect() {
  let after = 1_000;
  const socket = new WebSocket('ws://127.0.0.1:' + port + '/v1/collect', { perMessageDeflate: false, handshakeTimeout: 20_000 });
  let greeted = false;
  socket.on('message', (bytes) => {
    if (bytes[0] === 0x12) { greeted = true; open += 1; came += 1; if (came % count === 0) process.stdout.write('all ' + Math.round(performance.now() - since) + ' failed ' + failed + '\\n'); }
    else if (bytes[0] === 0x3a) after = 250 + Math.random() * count;
  });
  socket.on('error', () => { failed += 1; });
  socket.on('close', () => { if (greeted) open -= 1; setTimeout(connect, after); });
}
for (let number = 0; number < count; number += 1) setTimeout(connect, number / 4);
process.stdin.on('end', () => process.exit()).resume();
`;

function memoryOf(relay: Running): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${relay.child.pid}/status`, 'utf8'))![1]));
}

test.skipIf(process.platform !== 'linux')(`${CONNECTIONS} idle connections, which come back at once after a restart`, async () => {
  const start = (port: number, ...more: readonly string[]): Running => story.start(['relay', '--port', String(port), '--stun-port', '0', '--metrics', 'off', '--data', story.home('relay'), '--json', ...more]);
  let relay = start(0);
  const { port } = JSON.parse(await relay.line((line) => line.includes('listening'))) as { port: number };
  const alone = memoryOf(relay);
  const crowd = spawn(process.execPath, ['--input-type=module', '-e', CROWD, String(port), String(CONNECTIONS)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const told: string[] = [];
  crowd.stdout.setEncoding('utf8').on('data', (text: string) => told.push(...text.trim().split('\n')));
  try {
    await expect.poll(() => told.length, { timeout: MAX_MS }).toBe(1);
    const served = async (): Promise<void> => {
      const [owner, sender, mailbox] = [await TestClient.connect(port, 'collect'), await TestClient.connect(port, 'deposit'), newMailbox()];
      expect(await owner.collect(mailbox)).toBe('done');
      expect(await sender.try(put(mailbox, random(300)))).toBe('done');
      await owner.deliveries(1);
      owner.socket.terminate();
      sender.socket.terminate();
    };
    await served();
    process.stdout.write(`${CONNECTIONS} idle: ${((memoryOf(relay) - alone) / CONNECTIONS).toFixed(1)} KiB each; ${told[0]} ms from the first to the last\n`);

    const old = relay;
    relay = start(port, '--take-over');
    await relay.line((line) => line.includes('listening'), MAX_MS);
    const since = performance.now();
    await old.finished();
    expect(old.child.exitCode).toBe(0);
    await served();
    await expect.poll(() => told.length, { timeout: MAX_MS }).toBe(2);
    process.stdout.write(`All back ${Math.round(performance.now() - since)} ms after the next relay listened (${told[1]})\n`);
    await served();
  } finally {
    crowd.stdin.end();
    await once(crowd, 'exit');
  }
}, MAX_MS * 2);
