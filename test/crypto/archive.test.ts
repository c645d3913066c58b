import { describe, expect, it } from 'vitest';
import { ARCHIVE_HEADER_BYTES, type ArchiveLock, CHUNK_BYTES, createArchive, openArchive, openChunk, readArchiveHeader, sealChunk, SEALED_CHUNK_BYTES } from '../../crypto/archive.js';
import { concat, toHex } from '../../crypto/bytes.js';
import { hash } from '../../crypto/hash.js';
import { ready } from '../../crypto/sodium.js';
import { h32, seal } from '../oracle/notation.js';
import { codeOf, seeded } from './support.js';

await ready();

const secret = new Uint8Array(32).fill(1);
const locks: readonly ArchiveLock[] = [{ kind: 'recovery-key' }, { kind: 'passphrase', salt: new Uint8Array(16).fill(2), cost: { passes: 3, memoryBytes: 256 * 1024 * 1024 } }];

describe.each(locks)('an archive locked with a $kind', (lock) => {
  const { header, key } = createArchive(lock, secret, seeded('archive'));

  it('says how it is locked and opens with its secret alone', () => {
    expect(header).toHaveLength(ARCHIVE_HEADER_BYTES);
    expect(readArchiveHeader(header).lock).toEqual(lock);
    expect(openArchive(readArchiveHeader(header), secret)).toEqual(key);
    expect(codeOf(() => openArchive(readArchiveHeader(header), new Uint8Array(32)))).toBe('backup-key-wrong');
  });

  it('is refused when any byte of its header is changed', () => {
    for (let at = 0; at < header.length; at += 1) expect(codeOf(() => readArchiveHeader(header.with(at, header[at]! ^ 1))), `byte ${at}`).toBe('backup-invalid');
    expect(codeOf(() => readArchiveHeader(header.subarray(1)))).toBe('backup-invalid');
  });
});

describe('the header of an archive that somebody has made up', () => {
  const passphrase: ArchiveLock = { kind: 'passphrase', salt: new Uint8Array(16), cost: { passes: 1, memoryBytes: 8192 } };
  const { header } = createArchive(passphrase, secret, seeded('archive'));

  /** With other bytes at a place, or behind it, and the check that is right for them. */
  function changed(at: number, ...bytes: readonly number[]): Uint8Array {
    const fields = header.subarray(0, -16);
    const made = concat(fields.subarray(0, at), Uint8Array.from(bytes), fields.subarray(at + bytes.length));
    return concat(made, hash('backup', made).slice(0, 16));
  }
  const refused = (made: Uint8Array): void => expect(codeOf(() => readArchiveHeader(made))).toBe('backup-invalid');

  it('is refused where it is no archive of ours, or of a later version or kind', () => {
    for (const made of [changed(0, 0), changed(8, 2), changed(9, 2), changed(header.length - 16, 0)]) refused(made);
  });

  it('is refused where it would exhaust the machine, or guard nothing', () => {
    const [passes, kibibytes] = [10, 14];
    expect(readArchiveHeader(changed(passes, 0, 0, 0, 64)).lock).toMatchObject({ cost: { passes: 64, memoryBytes: 8192 } });
    expect(readArchiveHeader(changed(kibibytes, 0, 0x10, 0, 0)).lock).toMatchObject({ cost: { passes: 1, memoryBytes: 1024 ** 3 } });
    for (const made of [changed(passes, 0, 0, 0, 0), changed(passes, 0, 0, 0, 65), changed(kibibytes, 0, 0, 0, 7), changed(kibibytes, 0, 0x10, 0, 1)]) refused(made);
  });
});

describe('a chunk', () => {
  const { header, key } = createArchive({ kind: 'recovery-key' }, secret, seeded('archive'));
  const chunk = new Uint8Array(CHUNK_BYTES).fill(7);
  const sealed = sealChunk(key, 5, false, chunk);

  it('opens in its place only', () => {
    expect(sealed).toHaveLength(SEALED_CHUNK_BYTES);
    expect(openChunk(key, 5, false, sealed)).toEqual(chunk);
    expect(codeOf(() => openChunk(key, 4, false, sealed))).toBe('backup-invalid');
    expect(codeOf(() => openChunk(key, 5, true, sealed))).toBe('backup-invalid');
    expect(codeOf(() => openChunk(key, 5, false, sealed.subarray(1)))).toBe('backup-invalid');
    expect(codeOf(() => openChunk({ ...key, check: new Uint8Array(16) }, 5, false, sealed))).toBe('backup-invalid');
    for (const at of [0, 1_000, CHUNK_BYTES, SEALED_CHUNK_BYTES - 1]) expect(codeOf(() => openChunk(key, 5, false, sealed.with(at, sealed[at]! ^ 1)))).toBe('backup-invalid');
  });

  it('is byte for byte what a second implementation seals', () => {
    const nonce = new Uint8Array(24).with(23, 5);
    expect(toHex(sealed)).toBe(toHex(seal(key.key, nonce, chunk, header.slice(-16))));
    expect(toHex(sealChunk(key, 5, true, chunk))).toBe(toHex(seal(key.key, nonce.with(17, 1), chunk, header.slice(-16))));
    expect(toHex(header.slice(-16))).toBe(toHex(h32('backup', header.slice(0, -16)).slice(0, 16)));
  });
});
