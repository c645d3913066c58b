// The bench `turn`: data relayed by our TURN server, beside coturn and node-turn on the same load, and beside a program that
// does nothing but receive and send. What counts is CPU time of the server, which the load and a busy machine disturb least.

import { availableParallelism } from 'node:os';
import { figure, median, percentile, type Bench, type Figure } from './figure.js';
import { startChild } from './process.js';
import { startCoturn } from './turn/coturn.js';
import type { LoadMethods, Manner } from './turn/load.js';
import type { Place, ServerMethods } from './turn/place.js';

const ROUNDS = 3;
const FLOOD_MS = 700;
const WARM_MS = 500;
const SMALL_BYTES = 100;
const LARGE_BYTES = 1_200;

/** Round trips for the latency, at about 300 per second: slow enough that none waits for another. */
const TRIPS = 100;
const PAUSE_MS = 2;

const MS_PER_S = 1_000;
const BYTES_PER_MB = 1e6;
const BYTES_PER_GB = 1e9;

/** A round trip is relayed twice. */
const PACKETS = 2;

export const turn: Bench = {
  name: 'turn',
  sentence: 'data relayed by TURN, beside coturn, node-turn and bare forwarding',
  run,
};

type Name = 'ours' | 'ours-workers' | 'ours-send' | 'coturn' | 'coturn-send' | 'node-turn' | 'bare' | 'direct';

/** A server with clients at it. */
interface Line {
  readonly name: Name;
  readonly cpuMs: () => Promise<number> | number;
}

interface Flood {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

interface Measured {
  readonly small: Flood[];
  readonly large: Flood[];
  readonly tripsMs: number[];
}

async function run(): Promise<Figure[]> {
  const load = startChild<LoadMethods>('turn/load.ts');
  const children = { ours: startChild<ServerMethods>('turn/server.ts'), workers: startChild<ServerMethods>('turn/server.ts'), bare: startChild<ServerMethods>('turn/forward.ts'), node: startChild<ServerMethods>('turn/node-turn.ts') };
  const coturn = await startCoturn();
  try {
    const peerPort = await load.call('peerPort');
    const lines: Line[] = [];
    const add = async (name: Name, manner: Manner, place: Place, cpuMs: Line['cpuMs']): Promise<void> => {
      await load.call('open', name, place, manner);
      lines.push({ name, cpuMs });
    };
    const ours = await children.ours.call('start', peerPort);
    await add('ours', 'channel', ours, () => children.ours.call('cpuMs'));
    await add('ours-workers', 'channel', await children.workers.call('start', peerPort, availableParallelism()), () => children.workers.call('cpuMs'));
    await add('ours-send', 'send', ours, () => children.ours.call('cpuMs'));
    if (coturn !== null) {
      await add('coturn', 'channel', coturn.place, coturn.cpuMs);
      await add('coturn-send', 'send', coturn.place, coturn.cpuMs);
    }
    await add('bare', 'bare', await children.bare.call('start', peerPort), () => children.bare.call('cpuMs'));
    try {
      await add('node-turn', 'send', await children.node.call('start', peerPort), () => children.node.call('cpuMs'));
    } catch (error) {
      process.stderr.write(`There is no node-turn to compare with: ${String(error)}\n`);
    }
    await add('direct', 'direct', ours, () => 0);
    const measured = new Map<Name, Measured>(lines.map(({ name }) => [name, { small: [], large: [], tripsMs: [] }]));
    for (const { name } of lines) await load.call('flood', name, SMALL_BYTES, WARM_MS);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const line of lines) {
        const { small, large, tripsMs } = measured.get(line.name)!;
        small.push(await flood(line, SMALL_BYTES));
        large.push(await flood(line, LARGE_BYTES));
        tripsMs.push(...await load.call('trips', line.name, TRIPS, SMALL_BYTES, PAUSE_MS));
      }
    }
    return figures(measured);
  } finally {
    await Promise.all([load.end(), ...Object.values(children).map((child) => child.end()), coturn?.end()]);
  }

  async function flood({ name, cpuMs }: Line, bytes: number): Promise<Flood> {
    const before = await cpuMs();
    const came = await load.call('flood', name, bytes, FLOOD_MS);
    const spent = await cpuMs() - before;
    return { perSecond: (came * MS_PER_S) / FLOOD_MS, perCpuSecond: (came * MS_PER_S) / spent };
  }
}

function figures(measured: ReadonlyMap<Name, Measured>): Figure[] {
  const beside = (name: string, unit: string, better: Figure['better'], of: (measured: Measured) => number, [ours, peer, peerName]: readonly [Name, Name, string]): Figure => {
    const other = measured.get(peer);
    return figure({ figure: name, unit, better, ours: of(measured.get(ours)!), peer: other === undefined ? null : of(other), peerName: other === undefined ? `${peerName} is not here` : peerName });
  };
  const direct = measured.get('direct')!.tripsMs;
  const perCpu = (size: 'small' | 'large') => (one: Measured): number => median(one[size].map(({ perCpuSecond }) => perCpuSecond));
  const rate = (size: 'small' | 'large', scale: number) => (one: Measured): number => median(one[size].map(({ perSecond }) => perSecond)) * scale;
  const added = (percent: number) => ({ tripsMs }: Measured): number => percentile(tripsMs, percent) - percentile(direct, percent);
  const channel = [['ours', 'coturn', 'coturn, one thread'], ['ours', 'bare', 'bare dgram forwarding']] as const;
  const threads = ['ours-workers', 'ours', 'ours on one thread'] as const;
  const indication = [['ours-send', 'node-turn', 'node-turn, which has no channels'], ['ours-send', 'coturn-send', 'coturn, one thread']] as const;
  return [
    ...channel.map((pair) => beside('ChannelData, 100 B', 'round trips/CPU s', 'higher', perCpu('small'), pair)),
    ...channel.map((pair) => beside('ChannelData, 1,200 B', 'round trips/CPU s', 'higher', perCpu('large'), pair)),
    ...indication.map((pair) => beside('Send and Data, 100 B', 'round trips/CPU s', 'higher', perCpu('small'), pair)),
    ...channel.map((pair) => beside('CPU per relayed GB', 's', 'lower', (one) => BYTES_PER_GB / (perCpu('large')(one) * PACKETS * LARGE_BYTES), pair)),
    ...channel.map((pair) => beside('packets, 100 B', 'packets/s', 'higher', rate('small', PACKETS), pair)),
    ...channel.map((pair) => beside('packets, 1,200 B', 'packets/s', 'higher', rate('large', PACKETS), pair)),
    ...channel.map((pair) => beside('relayed, 1,200 B', 'MB/s', 'higher', rate('large', (PACKETS * LARGE_BYTES) / BYTES_PER_MB), pair)),
    beside('ChannelData, 100 B, a worker per core', 'round trips/CPU s', 'higher', perCpu('small'), threads),
    beside('packets, 100 B, a worker per core', 'packets/s', 'higher', rate('small', PACKETS), threads),
    ...[50, 99].flatMap((percent) => channel.map((pair) => beside(`added to a round trip, p${percent}`, 'ms', 'lower', added(percent), pair))),
  ];
}
