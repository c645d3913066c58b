// What a backup holds and what it never holds, and what becomes of one that is not whole.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRecords } from '../../../client/backup/archive.js';
import { readArchive, writeArchive } from '../../../client/backup/archive-file.js';
import { type BackupRecord, contentOf, restoredChange } from '../../../client/backup/backup.js';
import type { Change } from '../../../client/core/records.js';
import { fromWords, toWords } from '../../../client/backup/recovery.js';
import { openNodeStore } from '../../../client/stores/node.js';
import type { Store } from '../../../client/stores/store.js';
import { ARCHIVE_HEADER_BYTES, CHUNK_BYTES, openArchive, openChunk, readArchiveHeader, sealChunk, SEALED_CHUNK_BYTES } from '../../../crypto/archive.js';
import { text as textOf, utf8, Writer } from '../../../crypto/bytes.js';
import { ready } from '../../../crypto/sodium.js';
import { FAIR } from '../../support/network.js';
import { World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';

let folder: string;
let alice: VirtualClient;
let store: Store;
let whole: Buffer;
let words: string;

async function open(file: string, secret = words): Promise<BackupRecord[]> {
  return readArchive(file, secret, async (records) => {
    const all = [];
    for await (const record of records) all.push(record);
    return all;
  });
}

function lengthAt(chunk: Uint8Array, at: number): number {
  return new DataView(chunk.buffer, chunk.byteOffset).getUint32(at);
}

function changed(bytes: Uint8Array): string {
  const file = join(folder, 'changed');
  writeFileSync(file, bytes);
  return file;
}

beforeAll(async () => {
  await ready();
  folder = mkdtempSync(join(tmpdir(), 'sotto-backup-'));
  // Alice has sessions in use, one that is not answered yet, an invitation that nobody has used, an address, and a text that is not delivered.
  const world = new World(1, { ...FAIR, direct: 0 });
  alice = world.client('Alice');
  const people = ['Bob', 'Carol', 'Dave'].map((name) => world.client(name));
  for (const person of people) person.accept(alice.invite());
  world.run(5_000);
  for (let turn = 0; turn < 30; turn += 1) {
    for (const person of people) {
      alice.send(person.core.memory.id, `${'long '.repeat(300)}${turn}`);
      person.send(alice.core.memory.id, `answer ${turn}`);
    }
    world.run(500);
  }
  alice.accept(world.client('Erin').invite());
  alice.invite();
  alice.address();
  alice.send(people[0]!.core.memory.id, 'undelivered');
  alice.part('block', people[2]!.core.memory.id);
  store = await openNodeStore(join(folder, 'store.db'), new Uint8Array(32));
  await store.create(alice.disk.self);
  const { disk } = alice;
  const changes: Change[] = [...disk.contacts.values()].map((record) => ({ kind: 'contact', record }));
  await store.commit([...changes, ...[...disk.messages.values()].map((record) => ({ kind: 'message' as const, record }))]);
  words = (await writeArchive(join(folder, 'whole'), null, contentOf(alice.core.memory, store))).words!;
  whole = readFileSync(join(folder, 'whole'));
});

afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

describe('a backup', () => {
  it('gives back the owner, every contact and every message', async () => {
    const records = await open(join(folder, 'whole'));
    const of = (kind: BackupRecord['kind']) => records.filter((record) => record.kind === kind).map(({ record }) => record);
    expect(of('owner')).toEqual([alice.core.memory.self]);
    expect(of('contact')).toHaveLength(4);
    expect([of('address'), of('week')]).toEqual([[alice.disk.address], [...alice.disk.weeks.values()]]);
    expect(of('week')).toHaveLength(5);
    expect(of('message')).toEqual([...alice.disk.messages.values()].toSorted((a, b) => a.position! - b.position!));
    expect(of('contact').map((record) => 'blocked' in record && record.blocked)).toEqual([false, false, false, true]);
    const restored = records.filter((record) => record.kind === 'contact').map(restoredChange);
    for (const change of restored) {
      if (change.kind !== 'contact') throw new Error('not a contact');
      const before = alice.disk.contacts.get(change.record.id)!;
      expect(change.record).toEqual({ ...before, session: new Uint8Array(), resumptions: change.record.resumptions, flight: null, flightKey: null, reset: null, resetReason: null, receiptOwed: false, unanswered: 0 });
      expect(change.record.resumptions.subarray(0, 32)).toEqual(alice.core.memory.known(change.record.id)!.session!.resumption);
    }
  });

  it('of an earlier version, which knows of nobody blocked, has nobody blocked', async () => {
    const key = openArchive(readArchiveHeader(whole.subarray(0, ARCHIVE_HEADER_BYTES)), fromWords(words));
    const chunk = openChunk(key, 0, false, whole.subarray(ARCHIVE_HEADER_BYTES, ARCHIVE_HEADER_BYTES + SEALED_CHUNK_BYTES));
    // Behind the owner comes the first contact.
    const at = 4 + lengthAt(chunk, 0);
    const { kind, record } = JSON.parse(textOf(chunk.subarray(at + 4, at + 4 + lengthAt(chunk, at)))) as { kind: string; record: Record<string, unknown> };
    expect(record['blocked']).toBe(false);
    delete record['blocked'];
    const json = utf8(JSON.stringify({ kind, record }));
    const old = new Uint8Array(CHUNK_BYTES);
    old.set(new Writer(4 + json.length).number(json.length, 4).bytes(json).finish());
    const records = [];
    for await (const restored of openRecords(key, 1, async () => sealChunk(key, 0, true, old))) records.push(restored);
    expect(records).toMatchObject([{ kind: 'contact', record: { id: record['id'], blocked: false } }]);
  });

  it('holds no key of a session, of a message or of an invitation', async () => {
    const records = await open(join(folder, 'whole'));
    const bytes = records.flatMap((record) => Object.values(record.record)).filter((value) => value instanceof Uint8Array);
    const content = Buffer.concat([...bytes, Buffer.from(JSON.stringify(records))]);
    const secrets: Uint8Array[] = [];
    for (const { session, record } of alice.core.memory.contacts.values()) {
      const { root, nextHeaderKey, sending, receiving, past, skipped, braid } = session!;
      collect([root, nextHeaderKey, sending, receiving, past, skipped, braid], secrets);
      if (record.flight !== null) secrets.push(record.flight.slice(0, 32), record.flight.slice(32, 64));
    }
    // The last field is the hash of the device list, which everybody gets.
    for (const { secret } of alice.core.memory.invitations.values()) for (let at = 1; at < secret.length - 32; at += 32) secrets.push(secret.slice(at, at + 32));
    expect(secrets.length).toBeGreaterThan(30);
    const forms = (raw: Uint8Array) => [Buffer.from(raw), Buffer.from(raw).toString('hex'), Buffer.from(raw).toString('base64').slice(0, 40)];
    expect(secrets.filter((raw) => forms(raw).some((form) => content.includes(form)))).toEqual([]);
    const { contacts } = alice.core.memory;
    expect([...contacts.values()].every(({ session }) => content.includes(Buffer.from(session!.resumption)))).toBe(true);
  });

  it('tells nothing that is in it, and its length only in steps', () => {
    expect((whole.length - ARCHIVE_HEADER_BYTES) % SEALED_CHUNK_BYTES).toBe(0);
    expect(['Alice', 'answer', 'relay.test'].filter((word) => whole.includes(word))).toEqual([]);
  });

  it('that is cut, put in another order, lengthened or changed in a bit is refused', async () => {
    const chunk = (n: number) => whole.subarray(ARCHIVE_HEADER_BYTES + n * SEALED_CHUNK_BYTES, ARCHIVE_HEADER_BYTES + (n + 1) * SEALED_CHUNK_BYTES);
    const header = whole.subarray(0, ARCHIVE_HEADER_BYTES);
    const count = (whole.length - ARCHIVE_HEADER_BYTES) / SEALED_CHUNK_BYTES;
    expect(count).toBeGreaterThan(1);
    const damaged = [
      header, whole.subarray(0, 10), whole.subarray(0, -1), whole.subarray(0, -SEALED_CHUNK_BYTES), Buffer.concat([whole, chunk(0)]),
      Buffer.concat([header, chunk(1), chunk(0), ...Array.from({ length: count - 2 }, (_, n) => chunk(n + 2))]),
      ...[9, 40, ARCHIVE_HEADER_BYTES - 1, ARCHIVE_HEADER_BYTES, ARCHIVE_HEADER_BYTES + SEALED_CHUNK_BYTES + 5, whole.length - 1].map((at) => Buffer.from(whole.map((byte, index) => (index === at ? byte ^ 4 : byte)))),
    ];
    for (const bytes of damaged) await expect(open(changed(bytes))).rejects.toMatchObject({ code: 'backup-invalid' });
  });

  it('is written whole or not at all, and over nothing', async () => {
    const failing = (async function* () {
      yield* contentOf(alice.core.memory, store);
      throw new Error('the disk is full');
    })();
    await expect(writeArchive(join(folder, 'half'), null, failing)).rejects.toMatchObject({ code: 'file-failed' });
    await expect(writeArchive(join(folder, 'whole'), null, contentOf(alice.core.memory, store))).rejects.toMatchObject({ code: 'file-exists' });
    expect(readdirSync(folder).filter((name) => name.startsWith('half') || name.endsWith('.new'))).toEqual([]);
    expect(readFileSync(join(folder, 'whole'))).toEqual(whole);
  });
});

describe('a recovery key', () => {
  it('is 24 words, which say it however they are typed', () => {
    const key = new Uint8Array(32).map((_, n) => n);
    expect(toWords(key).split(' ')).toHaveLength(24);
    expect(fromWords(`  ${toWords(key).toUpperCase().replaceAll(' ', '\n ')} `)).toEqual(key);
  });

  it.each(['', 'abandon', 'abandon '.repeat(24), `${'abandon '.repeat(11)}about`, 'sotto '.repeat(24)])('is not %j', (text) => {
    expect(() => fromWords(text)).toThrow(expect.objectContaining({ code: 'recovery-key-invalid' }));
  });
});

/** Every 32-byte string in an object, however deep. */
function collect(value: unknown, found: Uint8Array[]): void {
  if (value instanceof Uint8Array) {
    if (value.length === 32) found.push(value);
  } else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) collect(inner, found);
}
