// The bench `talk`: texts of 200 characters between two clients in two processes, by the direct path and by the relay, beside
// what carries them: a bare data channel, and a `ws` server that does nothing but forward. Each round opens, measures and
// closes one line of each kind in new processes, so that none is warm when another is cold.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '../client/client.js';
import type { Policy } from '../client/core/records.js';
import type * as Node from '../client/node.js';
import { figure, median, percentile, type Bench, type Figure } from './figure.js';
import { startChild, type Child } from './process.js';
import { shipped } from './shipped.js';
import type { ChannelPlace } from './talk/channel-end.js';
import type { EndMethods } from './talk/end.js';
import type { ForwardMethods } from './talk/forward.js';
import type { RelayMethods } from './talk/relay.js';
import type { SocketPlace } from './talk/socket.js';
import type { SottoPlace } from './talk/sotto-end.js';

const ROUNDS = 3;
/** No round begins later than this; a busy machine has fewer rounds rather than a longer bench. */
const LAST_ROUND_MS = 30_000;
/** Round trips of a round, at about forty per second: slow enough that none waits for another. */
const TRIPS = 40;
const PAUSE_MS = 20;
/** How long texts are sent at full speed, and before that to warm up. */
const FLOOD_MS = 600;
const WARM_FLOOD_MS = 200;
const WARM_TRIPS = 5;
/** How often a bare channel may be tried: two ends of libdatachannel on a busy machine refuse each other's answer now and then. */
const CHANNEL_TRIES = 3;

export const talk: Bench = {
  name: 'talk',
  sentence: 'texts between two clients, directly and by the relay, beside a bare data channel and a bare ws forward',
  run,
};

/** A kind of line: the program of its ends, and what each end is told to open. */
interface Kind<Place> {
  readonly program: string;
  readonly places: readonly [Place, Place];
}

/** What one round of one kind of line came to. */
interface Round {
  /** From the order to open both ends until both are joined. */
  readonly connectMs: number;
  readonly oneWayMs: readonly number[];
  readonly flood: Flood;
}

interface Flood {
  readonly textsPerSecond: number;
  /** CPU time of both ends, in µs. */
  readonly cpuPerText: number;
}

async function run(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-bench-'));
  const relay = startChild<RelayMethods>('talk/relay.ts');
  const forward = startChild<ForwardMethods>('talk/forward.ts');
  try {
    const url = `http://127.0.0.1:${await relay.call('start', join(folder, 'relay'))}`;
    const port = await forward.call('start');
    const direct: Kind<SottoPlace> = { program: 'talk/sotto-end.ts', places: await acquaint(join(folder, 'direct'), url, 'direct') };
    const relayed: Kind<SottoPlace> = { program: 'talk/sotto-end.ts', places: await acquaint(join(folder, 'relayed'), url, 'relay-only') };
    const channel: Kind<ChannelPlace> = { program: 'talk/channel-end.ts', places: [channelPlace(port, true), channelPlace(port, false)] };
    const socket: Kind<SocketPlace> = { program: 'talk/socket-end.ts', places: [{ port, name: 'talk' }, { port, name: 'talk' }] };
    const rounds = { direct: [] as Round[], channel: [] as Round[], relayed: [] as Round[], socket: [] as Round[] };
    const startedAt = performance.now();
    for (let round = 0; round < ROUNDS && performance.now() - startedAt < LAST_ROUND_MS; round += 1) {
      rounds.direct.push(await measure(direct));
      rounds.channel.push(await measureAgain(channel, CHANNEL_TRIES));
      rounds.relayed.push(await measure(relayed));
      rounds.socket.push(await measure(socket));
    }
    return [
      ...compare('direct', rounds.direct, 'bare data channel', rounds.channel),
      ...compare('relay', rounds.relayed, 'bare ws forward', rounds.socket),
    ];
  } finally {
    await Promise.all([relay.end(), forward.end()]);
    await rm(folder, { recursive: true });
  }
}

