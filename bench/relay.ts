// The bench `relay`: messages that are kept for a receiver, beside Mosquitto, NATS JetStream and Prosody on the same load, round by
// round in turn, and memory of idle connections beside the same and a bare `ws` server. CPU is the server's alone: where one client
// process is the bound, it is what compares. What the servers promise by their answers differs; each name says so.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { figure, median, percentile, type Bench, type Figure } from './figure.js';
import { startServer, type Broker, type Server } from './relay/broker.js';
import { Load, type Rates } from './relay/load.js';
import { bytesOnDisk, has, installPeers, slowFlushes, type Package } from './relay/machine.js';
import { mosquitto } from './relay/mosquitto.js';
import { nats } from './relay/nats.js';
import { prosody } from './relay/prosody.js';
import { sotto } from './relay/sotto.js';

const SIZES = [256, 2_048] as const;
/** Rounds of each measurement, of which the median counts; every round has every server once. */
const ROUNDS = 3;
/** How long messages go as fast as they can: before anything is measured, as nobody compiles in the first seconds alone, and then. */
const WARM_MS = 2_000;
const FULL_MS = 700;
/** How long they go at a steady pace. */
const STEADY_MS = 1_000;
/** Messages that wait for each receiver. */
const KEPT_EACH = 1_024;
/** Connections that are there before memory is looked at, for what a server sets aside only once, and those that come then. */
const IDLE_FIRST = 2_000;
const IDLE = 2_000;
/** Of them at a time. */
const ARRIVALS = 20;
/** What a flush takes on ordinary disks, in ms; the disk of a virtual machine may answer at once. */
const FLUSHES_MS = [1, 2] as const;

const KIB = 1_024;

export const relay: Bench = {
  name: 'relay',
  sentence: 'messages that are kept for a receiver, and idle connections, beside Mosquitto, NATS JetStream, Prosody and bare ws',
  run,
};

/** One server and what it came to, a value for each round. */
interface Contender {
  readonly broker: Broker;
  readonly server: Server;
  readonly folder: string;
  readonly load: Load;
  readonly online: Rates[];
  readonly latenciesMs: (readonly number[])[];
  readonly kept: Rates[];
  readonly drainedPerSecond: number[];
  readonly bytesPerByte: number[];
}

const PEERS: readonly (readonly [Package, Broker])[] = [['mosquitto', mosquitto], ['nats-server', nats], ['prosody', prosody]];

async function run(): Promise<Figure[]> {
  installPeers();
  const peers = PEERS.filter(([name]) => has(name)).map(([, broker]) => broker);
  const figures: Figure[] = [];
  for (const size of SIZES) figures.push(...await contest(`${size} B`, size, peers, null));
  for (const flushMs of FLUSHES_MS) figures.push(...await contestWithFlush(flushMs, SIZES[1], peers));
  const idle = await idleBytes(sotto);
  for (const peer of [...peers, bareWs]) {
    figures.push(figure({ figure: 'memory of an idle connection', unit: 'KiB', ours: idle / KIB, peer: await idleBytes(peer) / KIB, peerName: peer.name, better: 'lower' }));
  }
  return figures;
}

