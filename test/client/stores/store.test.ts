// What a store promises of records: they come back as they were, the last change counts, and questions are answered in order.

import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Change, MessageRecord, OutgoingRecord } from '../../../client/core/records.js';
import { NodeVfs } from '../../../client/stores/node-vfs.js';
import { openNodeStore } from '../../../client/stores/node.js';
import type { Store } from '../../../client/stores/store.js';
import { change, self } from './arbitrary.js';
import { databaseThrough, newFolder } from './folder.js';
import { ALICE, BOB, bobAfter, idOf, KEY, sending, textTo } from './records.js';

const CAROL = 'ca'.repeat(32);

async function newStore(): Promise<Store> {
  const store = await openNodeStore(join(newFolder(), 'store.db'), KEY);
  await store.create(ALICE);
  return store;
}

function received(n: number, position: number | null, words = `answer ${n}`): MessageRecord {
  return { ...textTo(BOB, n, words), id: idOf(1000 + n), direction: 'in', state: 'received', path: 'relay', receivedAt: 1_760_000_000_500, position };
}

const message = (record: MessageRecord): Change => ({ kind: 'message', record });
const numbers = (messages: readonly MessageRecord[]) => messages.map((record) => record.number);

/** The records that changes come to, in memory. */
function after(changes: readonly Change[]) {
  const kept = {
    self: new Map(), contact: new Map(), past: new Map(), invitation: new Map(), address: new Map(), week: new Map(), flight: new Map(),
    request: new Map(), closing: new Map(), outgoing: new Map<string, OutgoingRecord>(), message: new Map<number | null, MessageRecord>(),
  };
  for (const one of changes) {
    switch (one.kind) {
      case 'self': kept.self.set('', one.record); break;
      case 'contact': kept.contact.set(one.record.id, one.record); break;
      case 'contact-removed':
        kept.contact.delete(one.id);
        for (const table of [kept.outgoing, kept.message]) for (const [key, { contact }] of table) if (contact === one.id) table.delete(key as never);
        break;
      case 'past': kept.past.set(one.record.key, one.record); break;
      case 'past-removed': kept.past.delete(one.key); break;
      case 'invitation': kept.invitation.set(one.record.lookup, one.record); break;
      case 'invitation-removed': kept.invitation.delete(one.lookup); break;
      case 'address': kept.address.set('', one.record); break;
      case 'address-removed': kept.address.delete(''); break;
      case 'week': kept.week.set(one.record.lookup, one.record); break;
      case 'week-removed': kept.week.delete(one.lookup); break;
      case 'flight-removed': kept.flight.delete(one.flight); break;
      case 'flight': kept.flight.set(one.record.flight, one.record); break;
      case 'request': kept.request.set(one.record.id, one.record); break;
      case 'request-removed': kept.request.delete(one.id); break;
      case 'closing': kept.closing.set(one.record.mailbox, one.record); break;
      case 'closing-removed': kept.closing.delete(one.mailbox); break;
      case 'outgoing': kept.outgoing.set(one.record.envelope, one.record); break;
      case 'outgoing-removed': kept.outgoing.delete(one.envelope); break;
      case 'message': kept.message.set(one.record.position, one.record);
    }
  }
  return kept;
}

