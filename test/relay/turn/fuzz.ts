// Hostile bytes for the TURN server's brain: seeds of every kind of message, altered, or with attributes at will under a right
// signature. `npx tsx test/relay/turn/fuzz.ts 10000000` gives it ten million of them; the test, a few thousand.

import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as attribute from '../../../relay/turn/attribute.js';
import { Frames } from '../../../relay/turn/frame.js';
import { LIMITS } from '../../../relay/turn/limits.js';
import { ALLOCATE, BINDING_REQUEST, CHANNEL_BIND, CREATE_PERMISSION, parseMessage, REFRESH, writeMessage, type Attribute } from '../../../relay/turn/message.js';
import type { Output, Turn } from '../../../relay/turn/turn.js';
import { BrainClient, hex, newTransaction, NOW, onWire, peerOf, testTurn, UDP_TRANSPORT, writeSend } from './support.js';

export interface Findings {
  readonly inputs: number;
  readonly answered: number;
  /** Inputs, in hex, that made the brain throw or say more than it may. */
  readonly faults: readonly string[];
  readonly heapGrowthBytes: number;
}

const PEER = { address: '8.8.4.4', port: 40_000 };
const STRANGER = { listener: 0, source: { address: '192.0.2.66', port: 6 } };

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Inputs after which the brain is replaced, so that one that has shut everything off is not asked for ever. */
const ROUND = 20_000;

/** One in so many is signed, which costs as much as ten that are not. */
const SIGNED = 5;

/** The largest answer: a Data indication of the largest datagram. */
const ANSWER_MAX_BYTES = 65_600;

const TYPES = [ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND, BINDING_REQUEST];
const ATTRIBUTES = Object.values(attribute).filter((value) => typeof value === 'number');

/** Gives a brain so many inputs, the same for the same seed. */
export function fuzz(inputs: number, seed: number): Findings {
  const random = chance(seed);
  const faults: string[] = [];
  let answered = 0;
  let heapBefore = 0;
  for (let done = 0; done < inputs; done += ROUND) {
    const { turn, client, seeds } = stage();
    for (let index = 0; index < Math.min(ROUND, inputs - done); index += 1) {
      client.now += 1;
      const bytes = random(SIGNED) === 0 ? signed(client, random) : altered(seeds[random(seeds.length)]!, random);
      const fault = give(turn, client, bytes, random(4));
      if (fault === 'answered') answered += 1;
      else if (fault !== null) faults.push(`${fault}: ${Buffer.from(bytes).toString('hex')}`);
    }
    // After the first rounds everything is compiled and cached that will be.
    if (done === 5 * ROUND) heapBefore = heapUsed();
  }
  return { inputs, answered, faults, heapGrowthBytes: heapBefore === 0 ? 0 : heapUsed() - heapBefore };
}

/** A brain with an allocation, a permission and a channel, and messages that all mean something to it. */
function stage() {
  const turn = testTurn({ limits: { ...LIMITS, strangersPerSecond: 1e9 } });
  turn.handle({ kind: 'came', address: PEER.address }, NOW);
  const client = new BrainClient(turn);
  client.allocate(50_000);
  client.bind(0x4000, PEER);
  const transaction = newTransaction();
  const bare = (type: number, attributes: readonly Attribute[], fingerprint: boolean) => writeMessage({ type, transaction, attributes, fingerprint });
  const seeds = [
    ...TYPES.flatMap((type) => [bare(type, [], false), bare(type, [UDP_TRANSPORT, peerOf(PEER, transaction)], true)]),
    ...TYPES.map((type) => client.write(type, [UDP_TRANSPORT, peerOf(PEER, transaction)], transaction)),
    writeSend(PEER, hex('68656c6c6f')), hex('40000005 68656c6c6f 000000'), hex('4000ffff'), new Uint8Array(0),
    bare(BINDING_REQUEST, [{ type: attribute.CHANGE_REQUEST, value: Uint8Array.of(0, 0, 0, 2) }, { type: 0x0026, value: new Uint8Array(64) }], true),
  ];
  return { turn, client, seeds };
}

