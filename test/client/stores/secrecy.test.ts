// What a store promises to somebody who steals its files, and to its owner when somebody has changed them.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openNodeStore } from '../../../client/stores/node.js';
import { chanceOf } from '../../support/chance.js';
import { bytesOf, contentOf, newFolder } from './folder.js';
import { ALICE, BOB, KEY, sending, textTo } from './records.js';

const WORDS = 'meet me under the clock at noon';

/** Every form in which a secret of the store could lie in a file. */
const SECRETS = [
  ...[WORDS, 'under the clock', ALICE.name, ALICE.relay, 'Bob Cratchit', 'CREATE TABLE', BOB].flatMap((text) => [Buffer.from(text, 'utf8'), Buffer.from(text, 'utf16le')]),
  Buffer.from(BOB, 'hex'),
  Buffer.from(KEY),
  Buffer.from(Buffer.from(KEY).toString('hex')),
  Buffer.from(ALICE.identity.subarray(0, 16)),
];

const leaks = (bytes: Buffer) => SECRETS.filter((secret) => bytes.includes(secret)).map((secret) => secret.toString('latin1'));

test('no text, name, id or key is in any file, while the store is open and after', async () => {
  const folder = newFolder();
  const store = await openNodeStore(join(folder, 'store.db'), KEY);
  await store.create(ALICE);
  await store.commit([...sending(1), { kind: 'message', record: textTo(BOB, 2, WORDS) }]);
  for (let n = 3; n < 200; n++) await store.commit(sending(n));
  expect(await store.search('clock', 1)).toHaveLength(1);

  expect(readdirSync(folder).toSorted()).toEqual(['store.db', 'store.db-wal']);
  expect(bytesOf(folder).length).toBeGreaterThan(1_000_000);
  expect(leaks(bytesOf(folder))).toEqual([]);
  await store.close();
  expect(readdirSync(folder)).toEqual(['store.db']);
  expect(leaks(bytesOf(folder))).toEqual([]);
});

test.skipIf(process.platform === 'win32')('only their owner may read the files', async () => {
  const folder = newFolder();
  const store = await openNodeStore(join(folder, 'store.db'), KEY);
  expect(readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o077)).toEqual([0, 0]);
  await store.close();
});

test('the wrong key opens nothing and harms nothing', async () => {
  const path = join(newFolder(), 'store.db');
  const store = await openNodeStore(path, KEY);
  await store.create(ALICE);
  await store.close();
  const before = readFileSync(path);

  const wrong = Uint8Array.from(KEY);
  wrong[31]! ^= 1;
  await expect(openNodeStore(path, wrong)).rejects.toMatchObject({ code: 'store-damaged', fault: 'disk' });
  expect(readFileSync(path).equals(before)).toBe(true);
  const again = await openNodeStore(path, KEY);
  expect((await again.load())!.self).toEqual(ALICE);
  await again.close();
});

test('a flipped bit is told as damage wherever it is read, and never gives other content', async () => {
  const path = join(newFolder(), 'store.db');
  const store = await openNodeStore(path, KEY);
  await store.create(ALICE);
  for (let n = 1; n <= 20; n++) await store.commit(sending(n));
  const content = await contentOf(store);
  await store.close();
  const whole = readFileSync(path);

  const chance = chanceOf('places of flipped bits');
  let damaged = 0;
  const offsets = [0, 8, 16, 20, 24, 60, 99, 100, ...Array.from({ length: 80 }, (_, n) => 101 + Math.floor((whole.length - 102) * (n + chance()) / 80))];
  for (const offset of offsets) {
    const bytes = Buffer.from(whole);
    bytes[offset]! ^= 1 << (offset % 8);
    writeFileSync(path, bytes);
    const outcome = await readAll(path);
    if (outcome === 'store-damaged') damaged++;
    else expect(outcome).toEqual(content);
  }
  expect(damaged).toBeGreaterThan(offsets.length / 3);
});

test('a file cut short, or no database at all, is told as damage', async () => {
  const path = join(newFolder(), 'store.db');
  const store = await openNodeStore(path, KEY);
  await store.create(ALICE);
  for (let n = 1; n <= 20; n++) await store.commit(sending(n));
  await store.close();
  const whole = readFileSync(path);
  for (const size of [1, 100, 4096, 8192, whole.length - 4096, whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, size));
    expect(await readAll(path)).toBe('store-damaged');
  }
  writeFileSync(path, 'SQLite format 3\0 but not really, only some text that is long enough to be read as a header.'.padEnd(8192));
  expect(await readAll(path)).toBe('store-damaged');
});

/** All that the store in a file tells, or the code of the error that it tells instead. */
async function readAll(path: string): Promise<unknown> {
  try {
    const store = await openNodeStore(path, KEY);
    try {
      return await contentOf(store);
    } finally {
      await store.close().catch(() => {});
    }
  } catch (error) {
    return (error as { code?: string }).code;
  }
}
