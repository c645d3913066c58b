// Keys and records of the lmdb store as bytes. Integers are 48 bits, big-endian, so that keys sort by them; they hold
// milliseconds and sequences for longer than any of this will run. Knows nothing of transactions.
//
//   mailboxes   mailbox 16                        owner 32 | token hash 32 | last sequence 6 | count 4 | bytes 4 | due at 6
//   envelopes   mailbox 16 | sequence 6           stored at 6 | expires at 6 | id 16 | envelope
//   ids         mailbox 16 | id 16                sequence 6
//   cards       lookup 16                         expires at 6 | use 1 (0 not taken, 1 taken, 2 reusable) | claim 16 | card
//   expiry      expires at 6 | mailbox 16 | sequence 6, or expires at 6 | lookup 16      (nothing)
//               sequence 0, which no envelope has, names the mailbox itself
//   (root)      "totals"                          mailboxes 6 | envelopes 6 | cards 6 | bytes of envelopes and cards 6
//               "format" 1, "owner" (owner.ts)

import { CLAIM_BYTES, MAILBOX_BYTES } from '../wire/limits.js';
import type { Totals } from './store.js';

const INTEGER_BYTES = 6;
const ID_BYTES = 16;

/** Largest integer of the layout. */
export const INTEGER_MAX = 2 ** (8 * INTEGER_BYTES) - 1;

export interface MailboxRecord {
  readonly owner: Uint8Array;
  readonly tokenHash: Uint8Array;
  /** The last sequence given out, 0 if none was. */
  readonly sequence: number;
  /** How many envelopes wait, and how many bytes they have. */
  readonly count: number;
  readonly bytes: number;
  /** When the mailbox is removed with all that is in it, unless its owner collects it before. */
  readonly dueAt: number;
}

export interface EnvelopeRecord {
  readonly storedAt: number;
  readonly expiresAt: number;
  readonly id: Uint8Array;
  readonly envelope: Uint8Array;
}

export interface CardRecord {
  readonly expiresAt: number;
  /** Whether everybody may take the card. */
  readonly reusable: boolean;
  /** Who has taken the card; null while nobody has, and of a reusable one. */
  readonly claim: Uint8Array | null;
  readonly card: Uint8Array;
}

/** What an expiry key names. */
export type Due =
  | { readonly kind: 'envelope'; readonly mailbox: Uint8Array; readonly sequence: number }
  | { readonly kind: 'mailbox'; readonly mailbox: Uint8Array }
  | { readonly kind: 'card'; readonly lookup: Uint8Array };

export function integer(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(INTEGER_BYTES);
  bytes.writeUIntBE(value, 0, INTEGER_BYTES);
  return bytes;
}

export function readInteger(bytes: Buffer, offset = 0): number {
  return bytes.readUIntBE(offset, INTEGER_BYTES);
}

export function envelopeKey(mailbox: Uint8Array, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(MAILBOX_BYTES + INTEGER_BYTES);
  key.set(mailbox);
  key.writeUIntBE(sequence, MAILBOX_BYTES, INTEGER_BYTES);
  return key;
}

export function sequenceOf(key: Buffer): number {
  return readInteger(key, MAILBOX_BYTES);
}

export function idKey(mailbox: Uint8Array, id: Uint8Array): Buffer {
  const key = Buffer.allocUnsafe(MAILBOX_BYTES + ID_BYTES);
  key.set(mailbox);
  key.set(id, MAILBOX_BYTES);
  return key;
}

export function envelopeExpiryKey(expiresAt: number, mailbox: Uint8Array, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(INTEGER_BYTES + MAILBOX_BYTES + INTEGER_BYTES);
  key.writeUIntBE(expiresAt, 0, INTEGER_BYTES);
  key.set(mailbox, INTEGER_BYTES);
  key.writeUIntBE(sequence, INTEGER_BYTES + MAILBOX_BYTES, INTEGER_BYTES);
  return key;
}

export function mailboxExpiryKey(dueAt: number, mailbox: Uint8Array): Buffer {
  return envelopeExpiryKey(dueAt, mailbox, 0);
}

export function cardExpiryKey(expiresAt: number, lookup: Uint8Array): Buffer {
  return Buffer.concat([integer(expiresAt), lookup]);
}

