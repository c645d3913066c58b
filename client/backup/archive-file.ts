// A backup as a file: written whole or not at all, never over another, and read chunk by chunk. It knows nothing of what is in it.

import { existsSync } from 'node:fs';
import { type FileHandle, link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ARCHIVE_HEADER_BYTES, type ArchiveHeader, createArchive, openArchive, readArchiveHeader, SEALED_CHUNK_BYTES } from '../../crypto/archive.js';
import { SottoError } from '../../crypto/error.js';
import type { StretchCost } from '../../crypto/passphrase.js';
import { ready } from '../../crypto/sodium.js';
import { openRecords, sealRecords } from './archive.js';
import type { BackupRecord } from './backup.js';
import { random } from '../random.js';
import { fromWords, RECOVERY_KEY_BYTES, toWords } from './recovery.js';
import { stretchApart } from '../stretch.js';

/** A backup may lie anywhere for years: a guess costs what libsodium calls moderate. */
const COST: StretchCost = { passes: 3, memoryBytes: 256 * 1024 * 1024 };
const SALT_BYTES = 16;

/**
 * Writes a backup, mode 0600.
 * @param passphrase locks it; null makes a recovery key, which is answered and kept nowhere.
 * @throws SottoError `file-exists`, `file-failed`
 */
export async function writeArchive(file: string, passphrase: string | null, records: AsyncIterable<BackupRecord>): Promise<{ readonly words: string | null }> {
  await ready();
  const recovery = passphrase === null ? random(RECOVERY_KEY_BYTES) : null;
  const salt = random(SALT_BYTES);
  const secret = recovery ?? await stretchApart(passphrase!, salt, COST);
  const { header, key } = createArchive(recovery === null ? { kind: 'passphrase', salt, cost: COST } : { kind: 'recovery-key' }, secret, random);
  const words = recovery === null ? null : toWords(recovery);
  secret.fill(0);
  await writeNew(file, async (handle) => {
    await handle.writeFile(header);
    for await (const chunk of sealRecords(key, records)) await handle.writeFile(chunk);
  });
  key.key.fill(0);
  return { words };
}

/** Which secret a backup asks for. Throws `file-failed` or `backup-invalid`. */
export async function archiveKind(file: string): Promise<'recovery-key' | 'passphrase'> {
  await ready();
  return reading(file, async (handle) => (await readHeader(handle)).lock.kind);
}

/**
 * The records of a backup, given to `use` one by one; what it does counts for nothing if this rejects.
 * @param secret the words of the recovery key, or the passphrase.
 * @throws SottoError `file-failed`, `backup-invalid`, `backup-key-wrong`, `recovery-key-invalid`
 */
export async function readArchive<T>(file: string, secret: string, use: (records: AsyncGenerator<BackupRecord>) => Promise<T>): Promise<T> {
  await ready();
  return reading(file, async (handle) => {
    const header = await readHeader(handle);
    const raw = await secretOf(header, secret);
    const key = openArchive(header, raw);
    raw.fill(0);
    const chunks = ((await handle.stat()).size - ARCHIVE_HEADER_BYTES) / SEALED_CHUNK_BYTES;
    if (!Number.isInteger(chunks) || chunks === 0) throw new SottoError('backup-invalid');
    return use(openRecords(key, chunks, (index) => readExactly(handle, ARCHIVE_HEADER_BYTES + index * SEALED_CHUNK_BYTES, SEALED_CHUNK_BYTES)));
  });
}

async function secretOf({ lock }: ArchiveHeader, secret: string): Promise<Uint8Array> {
  return lock.kind === 'recovery-key' ? fromWords(secret) : stretchApart(secret, lock.salt, lock.cost);
}

async function readHeader(handle: FileHandle): Promise<ArchiveHeader> {
  return readArchiveHeader(await readExactly(handle, 0, ARCHIVE_HEADER_BYTES));
}

async function readExactly(handle: FileHandle, from: number, length: number): Promise<Uint8Array> {
  const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, from);
  if (bytesRead !== length) throw new SottoError('backup-invalid');
  return buffer;
}

async function reading<T>(file: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(file, 'r').catch((cause: unknown) => { throw fileError(file, cause); });
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

// The name is given to the whole file in one step that fails where the name is taken.
async function writeNew(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const draft = `${file}.${process.pid}.new`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(draft, file);
  } catch (cause) {
    throw cause instanceof SottoError ? cause : fileError(file, cause);
  } finally {
    await rm(draft, { force: true });
  }
}

function fileError(file: string, cause: unknown): SottoError {
  const { code = 'unknown' } = cause as NodeJS.ErrnoException;
  if (code === 'EEXIST') return new SottoError('file-exists');
  const missing = [dirname(file), file].find((path) => !existsSync(path));
  if (code === 'ENOENT' && missing !== undefined) return new SottoError('file-failed', `There is no ${missing}; check how it is written.`, cause);
  return new SottoError('file-failed', `${file} could not be read or written (${code}); check its name, who may use it, and the free space.`, cause);
}
