// The bench `relay`: messages that are kept for a receiver, beside Mosquitto, NATS JetStream and Prosody on the same load in the
// same run, and memory of idle connections beside the same and a bare `ws` server. CPU is the server's alone: where one client
// process is the bound, it is what compares. What the servers promise by their answers differs; each name says so.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { figure, median, percentile, type Bench, type Figure } from './figure.js';
import { startServer, type Broker, type Receiver, type Sender, type Server } from './relay/broker.js';
import { has, installPeers, slowFlushes, type Package } from './relay/machine.js';
import { mosquitto } from './relay/mosquitto.js';
import { nats } from './relay/nats.js';
import { prosody } from './relay/prosody.js';
import { sotto } from './relay/sotto.js';

const SIZES = [256, 2_048] as const;
const PAIRS = 8;
/** Messages of each pair on their way at a time. */
const IN_FLIGHT = 32;
/** How long messages go as fast as they can, and how long at a steady pace. */
const FULL_MS = 1_000;
const STEADY_MS = 1_000;
const STEADY_PER_SECOND = 1_000;
/** Messages of each pair that wait for their receiver, and how long they may take. */
const OFFLINE_EACH = 250;
const OFFLINE_MAX_MS = 20_000;
const IDLE = 1_500;
/** What a flush takes on an ordinary disk, in µs; the disk of a virtual machine may answer at once. */
const FLUSH_US = 2_000;

const MS_PER_S = 1_000;
const KIB = 1_024;

export const relay: Bench = {
  name: 'relay',
  sentence: 'messages that are kept for a receiver, and idle connections, beside Mosquitto, NATS JetStream, Prosody and bare ws',
  run,
};

/** What one server came to with one size of message. */
interface Result {
  readonly perSecond: number;
  readonly cpuPer1k: number;
  readonly latencyMs: readonly number[];
  readonly storedPerSecond: number;
  readonly storeCpuPer1k: number;
  readonly drainedPerSecond: number;
}

const PEERS: readonly (readonly [Package, Broker])[] = [['mosquitto', mosquitto], ['nats-server', nats], ['prosody', prosody]];

async function run(): Promise<Figure[]> {
  installPeers();
  const peers = PEERS.filter(([name]) => has(name)).map(([, broker]) => broker);
  const figures: Figure[] = [];
  for (const size of SIZES) figures.push(...await contest(`${size} B`, size, peers, null));
  const folder = await mkdtemp(join(tmpdir(), 'sotto-bench-'));
  const slow = slowFlushes(folder, FLUSH_US);
  // Programs in Go do not go through the library that is slowed.
  if (slow !== null) figures.push(...await contest(`${SIZES[1]} B, flush of 2 ms`, SIZES[1], peers.filter((peer) => peer !== nats), slow));
  await rm(folder, { recursive: true });
  const idle = await idleBytes(sotto);
  for (const peer of [...peers, bareWs]) {
    figures.push(figure({ figure: 'memory of an idle connection', unit: 'KiB', ours: idle / KIB, peer: await idleBytes(peer) / KIB, peerName: peer.name, better: 'lower' }));
  }
  return figures;
}

async function contest(what: string, size: number, peers: readonly Broker[], preload: string | null): Promise<Figure[]> {
  const ours = await measure(sotto, size, preload);
  const figures: Figure[] = [];
  for (const peer of peers) figures.push(...compare(what, ours, peer.name, await measure(peer, size, preload)));
  return figures;
}

async function withServer<T>(broker: Pick<Broker, 'command' | 'name'>, preload: string | null, use: (server: Server) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-bench-'));
  const server = await startServer(broker, folder, preload);
  try {
    return await use(server);
  } finally {
    await server.end();
    await rm(folder, { recursive: true });
  }
}

async function measure(broker: Broker, size: number, preload: string | null): Promise<Result> {
  return withServer(broker, preload, async (server) => {
    const load = await Load.open(broker, server, size);
    // Warm, as no server is measured in its first second.
    await load.full(FULL_MS);
    const online = await load.full(FULL_MS);
    const latencyMs = await load.steady();
    const offline = await load.offline();
    load.close();
    return { ...online, latencyMs, ...offline };
  });
}

/** The clients of one server: pairs of a sender and a receiver. */
class Load {
  readonly #broker: Broker;
  readonly #server: Server;
  readonly #size: number;
  readonly #senders: readonly Sender[];
  #receivers: readonly Receiver[] = [];
  #latencies: number[] = [];
  #received = 0;
  #sent = 0;
  #onReceived: () => void = () => {};

