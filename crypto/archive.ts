// A backup on a disk: a header that says how its key is found, and chunks that open in their order and no other, the last of them
// known as the last (PROTOCOL.md §12.2). It must never know what is in it, or where the file lies.

import { concat, equal, Reader, utf8, Writer } from './bytes.js';
import { SottoError } from './error.js';
import { derive, hash } from './hash.js';
import { openKey, sealKey, type StretchCost } from './passphrase.js';
import type { Random } from './random.js';
import { NONCE_BYTES, open, seal, TAG_BYTES } from './sodium.js';

/** What is sealed at a time; the same for every chunk, the last one too. */
export const CHUNK_BYTES = 65_536;
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;

const MAGIC = utf8('SOTTOBAK');
const VERSION = 1;
const SALT_BYTES = 16;
const WRAPPED_BYTES = 72;
const CHECK_BYTES = 16;
export const ARCHIVE_HEADER_BYTES = MAGIC.length + 1 + 1 + 4 + 4 + SALT_BYTES + WRAPPED_BYTES + CHECK_BYTES;

/** An archive may not ask for more than this, so that a false one cannot exhaust the machine. */
const PASSES_MAX = 64;
const MEMORY_MAX_BYTES = 1024 ** 3;

/** How the key of an archive is found: from 32 random bytes that a person keeps, or from a passphrase. */
export type ArchiveLock =
  | { readonly kind: 'recovery-key' }
  | { readonly kind: 'passphrase'; readonly salt: Uint8Array; readonly cost: StretchCost };

export interface ArchiveHeader {
  readonly lock: ArchiveLock;
  /** The archive's own key, sealed. */
  readonly wrapped: Uint8Array;
  /** Stands for all of the header, and is bound into each chunk. */
  readonly check: Uint8Array;
}

/** Seals or opens one archive's chunks, one after the other. */
export interface ArchiveKey {
  readonly key: Uint8Array;
  readonly check: Uint8Array;
}

/** A new archive: its header, and what seals its chunks. `secret` is the recovery key, or the stretched passphrase, 32 bytes. */
export function createArchive(lock: ArchiveLock, secret: Uint8Array, random: Random): { readonly header: Uint8Array; readonly key: ArchiveKey } {
  const key = random(32);
  const { passes, memoryBytes } = lock.kind === 'passphrase' ? lock.cost : { passes: 0, memoryBytes: 0 };
  const fields = new Writer(ARCHIVE_HEADER_BYTES - CHECK_BYTES)
    .bytes(MAGIC)
    .number(VERSION, 1)
    .number(lock.kind === 'passphrase' ? 1 : 0, 1)
    .number(passes, 4)
    .number(memoryBytes / 1024, 4)
    .bytes(lock.kind === 'passphrase' ? lock.salt : new Uint8Array(SALT_BYTES))
    .bytes(sealKey(key, wrappingKey(secret), random))
    .finish();
  const check = checkOf(fields);
  return { header: concat(fields, check), key: { key, check } };
}

/** Reads a header. Throws `backup-invalid`. */
export function readArchiveHeader(header: Uint8Array): ArchiveHeader {
  if (header.length !== ARCHIVE_HEADER_BYTES) invalid();
  const fields = header.subarray(0, -CHECK_BYTES);
  const check = header.slice(-CHECK_BYTES);
  if (!equal(check, checkOf(fields))) invalid();
  const reader = new Reader(fields);
  const [magic, version, kind, passes, memory] = [reader.bytes(MAGIC.length), reader.number(1), reader.number(1), reader.number(4), reader.number(4)];
  const [salt, wrapped] = [reader.bytes(SALT_BYTES), reader.bytes(WRAPPED_BYTES)];
  const isKnown = equal(magic, MAGIC) && version === VERSION && kind <= 1;
  const cost = { passes, memoryBytes: memory * 1024 };
  const isFair = kind === 0 || (passes >= 1 && passes <= PASSES_MAX && cost.memoryBytes >= 8192 && cost.memoryBytes <= MEMORY_MAX_BYTES);
  if (!isKnown || !isFair) invalid();
  return { lock: kind === 0 ? { kind: 'recovery-key' } : { kind: 'passphrase', salt, cost }, wrapped, check };
}

/** What opens the chunks. Throws `backup-key-wrong`. */
export function openArchive({ wrapped, check }: ArchiveHeader, secret: Uint8Array): ArchiveKey {
  try {
    return { key: openKey(wrapped, wrappingKey(secret)), check };
  } catch (cause) {
    throw new SottoError('backup-key-wrong', undefined, cause);
  }
}

/** Seals chunk `index` (from 0) of CHUNK_BYTES. Each is sealed once. */
export function sealChunk({ key, check }: ArchiveKey, index: number, isLast: boolean, chunk: Uint8Array): Uint8Array {
  return seal(key, nonceOf(index, isLast), chunk, check);
}

/** The chunk that was sealed at this place. Throws `backup-invalid` for any other bytes, and for a chunk of another place. */
export function openChunk({ key, check }: ArchiveKey, index: number, isLast: boolean, sealed: Uint8Array): Uint8Array {
  return open(key, nonceOf(index, isLast), sealed, check) ?? invalid();
}

function nonceOf(index: number, isLast: boolean): Uint8Array {
  return new Writer(NONCE_BYTES).bytes(new Uint8Array(NONCE_BYTES - 7)).number(isLast ? 1 : 0, 1).number(index, 6).finish();
}

function wrappingKey(secret: Uint8Array): Uint8Array {
  return derive(secret, 'backup').left;
}

function checkOf(fields: Uint8Array): Uint8Array {
  return hash('backup', fields).slice(0, CHECK_BYTES);
}

function invalid(): never {
  throw new SottoError('backup-invalid');
}
