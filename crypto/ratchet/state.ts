// What a session remembers between two messages, and its packed form. A state is never changed: a step makes a new one that
// shares what stays the same, so a step that fails has changed nothing (PROTOCOL.md §5.2).

import { Reader, Writer } from '../bytes.js';
import { SottoError } from '../error.js';
import type { ChainKey } from './chain.js';
import type { HeaderKey } from './header.js';
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
  /** Number of the next message in order. */
  readonly next: number;
}

export interface PastChain {
  readonly ordinal: number;
  readonly headerKey: HeaderKey;
}

/** Most ended chains whose late messages still open: each costs a short decryption for whatever a stranger sends. */
export const PAST_MAX = 5;

const PACK_VERSION = 1;

/** The packed form, secret: 301 bytes, 104 for a receiving chain, 36 for each past chain, 46 for each skipped key. */
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
    writer.bytes(receiving.dh, receiving.headerKey, receiving.chainKey).number(receiving.ordinal, 4).number(receiving.next, 4);
  }
  writer.number(past.length, 1);
  for (const chain of past) writer.number(chain.ordinal, 4).bytes(chain.headerKey);
  writer.number(skipped.length, 2);
  for (const key of skipped) writer.number(key.chain, 4).number(key.n, 4).number(key.storedAt, 6).bytes(key.key);
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
  };
  reader.end();
  return session;
}

function readReceiving(reader: Reader): ReceivingChain {
  return { dh: reader.bytes(32), headerKey: reader.bytes(32), chainKey: reader.bytes(32), ordinal: reader.number(4), next: reader.number(4) };
}

function readSkipped(reader: Reader): SkippedKey {
  return { chain: reader.number(4), n: reader.number(4), storedAt: reader.number(6), key: reader.bytes(32) };
}

function count(reader: Reader, size: number, max: number): number {
  const value = reader.number(size);
  if (value > max) throw new SottoError('malformed');
  return value;
}
