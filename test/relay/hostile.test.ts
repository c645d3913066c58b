// Clients and machines that behave badly, against the built command: whoever behaves well is served all the while, and nothing
// that was accepted is lost.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { ready } from '../../crypto/sodium.js';
import { examine } from '../../relay/doctor.js';
import { inspect } from '../../relay/stores/upkeep.js';
import { eventually, Running, SOTTO, Story } from '../support/command.js';
import { COLLECT_PATH } from '../../relay/wire/limits.js';
import { collect, newMailbox, put, random, TestClient, type Mailbox } from './support.js';

const story = new Story();
beforeAll(ready);
afterAll(() => story.end());

/** A small disk of one's own needs a mount namespace. */
const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

const DISK_BYTES = 24 * 1024 * 1024;
const ROUNDS = 40;
/** More than a relay needs for itself, and less than what it has of its file in memory. */
const MEMORY_MAX_MIB = 250;
const YEAR_MS = 365 * 24 * 3_600_000;

/** Asks for a WebSocket, before what follows is none. */
const UPGRADE = `GET ${COLLECT_PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`;

async function startRelay(...args: string[]) {
  const relay = story.start(['relay', '--port', '0', '--stun-port', '0', '--metrics', 'off', '--json', '--data', story.home(`relay-${Math.random()}`), ...args]);
  const { port } = JSON.parse(await relay.line((line) => line.includes('listening'))) as { port: number };
  return { relay, port };
}

/** A client that behaves: it puts an envelope and has it delivered. */
class Decent {
  readonly #owner: TestClient;
  readonly #sender: TestClient;
  readonly #mailbox: Mailbox;

