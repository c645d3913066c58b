// The parts of a packed session and how each is written (PROTOCOL.md §5.2): so long, in these bytes, read back where they lie. It
// must never know what a step does with them.

import type { Reader, Writer } from '../bytes.js';
import { SottoError } from '../error.js';
import { XWING_CIPHERTEXT_BYTES, XWING_PUBLIC_BYTES } from '../sodium.js';
import type { Braid, EpochSecret, Step } from './braid.js';
import type { ChainKey } from './chain.js';
import type { HeaderKey } from './header.js';
import { UNIT_BYTES, type Units } from './piece.js';
import { type Skipped, SKIPPED_MAX, type SkippedKey } from './skipped.js';

/** One part in its bytes. */
export interface Part<T> {
  /** How many bytes this takes. */
  readonly length: (value: T) => number;
  readonly write: (writer: Writer, value: T) => void;
  /** What lies there: keys and other bytes are views. Throws `malformed`. */
  readonly read: (reader: Reader) => T;
  /** Passes over it, and answers where it ends. Throws `malformed` where it has not the length that it says. */
  readonly skip: (reader: Reader) => number;
}

export interface SendingChain {
  readonly headerKey: HeaderKey;
  /** Messages in our chain before this one. */
  readonly previous: number;
  /** Null until its first message: its keys are no older than what they seal. */
  readonly begun: BegunChain | null;
}

export interface BegunChain {
  /** Our ratchet key: X25519 secret and public key, 32 bytes each. */
  readonly secret: Uint8Array;
  readonly dh: Uint8Array;
  /** Header key of our chain after this one. */
  readonly nextHeaderKey: HeaderKey;
  readonly chainKey: ChainKey;
  /** Number of the next message. */
  readonly next: number;
}

export interface ReceivingChain {
  /** Receiving chains are counted from 0. */
  readonly ordinal: number;
  /** The other side's ratchet key. */
  readonly dh: Uint8Array;
  readonly headerKey: HeaderKey;
  readonly chainKey: ChainKey;
  /** Post-quantum epochs that are in its root. */
  readonly epoch: number;
  /** Number of the next message in order. */
  readonly next: number;
}

export interface PastChain {
  readonly ordinal: number;
  readonly headerKey: HeaderKey;
}

/** Most ended chains whose late messages still open: each costs a short decryption for whatever a stranger sends. */
export const PAST_MAX = 5;

/** Where it stands in a sending chain whether that has begun. */
export const HAS_BEGUN_AT = 32 + 4;

/** Behind their count, or whether they are there. */
const BEGUN_BYTES = 4 * 32 + 4;
const RECEIVING_BYTES = 3 * 32 + 4 + 3 + 4;
const PAST_BYTES = 4 + 32;
const SKIPPED_BYTES = 4 + 4 + 6 + 32;

/** A braid before the number of its step: what every message counts. */
export const COUNTS_BYTES = 3 + 1 + 6;

/** How a step of the braid is written: its place in this list. */
const STEPS = ['idle', 'offering', 'waiting', 'agreed', 'collecting', 'answering'] as const satisfies readonly Step['at'][];

/** What stands behind its number, in bytes. */
const STEP_BYTES: Readonly<Record<Step['at'], number>> = {
  idle: 0,
  offering: 32 + XWING_PUBLIC_BYTES + 1,
  waiting: 32 + XWING_PUBLIC_BYTES + XWING_CIPHERTEXT_BYTES + XWING_CIPHERTEXT_BYTES / UNIT_BYTES,
  agreed: 32 + 32,
  collecting: XWING_PUBLIC_BYTES + XWING_PUBLIC_BYTES / UNIT_BYTES,
  answering: XWING_CIPHERTEXT_BYTES + 1 + 32 + 32,
};

export const sendingPart: Part<SendingChain> = {
  length: ({ begun }) => HAS_BEGUN_AT + 1 + (begun === null ? 0 : BEGUN_BYTES),
  write(writer, { headerKey, previous, begun }) {
    writer.bytes(headerKey).number(previous, 4);
    if (begun === null) return void writer.number(0, 1);
    const { secret, dh, nextHeaderKey, chainKey, next } = begun;
    writer.number(1, 1).bytes(secret).bytes(dh).bytes(nextHeaderKey).bytes(chainKey).number(next, 4);
  },
  read: (reader) => ({ headerKey: reader.view(32), previous: reader.number(4), begun: reader.number(1) === 0 ? null : readBegun(reader) }),
  skip(reader) {
    reader.skip(HAS_BEGUN_AT);
    return reader.skip(count(reader, 1, 1) * BEGUN_BYTES);
  },
};

export const receivingPart: Part<ReceivingChain | null> = {
  length: (receiving) => (receiving === null ? 1 : 1 + RECEIVING_BYTES),
  write(writer, receiving) {
    if (receiving === null) return void writer.number(0, 1);
    const { dh, headerKey, chainKey, ordinal, epoch, next } = receiving;
    writer.number(1, 1).bytes(dh).bytes(headerKey).bytes(chainKey).number(ordinal, 4).number(epoch, 3).number(next, 4);
  },
  read: (reader) => (reader.number(1) === 0 ? null : readReceiving(reader)),
  skip: (reader) => reader.skip(count(reader, 1, 1) * RECEIVING_BYTES),
};