/** What is wrong with what the brain makes of these bytes, on one of its ways in; null if nothing, or that it has answered. */
function give(turn: Turn, client: BrainClient, bytes: Uint8Array, way: number): string | null {
  try {
    if (way === 0) return judge(turn.handle({ kind: 'from-client', flow: STRANGER, bytes }, client.now), bytes, true);
    if (way === 1) return judge(turn.handle({ kind: 'from-peer', socket: 1, source: PEER, bytes }, client.now), bytes, false);
    const frames = way === 2 ? new Frames().push(bytes) ?? [] : [bytes];
    for (const frame of frames) {
      const verdict = judge(client.say(frame), frame, false);
      if (verdict !== null) return verdict;
    }
    return null;
  } catch (error) {
    return String(error);
  }
}

function judge(outputs: readonly Output[], bytes: Uint8Array, stranger: boolean): string | null {
  for (const output of outputs) {
    if (output.kind === 'to-peer' && output.to.address !== PEER.address) return 'sent to a stranger';
    if (output.kind !== 'to-client') continue;
    if (output.bytes.length > ANSWER_MAX_BYTES) return 'too long';
    if (stranger && onWire(output.bytes, STRANGER.source) > 1.5 * onWire(bytes, STRANGER.source)) return 'amplified';
    return 'answered';
  }
  return null;
}

type Random = (below: number) => number;

/** Up to four changes: a bit, a byte, a length, a cut, a piece twice. */
function altered(seed: Uint8Array, random: Random): Uint8Array {
  let bytes = seed.slice();
  for (let changes = random(5); changes > 0 && bytes.length > 0; changes -= 1) {
    const at = random(bytes.length);
    switch (random(5)) {
      case 0: bytes[at]! ^= 1 << random(8); break;
      case 1: bytes[at] = random(256); break;
      case 2: bytes = bytes.slice(0, at); break;
      case 3: bytes = Uint8Array.from([...bytes, ...bytes.subarray(at)]); break;
      default: if (bytes.length > 3) bytes.set([0, bytes.length - 20], 2);
    }
  }
  return bytes;
}

/** A request with a right signature and attributes of any kind and length. */
function signed(client: BrainClient, random: Random): Uint8Array {
  const transaction = newTransaction();
  const attributes = Array.from({ length: random(5) }, (): Attribute => {
    if (random(3) === 0) return peerOf({ address: `${8 + random(3)}.8.4.4`, port: random(65_536) }, transaction);
    const value = Uint8Array.from({ length: random(2) === 0 ? 4 : random(40) }, () => random(256));
    return { type: random(8) === 0 ? random(65_536) : ATTRIBUTES[random(ATTRIBUTES.length)]!, value };
  });
  return client.write(TYPES[random(TYPES.length)]!, attributes, transaction);
}

/** xorshift32: the same inputs for the same seed. */
function chance(seed: number): Random {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Bytes of the heap that are in use. */
export function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Messages that a parser must take or leave without a throw, as hex; what fuzzing finds is added here. */
export const CORPUS: readonly string[] = [
  '', '00', '40', '4000', '400000', '40000000', '4000ffff', '7fff0001 00', 'ff', '00010000 2112a442', `00010000 2112a442 ${'00'.repeat(12)}`,
  `00010004 2112a442 ${'00'.repeat(12)} 8028ffff`, `00010004 2112a442 ${'00'.repeat(12)} 0008ffff`, `00010018 2112a442 ${'00'.repeat(12)} 00080014 ${'00'.repeat(20)}`,
  `00160008 2112a442 ${'00'.repeat(12)} 00120004 00000000`, `00160010 2112a442 ${'00'.repeat(12)} 00120008 00030000 00000000 00130000`,
  `0003000c 2112a442 ${'00'.repeat(12)} 00060000 00140000 00150000`, `00030024 2112a442 ${'00'.repeat(12)} 00060000 00140000 00150000 00080014 ${'ff'.repeat(20)}`,
];

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  const inputs = Number(argv[2] ?? 10_000_000);
  const { answered, faults, heapGrowthBytes } = fuzz(inputs, Number(argv[3] ?? 1));
  process.stdout.write(`${inputs} inputs, ${answered} answered, ${faults.length} faults, heap ${heapGrowthBytes >= 0 ? '+' : ''}${Math.round(heapGrowthBytes / 1024)} KiB\n${faults.slice(0, 20).join('\n')}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

/** For the corpus: what a server may make of bytes is a message or nothing. */
export function readsQuietly(bytes: Uint8Array): boolean {
  const message = parseMessage(bytes);
  return message === null || message.attributes.length * 4 <= bytes.length;
}