/** The keys of cards are shorter than the others. */
export function dueOf(key: Buffer): Due {
  const name = key.subarray(INTEGER_BYTES);
  if (name.length !== MAILBOX_BYTES + INTEGER_BYTES) return { kind: 'card', lookup: name };
  const mailbox = name.subarray(0, MAILBOX_BYTES);
  const sequence = sequenceOf(name);
  return sequence === 0 ? { kind: 'mailbox', mailbox } : { kind: 'envelope', mailbox, sequence };
}

const TOKEN_HASH_AT = 32;
const SEQUENCE_AT = 64;
const COUNT_AT = SEQUENCE_AT + INTEGER_BYTES;
const BYTES_AT = COUNT_AT + 4;
const DUE_AT = BYTES_AT + 4;
const MAILBOX_RECORD_BYTES = DUE_AT + INTEGER_BYTES;

export function packMailbox(record: MailboxRecord): Buffer {
  const bytes = Buffer.allocUnsafe(MAILBOX_RECORD_BYTES);
  bytes.set(record.owner, 0);
  bytes.set(record.tokenHash, TOKEN_HASH_AT);
  bytes.writeUIntBE(record.sequence, SEQUENCE_AT, INTEGER_BYTES);
  bytes.writeUInt32BE(record.count, COUNT_AT);
  bytes.writeUInt32BE(record.bytes, BYTES_AT);
  bytes.writeUIntBE(record.dueAt, DUE_AT, INTEGER_BYTES);
  return bytes;
}

export function unpackMailbox(bytes: Buffer): MailboxRecord {
  return {
    owner: bytes.subarray(0, TOKEN_HASH_AT),
    tokenHash: bytes.subarray(TOKEN_HASH_AT, SEQUENCE_AT),
    sequence: readInteger(bytes, SEQUENCE_AT),
    count: bytes.readUInt32BE(COUNT_AT),
    bytes: bytes.readUInt32BE(BYTES_AT),
    dueAt: readInteger(bytes, DUE_AT),
  };
}

export function packTotals({ mailboxes, envelopes, cards, bytes }: Totals): Buffer {
  return Buffer.concat([mailboxes, envelopes, cards, bytes].map(integer));
}

export function unpackTotals(packed: Buffer): Totals {
  const [mailboxes, envelopes, cards, bytes] = [0, 1, 2, 3].map((index) => readInteger(packed, index * INTEGER_BYTES)) as [number, number, number, number];
  return { mailboxes, envelopes, cards, bytes };
}

const ID_AT = 2 * INTEGER_BYTES;
const ENVELOPE_AT = ID_AT + ID_BYTES;

export function packEnvelope(record: EnvelopeRecord): Buffer {
  const bytes = Buffer.allocUnsafe(ENVELOPE_AT + record.envelope.length);
  bytes.writeUIntBE(record.storedAt, 0, INTEGER_BYTES);
  bytes.writeUIntBE(record.expiresAt, INTEGER_BYTES, INTEGER_BYTES);
  bytes.set(record.id, ID_AT);
  bytes.set(record.envelope, ENVELOPE_AT);
  return bytes;
}

export function unpackEnvelope(bytes: Buffer): EnvelopeRecord {
  return {
    storedAt: readInteger(bytes),
    expiresAt: readInteger(bytes, INTEGER_BYTES),
    id: bytes.subarray(ID_AT, ENVELOPE_AT),
    envelope: bytes.subarray(ENVELOPE_AT),
  };
}

const CLAIM_AT = INTEGER_BYTES + 1;
const CARD_AT = CLAIM_AT + CLAIM_BYTES;
const NO_CLAIM = Buffer.alloc(CLAIM_BYTES);
const NOT_TAKEN = 0;
const TAKEN = 1;
const REUSABLE = 2;

export function packCard(record: CardRecord): Buffer {
  const use = record.reusable ? REUSABLE : record.claim === null ? NOT_TAKEN : TAKEN;
  return Buffer.concat([integer(record.expiresAt), Buffer.of(use), record.claim ?? NO_CLAIM, record.card]);
}

export function unpackCard(bytes: Buffer): CardRecord {
  const use = bytes[INTEGER_BYTES];
  return {
    expiresAt: readInteger(bytes),
    reusable: use === REUSABLE,
    claim: use === TAKEN ? bytes.subarray(CLAIM_AT, CARD_AT) : null,
    card: bytes.subarray(CARD_AT),
  };
}