/** Two homes that know each other and have talked. */
async function acquaint(folder: string, relay: string, policy: Policy): Promise<[SottoPlace, SottoPlace]> {
  const { createNodeHome, openHome } = await shipped<typeof Node>('client/node.js');
  const path = policy === 'direct' ? 'direct' : 'relay';
  const places: [SottoPlace, SottoPlace] = [{ home: `${folder}-ann`, contact: 'ben', path }, { home: `${folder}-ben`, contact: 'ann', path }];
  const open = async ({ home }: SottoPlace, name: string): Promise<Client> => {
    await createNodeHome(home, { name, relay, passphrase: null });
    return await openHome(home, { passphrase: null, mode: 'brief' });
  };
  const ann = await open(places[0], 'ann');
  const ben = await open(places[1], 'ben');
  await ben.accept((await ann.invite()).link);
  await ben.send('ann', 'hello', { wait: 'delivered' });
  await ann.send('ben', 'hello', { wait: 'delivered' });
  await ann.setPolicy('ben', policy);
  await ben.setPolicy('ann', policy);
  await Promise.all([ann.close(), ben.close()]);
  return places;
}

function channelPlace(port: number, offers: boolean): ChannelPlace {
  return { signaling: { port, name: 'signaling' }, offers };
}

/** A round of a peer that may fail; each failure is told. */
async function measureAgain<Place>(kind: Kind<Place>, tries: number): Promise<Round> {
  try {
    return await measure(kind);
  } catch (error) {
    if (tries === 1) throw error;
    process.stderr.write(`${String(error)}; trying again\n`);
    return await measureAgain(kind, tries - 1);
  }
}

async function measure<Place>({ program, places }: Kind<Place>): Promise<Round> {
  const near = startChild<EndMethods<Place>>(program);
  const far = startChild<EndMethods<Place>>(program);
  try {
    await Promise.all([near.call('load'), far.call('load')]);
    const startedAt = performance.now();
    await Promise.all([near.call('open', places[0]), far.call('open', places[1])]);
    const connectMs = performance.now() - startedAt;
    await far.call('echo', true);
    await near.call('trips', WARM_TRIPS, PAUSE_MS);
    const oneWayMs = await near.call('trips', TRIPS, PAUSE_MS);
    await far.call('echo', false);
    await flood(near, far, WARM_FLOOD_MS);
    const flooded = await flood(near, far, FLOOD_MS);
    await Promise.all([near.call('close'), far.call('close')]);
    return { connectMs, oneWayMs, flood: flooded };
  } finally {
    await Promise.all([near.end(), far.end()]);
  }
}

/** By the clock of this process, from the order to send until the last text has come. */
async function flood<Place>(near: Child<EndMethods<Place>>, far: Child<EndMethods<Place>>, ms: number): Promise<Flood> {
  const cpu = async (): Promise<number> => await near.call('cpu') + await far.call('cpu');
  const before = await far.call('received');
  const cpuBefore = await cpu();
  const startedAt = performance.now();
  const sent = await near.call('flood', ms);
  await far.call('reached', before + sent);
  const seconds = (performance.now() - startedAt) / 1_000;
  return { textsPerSecond: sent / seconds, cpuPerText: (await cpu() - cpuBefore) / sent };
}

function compare(path: string, ours: readonly Round[], peerName: string, peer: readonly Round[]): Figure[] {
  const beside = (name: string, unit: string, better: Figure['better'], of: (rounds: readonly Round[]) => number): Figure =>
    figure({ figure: `${path}, ${name}`, unit, ours: of(ours), peer: of(peer), peerName, better });
  const oneWay = (percent: number) => (rounds: readonly Round[]): number => percentile(rounds.flatMap(({ oneWayMs }) => oneWayMs), percent);
  return [
    beside('throughput', 'texts/s', 'higher', (rounds) => median(rounds.map((round) => round.flood.textsPerSecond))),
    beside('CPU per text, both ends', 'µs', 'lower', (rounds) => median(rounds.map((round) => round.flood.cpuPerText))),
    beside('one way, p50', 'ms', 'lower', oneWay(50)),
    beside('one way, p99', 'ms', 'lower', oneWay(99)),
    beside('connect', 'ms', 'lower', (rounds) => median(rounds.map(({ connectMs }) => connectMs))),
  ];
}