export const pastPart: Part<readonly PastChain[]> = {
  length: (past) => 1 + past.length * PAST_BYTES,
  write(writer, past) {
    writer.number(past.length, 1);
    for (const { ordinal, headerKey } of past) writer.number(ordinal, 4).bytes(headerKey);
  },
  read(reader) {
    const past: PastChain[] = [];
    for (let left = reader.number(1); left > 0; left--) past.push({ ordinal: reader.number(4), headerKey: reader.view(32) });
    return past;
  },
  skip: (reader) => reader.skip(count(reader, 1, PAST_MAX) * PAST_BYTES),
};

export const skippedPart: Part<Skipped> = {
  length: (skipped) => 2 + skipped.length * SKIPPED_BYTES,
  write(writer, skipped) {
    writer.number(skipped.length, 2);
    for (const { chain, n, storedAt, key } of skipped) writer.number(chain, 4).number(n, 4).number(storedAt, 6).bytes(key);
  },
  read(reader) {
    const skipped: SkippedKey[] = [];
    for (let left = reader.number(2); left > 0; left--) skipped.push(readSkipped(reader));
    return skipped;
  },
  skip: (reader) => reader.skip(count(reader, 2, SKIPPED_MAX) * SKIPPED_BYTES),
};

export const braidPart: Part<Braid> = {
  length: ({ step }) => COUNTS_BYTES + 1 + STEP_BYTES[step.at],
  write(writer, braid) {
    writeCounts(writer, braid);
    writer.number(STEPS.indexOf(braid.step.at), 1);
    writeStep(writer, braid.step);
  },
  read: (reader) => ({ epoch: reader.number(3), messages: reader.number(1), since: reader.number(6), step: readStep(reader, readStepName(reader)) }),
  skip(reader) {
    reader.skip(COUNTS_BYTES);
    return reader.skip(STEP_BYTES[readStepName(reader)]);
  },
};

/** The first COUNTS_BYTES of a braid. */
export function writeCounts(writer: Writer, { epoch, messages, since }: Braid): void {
  writer.number(epoch, 3).number(messages, 1).number(since, 6);
}

/** The first of the skipped keys alone, if there is one: what a stranger sends must not cost the reading of all. */
export function readOldestSkipped(reader: Reader): SkippedKey | undefined {
  return reader.number(2) === 0 ? undefined : readSkipped(reader);
}

function readBegun(reader: Reader): BegunChain {
  return { secret: reader.view(32), dh: reader.view(32), nextHeaderKey: reader.view(32), chainKey: reader.view(32), next: reader.number(4) };
}

function readReceiving(reader: Reader): ReceivingChain {
  return { dh: reader.view(32), headerKey: reader.view(32), chainKey: reader.view(32), ordinal: reader.number(4), epoch: reader.number(3), next: reader.number(4) };
}

function readSkipped(reader: Reader): SkippedKey {
  return { chain: reader.number(4), n: reader.number(4), storedAt: reader.number(6), key: reader.view(32) };
}

function writeStep(writer: Writer, step: Step): void {
  switch (step.at) {
    case 'idle': return;
    case 'offering': return void writer.bytes(step.seed).bytes(step.key).number(step.next, 1);
    case 'waiting': return void writer.bytes(step.seed).bytes(step.key).bytes(step.ciphertext.bytes).bytes(step.ciphertext.has);
    case 'agreed': return void writer.bytes(step.secret.shared).bytes(step.secret.binding);
    case 'collecting': return void writer.bytes(step.key.bytes).bytes(step.key.has);
    case 'answering': return void writer.bytes(step.ciphertext).number(step.next, 1).bytes(step.secret.shared).bytes(step.secret.binding);
  }
}

function readStepName(reader: Reader): Step['at'] {
  return STEPS[count(reader, 1, STEPS.length - 1)]!;
}

function readStep(reader: Reader, at: Step['at']): Step {
  switch (at) {
    case 'idle': return { at };
    case 'offering': return { at, seed: reader.view(32), key: reader.view(XWING_PUBLIC_BYTES), next: readUnit(reader, XWING_PUBLIC_BYTES) };
    case 'waiting': return { at, seed: reader.view(32), key: reader.view(XWING_PUBLIC_BYTES), ciphertext: readUnits(reader, XWING_CIPHERTEXT_BYTES) };
    case 'agreed': return { at, secret: readSecret(reader) };
    case 'collecting': return { at, key: readUnits(reader, XWING_PUBLIC_BYTES) };
    case 'answering': return { at, ciphertext: reader.view(XWING_CIPHERTEXT_BYTES), next: readUnit(reader, XWING_CIPHERTEXT_BYTES), secret: readSecret(reader) };
  }
}

function readSecret(reader: Reader): EpochSecret {
  return { shared: reader.view(32), binding: reader.view(32) };
}

function readUnits(reader: Reader, length: number): Units {
  const [bytes, has] = [reader.view(length), reader.view(length / UNIT_BYTES)];
  let flags = 0;
  for (let unit = 0; unit < has.length; unit++) flags |= has[unit]!;
  if (flags > 1) throw new SottoError('malformed');
  return { bytes, has };
}

function readUnit(reader: Reader, length: number): number {
  return count(reader, 1, length / UNIT_BYTES - 1);
}

function count(reader: Reader, size: number, max: number): number {
  const value = reader.number(size);
  if (value > max) throw new SottoError('malformed');
  return value;
}