describe('a store', () => {
  test('is empty when it is new', async () => {
    const store = await openNodeStore(join(newFolder(), 'store.db'), KEY);
    expect(await store.load()).toBeNull();
    await store.close();
  });

  test('gives every record back as it was written, whatever it holds and however the changes were cut into commits', async () => {
    const commits = fc.array(fc.array(change, { maxLength: 12 }), { maxLength: 4 });
    await fc.assert(fc.asyncProperty(self, commits, async (owner, batches) => {
      const path = join(newFolder(), 'store.db');
      const writing = await openNodeStore(path, KEY);
      await writing.create(owner);
      for (const batch of batches) await writing.commit(batch);
      await writing.close();

      const reading = await openNodeStore(path, KEY);
      const snapshot = await reading.load();
      const messages = await reading.messages({ limit: 100 });
      await reading.close();

      const expected = after([{ kind: 'self', record: owner }, ...batches.flat()]);
      const byPosition = [...expected.message.values()].toSorted((a, b) => a.position! - b.position!);
      expect(snapshot!.self).toEqual(expected.self.get(''));
      expect(new Map(snapshot!.contacts.map((record) => [record.id, record]))).toEqual(expected.contact);
      expect(new Map(snapshot!.past.map((record) => [record.key, record]))).toEqual(expected.past);
      expect(new Map(snapshot!.invitations.map((record) => [record.lookup, record]))).toEqual(expected.invitation);
      expect(snapshot!.address).toEqual(expected.address.get('') ?? null);
      expect(new Map(snapshot!.weeks.map((record) => [record.lookup, record]))).toEqual(expected.week);
      expect(new Map(snapshot!.flights.map((record) => [record.flight, record]))).toEqual(expected.flight);
      expect(new Map(snapshot!.requests.map((record) => [record.id, record]))).toEqual(expected.request);
      expect(new Map(snapshot!.closing.map((record) => [record.mailbox, record]))).toEqual(expected.closing);
      expect(new Map(snapshot!.outgoing.map((record) => [record.envelope, record]))).toEqual(expected.outgoing);
      expect(messages).toEqual(byPosition);
      expect(snapshot!.pending).toEqual(byPosition.filter((record) => record.direction === 'out' && ['queued', 'accepted', 'delivered', 'failed'].includes(record.state)));
    }), { numRuns: 60 });
  });

  test('refuses to be created twice, and keeps the first identity', async () => {
    const store = await newStore();
    await expect(store.create({ ...ALICE, name: 'Mallory' })).rejects.toMatchObject({ code: 'home-exists' });
    expect((await store.load())!.self).toEqual(ALICE);
    await store.close();
  });

  test('does calls in the order they were made, also when nobody waits', async () => {
    const store = await newStore();
    const commits = Array.from({ length: 20 }, (_, n) => store.commit(sending(n + 1)));
    const seen = store.messages({ limit: 100 });
    const later = store.commit(sending(21));
    const closed = store.close();
    expect(numbers(await seen)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    await Promise.all([...commits, later, closed, store.close()]);
    await expect(store.load()).rejects.toThrow(/closed/);
  });

  test('goes on after a call that failed', async () => {
    const store = await newStore();
    const impossible = { ...bobAfter(1), session: null } as unknown as ReturnType<typeof bobAfter>;
    await expect(store.commit([...sending(1), { kind: 'contact', record: { ...impossible, id: CAROL } }])).rejects.toMatchObject({ code: 'store-failed' });
    expect(await store.messages({ limit: 10 })).toEqual([]);
    await store.commit(sending(1));
    expect((await store.load())!.contacts).toEqual([bobAfter(1)]);
    await store.close();
  });

  test('refuses a store that a newer version has written, and says so', async () => {
    const folder = newFolder();
    const { database } = await databaseThrough(NodeVfs, folder);
    await database.script('PRAGMA user_version = 99');
    await database.close();
    await expect(openNodeStore(join(folder, 'store.db'), KEY)).rejects.toThrow(/newer version/);
  });
});

describe('a message', () => {
  test('is found by the words of its newest text only', async () => {
    const store = await newStore();
    await store.commit([message(textTo(BOB, 1, 'half past noon'))]);
    await store.commit([message(textTo(BOB, 1, 'half past eight'))]);
    expect(await store.search('noon', 10)).toEqual([]);
    expect(numbers(await store.search('eight', 10))).toEqual([1]);
    await store.close();
  });

  test('is in no history and found by no word once its contact is removed, in one commit or later, and a new beginning keeps what it writes', async () => {
    const store = await newStore();
    await store.commit([...sending(1), message(textTo(BOB, 2, 'half past noon')), message(received(1, null, 'held'))]);
    const carol = { ...bobAfter(1), id: CAROL };
    await store.commit([{ kind: 'contact', record: carol }, message({ ...textTo(CAROL, 1, 'noon as well'), position: 7 })]);
    await store.commit([
      ...sending(2), message({ ...textTo(BOB, 3, 'before noon'), position: 8 }), { kind: 'contact-removed', id: BOB },
      { kind: 'contact', record: bobAfter(4) }, message({ ...textTo(BOB, 4, 'noon again'), position: 9 }),
    ]);
    expect((await store.messages({ limit: 10 })).map(({ text }) => text)).toEqual(['noon as well', 'noon again']);
    expect((await store.search('noon', 10)).map(({ text }) => text).toSorted()).toEqual(['noon again', 'noon as well']);
    expect(await store.load()).toMatchObject({ contacts: [bobAfter(4), carol], outgoing: [], held: [] });
    await store.commit([{ kind: 'contact-removed', id: BOB }]);
    expect((await store.search('noon', 10)).map(({ text }) => text)).toEqual(['noon as well']);
    await store.close();
  });

  test('that is held back is in no history and no search until it has a position', async () => {
    const store = await newStore();
    await store.commit([message(received(2, null, 'second')), message(received(3, null, 'third'))]);
    expect(await store.messages({ limit: 10 })).toEqual([]);
    expect(await store.search('second', 10)).toEqual([]);
    expect(numbers((await store.load())!.held)).toEqual([2, 3]);
    expect(await store.message(idOf(1002))).toEqual(received(2, null, 'second'));

    await store.commit([message(received(1, 1, 'first')), message(received(2, 2, 'second'))]);
    expect(numbers(await store.messages({ limit: 10 }))).toEqual([1, 2]);
    expect(numbers(await store.search('second', 10))).toEqual([2]);
    expect(numbers((await store.load())!.held)).toEqual([3]);
    await store.close();
  });

  test('of ours is not hidden by one of a contact that copies its id', async () => {
    const store = await newStore();
    await store.commit([message({ ...received(1, 1), id: idOf(1) }), message({ ...textTo(BOB, 1), position: 2 })]);
    expect((await store.message(idOf(1)))!.direction).toBe('out');
    expect(await store.messages({ limit: 10 })).toHaveLength(2);
    expect(await store.message(idOf(77))).toBeNull();
    await store.close();
  });

  test('cannot be written over by a contact that gives another one the same id', async () => {
    const store = await newStore();
    await store.commit([message(received(1, 1))]);
    await store.commit([message({ ...received(2, 2), id: received(1, 1).id, text: 'rewritten' })]);
    expect((await store.messages({ limit: 10 })).map((record) => record.number)).toEqual([1, 2]);
    await store.close();
  });

  test('is found by place, contact, direction and number', async () => {
    const store = await newStore();
    await store.commit([1, 2, 3, 4].map((n) => message({ ...textTo(BOB, n), position: 10 * n })));
    await store.commit([message({ ...textTo(CAROL, 1), id: idOf(501), position: 15 }), message(received(1, 25))]);
    const positions = async (query: Parameters<Store['messages']>[0]) => (await store.messages(query)).map((record) => record.position);

    expect(await positions({ limit: 3 })).toEqual([25, 30, 40]);
    expect(await positions({ limit: 3, before: 25 })).toEqual([10, 15, 20]);
    expect(await positions({ limit: 2, after: 10 })).toEqual([15, 20]);
    expect(await positions({ limit: 9, after: 10, before: 30 })).toEqual([15, 20, 25]);
    expect(await positions({ limit: 9, contact: CAROL })).toEqual([15]);
    expect(await positions({ limit: 2, contact: BOB, direction: 'out' })).toEqual([30, 40]);
    expect(await positions({ limit: 9, direction: 'in' })).toEqual([25]);
    await store.close();
  });
});
