import { open } from 'lmdb';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { ready } from '../../crypto/sodium.js';
import type { Operation } from '../../relay/core/operation.js';
import { LIMITS } from '../../relay/core/limits.js';
import { openLmdbStore } from '../../relay/stores/lmdb.js';
import { describeStore } from './store-conformance.js';
import { random, temporaryFolder } from './support.js';

beforeAll(ready);

describeStore('the lmdb store that waits for its disk', (folder, limits, now) => openLmdbStore(folder, limits, now, Infinity));
describeStore('the lmdb store that writes beside the event loop', (folder, limits, now) => openLmdbStore(folder, limits, now, 0));

test('groups keep their order where small ones come behind a large one, and the event loop goes on while that is written', async () => {
  const store = openLmdbStore(temporaryFolder(), LIMITS, 1, Infinity);
  onTestFinished(() => store.close());
  const [mailbox, owner, tokenHash] = [random(16), random(32), random(32)];
  const puts = (count: number): Operation[] => Array.from({ length: count }, () => ({ kind: 'put', mailbox, tokenHash, id: random(16), envelope: random(1), expiresAt: 9 }));
  const large = store.run([{ kind: 'open', mailbox, owner, tokenHash, create: true }, ...puts(100)], 1);
  const small = await Promise.all([store.run(puts(1), 1), store.run(puts(1), 1)]);
  expect(small).toEqual([[{ kind: 'stored', sequence: 101 }], [{ kind: 'stored', sequence: 102 }]]);
  expect((await large).at(-1)).toEqual({ kind: 'stored', sequence: 100 });
});

test('a folder that is open cannot be opened again, and the first store goes on', async () => {
  const folder = temporaryFolder();
  const store = openLmdbStore(folder, LIMITS, 1);
  onTestFinished(() => store.close());
  expect(() => openLmdbStore(folder, LIMITS, 1)).toThrow(expect.objectContaining({ code: 'data-in-use' }));
  expect(await store.run([{ kind: 'expire', limit: 1 }], 1)).toEqual([{ kind: 'expired', nextAt: null }]);
});

test('data of another format is refused with both numbers', async () => {
  const folder = temporaryFolder();
  await openLmdbStore(folder, LIMITS, 1).close();
  const root = open({ path: join(folder, 'relay.mdb'), noSubdir: true, encoding: 'binary', keyEncoding: 'binary' });
  root.putSync(Buffer.from('format'), Buffer.of(9));
  await root.close();
  expect(() => openLmdbStore(folder, LIMITS, 1)).toThrow(expect.objectContaining({ code: 'store-damaged', message: expect.stringMatching(/format 9 .*formats 1 to 2/) }));
});

test('a group that cannot be written whole is not written at all', async () => {
  const store = openLmdbStore(temporaryFolder(), LIMITS, 1);
  onTestFinished(() => store.close());
  const [mailbox, owner, tokenHash] = [random(16), random(32), random(32)];
  const broken = { kind: 'put-card', lookup: null, card: random(1), expiresAt: 5 } as unknown as Operation;
  await expect(store.run([{ kind: 'open', mailbox, owner, tokenHash, create: true }, broken], 1)).rejects.toMatchObject({ code: 'store-failed' });
  const [answer] = await store.run([{ kind: 'put', mailbox, tokenHash, id: random(16), envelope: random(1), expiresAt: 9 }], 1);
  expect(answer).toEqual({ kind: 'refused', code: 'mailbox-unknown' });
});

test('the disk holds envelopes of 2 KiB in less than twice their size', async () => {
  const folder = temporaryFolder();
  const store = openLmdbStore(folder, LIMITS, 1);
  onTestFinished(() => store.close());
  const places = Array.from({ length: 20 }, () => ({ mailbox: random(16), owner: random(32), tokenHash: random(32) }));
  await store.run(places.map((place) => ({ kind: 'open', ...place, create: true })), 1);
  for (let round = 0; round < 100; round += 1) {
    await store.run(places.map(({ mailbox, tokenHash }) => ({ kind: 'put', mailbox, tokenHash, id: random(16), envelope: random(2_048), expiresAt: 1e12 + round })), 1);
  }
  expect(statSync(join(folder, 'relay.mdb')).size / (2_000 * 2_048)).toBeLessThan(2);
});
