// The store's file over years: earlier formats, backups of a relay that runs, compaction, and what an inspection tells.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { ready } from '../../crypto/sodium.js';
import { LIMITS } from '../../relay/core/limits.js';
import type { Operation } from '../../relay/core/operation.js';
import { openLmdbStore } from '../../relay/stores/lmdb.js';
import { backup, compact, inspect } from '../../relay/stores/upkeep.js';
import { SOTTO } from '../support/command.js';
import { random, temporaryFolder } from './support.js';

beforeAll(ready);

const NOW = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const EMPTY = { mailboxes: 0, envelopes: 0, cards: 0, bytes: 0 };

const place = { mailbox: random(16), owner: random(32), tokenHash: random(32) };

function put(envelope: Uint8Array, ttlMs = 60_000): Operation {
  return { kind: 'put', mailbox: place.mailbox, tokenHash: place.tokenHash, id: random(16), envelope, expiresAt: NOW + ttlMs };
}

const list: Operation = { kind: 'list', mailbox: place.mailbox, after: 0, limit: 1_000, maxBytes: Infinity };

function numbers(...parts: readonly (readonly [value: number, bytes: number])[]): Buffer {
  return Buffer.concat(parts.map(([value, bytes]) => {
    const written = Buffer.alloc(bytes);
    written.writeUIntBE(value, 0, bytes);
    return written;
  }));
}

/** A folder as a relay of format 1 left it: one mailbox with one envelope of 10 bytes as its third, and one card of 5. */
async function formatOne(): Promise<{ readonly folder: string; readonly envelope: Buffer }> {
  const folder = temporaryFolder();
  const binary = { encoding: 'binary', keyEncoding: 'binary' } as const;
  const root = open<Buffer, Buffer>({ path: join(folder, 'relay.mdb'), noSubdir: true, pageSize: 16_384, ...binary });
  const [mailbox, lookup, id, envelope] = [Buffer.from(place.mailbox), Buffer.from(random(16)), random(16), Buffer.from(random(10))];
  const expiresAt = NOW + HOUR_MS;
  root.putSync(Buffer.from('format'), Buffer.of(1));
  root.openDB('mailboxes', binary).putSync(mailbox, Buffer.concat([place.owner, place.tokenHash, numbers([3, 6], [1, 4], [10, 4])]));
  root.openDB('envelopes', binary).putSync(Buffer.concat([mailbox, numbers([3, 6])]), Buffer.concat([numbers([NOW, 6], [expiresAt, 6]), id, envelope]));
  root.openDB('ids', binary).putSync(Buffer.concat([mailbox, id]), numbers([3, 6]));
  root.openDB('cards', binary).putSync(lookup, Buffer.concat([numbers([expiresAt, 6]), Buffer.alloc(17), random(5)]));
  const expiry = root.openDB('expiry', binary);
  expiry.putSync(Buffer.concat([numbers([expiresAt, 6]), mailbox, numbers([3, 6])]), Buffer.alloc(0));
  expiry.putSync(Buffer.concat([numbers([expiresAt, 6]), lookup]), Buffer.alloc(0));
  await root.close();
  return { folder, envelope };
}

test('data of format 1 is taken over whole, counted, and its mailboxes have half a year from now', async () => {
  const { folder, envelope } = await formatOne();
  const store = openLmdbStore(folder, LIMITS, NOW);
  expect(store.totals).toEqual({ mailboxes: 1, envelopes: 1, cards: 1, bytes: 15 });
  const [opened, listed, stored] = await store.run([{ kind: 'open', ...place, create: false }, list, put(random(1))], NOW);
  expect([opened, stored]).toEqual([{ kind: 'opened', created: false, waiting: 1 }, { kind: 'stored', sequence: 4 }]);
  expect(listed).toMatchObject({ envelopes: [{ sequence: 3, storedAt: NOW, envelope }] });
  expect(await store.run([{ kind: 'expire', limit: 10 }], NOW + HOUR_MS)).toEqual([{ kind: 'expired', nextAt: NOW + LIMITS.mailboxSeconds * 1_000 }]);
  expect(store.totals).toEqual({ ...EMPTY, mailboxes: 1 });
  await store.close();
  const again = openLmdbStore(folder, LIMITS, NOW + HOUR_MS);
  onTestFinished(() => again.close());
  expect(again.totals).toEqual({ ...EMPTY, mailboxes: 1 });
});

test('a backup of a store in use holds what was answered before it, and a relay can be started on it beside the first', async () => {
  const folder = temporaryFolder();
  const store = openLmdbStore(folder, LIMITS, NOW);
  onTestFinished(() => store.close());
  await store.run([{ kind: 'open', ...place, create: true }], NOW);
  const writing = Array.from({ length: 100 }, () => store.run([put(random(500)), put(random(500))], NOW));
  await Promise.all(writing.slice(0, 50));
  const other = join(temporaryFolder(), 'other');
  mkdirSync(other);
  await backup(folder, join(other, 'relay.mdb'));
  await Promise.all(writing);
  expect(readdirSync(other)).toEqual(['relay.mdb']);
  await expect(backup(folder, join(other, 'relay.mdb'))).rejects.toMatchObject({ code: 'option-invalid' });

  const copy = openLmdbStore(other, LIMITS, NOW);
  onTestFinished(() => copy.close());
  const { envelopes } = copy.totals;
  expect(envelopes).toBeGreaterThanOrEqual(100);
  expect(envelopes % 2).toBe(0);
  expect(await copy.run([list], NOW)).toMatchObject([{ envelopes: { length: envelopes } }]);
});

