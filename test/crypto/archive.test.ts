import { describe, expect, it } from 'vitest';
import { ARCHIVE_HEADER_BYTES, type ArchiveLock, CHUNK_BYTES, createArchive, openArchive, openChunk, readArchiveHeader, sealChunk, SEALED_CHUNK_BYTES } from '../../crypto/archive.js';
import { toHex } from '../../crypto/bytes.js';
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
