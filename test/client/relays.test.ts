// Which relays a client is connected to while it runs: a contact may run the relay at which they collect, and see by it when we are here and
// from where.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Client } from '../../client/client.js';
import { openNodeLink } from '../../client/node.js';
import type { Platform } from '../../client/platform.js';
import { createHome, runClient } from '../../client/run.js';
import { openNodeStore } from '../../client/stores/node.js';
import { openNodePeer } from '../../client/transports/peer-node.js';
import { ready } from '../../crypto/sodium.js';
import { startScriptedRelay, type ScriptedRelay } from '../support/scripted-relay.js';
import { until } from '../support/people.js';
import { meet } from './core/support.js';
import { newFolder } from './stores/folder.js';

beforeAll(ready);

let ours: ScriptedRelay;
let theirs: ScriptedRelay;
let client: Client;
let bob: string;

beforeEach(async () => {
  [ours, theirs] = [await startScriptedRelay(), await startScriptedRelay()];
  const store = await openNodeStore(join(newFolder(), 'home.db'), new Uint8Array(32));
  const platform: Platform = { store, openLink: openNodeLink, openPeer: openNodePeer, random: (length) => new Uint8Array(randomBytes(length)), now: Date.now, nextTurn };
  await createHome(platform, 'Alice', ours.url);
  const { record } = meet(1).bob;
  bob = record.id;
  await store.commit([{ kind: 'contact', record: { ...record, inbox: { ...record.inbox, relay: ours.url }, outbox: { ...record.outbox, relay: theirs.url } } }]);
  client = await runClient(platform, 'live');
});

afterEach(async () => {
  await client.close();
  await Promise.all([ours.close(), theirs.close()]);
});

const connected = ({ callers }: ScriptedRelay): string[] => callers.filter(({ socket }) => socket.readyState === socket.OPEN).map(({ path }) => path).toSorted();

it('are not those of a contact who is blocked, until they are taken back, and ours all the time', async () => {
  await until(() => connected(theirs).length > 0, 'a connection to their relay');
  expect(connected(theirs)).toEqual(['/v1/deposit']);
  await client.block(bob);
  await until(() => connected(theirs).length === 0, 'no connection to their relay');
  await until(() => connected(ours).length === 2, 'the connections to our relay');
  const before = theirs.callers.length;
  await client.unblock(bob);
  await until(() => connected(theirs).length > 0, 'a connection to their relay again');
  expect(theirs.callers.length).toBe(before + 1);
  await until(async () => (await client.status()).contacts[0]?.connected === true, 'a way to them');
});

it('are not those of a contact who was removed', async () => {
  await until(() => connected(theirs).length > 0, 'a connection to their relay');
  await client.remove(bob);
  await until(() => connected(theirs).length === 0, 'no connection to their relay');
});

it('are not those of a link that leads to nobody', async () => {
  theirs.script.request = (caller, { request, body }) => (body.case === 'takeCard' ? caller.say(request, { case: 'refused', value: { code: 'card-unknown' } }) : caller.say(request, { case: 'done', value: {} }));
  await client.remove(bob);
  await until(() => connected(theirs).length === 0, 'no connection to their relay');
  await expect(client.accept(meet(2).alice.invite().replace(/^https:\/\/[^/]+/, theirs.url))).rejects.toMatchObject({ code: 'card-unknown' });
  await until(() => connected(theirs).length === 0, 'no connection to their relay again');
});