/** As on a disk whose flush takes so long; nothing without a C compiler. */
async function contestWithFlush(flushMs: number, size: number, peers: readonly Broker[]): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-bench-'));
  try {
    const slow = slowFlushes(folder, flushMs);
    // Programs in Go do not go through the library that is slowed.
    return slow === null ? [] : await contest(`${size} B, flush of ${flushMs} ms`, size, peers.filter((peer) => peer !== nats), slow);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function contest(what: string, size: number, peers: readonly Broker[], preload: string | null): Promise<Figure[]> {
  const contenders: Contender[] = [];
  try {
    for (const broker of [sotto, ...peers]) contenders.push(await enter(broker, size, preload));
    for (const { load } of contenders) await load.full(WARM_MS);
    for (let round = 0; round < ROUNDS; round += 1) for (const contender of contenders) await measure(contender);
  } finally {
    for (const contender of contenders) await leave(contender);
  }
  const [ours, ...others] = contenders as [Contender, ...Contender[]];
  return others.flatMap((peer) => compare(what, ours, peer));
}

async function enter(broker: Broker, size: number, preload: string | null): Promise<Contender> {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-bench-'));
  const server = await startServer(broker, folder, preload);
  const load = await Load.open(broker, server, size);
  return { broker, server, folder, load, online: [], latenciesMs: [], kept: [], drainedPerSecond: [], bytesPerByte: [] };
}

async function leave({ server, folder, load }: Contender): Promise<void> {
  load.close();
  await server.end();
  await rm(folder, { recursive: true });
}

async function measure({ load, folder, online, latenciesMs, kept, drainedPerSecond, bytesPerByte }: Contender): Promise<void> {
  online.push(await load.full(FULL_MS));
  latenciesMs.push(await load.steady(STEADY_MS));
  kept.push(await load.keep(KEPT_EACH));
  bytesPerByte.push(bytesOnDisk(folder) / load.waitingBytes);
  drainedPerSecond.push(await load.drain());
}

function compare(what: string, ours: Contender, peer: Contender): Figure[] {
  const beside = (name: string, unit: string, better: Figure['better'], of: (contender: Contender) => readonly number[]): Figure =>
    figure({ figure: `${what}: ${name}`, unit, ours: median(of(ours)), peer: median(of(peer)), peerName: peer.broker.name, better });
  return [
    beside('online', 'messages/s', 'higher', ({ online }) => online.map(({ perSecond }) => perSecond)),
    beside('online, CPU', 's/1,000', 'lower', ({ online }) => online.map(({ cpuPer1k }) => cpuPer1k)),
    beside('at 1,000/s, p50', 'ms', 'lower', ({ latenciesMs }) => latenciesMs.map(median)),
    beside('at 1,000/s, p99', 'ms', 'lower', ({ latenciesMs }) => latenciesMs.map((values) => percentile(values, 99))),
    beside('kept', 'messages/s', 'higher', ({ kept }) => kept.map(({ perSecond }) => perSecond)),
    beside('kept, CPU', 's/1,000', 'lower', ({ kept }) => kept.map(({ cpuPer1k }) => cpuPer1k)),
    ...peer.broker.isOnDisk ? [beside('kept, disk for each byte', 'bytes', 'lower', ({ bytesPerByte }) => bytesPerByte)] : [],
    beside('drained', 'messages/s', 'higher', ({ drainedPerSecond }) => drainedPerSecond),
  ];
}

/** A `ws` server that does nothing. */
const bareWs: Pick<Broker, 'command' | 'name' | 'receiver'> = {
  name: 'bare ws',
  command: (_, port) => [process.execPath, '--input-type=module', '-e', `import { WebSocketServer } from ${JSON.stringify(import.meta.resolve('ws'))}; new WebSocketServer({ host: '127.0.0.1', port: ${port}, perMessageDeflate: false });`],
  receiver: async (port) => {
    const { WebSocket } = await import('ws');
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
    await new Promise((resolve) => socket.once('open', resolve));
    return { leave: async () => socket.terminate() };
  },
};

/** Resident bytes of the server for each of many receivers that wait. */
async function idleBytes(broker: Pick<Broker, 'command' | 'name' | 'receiver'>): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-bench-'));
  const server = await startServer(broker, folder, null);
  const arrive = async (from: number, to: number): Promise<void> => {
    for (let pair = from; pair < to; pair += ARRIVALS) {
      await Promise.all(Array.from({ length: ARRIVALS }, (_, at) => broker.receiver(server.port, pair + at, () => {})));
    }
  };
  try {
    await arrive(0, IDLE_FIRST);
    const before = server.rss();
    await arrive(IDLE_FIRST, IDLE_FIRST + IDLE);
    return (server.rss() - before) / IDLE;
  } finally {
    // Its clients bear it.
    await server.end();
    await rm(folder, { recursive: true });
  }
}
