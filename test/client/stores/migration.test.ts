// A home of an earlier version opens with everything that was in it.

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NodeVfs } from '../../../client/stores/node-vfs.js';
import { openNodeStore } from '../../../client/stores/node.js';
import { CONTACTS, MIGRATIONS, SELF } from '../../../client/stores/schema.js';
import { databaseThrough, newFolder } from './folder.js';
import { ALICE, bobAfter, KEY } from './records.js';

test('a store of version 1 keeps its owner and contacts, and has room for an address', async () => {
  const folder = newFolder();
  const { database } = await databaseThrough(NodeVfs, folder);
  await database.script(MIGRATIONS[0]!);
  await database.script('PRAGMA user_version = 1');
  await database.run(SELF.upsert, SELF.values(ALICE));
  // As version 1 wrote it: without the column that came later.
  const [columns = ''] = /\(.*?\)/.exec(CONTACTS.upsert) ?? [];
  const names = columns.slice(1, -1).split(', ');
  const at = names.indexOf('"helloOwed"');
  const values = CONTACTS.values(bobAfter(3)).toSpliced(at, 1);
  await database.run(`INSERT INTO contacts (${names.toSpliced(at, 1).join(', ')}) VALUES (${values.map(() => '?').join(', ')})`, values);
  await database.close();

  const store = await openNodeStore(join(folder, 'store.db'), KEY);
  expect(await store.load()).toEqual({
    self: ALICE, contacts: [bobAfter(3)], invitations: [], address: null, weeks: [], flights: [], requests: [], closing: [], outgoing: [], pending: [], held: [],
  });
  const address = { link: 'https://relay.example/a#x', linkKey: new Uint8Array(16).fill(1), mailbox: bobAfter(3).inbox, createdAt: 5 };
  await store.commit([{ kind: 'address', record: address }, { kind: 'contact', record: { ...bobAfter(4), helloOwed: true } }]);
  expect(await store.load()).toMatchObject({ address, contacts: [{ helloOwed: true, sentNumber: 4 }] });
  await store.close();
});
