// What a person has read, where texts stand in another order than they were written in: one that was lost comes late.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import type { MessageRecord } from '../../client/core/records.js';
import { openNodeLink } from '../../client/node.js';
import type { Platform } from '../../client/platform.js';
import { createHome, runClient } from '../../client/run.js';
import { openNodeStore } from '../../client/stores/node.js';
import { openNodePeer } from '../../client/transports/peer-node.js';
import { ready } from '../../crypto/sodium.js';
import { meet } from './core/support.js';
import { newFolder } from './stores/folder.js';

beforeAll(ready);

/** What is kept as read, and as not read, after a person has seen texts up to the last one of some, shown in this order of numbers. */
async function readAfter(numbers: readonly number[], seen: number): Promise<[number, number]> {
  const store = await openNodeStore(join(newFolder(), 'home.db'), new Uint8Array(32));
  const platform: Platform = { store, openLink: openNodeLink, openPeer: openNodePeer, random: (length) => new Uint8Array(randomBytes(length)), now: Date.now, nextTurn };
  await createHome(platform, 'Alice', 'https://relay.test');
  const { record } = meet(1).bob;
  const text: MessageRecord = {
    id: '', contact: record.id, direction: 'in', number: 0, text: 'x', state: 'received', path: 'relay', reason: null,
    sentAt: 0, receivedAt: 0, acceptedAt: null, deliveredAt: null, readAt: null, position: null,
  };
  const last = Math.max(...numbers);
  await store.commit([
    { kind: 'contact', record: { ...record, receivedNumber: last, readyNumber: last, unread: numbers.length } },
    ...numbers.map((number, index) => ({ kind: 'message', record: { ...text, id: number.toString(16).padStart(32, '0'), number, position: index + 1 } }) as const),
  ]);
  const client = await runClient(platform, 'offline');
  await client.markRead(record.id, seen);
  const [contact] = (await store.load())!.contacts;
  await client.close();
  return [contact!.readNumber, contact!.unread];
}

it('is everything when the last one was seen, though that is one that came late', async () => {
  expect(await readAfter([1, 3, 4, 2], 4)).toEqual([4, 0]);
});

it('is nothing that stands behind what was seen, though its number is lower', async () => {
  expect(await readAfter([1, 3, 4, 2], 3)).toEqual([1, 3]);
});

it('is what was seen where nothing came late', async () => {
  expect(await readAfter([1, 2, 3, 4], 3)).toEqual([3, 1]);
  expect(await readAfter([1, 2], 0)).toEqual([0, 2]);
});
