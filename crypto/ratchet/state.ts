// What a session remembers between two messages: bytes, in memory as in a store. A step reads the fields that it needs where they
// lie, and packs the next session into other bytes: what it has changed, and the rest as it lies. So a step that fails has changed
// nothing (PROTOCOL.md §5.2).

import { Reader, Writer } from '../bytes.js';
import type { Braid } from './braid.js';
import type { HeaderKey } from './header.js';
import {
  braidPart,
  COUNTS_BYTES,
  HAS_BEGUN_AT,
  type Part,
  type PastChain,
  pastPart,
  readOldestSkipped,
  type ReceivingChain,
  receivingPart,
  type SendingChain,
  sendingPart,
  skippedPart,
  writeCounts,
} from './parts.js';
import type { RootKey } from './root.js';
import type { Skipped, SkippedKey } from './skipped.js';

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

/** What a step may change; undefined stays as it is. */
export type Changes = { readonly [Field in Exclude<keyof State, 'transcript' | 'resumption'>]?: State[Field] | undefined };

const PACK_VERSION = 3;

/** Where the fields lie that have a fixed place. */
const TRANSCRIPT_AT = 1;
const RESUMPTION_AT = TRANSCRIPT_AT + 32;
const ROOT_AT = RESUMPTION_AT + 32;
const NEXT_HEADER_KEY_AT = ROOT_AT + 32;
const SENDING_AT = NEXT_HEADER_KEY_AT + 32;

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
    reader.skip(SENDING_AT - TRANSCRIPT_AT);
    this.packed = packed;
    this.#receivingAt = sendingPart.skip(reader);
    this.#pastAt = receivingPart.skip(reader);
    this.#skippedAt = pastPart.skip(reader);
    this.#braidAt = skippedPart.skip(reader);
    braidPart.skip(reader);
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
    return sendingPart.read(new Reader(this.packed, SENDING_AT));
  }

  /** Whether our newest chain has keys. */
  get hasBegun(): boolean {
    return this.packed[SENDING_AT + HAS_BEGUN_AT] === 1;
  }

  get receiving(): ReceivingChain | null {
    return receivingPart.read(new Reader(this.packed, this.#receivingAt));
  }

  /** Whether a message has come. */
  get isAnswered(): boolean {
    return this.packed[this.#receivingAt] === 1;
  }

  get past(): readonly PastChain[] {
    return pastPart.read(new Reader(this.packed, this.#pastAt));
  }

  get skipped(): Skipped {
    return skippedPart.read(new Reader(this.packed, this.#skippedAt));
  }

  get oldestSkipped(): SkippedKey | undefined {
    return readOldestSkipped(new Reader(this.packed, this.#skippedAt));
  }

  get braid(): Braid {
    return (this.#braid ??= braidPart.read(new Reader(this.packed, this.#braidAt)));
  }

  /** The session that says something else in some fields. */
  with({ root, nextHeaderKey, sending, receiving, past, skipped, braid }: Changes): Session {
    const [sendingEnd, receivingEnd, pastEnd, braidAt] = [this.#receivingAt, this.#pastAt, this.#skippedAt, this.#braidAt];
    // Most messages change nothing of the braid but its counts.
    const counts = braid && braid.step === this.#braid?.step ? braid : undefined;
    const steps = counts ? undefined : braid;
    const length = this.packed.length
      + growth(sendingPart, sending, sendingEnd - SENDING_AT)
      + growth(receivingPart, receiving, receivingEnd - sendingEnd)
      + growth(pastPart, past, pastEnd - receivingEnd)
      + growth(skippedPart, skipped, braidAt - pastEnd)
      + growth(braidPart, steps, this.packed.length - braidAt);
    return new Session(new Revision(this.packed, length)
      .replace(ROOT_AT, NEXT_HEADER_KEY_AT, root, writeKey)
      .replace(NEXT_HEADER_KEY_AT, SENDING_AT, nextHeaderKey, writeKey)
      .replace(SENDING_AT, sendingEnd, sending, sendingPart.write)
      .replace(sendingEnd, receivingEnd, receiving, receivingPart.write)
      .replace(receivingEnd, pastEnd, past, pastPart.write)
      .replace(pastEnd, braidAt, skipped, skippedPart.write)
      .replace(braidAt, braidAt + COUNTS_BYTES, counts, writeCounts)
      .replace(braidAt, this.packed.length, steps, braidPart.write)
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
export function pack({ transcript, resumption, root, nextHeaderKey, sending, receiving, past, skipped, braid }: State): Session {
  const length = SENDING_AT + sendingPart.length(sending) + receivingPart.length(receiving) + pastPart.length(past) + skippedPart.length(skipped) + braidPart.length(braid);
  const writer = new Writer(length).number(PACK_VERSION, 1).bytes(transcript).bytes(resumption).bytes(root).bytes(nextHeaderKey);
  sendingPart.write(writer, sending);
  receivingPart.write(writer, receiving);
  pastPart.write(writer, past);
  skippedPart.write(writer, skipped);
  braidPart.write(writer, braid);
  return new Session(writer.finish());
}

/** Bytes that a part will be longer than it is, which may be fewer than 0. */
function growth<T>(part: Part<T>, value: T | undefined, before: number): number {
  return value === undefined ? 0 : part.length(value) - before;
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
