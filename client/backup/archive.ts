// A backup as bytes: its records one after the other, cut into sealed chunks of one length (PROTOCOL.md §12.2). It knows no files, and of
// a record only its fields.

import { z } from 'zod';
import { type ArchiveKey, CHUNK_BYTES, openChunk, sealChunk } from '../../crypto/archive.js';
import { concat, text, utf8, Writer } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import type { BackupRecord } from './backup.js';

/** Longest record: a text of the greatest length, each byte of it written as six, and what surrounds it. */
const RECORD_MAX_BYTES = 6 * 65_536 + 4_096;
const LENGTH_BYTES = 4;

const bytes = z.codec(z.base64(), z.custom<Uint8Array>((value) => value instanceof Uint8Array), {
  decode: (encoded) => new Uint8Array(Buffer.from(encoded, 'base64')),
  encode: (raw) => Buffer.from(raw).toString('base64'),
});
const hex = z.string().regex(/^([0-9a-f]{2})*$/);
const number = z.int().nonnegative();
const time = number.nullable();
const ownMailbox = z.object({ relay: z.string(), mailbox: hex, ownerSeed: bytes, token: bytes });

const RECORD = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('owner'),
    record: z.object({ name: z.string(), relay: z.string(), identity: bytes, devices: bytes, createdAt: number, position: number }),
  }),
  z.object({
    kind: z.literal('contact'),
    record: z.object({
      id: hex, name: z.string(), identity: bytes, devices: bytes, createdAt: number, policy: z.enum(['direct', 'relay-only']), blocked: z.boolean().default(false),
      begunAt: number, resumptions: bytes, resetTakenAt: number,
      inbox: ownMailbox,
      outbox: z.object({ relay: z.string(), mailbox: hex, token: bytes }),
      sentFirst: number, sentNumber: number, sentChain: bytes,
      receivedNumber: number, lacking: z.array(number).readonly(), readyNumber: number, readyChain: bytes,
      readNumber: number, unread: number, heardAt: number,
    }),
  }),
  z.object({
    kind: z.literal('address'),
    record: z.object({ link: z.string(), linkKey: bytes, mailbox: ownMailbox, createdAt: number }),
  }),
  z.object({
    kind: z.literal('week'),
    record: z.object({ lookup: hex, week: number, secret: bytes, card: bytes, published: z.boolean(), expiresAt: number }),
  }),
  z.object({
    kind: z.literal('message'),
    record: z.object({
      id: hex, contact: hex, direction: z.enum(['in', 'out']), number, text: z.string(),
      state: z.enum(['queued', 'accepted', 'delivered', 'read', 'failed', 'received']), path: z.enum(['relay', 'turn', 'direct']).nullable(), reason: z.string().nullable(),
      sentAt: number, receivedAt: time, acceptedAt: time, deliveredAt: time, readAt: time, position: time,
    }),
  }),
]) satisfies z.ZodType<BackupRecord>;

/** Records as sealed chunks. Behind them come zeros, up to a number of chunks that tells little about their length. */
export async function* sealRecords(key: ArchiveKey, records: AsyncIterable<BackupRecord>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let length = 0;
  let index = 0;
  for await (const record of records) {
    const json = utf8(JSON.stringify(z.encode(RECORD, record)));
    parts.push(new Writer(LENGTH_BYTES + json.length).number(json.length, LENGTH_BYTES).bytes(json).finish());
    length += LENGTH_BYTES + json.length;
    if (length <= CHUNK_BYTES) continue;
    let rest = concat(...parts);
    for (; rest.length > CHUNK_BYTES; index += 1, rest = rest.subarray(CHUNK_BYTES)) yield sealChunk(key, index, false, rest.slice(0, CHUNK_BYTES));
    parts = [rest];
    length = rest.length;
  }
  // A length of zero ends the records.
  const end = concat(...parts, new Uint8Array(LENGTH_BYTES));
  const count = padme(index + Math.ceil(end.length / CHUNK_BYTES));
  for (let at = 0; index < count; index += 1, at += CHUNK_BYTES) {
    const chunk = new Uint8Array(CHUNK_BYTES);
    chunk.set(end.subarray(at, at + CHUNK_BYTES));
    yield sealChunk(key, index, index === count - 1, chunk);
  }
}

/** The records of so many sealed chunks. Throws `backup-invalid`; what was given out before counts for nothing then. */
export async function* openRecords(key: ArchiveKey, chunks: number, read: (index: number) => Promise<Uint8Array>): AsyncGenerator<BackupRecord> {
  let rest: Uint8Array = new Uint8Array();
  let isOver = false;
  for (let index = 0; index < chunks; index += 1) {
    const chunk = openChunk(key, index, index === chunks - 1, await read(index));
    if (isOver) continue;
    rest = concat(rest, chunk);
    const view = new DataView(rest.buffer, rest.byteOffset);
    let at = 0;
    while (at + LENGTH_BYTES <= rest.length) {
      const length = view.getUint32(at);
      if (length > RECORD_MAX_BYTES) throw new SottoError('backup-invalid');
      isOver = length === 0;
      if (isOver || at + LENGTH_BYTES + length > rest.length) break;
      yield readRecord(rest.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
      at += LENGTH_BYTES + length;
    }
    rest = rest.slice(at);
  }
  if (!isOver) throw new SottoError('backup-invalid');
}

function readRecord(json: Uint8Array): BackupRecord {
  try {
    return z.decode(RECORD, JSON.parse(text(json)));
  } catch (cause) {
    throw new SottoError('backup-invalid', undefined, cause);
  }
}

/** The next number that few bits describe, at most an eighth above (Padmé). */
function padme(count: number): number {
  const exponent = Math.floor(Math.log2(count));
  const significant = exponent === 0 ? 0 : Math.floor(Math.log2(exponent)) + 1;
  const step = 2 ** (exponent - significant);
  return Math.ceil(count / Math.max(1, step)) * Math.max(1, step);
}
