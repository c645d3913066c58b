// The frozen vectors of test/vectors that say what a client does beside its sessions: texts, the binding of a peer connection, flights
// that come again, and backups. Each against both implementations, which share no code.

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createArchive, openArchive, readArchiveHeader } from '../../crypto/archive.js';
import { concat, toHex } from '../../crypto/bytes.js';
import { stretch } from '../../crypto/passphrase.js';
import { ready } from '../../crypto/sodium.js';
import { openRecords, sealRecords } from '../../client/backup/archive.js';
import type { BackupRecord } from '../../client/backup/backup.js';
import { isFlightOf } from '../../client/core/contacts.js';
import { nextChain } from '../../client/core/conversation.js';
import { hashOffer, proofOf } from '../../client/core/direct.js';
import { flightId } from '../../client/core/requests.js';
import { fromWords, toWords } from '../../client/backup/recovery.js';
import * as oracle from '../oracle/archive.js';
import { flightId as secondFlightId, isOfSession } from '../oracle/handshake.js';
import { bindProof, chainAfter, offerHash } from '../oracle/text.js';
import { alter, unrolled } from '../vectors/archives.js';
import type { VectorFiles } from '../vectors/cases.js';
import { replaying } from '../vectors/chance.js';
import { unhex } from '../vectors/conversation.js';
import { load, refusal, withDraws } from '../vectors/files.js';

await ready();

type Archive = VectorFiles['archive']['archives'][number];

const [HEADER_BYTES, SEALED_CHUNK_BYTES] = [122, 65_552];

/** The archive that a vector describes, as the second implementation writes it. */
function written({ kind, passes, memory, salt, secret, draws, records }: Archive): Uint8Array {
  const { header, key } = withDraws(draws, (draw) => oracle.makeHeader({ kind, passes, memory, salt: unhex(salt) }, unhex(secret), draw));
  return concat(header, oracle.sealRecords(header, key, unrolled(records)));
}

/** The records of an archive, as a client reads them. */
async function read(archive: Uint8Array, secret: Uint8Array): Promise<BackupRecord[]> {
  const key = openArchive(readArchiveHeader(archive.subarray(0, HEADER_BYTES)), secret);
  const chunks = archive.subarray(HEADER_BYTES);
  const chunk = async (index: number) => chunks.subarray(index * SEALED_CHUNK_BYTES, (index + 1) * SEALED_CHUNK_BYTES);
  const records: BackupRecord[] = [];
  for await (const record of openRecords(key, Math.ceil(chunks.length / SEALED_CHUNK_BYTES), chunk)) records.push(record);
  return records;
}

const codeOf = (reading: Promise<unknown>): Promise<unknown> => reading.then(() => 'nothing was refused', (error: { readonly code: string }) => error.code);

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function* inOrder<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

describe('the frozen vectors', () => {
  it('have the chain values of texts', () => {
    const { first, cases } = load('text');
    let [mine, theirs]: Uint8Array[] = [unhex(first), unhex(first)];
    for (const { number, id, text, times, chain } of cases) {
      mine = nextChain(mine!, unhex(id), text.repeat(times));
      theirs = chainAfter(theirs!, unhex(id), text.repeat(times));
      expect([mine, theirs].map(toHex), `text ${number}`).toEqual([chain, chain]);
    }
  });

  it('have what binds a peer connection to its session', () => {
    const { session, call, offers, proofs } = load('direct');
    for (const { hash: offered, fingerprint, setup, ...rest } of offers) {
      const description = { ...rest, fingerprint: unhex(fingerprint), setup: setup as 'actpass' };
      expect([hashOffer(call, description), offerHash(unhex(call), description)].map(toHex)).toEqual([offered, offered]);
    }
    for (const { role, own, seen, proof } of proofs) {
      expect([proofOf(unhex(session), call, role, unhex(own), unhex(seen)), bindProof(unhex(session), unhex(call), role, unhex(own), unhex(seen))].map(toHex), role).toEqual([proof, proof]);
    }
  });

  it('know a flight that comes again', () => {
    const { known, cases } = load('handshake').repeated;
    for (const { name, envelope, isOfSession: isKnown } of cases) {
      expect([isFlightOf({ flightKey: unhex(known) }, unhex(envelope)), isOfSession(unhex(known), unhex(envelope))], name).toEqual([isKnown, isKnown]);
    }
    const { flight, id } = load('address').flight;
    expect([flightId(unhex(flight)), toHex(secondFlightId(unhex(flight)))]).toEqual([id, id]);
  });

  it('have the words of a recovery key', () => {
    const { key, words } = load('archive').recovery;
    expect([toWords(unhex(key)), oracle.toWords(unhex(key)), toHex(fromWords(words))]).toEqual([words, words, key]);
  });

  it.each(load('archive').stretched)('stretch the passphrase "$passphrase"', async ({ passphrase, passes, memory, salt, key }) => {
    expect(toHex(await stretch(passphrase, unhex(salt), { passes, memoryBytes: memory * 1024 }))).toBe(key);
    expect(toHex(oracle.stretch(passphrase, { passes, memory, salt: unhex(salt) }))).toBe(key);
  });

  it('have the headers of archives, and refuse what is none', () => {
    const { recovery, headers, refusedHeaders } = load('archive');
    for (const { header, kind, passes, memory, salt, key } of headers) {
      const lock = kind === 0 ? { kind: 'recovery-key' } : { kind: 'passphrase', salt: unhex(salt), cost: { passes, memoryBytes: memory * 1024 } };
      const mine = readArchiveHeader(unhex(header));
      expect(mine.lock).toEqual(lock);
      expect(toHex(openArchive(mine, unhex(recovery.key)).key)).toBe(key);
      expect(oracle.readHeader(unhex(header))).toMatchObject({ kind, passes, memory, salt: unhex(salt) });
    }
    for (const { name, header, code } of refusedHeaders) {
      expect([readArchiveHeader, oracle.readHeader].map((readHeader) => refusal(() => readHeader(unhex(header)))), name).toEqual([code, code]);
    }
  });

  it.each(load('archive').archives)('have the archive of $name, byte for byte', async (vector) => {
    const { draws, secret, header, chunks, sha256: whole, wrongSecret, altered } = vector;
    const archive = written(vector);
    expect([toHex(archive.subarray(0, HEADER_BYTES)), archive.length, sha256(archive)]).toEqual([header, HEADER_BYTES + chunks * SEALED_CHUNK_BYTES, whole]);

    const records = await read(archive, unhex(secret));
    const mine = createArchive(readArchiveHeader(unhex(header)).lock, unhex(secret), replaying(draws).draw);
    const parts = [mine.header];
    for await (const chunk of sealRecords(mine.key, inOrder(records))) parts.push(chunk);
    expect(sha256(concat(...parts))).toBe(whole);

    expect(await codeOf(read(archive, unhex(wrongSecret.secret)))).toBe(wrongSecret.code);
    for (const { name, alteration, code } of altered) {
      const wrong = alter(archive, alteration);
      expect(await codeOf(read(wrong, unhex(secret))), name).toBe(code);
      expect(refusal(() => oracle.openRecords(wrong, unhex(secret))), name).toBe(code);
    }
  });
});
