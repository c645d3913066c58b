// What a session remembers between two messages: bytes, in memory as in a store. A step reads the fields that it needs where they
// lie, and packs the next session into other bytes: what it has changed, and the rest as it lies. So a step that fails has changed
// nothing (PROTOCOL.md §5.2).

import { Reader, Writer } from '../bytes.js';
import { SottoError } from '../error.js';
import { XWING_CIPHERTEXT_BYTES, XWING_PUBLIC_BYTES } from '../sodium.js';
import type { Braid, EpochSecret, Step } from './braid.js';
import type { ChainKey } from './chain.js';
import type { HeaderKey } from './header.js';
import { UNIT_BYTES, type Units } from './piece.js';
import type { RootKey } from './root.js';
import { type Skipped, SKIPPED_MAX, type SkippedKey } from './skipped.js';

/** What a session says, in the order in which it is packed. */
export interface State {
  /** Hash of the handshake, 32 bytes: names the session and is bound into every header. */
  readonly transcript: Uint8Array;
  /** Secret by which these two can begin a new session later, 32 bytes. */
  readonly resumption: Uint8Array;
  readonly root: RootKey;
  readonly sending: SendingChain;
  /** Null until the first message comes. */
  readonly receiving: ReceivingChain | null;
  /** Opens the first message of the next receiving chain. */
  readonly nextHeaderKey: HeaderKey;
  /** Receiving chains that have ended, oldest first. */
  readonly past: readonly PastChain[];
  readonly skipped: Skipped;
  readonly braid: Braid;
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

/** What a step may change; undefined stays as it is. */
export type Changes = { readonly [Field in Exclude<keyof State, 'transcript' | 'resumption'>]?: State[Field] | undefined };

/** Most ended chains whose late messages still open: each costs a short decryption for whatever a stranger sends. */
export const PAST_MAX = 5;

const PACK_VERSION = 3;

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

/** Where the fields lie that have a fixed place. */
const TRANSCRIPT_AT = 1;
const RESUMPTION_AT = TRANSCRIPT_AT + 32;
const ROOT_AT = RESUMPTION_AT + 32;
const NEXT_HEADER_KEY_AT = ROOT_AT + 32;
const SENDING_AT = NEXT_HEADER_KEY_AT + 32;
const BEGUN_AT = SENDING_AT + 32 + 4;

/** Behind their count. */
const BEGUN_BYTES = 4 * 32 + 4;
const RECEIVING_BYTES = 3 * 32 + 4 + 3 + 4;
const PAST_BYTES = 4 + 32;
const SKIPPED_BYTES = 4 + 4 + 6 + 32;

/** Before the number of the step. */
const BRAID_BYTES = 3 + 1 + 6;

/** One side of a session. Opaque outside of the ratchet and the handshake. */
export class Session implements State {
  /** Secret: 181 bytes, 132 for a sending chain that has begun, 107 for a receiving chain, 36 for each past chain, 46 for each skipped key, at most 2,438 for the braid's step. */
  readonly packed: Uint8Array;
  readonly #receivingAt: number;
  readonly #pastAt: number;
  readonly #skippedAt: number;
  readonly #braidAt: number;
  #braid: Braid | undefined;

  /** @param packed is never changed afterwards. Throws `malformed` where its parts have not the lengths that they say. */
  constructor(packed: Uint8Array) {
    const reader = new Reader(packed);
    reader.expect(PACK_VERSION);
    reader.skip(BEGUN_AT - 1);
    this.packed = packed;
    this.#receivingAt = reader.skip(count(reader, 1, 1) * BEGUN_BYTES);
    this.#pastAt = reader.skip(count(reader, 1, 1) * RECEIVING_BYTES);
    this.#skippedAt = reader.skip(count(reader, 1, PAST_MAX) * PAST_BYTES);
    this.#braidAt = reader.skip(count(reader, 2, SKIPPED_MAX) * SKIPPED_BYTES);
    reader.skip(BRAID_BYTES);
    reader.skip(STEP_BYTES[readStepName(reader)]);
    reader.end();
  }

  get transcript(): Uint8Array {
    return this.packed.subarray(TRANSCRIPT_AT, RESUMPTION_AT);
  }

  get resumption(): Uint8Array {
    return this.packed.subarray(RESUMPTION_AT, ROOT_AT);
  }

  get root(): RootKey {
    return this.packed.subarray(ROOT_AT, NEXT_HEADER_KEY_AT);
  }

  get nextHeaderKey(): HeaderKey {
    return this.packed.subarray(NEXT_HEADER_KEY_AT, SENDING_AT);
  }

