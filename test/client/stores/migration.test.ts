// A home of an earlier version opens with everything that was in it.

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NodeVfs } from '../../../client/stores/node-vfs.js';
import { openNodeStore } from '../../../client/stores/node.js';
import { CONTACTS, MESSAGES, MIGRATIONS, REQUESTS, SELF } from '../../../client/stores/schema.js';
import type { Database, SqlValue } from '../../../client/stores/sqlite.js';
import { databaseThrough, newFolder } from './folder.js';
import { ALICE, BOB, bobAfter, KEY, textTo } from './records.js';

test('a store of version 1 keeps its owner and contacts, and has room for an address', async () => {
  const folder = newFolder();
  const { database } = await databaseThrough(NodeVfs, folder);
  await database.script(MIGRATIONS[0]!);
  await database.script('PRAGMA user_version = 1');
  await insertOld(database, 'self', SELF.upsert, SELF.values(ALICE));
  await insertOld(database, 'contacts', CONTACTS.upsert, CONTACTS.values(bobAfter(3)));
  await database.close();

  const store = await openNodeStore(join(folder, 'store.db'), KEY);
  const nothing = new Uint8Array();
  const bob = { ...bobAfter(3), devices: nothing, resumptions: nothing };
  expect(await store.load()).toEqual({
    self: { ...ALICE, devices: nothing }, contacts: [bob], past: [], recent: [], invitations: [], address: null, weeks: [], flights: [], requests: [], closing: [], outgoing: [], pending: [], held: [],
  });
  const address = { link: 'https://relay.example/a#x', linkKey: new Uint8Array(16).fill(1), mailbox: bobAfter(3).inbox, createdAt: 5 };
  await store.commit([{ kind: 'address', record: address }, { kind: 'contact', record: { ...bobAfter(4), helloOwed: true } }]);
  expect(await store.load()).toMatchObject({ address, contacts: [{ helloOwed: true, sentNumber: 4 }] });
  await store.close();
});

test('a store of version 3 has nobody blocked or removed, and forgets the words of a message with its contact', async () => {
  const folder = newFolder();
  const { database } = await databaseThrough(NodeVfs, folder);
  for (const step of MIGRATIONS.slice(0, 3)) await database.script(step);
  await database.script('PRAGMA user_version = 3');
  await insertOld(database, 'self', SELF.upsert, SELF.values(ALICE));
  await insertOld(database, 'contacts', CONTACTS.upsert, CONTACTS.values(bobAfter(3)));
  await insertOld(database, 'messages', MESSAGES.upsert, MESSAGES.values(textTo(BOB, 1, 'before the migration')));
  await database.close();

  const store = await openNodeStore(join(folder, 'store.db'), KEY);
  expect(await store.load()).toMatchObject({ contacts: [bobAfter(3)], past: [] });
  expect(await store.search('migration', 10)).toHaveLength(1);
  await store.commit([{ kind: 'contact-removed', id: BOB }]);
  expect(await store.load()).toMatchObject({ contacts: [], pending: [] });
  expect(await store.search('migration', 10)).toEqual([]);
  await store.close();
});

test('a store of version 4 keeps who waits for approval', async () => {
  const folder = newFolder();
  const { database } = await databaseThrough(NodeVfs, folder);
  for (const step of MIGRATIONS.slice(0, 4)) await database.script(step);
  await database.script('PRAGMA user_version = 4');
  const { id, name, identity, session, devices, outbox, createdAt, heardAt } = bobAfter(3);
  const request = { id, name, identity, session, devices, outbox, createdAt, heardAt, flightKey: new Uint8Array(32), begunAt: 9, lastNumber: 1, texts: [] };
  await insertOld(database, 'self', SELF.upsert, SELF.values(ALICE));
  await insertOld(database, 'requests', REQUESTS.upsert, REQUESTS.values(request));
  await database.close();

  const store = await openNodeStore(join(folder, 'store.db'), KEY);
  expect((await store.load())!.requests).toEqual([{ ...request, begunAt: 0 }]);
  await store.close();
});

/** Writes a record as an earlier version did: without the columns that came later. */
async function insertOld(database: Database, table: string, upsert: string, values: readonly SqlValue[]): Promise<void> {
  const present = new Set((await database.run(`PRAGMA table_info(${table})`)).map(([, name]) => `"${String(name)}"`));
  const [columns = ''] = /\(.*?\)/.exec(upsert) ?? [];
  const old = columns.slice(1, -1).split(', ').map((name, at) => ({ name, value: values[at] ?? null })).filter(({ name }) => present.has(name));
  await database.run(`INSERT INTO ${table} (${old.map(({ name }) => name).join(', ')}) VALUES (${old.map(() => '?').join(', ')})`, old.map(({ value }) => value));
}