test.skipIf(process.platform === 'win32')('a backup is for its owner alone, whatever files are like otherwise, and so is what a compaction leaves', async () => {
  const folder = temporaryFolder();
  const store = openLmdbStore(folder, LIMITS, NOW);
  await store.close();
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
  await backup(folder, join(folder, 'copy'));
  await compact(folder);
  expect(['copy', 'relay.mdb'].map((name) => statSync(join(folder, name)).mode & 0o777)).toEqual([0o600, 0o600]);
  expect(process.umask()).toBe(0);
});

test.skipIf(process.getuid?.() !== 0)('a compaction by another user, as root is, leaves the file to its owner', async () => {
  const folder = temporaryFolder();
  const store = openLmdbStore(folder, LIMITS, NOW);
  await store.close();
  chownSync(join(folder, 'relay.mdb'), 12_345, 23_456);
  await compact(folder);
  const { uid, gid } = statSync(join(folder, 'relay.mdb'));
  expect([uid, gid]).toEqual([12_345, 23_456]);
});

/** Runs the command as nobody, who may look at files of root and no more. */
const asNobody = (...args: readonly string[]) => spawnSync('setpriv', ['--reuid=65534', '--clear-groups', process.execPath, SOTTO, ...args], { encoding: 'utf8' });

test.skipIf(process.getuid?.() !== 0 || asNobody('--version').status !== 0)('a file that another user has left is named, with what to do (skipped where nobody else may read the program)', async () => {
  const folder = temporaryFolder();
  const store = openLmdbStore(folder, LIMITS, NOW);
  await store.close();
  for (const name of ['', 'relay.mdb', 'relay.mdb-lock']) chmodSync(join(folder, name), name === '' ? 0o755 : 0o600);
  const { stdout } = asNobody('relay', 'inspect', '--json', '--data', folder);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'store-failed', message: expect.stringMatching(/relay\.mdb belongs to another user; give it to the one who runs the relay/) } });
});

test('compaction gives back what was deleted, keeps the rest, and waits for the relay to stop', async () => {
  const folder = temporaryFolder();
  const secret = random(2_000);
  const store = openLmdbStore(folder, LIMITS, NOW);
  await store.run([{ kind: 'open', ...place, create: true }, ...Array.from({ length: 400 }, () => put(random(2_000))), put(secret)], NOW);
  await store.run([{ kind: 'acknowledge', mailbox: place.mailbox, sequences: Array.from({ length: 400 }, (_, index) => index + 1) }], NOW);
  await expect(compact(folder)).rejects.toMatchObject({ code: 'data-in-use' });
  await store.close();
  const { before, after } = await compact(folder);
  expect(after).toBeLessThan(before / 4);
  expect(statSync(join(folder, 'relay.mdb')).size).toBe(after);
  const later = openLmdbStore(folder, LIMITS, NOW);
  onTestFinished(() => later.close());
  expect(await later.run([list], NOW)).toMatchObject([{ envelopes: [{ sequence: 401, envelope: Buffer.from(secret) }] }]);
});

test('an inspection counts and tells ages, and nothing else', async () => {
  const folder = temporaryFolder();
  const store = openLmdbStore(folder, LIMITS, NOW);
  onTestFinished(() => store.close());
  await store.run([{ kind: 'open', ...place, create: true }, { kind: 'open', mailbox: random(16), owner: random(32), tokenHash: random(32), create: true }], NOW);
  await store.run([put(random(100), HOUR_MS), put(random(50), 48 * HOUR_MS)], NOW);
  const inspection = await inspect(folder, NOW + 2 * HOUR_MS);
  expect(inspection).toMatchObject({
    format: 2, totals: { mailboxes: 2, envelopes: 2, cards: 0, bytes: 150 }, emptyMailboxes: 1, fullestMailbox: 2, oldestEnvelopeMs: 2 * HOUR_MS, expired: 1,
    ages: [{ envelopes: 0 }, { label: 'under a day', envelopes: 2, bytes: 150 }, { envelopes: 0 }, { envelopes: 0 }],
  });
  expect(JSON.stringify(inspection)).not.toContain(Buffer.from(place.mailbox).toString('hex'));
  await expect(inspect(join(folder, 'nowhere'), NOW)).rejects.toMatchObject({ code: 'store-damaged' });
});

test('a file of a later format is neither opened, copied nor compacted', async () => {
  const { folder } = await formatOne();
  const root = open({ path: join(folder, 'relay.mdb'), noSubdir: true, encoding: 'binary', keyEncoding: 'binary' });
  root.putSync(Buffer.from('format'), Buffer.of(3));
  await root.close();
  copyFileSync(join(folder, 'relay.mdb'), join(folder, 'before'));
  expect(() => openLmdbStore(folder, LIMITS, NOW)).toThrow(expect.objectContaining({ code: 'store-damaged' }));
  await expect(backup(folder, join(folder, 'copy'))).rejects.toMatchObject({ code: 'store-damaged' });
  await expect(compact(folder)).rejects.toMatchObject({ code: 'store-damaged' });
  expect(readdirSync(folder).toSorted()).toEqual(['before', 'relay.mdb', 'relay.mdb-lock']);
});
