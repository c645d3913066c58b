// What a store promises when things break: a commit is there as a whole or not at all, and what was reported durable stays.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as VFS from '@journeyapps/wa-sqlite/src/VFS.js';
import { expect, test } from 'vitest';
import { NodeVfs } from '../../../client/stores/node-vfs.js';
import { openNodeStore } from '../../../client/stores/node.js';
import { openStore } from '../../../client/stores/sql.js';
import { chanceOf } from '../../support/chance.js';
import { contentOf, databaseThrough, newFolder } from './folder.js';
import { ALICE, bobAfter, KEY, sending } from './records.js';

const KILLS = 24;
/** A kill takes a start of a process that commits, several times that on a busy machine. */
const KILL_MAX_MS = 15_000;
const chance = chanceOf('kills of a committer');

/** A disk that changes as often as it is allowed to, and then fails until it is allowed more. */
class FailingVfs extends NodeVfs {
  allowed = Number.POSITIVE_INFINITY;

  override xWrite(...call: Parameters<NodeVfs['xWrite']>): number {
    return this.allowed-- > 0 ? super.xWrite(...call) : VFS.SQLITE_FULL;
  }

  override xSync(...call: Parameters<NodeVfs['xSync']>): number {
    return this.allowed-- > 0 ? super.xSync(...call) : VFS.SQLITE_IOERR_FSYNC;
  }

  override xTruncate(...call: Parameters<NodeVfs['xTruncate']>): number {
    return this.allowed-- > 0 ? super.xTruncate(...call) : VFS.SQLITE_IOERR_TRUNCATE;
  }

  override xDelete(...call: Parameters<NodeVfs['xDelete']>): number {
    return this.allowed-- > 0 ? super.xDelete(...call) : VFS.SQLITE_IOERR_DELETE;
  }
}

test('a commit whose writing fails at any point leaves nothing behind, and the next one succeeds', async () => {
  const folder = newFolder();
  const { database, vfs } = await databaseThrough(FailingVfs, folder);
  const store = await openStore(database);
  await store.create(ALICE);
  await store.commit(sending(1));

  let failures = 0;
  for (let allowed = 0; ; allowed++) {
    const before = await contentOf(store);
    vfs.allowed = allowed;
    const outcome = await store.commit([...sending(allowed + 2), ...sending(1000 + allowed)]).catch((error: unknown) => error);
    vfs.allowed = Number.POSITIVE_INFINITY;
    if (outcome === undefined) break;
    expect(outcome).toMatchObject({ code: 'store-failed' });
    expect(await contentOf(store)).toEqual(before);
    failures++;
  }
  expect(failures).toBeGreaterThan(10);

  const last = await contentOf(store);
  await store.close();
  const again = await openNodeStore(join(folder, 'store.db'), KEY);
  expect(await contentOf(again)).toEqual(last);
  await again.close();
});

test.skipIf(process.platform !== 'linux')('a full disk fails the commit and nothing else', async () => {
  const folder = newFolder();
  const path = join(folder, 'store.db');
  const store = await openNodeStore(path, KEY);
  await store.create(ALICE);
  await store.commit(sending(1));
  const before = await contentOf(store);
  await store.close();

  symlinkSync('/dev/full', `${path}-wal`);
  const full = await openNodeStore(path, KEY);
  const failed = await full.commit(sending(2)).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 'store-failed' });
  expect(String((failed as Error).cause)).toMatch(/full/);
  expect(await contentOf(full)).toEqual(before);
  await full.close().catch(() => {});
  rmSync(`${path}-wal`, { force: true });

  const again = await openNodeStore(path, KEY);
  expect(await contentOf(again)).toEqual(before);
  await again.commit(sending(2));
  await again.close();
});

