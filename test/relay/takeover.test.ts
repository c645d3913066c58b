// A relay is stopped or replaced while it is in use: nothing that it accepted is lost, and the next one is there at once.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { ready } from '../../crypto/sodium.js';
import { Story, type Running } from '../support/command.js';
import { acknowledge, newMailbox, put, random, TestClient } from './support.js';

const story = new Story();
beforeAll(ready);
afterAll(() => story.end());

/** Puts without pause until the connection ends; what was answered with Done is in `accepted`. */
async function load(port: number, mailbox: ReturnType<typeof newMailbox>, accepted: Set<string>): Promise<string> {
  const sender = await TestClient.connect(port, 'deposit');
  const putOne = async (): Promise<void> => {
    for (;;) {
      const envelope = random(300);
      if (await sender.try(put(mailbox, envelope, 3_600)) !== 'done') return;
      accepted.add(toHex(envelope));
    }
  };
  await Promise.all(Array.from({ length: 8 }, () => putOne().catch(() => {})));
  return sender.closed;
}

async function drain(port: number, mailbox: ReturnType<typeof newMailbox>, count: number): Promise<Set<string>> {
  const owner = await TestClient.connect(port, 'collect');
  await owner.collect(mailbox);
  const found = new Set<string>();
  while (found.size < count) {
    const deliveries = await owner.deliveries(Math.max(1, owner.waiting));
    for (const { envelope } of deliveries) found.add(toHex(envelope));
    await owner.try(acknowledge(mailbox, ...deliveries.map(({ sequence }) => sequence)));
  }
  return found;
}

test('a new relay takes the place of one under load, on the same port and folder, and has all that was accepted', async () => {
  const start = (port: number, ...more: readonly string[]): Running =>
    story.start(['relay', '--port', String(port), '--stun-port', '0', '--metrics', 'off', '--mailbox-envelopes', '1000000', '--data', story.home('relay'), '--json', ...more]);
  let running = start(0);
  const { port } = JSON.parse(await running.line((line) => line.includes('listening'))) as { port: number };
  const accepted = new Set<string>();
  const mailbox = newMailbox();
  await (await TestClient.connect(port, 'collect')).collect(mailbox);
  const silences: number[] = [];
  for (let version = 2; version <= 4; version += 1) {
    const loading = load(port, mailbox, accepted);
    const before = accepted.size;
    await expect.poll(() => accepted.size, { timeout: 60_000 }).toBeGreaterThan(before + 20);
    const old = running;
    running = start(port, '--take-over');
    expect(await loading).toBe('relay-closing');
    const silentSince = performance.now();
    await running.line((line) => line.includes('listening'));
    silences.push(Math.round(performance.now() - silentSince));
    await old.finished();
    expect(old.child.exitCode).toBe(0);
  }
  process.stdout.write(`From the goodbye to the next relay: ${silences.join(', ')} ms\n`);
  const found = await drain(port, mailbox, accepted.size);
  expect([...accepted].filter((id) => !found.has(id))).toEqual([]);
});

test('a relay that starts on a free folder with --take-over has nobody to wait for', async () => {
  const relay = story.start(['relay', '--port', '0', '--stun-port', '0', '--data', story.home('fresh'), '--json', '--take-over']);
  await relay.line((line) => line.includes('listening'));
});

test('a relay that cannot start leaves the one that runs alone', async () => {
  const data = story.home('kept');
  const first = story.start(['relay', '--port', '0', '--stun-port', '0', '--data', data, '--json']);
  await first.line((line) => line.includes('listening'));
  const refused = await story.run(['relay', '--port', '0', '--data', data, '--take-over', '--tls-cert', '/nowhere', '--tls-key', '/nowhere']);
  expect([refused.code, first.child.exitCode]).toEqual([2, null]);
});