  private constructor(owner: TestClient, sender: TestClient, mailbox: Mailbox) {
    [this.#owner, this.#sender, this.#mailbox] = [owner, sender, mailbox];
  }

  static async at(port: number): Promise<Decent> {
    const [owner, sender, mailbox] = [await TestClient.connect(port, 'collect'), await TestClient.connect(port, 'deposit'), newMailbox()];
    expect(await owner.collect(mailbox)).toBe('done');
    return new Decent(owner, sender, mailbox);
  }

  async isServed(): Promise<void> {
    const envelope = random(500);
    expect(await this.#sender.try(put(this.#mailbox, envelope))).toBe('done');
    const [delivery] = await this.#owner.deliveries(1);
    expect(toHex(delivery!.envelope)).toBe(toHex(envelope));
    expect(await this.#owner.try({ case: 'acknowledge', value: { mailbox: this.#mailbox.mailbox, sequences: [delivery!.sequence] } })).toBe('done');
  }
}

test('noise on HTTP and WebSocket keeps nobody from being served', async () => {
  const { port, relay } = await startRelay();
  const decent = await Decent.at(port);
  for (let round = 0; round < ROUNDS; round += 1) {
    const raw = createConnection(port, '127.0.0.1').on('error', () => {});
    raw.write(round % 3 === 0 ? random(4_000) : round % 3 === 1 ? UPGRADE : `GET /${'a'.repeat(round * 500)} HTTP/1.1\r\n${'x: y\r\n'.repeat(round * 30)}`);
    raw.write(random(2_000));
    const client = await TestClient.connect(port, round % 3 === 0 ? 'collect' : 'deposit');
    client.socket.send(random(1 + round * 50));
    client.socket.send('text');
    await decent.isServed();
    raw.destroy();
  }
  expect(relay.child.exitCode).toBeNull();
  expect(relay.err.split('\n').filter((line) => line.includes('"level":50'))).toEqual([]);
});

test('a client that never reads is not waited for by others, and costs no more than its window', async () => {
  const { port, relay } = await startRelay('--mailbox-envelopes', '100000', '--mailbox-bytes', '200000000');
  const decent = await Decent.at(port);
  const [deaf, sender, mailbox] = [await TestClient.connect(port, 'collect'), await TestClient.connect(port, 'deposit'), newMailbox()];
  await deaf.collect(mailbox);
  deaf.socket.pause();
  const before = memoryOf(relay);
  for (let round = 0; round < 12; round += 1) {
    await Promise.all(Array.from({ length: 100 }, () => sender.try(put(mailbox, random(60_000)))));
    await decent.isServed();
  }
  // 72 MB were put; the relay holds a window of one, and what its garbage collector has not looked at.
  process.stdout.write(`Memory beside a client that never reads: ${before} MiB before, ${memoryOf(relay)} MiB after 72 MB for it\n`);
  expect(await sender.try(put(mailbox, random(10)))).toBe('done');
});

test.skipIf(process.platform !== 'linux')('a store that is larger than the memory is no reason to refuse anything', async () => {
  const { port, relay } = await startRelay('--mailbox-envelopes', '100000', '--mailbox-bytes', '300000000', '--memory-max', String(MEMORY_MAX_MIB * 1024 * 1024));
  const [sender, mailbox, owner] = [await TestClient.connect(port, 'deposit'), newMailbox(), await TestClient.connect(port, 'collect')];
  await owner.collect(mailbox);
  owner.socket.terminate();
  for (let round = 0; round < 20; round += 1) {
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => sender.try(put(mailbox, random(60_000), 3_600))));
    expect(new Set(outcomes)).toEqual(new Set(['done']));
  }
  // What it has read of its file stays in the memory for as long as nobody else wants that: so the most that it ever was counts.
  const later = await TestClient.connect(port, 'collect');
  await later.collect(mailbox);
  for (let left = 2_000; left > 0;) {
    const deliveries = await later.deliveries(Math.max(1, Math.min(left, later.waiting)));
    left -= deliveries.length;
    await later.try({ case: 'acknowledge', value: { mailbox: mailbox.mailbox, sequences: deliveries.map(({ sequence }) => sequence) } });
  }
  expect(mostMemoryOf(relay)).toBeGreaterThan(MEMORY_MAX_MIB);
  expect(await (await fetch(`http://127.0.0.1:${port}/ready`)).json()).toEqual({ status: 'ready', problems: [] });
});

test('a client that asks for much keeps nobody waiting long', async () => {
  const { port } = await startRelay();
  const decent = await Decent.at(port);
  const greedy = await TestClient.connect(port, 'collect');
  // The same body each time, since a signature costs the client as much as the relay.
  const body = collect(newMailbox(), (await greedy.welcome).challenge);
  let answered = 0;
  for (let count = 0; count < 10_000; count += 1) void greedy.ask(body).then(() => { answered += 1; }, () => {});
  await decent.isServed();
  expect(answered).toBeLessThan(10_000);
});

test.skipIf(process.platform === 'win32')('a clock that jumps a year ahead, and then a year behind, costs nothing that was accepted, and nobody who is there', async () => {
  // The relay believes the machine's clock, and that is wrong by whatever the signals say.
  const jumpy = `let wrongMs = 0; const real = Date.now; Date.now = () => real() + wrongMs; process.on('SIGUSR2', () => { wrongMs = wrongMs > 0 ? -${YEAR_MS} : ${YEAR_MS}; });`;
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(jumpy)}` };
  const relay = story.start(['relay', '--port', '0', '--stun-port', '0', '--metrics', 'off', '--json', '--data', story.home('jumpy')], env);
  const { port } = JSON.parse(await relay.line((line) => line.includes('listening'))) as { port: number };
  const decent = await Decent.at(port);
  const [owner, sender, mailbox] = [await TestClient.connect(port, 'collect'), await TestClient.connect(port, 'deposit'), newMailbox()];
  await owner.collect(mailbox);
  owner.socket.terminate();
  for (let jump = 1; jump <= 2; jump += 1) {
    expect(await sender.try(put(mailbox, random(100), 3_600))).toBe('done');
    relay.child.kill('SIGUSR2');
    await expect.poll(async () => {
      await decent.isServed();
      return relay.err.match(/the clock has jumped/g)?.length ?? 0;
    }, { timeout: 60_000 }).toBe(jump);
    // What is due is looked for after a second.
    expect(await sender.try(put(mailbox, random(100), 1))).toBe('done');
    await expect.poll(async () => (await inspect(story.home('jumpy'), Date.now())).totals.envelopes, { timeout: 60_000 }).toBe(jump);
    const findings = await examine({ url: `http://127.0.0.1:${port}`, data: '/nowhere', connections: 1, diskReserve: 1 });
    expect(findings.filter(({ what, state }) => ['mailbox', 'STUN', 'TURN'].includes(what) && state !== 'good')).toEqual([]);
  }
  const back = await TestClient.connect(port, 'collect');
  await back.collect(mailbox);
  expect(await back.deliveries(2)).toHaveLength(2);
});