  private constructor(broker: Broker, server: Server, size: number, senders: readonly Sender[]) {
    [this.#broker, this.#server, this.#size, this.#senders] = [broker, server, size, senders];
  }

  static async open(broker: Broker, server: Server, size: number): Promise<Load> {
    const senders: Sender[] = [];
    const load = new Load(broker, server, size, senders);
    await load.#arrive();
    for (let pair = 0; pair < PAIRS; pair += 1) senders.push(await broker.sender(server.port, pair));
    return load;
  }

  close(): void {
    for (const sender of this.#senders) sender.close();
    for (const receiver of this.#receivers) void receiver.leave().catch(() => {});
  }

  /** As fast as each pair's window lets it, from the first message to the last one received. */
  async full(ms: number): Promise<Pick<Result, 'perSecond' | 'cpuPer1k'>> {
    const [cpu, since, first] = [this.#server.cpuSeconds(), performance.now(), this.#sent];
    const end = since + ms;
    await this.#windows(async (sender) => {
      while (performance.now() < end) await sender.send(this.#payload());
    });
    await this.#allReceived();
    const count = this.#sent - first;
    return { perSecond: count / (performance.now() - since) * MS_PER_S, cpuPer1k: (this.#server.cpuSeconds() - cpu) / count * 1_000 };
  }

  /** At a steady pace; how long each message took to its receiver, in ms. */
  async steady(): Promise<readonly number[]> {
    this.#latencies = [];
    const since = performance.now();
    let count = 0;
    while (performance.now() < since + STEADY_MS) {
      const due = (performance.now() - since) / MS_PER_S * STEADY_PER_SECOND;
      for (; count < due; count += 1) void this.#senders[count % PAIRS]!.send(this.#payload());
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await this.#allReceived();
    return this.#latencies;
  }

  /** The receivers leave, messages are kept for them, and they come back. */
  async offline(): Promise<Pick<Result, 'storedPerSecond' | 'storeCpuPer1k' | 'drainedPerSecond'>> {
    await Promise.all(this.#receivers.map((receiver) => receiver.leave()));
    const [cpu, since, first] = [this.#server.cpuSeconds(), performance.now(), this.#sent];
    await this.#windows(async (sender) => {
      for (let count = 0; count < OFFLINE_EACH / IN_FLIGHT && performance.now() < since + OFFLINE_MAX_MS; count += 1) await sender.send(this.#payload());
    });
    const count = this.#sent - first;
    const stored = { storedPerSecond: count / (performance.now() - since) * MS_PER_S, storeCpuPer1k: (this.#server.cpuSeconds() - cpu) / count * 1_000 };
    const back = performance.now();
    await this.#arrive();
    await this.#allReceived();
    return { ...stored, drainedPerSecond: count / (performance.now() - back) * MS_PER_S };
  }

  async #arrive(): Promise<void> {
    const onMessage = (payload: string): void => {
      this.#received += 1;
      this.#latencies.push(performance.now() - Number.parseFloat(payload));
      if (this.#received === this.#sent) this.#onReceived();
    };
    this.#receivers = await Promise.all(Array.from({ length: PAIRS }, (_, pair) => this.#broker.receiver(this.#server.port, pair, onMessage)));
  }

  async #windows(use: (sender: Sender) => Promise<void>): Promise<void> {
    await Promise.all(this.#senders.flatMap((sender) => Array.from({ length: IN_FLIGHT }, () => use(sender))));
  }

  /** Each one another, as the relay keeps the same envelope once. */
  #payload(): string {
    this.#sent += 1;
    return `${performance.now()} ${this.#sent} `.padEnd(this.#size, 'x');
  }

  async #allReceived(): Promise<void> {
    if (this.#received === this.#sent) return;
    await new Promise<void>((resolve, reject) => {
      const patience = setTimeout(() => reject(new Error(`${this.#broker.name} delivered ${this.#received} of ${this.#sent} messages`)), OFFLINE_MAX_MS);
      this.#onReceived = () => {
        clearTimeout(patience);
        resolve();
      };
    });
  }
}

function compare(what: string, ours: Result, peerName: string, peer: Result): Figure[] {
  const beside = (name: string, unit: string, better: Figure['better'], of: (result: Result) => number): Figure =>
    figure({ figure: `${what}: ${name}`, unit, ours: of(ours), peer: of(peer), peerName, better });
  return [
    beside('online', 'messages/s', 'higher', ({ perSecond }) => perSecond),
    beside('online, CPU', 's/1,000', 'lower', ({ cpuPer1k }) => cpuPer1k),
    beside('at 1,000/s, p50', 'ms', 'lower', ({ latencyMs }) => median(latencyMs)),
    beside('at 1,000/s, p99', 'ms', 'lower', ({ latencyMs }) => percentile(latencyMs, 99)),
    beside('kept', 'messages/s', 'higher', ({ storedPerSecond }) => storedPerSecond),
    beside('kept, CPU', 's/1,000', 'lower', ({ storeCpuPer1k }) => storeCpuPer1k),
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
  return withServer(broker, null, async (server) => {
    const first = await broker.receiver(server.port, 0, () => {});
    const before = server.rss();
    const receivers = [first];
    for (let pair = 1; pair <= IDLE; pair += 1) receivers.push(await broker.receiver(server.port, pair, () => {}));
    const bytes = (server.rss() - before) / IDLE;
    for (const receiver of receivers) void receiver.leave().catch(() => {});
    return bytes;
  });
}