test('a store whose making is cut short at any point is new, or whole, when it is opened again', async () => {
  let cuts = 0;
  for (let allowed = 0; ; allowed++) {
    const folder = newFolder();
    const reported: string[] = [];
    class Vfs extends FailingVfs {
      override allowed = allowed;
    }
    const failed = await makeStore(Vfs, folder, reported).catch((error: unknown) => error);
    if (failed === undefined) break;
    expect(failed).toMatchObject({ code: 'store-failed' });

    const again = await openNodeStore(join(folder, 'store.db'), KEY);
    const snapshot = await again.load();
    if (reported.includes('created')) expect(snapshot!.self).toEqual(ALICE);
    if (snapshot === null) await again.create(ALICE);
    await again.commit(sending(1));
    expect((await again.load())!.contacts).toEqual([bobAfter(1)]);
    await again.close();
    cuts++;
  }
  expect(cuts).toBeGreaterThan(20);
});

/** Makes a store and leaves it open, as a process that ends in the middle does. */
async function makeStore(Vfs: typeof FailingVfs, folder: string, reported: string[]): Promise<void> {
  const { database } = await databaseThrough(Vfs, folder);
  const store = await openStore(database);
  await store.create(ALICE);
  reported.push('created');
  await store.commit(sending(1));
}

test(`every commit that was reported durable is there after ${KILLS} kills at random moments`, async () => {
  const path = join(newFolder(), 'store.db');
  let last = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const durable = Math.max(last, await commitUntilKilled(path, Math.floor(chance() ** 2 * 100), chance() * 5));

    const store = await openNodeStore(path, KEY);
    const snapshot = await store.load();
    const messages = await store.messages({ limit: 100_000 });
    const found = await store.search('message', 100_000);
    await store.close();

    last = messages.length;
    expect(last).toBeGreaterThanOrEqual(durable);
    expect(messages.map((message) => message.number)).toEqual(Array.from({ length: last }, (_, n) => n + 1));
    expect(snapshot?.contacts ?? []).toEqual(last === 0 ? [] : [bobAfter(last)]);
    expect(snapshot?.outgoing.length ?? 0).toBe(last);
    expect(found.length).toBe(last);
  }
  expect(last).toBeGreaterThan(KILLS);
}, KILLS * KILL_MAX_MS);

/** Kills a committer a while after it has reported a number of commits, and resolves with what it reported last. */
async function commitUntilKilled(path: string, commits: number, delayMs: number): Promise<number> {
  const committer = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(new URL('committer.ts', import.meta.url)), path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  let reported = 0;
  committer.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
    reported = output.split('\n').length - 1;
    if (reported > commits) setTimeout(() => committer.kill('SIGKILL'), delayMs);
  });
  const [, signal] = await once(committer, 'close');
  expect(signal).toBe('SIGKILL');
  return Number(output.split('\n').at(-2) ?? 0);
}

test('a damaged log gives the commits before the damage, whole', async () => {
  const folder = newFolder();
  const store = await openNodeStore(join(folder, 'store.db'), KEY);
  await store.create(ALICE);
  const states = [await contentOf(store)];
  for (let n = 1; n <= 12; n++) {
    await store.commit(sending(n));
    states.push(await contentOf(store));
  }
  const crashed = newFolder();
  const path = join(crashed, 'store.db');
  const log = readFileSync(join(folder, 'store.db-wal'));
  expect(log.length).toBeGreaterThan(100_000);

  const seen = new Set<number>();
  for (let round = 0; round < 40; round++) {
    copyFileSync(join(folder, 'store.db'), path);
    const damaged = Buffer.from(log);
    const at = Math.floor(log.length * (0.4 + 0.6 * round / 40));
    damaged[at]! ^= 1 << (round % 8);
    writeFileSync(`${path}-wal`, damaged);
    const reopened = await openNodeStore(path, KEY);
    const content = await contentOf(reopened);
    await reopened.close();
    const state = states.findIndex((expected) => expected.snapshot?.contacts[0]?.sentNumber === content.snapshot?.contacts[0]?.sentNumber);
    expect(content).toEqual(states[state]);
    seen.add(state);
  }
  expect(seen.size).toBeGreaterThan(4);
  await store.close();
});