test.skipIf(process.platform !== 'linux')('too many open files keep new clients out, those that are in are served, and it goes on when there are fewer', async () => {
  const child = spawn('sh', ['-c', 'ulimit -n 256; exec "$@"', 'sh', process.execPath, SOTTO, 'relay', '--port', '0', '--stun-port', '0', '--metrics', 'off', '--json', '--data', story.home('few')], { stdio: 'pipe' });
  const relay = new Running(child);
  try {
    const { port } = JSON.parse(await relay.line((line) => line.includes('listening'))) as { port: number };
    const decent = await Decent.at(port);
    const crowd = Array.from({ length: 400 }, () => createConnection(port, '127.0.0.1').on('error', () => {}));
    await Promise.all(crowd.slice(0, 20).map((socket) => once(socket, 'connect')));
    for (let count = 0; count < 5; count += 1) await decent.isServed();
    for (const socket of crowd) socket.destroy();
    await expect.poll(async () => (await fetch(`http://127.0.0.1:${port}/health`).catch(() => ({ status: 0 }))).status, { timeout: 60_000 }).toBe(200);
    const again = await eventually(() => Decent.at(port).catch(() => null), (newcomer) => newcomer !== null);
    await again!.isServed();
    expect(child.exitCode).toBeNull();
  } finally {
    await relay.kill('SIGKILL');
  }
});

test.skipIf(!canMount)('a disk that fills up: new envelopes are refused in time, all accepted ones are delivered, and it goes on when there is room', async () => {
  const script = `mount -t tmpfs -o size=${DISK_BYTES} none "$DISK" && exec "$NODE" "$SOTTO" relay --port 0 --stun-port 0 --metrics off --json --data "$DISK/relay" $MORE`;
  // Once with a reserve, which refuses before anything fails, and once without, where the disk itself does.
  for (const more of ['--disk-reserve 4000000', '--disk-reserve 0']) {
    const disk = story.folder;
    const child = spawn('unshare', ['-rm', 'sh', '-c', script], { stdio: 'pipe', env: { ...process.env, DISK: disk, NODE: process.execPath, SOTTO, MORE: `${more} --mailbox-bytes 100000000` } });
    const relay = new Running(child);
    try {
      const { port } = JSON.parse(await relay.line((line) => line.includes('listening'))) as { port: number };
      const [owner, sender, mailbox] = [await TestClient.connect(port, 'collect'), await TestClient.connect(port, 'deposit'), newMailbox()];
      await owner.collect(mailbox);
      owner.socket.terminate();
      const accepted = new Set<string>();
      const refusals: string[] = [];
      while (refusals.length < 20) {
        const envelope = random(60_000);
        const outcome = await sender.try(put(mailbox, envelope, 3_600));
        if (outcome === 'done') accepted.add(toHex(envelope.subarray(0, 16)));
        else refusals.push(outcome);
      }
      expect(refusals[0]).toBe(more.endsWith(' 0') ? 'relay-failed' : 'relay-busy');
      expect(accepted.size).toBeGreaterThan(50);

      const later = await TestClient.connect(port, 'collect');
      expect(await later.collect(mailbox)).toBe('done');
      for (let left = accepted.size; left > 0; ) {
        const deliveries = await later.deliveries(Math.max(1, Math.min(left, later.waiting)));
        for (const { envelope } of deliveries) accepted.delete(toHex(envelope.subarray(0, 16)));
        left -= deliveries.length;
        expect(await later.try({ case: 'acknowledge', value: { mailbox: mailbox.mailbox, sequences: deliveries.map(({ sequence }) => sequence) } })).toBe('done');
      }
      expect(accepted.size).toBe(0);
      await expect.poll(() => sender.try(put(mailbox, random(1_000))), { timeout: 60_000 }).toBe('done');
    } finally {
      await relay.kill('SIGKILL');
    }
  }
});

/** In MiB, since the process began. */
function mostMemoryOf(relay: Running): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${relay.child.pid}/status`, 'utf8'))![1]) / 1024;
}

function memoryOf(relay: Running): number {
  const status = spawnSync('ps', ['-o', 'rss=', '-p', String(relay.child.pid)], { encoding: 'utf8' }).stdout;
  return Math.round(Number(status) / 1024);
}
