// What a session remembers between two messages, and its packed form. A state is never changed: a step makes a new one that
// shares what stays the same, so a step that fails has changed nothing (PROTOCOL.md §5.2).

import { Reader, Writer } from '../bytes.js';
import { SottoError } from '../error.js';
import { XWING_CIPHERTEXT_BYTES, XWING_PUBLIC_BYTES } from '../sodium.js';
import type { Braid, EpochSecret, Step } from './braid.js';
import type { ChainKey } from './chain.js';
import type { HeaderKey } from './header.js';
import { UNIT_BYTES, type Units } from './piece.js';
import type { RootKey } from './root.js';
import { type Skipped, SKIPPED_MAX, type SkippedKey } from './skipped.js';

/** One side of a session. Opaque outside of the ratchet and the handshake. */
export interface Session {
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
  /** Our ratchet key: X25519 secret and public key, 32 bytes each. */
  readonly secret: Uint8Array;
  readonly dh: Uint8Array;
  readonly headerKey: HeaderKey;
  /** Header key of our chain after this one. */
  readonly nextHeaderKey: HeaderKey;
  readonly chainKey: ChainKey;
  /** Number of the next message. */
  readonly next: number;
  /** Messages in our chain before this one. */
  readonly previous: number;
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

const PACK_VERSION = 2;

/** How a step of the braid is written: its place in this list. */
const STEPS = ['idle', 'offering', 'waiting', 'agreed', 'collecting', 'answering'] as const satisfies readonly Step['at'][];

/** The packed form, secret: 312 bytes, 107 for a receiving chain, 36 for each past chain, 46 for each skipped key, at most 2,438 for the braid's step. */
export function packSession(session: Session): Uint8Array {
  const { sending, receiving, past, skipped } = session;
  const writer = new Writer()
    .number(PACK_VERSION, 1)
    .bytes(session.transcript, session.resumption, session.root, session.nextHeaderKey)
    .bytes(sending.secret, sending.dh, sending.headerKey, sending.nextHeaderKey, sending.chainKey)
    .number(sending.next, 4)
    .number(sending.previous, 4)
    .number(receiving === null ? 0 : 1, 1);
  if (receiving !== null) {
    writer.bytes(receiving.dh, receiving.headerKey, receiving.chainKey).number(receiving.ordinal, 4).number(receiving.epoch, 3).number(receiving.next, 4);
  }
  writer.number(past.length, 1);
  for (const chain of past) writer.number(chain.ordinal, 4).bytes(chain.headerKey);
  writer.number(skipped.length, 2);
  for (const key of skipped) writer.number(key.chain, 4).number(key.n, 4).number(key.storedAt, 6).bytes(key.key);
  packBraid(writer, session.braid);
  return writer.finish();
}

/** Reads packSession(…). Throws `malformed`. */
export function unpackSession(packed: Uint8Array): Session {
  const reader = new Reader(packed);
  reader.expect(PACK_VERSION);
  const session: Session = {
    transcript: reader.bytes(32),
    resumption: reader.bytes(32),
    root: reader.bytes(32),
    nextHeaderKey: reader.bytes(32),
    sending: {
      secret: reader.bytes(32),
      dh: reader.bytes(32),
      headerKey: reader.bytes(32),
      nextHeaderKey: reader.bytes(32),
      chainKey: reader.bytes(32),
      next: reader.number(4),
      previous: reader.number(4),
    },
    receiving: count(reader, 1, 1) === 0 ? null : readReceiving(reader),
    past: Array.from({ length: count(reader, 1, PAST_MAX) }, () => ({ ordinal: reader.number(4), headerKey: reader.bytes(32) })),
    skipped: Array.from({ length: count(reader, 2, SKIPPED_MAX) }, () => readSkipped(reader)),
    braid: readBraid(reader),
  };
  reader.end();
  return session;
}

function readReceiving(reader: Reader): ReceivingChain {
  return { dh: reader.bytes(32), headerKey: reader.bytes(32), chainKey: reader.bytes(32), ordinal: reader.number(4), epoch: reader.number(3), next: reader.number(4) };
}

function readSkipped(reader: Reader): SkippedKey {
  return { chain: reader.number(4), n: reader.number(4), storedAt: reader.number(6), key: reader.bytes(32) };
}

function packBraid(writer: Writer, { epoch, messages, since, step }: Braid): void {
  writer.number(epoch, 3).number(messages, 1).number(since, 6).number(STEPS.indexOf(step.at), 1);
  switch (step.at) {
    case 'idle': return;
    case 'offering': return void writer.bytes(step.seed, step.key).number(step.next, 1);
    case 'waiting': return void writer.bytes(step.seed, step.key, step.ciphertext.bytes, step.ciphertext.has);
    case 'agreed': return void writer.bytes(step.secret.shared, step.secret.binding);
    case 'collecting': return void writer.bytes(step.key.bytes, step.key.has);
    case 'answering': return void writer.bytes(step.ciphertext).number(step.next, 1).bytes(step.secret.shared, step.secret.binding);
  }
}

function readBraid(reader: Reader): Braid {
  const [epoch, messages, since] = [reader.number(3), reader.number(1), reader.number(6)];
  return { epoch, messages, since, step: readStep(reader, STEPS[count(reader, 1, STEPS.length - 1)]!) };
}

function readStep(reader: Reader, at: Step['at']): Step {
  switch (at) {
    case 'idle': return { at };
    case 'offering': return { at, seed: reader.bytes(32), key: reader.bytes(XWING_PUBLIC_BYTES), next: readUnit(reader, XWING_PUBLIC_BYTES) };
    case 'waiting': return { at, seed: reader.bytes(32), key: reader.bytes(XWING_PUBLIC_BYTES), ciphertext: readUnits(reader, XWING_CIPHERTEXT_BYTES) };
    case 'agreed': return { at, secret: readSecret(reader) };
    case 'collecting': return { at, key: readUnits(reader, XWING_PUBLIC_BYTES) };
    case 'answering': return { at, ciphertext: reader.bytes(XWING_CIPHERTEXT_BYTES), next: readUnit(reader, XWING_CIPHERTEXT_BYTES), secret: readSecret(reader) };
  }
}

function readSecret(reader: Reader): EpochSecret {
  return { shared: reader.bytes(32), binding: reader.bytes(32) };
}

function readUnits(reader: Reader, length: number): Units {
  const [bytes, has] = [reader.bytes(length), reader.bytes(length / UNIT_BYTES)];
  if (has.some((flag) => flag > 1)) throw new SottoError('malformed');
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