  get sending(): SendingChain {
    const reader = new Reader(this.packed, SENDING_AT);
    return { headerKey: reader.view(32), previous: reader.number(4), begun: reader.number(1) === 0 ? null : readBegun(reader) };
  }

  /** Whether our newest chain has keys. */
  get hasBegun(): boolean {
    return this.packed[BEGUN_AT] === 1;
  }

  get receiving(): ReceivingChain | null {
    const reader = new Reader(this.packed, this.#receivingAt);
    if (reader.number(1) === 0) return null;
    return { dh: reader.view(32), headerKey: reader.view(32), chainKey: reader.view(32), ordinal: reader.number(4), epoch: reader.number(3), next: reader.number(4) };
  }

  /** Whether a message has come. */
  get isAnswered(): boolean {
    return this.packed[this.#receivingAt] === 1;
  }

  get past(): readonly PastChain[] {
    const reader = new Reader(this.packed, this.#pastAt);
    const past: PastChain[] = [];
    for (let left = reader.number(1); left > 0; left--) past.push({ ordinal: reader.number(4), headerKey: reader.view(32) });
    return past;
  }

  get skipped(): Skipped {
    const reader = new Reader(this.packed, this.#skippedAt);
    const skipped: SkippedKey[] = [];
    for (let left = reader.number(2); left > 0; left--) skipped.push(readSkipped(reader));
    return skipped;
  }

  /** The first of the skipped keys, if there is one: what a stranger sends must not cost the reading of all. */
  get oldestSkipped(): SkippedKey | undefined {
    const reader = new Reader(this.packed, this.#skippedAt);
    return reader.number(2) === 0 ? undefined : readSkipped(reader);
  }

  get braid(): Braid {
    return (this.#braid ??= readBraid(new Reader(this.packed, this.#braidAt)));
  }

  /** The session that says something else in some fields. */
  with({ root, nextHeaderKey, sending, receiving, past, skipped, braid }: Changes): Session {
    const [sendingEnd, receivingEnd, pastEnd, braidAt] = [this.#receivingAt, this.#pastAt, this.#skippedAt, this.#braidAt];
    // Most messages change nothing of the braid but its counts.
    const counts = braid && braid.step === this.#braid?.step ? braid : undefined;
    const steps = counts ? undefined : braid;
    const length = this.packed.length
      + growth(sending, sendingLength, sendingEnd - SENDING_AT)
      + growth(receiving, receivingLength, receivingEnd - sendingEnd)
      + growth(past, pastLength, pastEnd - receivingEnd)
      + growth(skipped, skippedLength, braidAt - pastEnd)
      + growth(steps, braidLength, this.packed.length - braidAt);
    return new Session(new Revision(this.packed, length)
      .replace(ROOT_AT, NEXT_HEADER_KEY_AT, root, writeKey)
      .replace(NEXT_HEADER_KEY_AT, SENDING_AT, nextHeaderKey, writeKey)
      .replace(SENDING_AT, sendingEnd, sending, writeSending)
      .replace(sendingEnd, receivingEnd, receiving, writeReceiving)
      .replace(receivingEnd, pastEnd, past, writePast)
      .replace(pastEnd, braidAt, skipped, writeSkipped)
      .replace(braidAt, braidAt + BRAID_BYTES, counts, writeCounts)
      .replace(braidAt, this.packed.length, steps, writeBraid)
      .finish());
  }
}

/** The packed form, which is not to be changed. */
export function packSession(session: Session): Uint8Array {
  return session.packed;
}

/** The session of packSession(…), whose bytes it goes on using. Throws `malformed`. */
export function unpackSession(packed: Uint8Array): Session {
  const session = new Session(packed);
  return session.braid && session;
}

/** The session that says this. */
export function pack(state: State): Session {
  const { sending, receiving, past, skipped, braid } = state;
  const writer = new Writer(SENDING_AT + sendingLength(sending) + receivingLength(receiving) + pastLength(past) + skippedLength(skipped) + braidLength(braid));
  writer.number(PACK_VERSION, 1).bytes(state.transcript).bytes(state.resumption).bytes(state.root).bytes(state.nextHeaderKey);
  writeSending(writer, sending);
  writeReceiving(writer, receiving);
  writePast(writer, past);
  writeSkipped(writer, skipped);
  writeBraid(writer, braid);
  return new Session(writer.finish());
}

/** Bytes that a part will be longer than it is, which may be fewer than 0. */
function growth<T>(part: T | undefined, length: (part: T) => number, before: number): number {
  return part === undefined ? 0 : length(part) - before;
}

/** A packed structure written anew: part after part, what is replaced as its function writes it, and the rest as it lies. */
class Revision {
  readonly #before: Uint8Array;
  readonly #writer: Writer;
  /** Where the part begins that lies before and is not written yet. */
  #restAt = 0;

  constructor(before: Uint8Array, length: number) {
    this.#before = before;
    this.#writer = new Writer(length);
  }

  /** The part from `at` to `end`; undefined leaves it as it lies. */
  replace<T>(at: number, end: number, part: T | undefined, write: (writer: Writer, part: T) => void): this {
    if (part === undefined) return this;
    if (at > this.#restAt) this.#writer.bytes(this.#before.subarray(this.#restAt, at));
    write(this.#writer, part);
    this.#restAt = end;
    return this;
  }

  finish(): Uint8Array {
    return this.#writer.bytes(this.#before.subarray(this.#restAt)).finish();
  }
}

function writeKey(writer: Writer, key: Uint8Array): void {
  writer.bytes(key);
}

function sendingLength({ begun }: SendingChain): number {
  return BEGUN_AT - SENDING_AT + 1 + (begun === null ? 0 : BEGUN_BYTES);
}

function writeSending(writer: Writer, { headerKey, previous, begun }: SendingChain): void {
  writer.bytes(headerKey).number(previous, 4);
  if (begun === null) return void writer.number(0, 1);
  const { secret, dh, nextHeaderKey, chainKey, next } = begun;
  writer.number(1, 1).bytes(secret).bytes(dh).bytes(nextHeaderKey).bytes(chainKey).number(next, 4);
}

function readBegun(reader: Reader): BegunChain {
  return { secret: reader.view(32), dh: reader.view(32), nextHeaderKey: reader.view(32), chainKey: reader.view(32), next: reader.number(4) };
}

function receivingLength(receiving: ReceivingChain | null): number {
  return receiving === null ? 1 : 1 + RECEIVING_BYTES;
}

function writeReceiving(writer: Writer, receiving: ReceivingChain | null): void {
  if (receiving === null) return void writer.number(0, 1);
  const { dh, headerKey, chainKey, ordinal, epoch, next } = receiving;
  writer.number(1, 1).bytes(dh).bytes(headerKey).bytes(chainKey).number(ordinal, 4).number(epoch, 3).number(next, 4);
}

function pastLength(past: readonly PastChain[]): number {
  return 1 + past.length * PAST_BYTES;
}

function writePast(writer: Writer, past: readonly PastChain[]): void {
  writer.number(past.length, 1);
  for (const { ordinal, headerKey } of past) writer.number(ordinal, 4).bytes(headerKey);
}

function readSkipped(reader: Reader): SkippedKey {
  return { chain: reader.number(4), n: reader.number(4), storedAt: reader.number(6), key: reader.view(32) };
}

function skippedLength(skipped: Skipped): number {
  return 2 + skipped.length * SKIPPED_BYTES;
}

function writeSkipped(writer: Writer, skipped: Skipped): void {
  writer.number(skipped.length, 2);
  for (const { chain, n, storedAt, key } of skipped) writer.number(chain, 4).number(n, 4).number(storedAt, 6).bytes(key);
}

function braidLength({ step }: Braid): number {
  return BRAID_BYTES + 1 + STEP_BYTES[step.at];
}

function writeCounts(writer: Writer, { epoch, messages, since }: Braid): void {
  writer.number(epoch, 3).number(messages, 1).number(since, 6);
}

function writeBraid(writer: Writer, braid: Braid): void {
  const { step } = braid;
  writeCounts(writer, braid);
  writer.number(STEPS.indexOf(step.at), 1);
  switch (step.at) {
    case 'idle': return;
    case 'offering': return void writer.bytes(step.seed).bytes(step.key).number(step.next, 1);
    case 'waiting': return void writer.bytes(step.seed).bytes(step.key).bytes(step.ciphertext.bytes).bytes(step.ciphertext.has);
    case 'agreed': return void writer.bytes(step.secret.shared).bytes(step.secret.binding);
    case 'collecting': return void writer.bytes(step.key.bytes).bytes(step.key.has);
    case 'answering': return void writer.bytes(step.ciphertext).number(step.next, 1).bytes(step.secret.shared).bytes(step.secret.binding);
  }
}

function readBraid(reader: Reader): Braid {
  return { epoch: reader.number(3), messages: reader.number(1), since: reader.number(6), step: readStep(reader, readStepName(reader)) };
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
