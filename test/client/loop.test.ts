// How the loop ends: it waits for what can still go out, and for nothing else. Where its timer never fires, what waits for it never ends. And
// how it fails.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { ClientEvent } from '../../client/client.js';
import { Core } from '../../client/core/core.js';
import { Loop } from '../../client/loop.js';
import { createHome, runClient } from '../../client/run.js';
import { openNodeStore } from '../../client/stores/node.js';
import type { OpenLink } from '../../client/transports/link.js';
import { Refusal } from '../../client/transports/link.js';
import { openNodePeer } from '../../client/transports/peer-node.js';
import { ready } from '../../crypto/sodium.js';
import { meet } from './core/support.js';
import { newFolder } from './stores/folder.js';

const CONNECT_MS = 200;

beforeAll(ready);
afterEach(() => void vi.useRealTimers());

/** A relay that is there and takes what `put` takes. */
function relayThat(put: () => Promise<void>): OpenLink {
  return ({ onState }) => {
    // Later than a home is opened, as with every real relay.
    void sleep(CONNECT_MS).then(() => onState({ online: true, rttMs: 1, stunPort: 0, stunOtherPort: 0 }));
    const done = async (): Promise<void> => {};
    return {
      put, acknowledge: done, closeMailbox: done, putCard: done, retry: done, hurry: () => {}, close: () => {},
      collect: async () => 0, turn: async () => ({ server: null, ttlSeconds: 0 }), takeCard: () => Promise.reject(new Refusal('card-unknown', 0)),
    };
  };
}

it.each(['mailbox-unknown', 'mailbox-full'] as const)('ends at once where all that waits is refused for now (%s): the next command tries again', async (code) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const file = join(newFolder(), 'home.db');
  const store = await openNodeStore(file, new Uint8Array(32));
  const refuse = vi.fn(() => Promise.reject(new Refusal(code, 0)));
  const platform = { store, openLink: relayThat(refuse), openPeer: openNodePeer, random: (length: number) => new Uint8Array(randomBytes(length)), now: Date.now, nextTurn };
  await createHome(platform, 'Alice', 'https://relay.test');
  const { record } = meet(1).bob;
  await store.commit([{ kind: 'contact', record }]);
  const client = await runClient(platform, 'brief');
  const told = new Promise<void>((resolve) => {
    client.subscribe((event) => event.type === 'state' && event.message.reason === code && resolve());
  });
  await client.send(record.id, 'hello');
  await told;
  await client.close();
  const tries = refuse.mock.calls.length;
  const again = await runClient({ ...platform, store: await openNodeStore(file, new Uint8Array(32)) }, 'brief');
  await again.close();
  expect(refuse.mock.calls.length).toBeGreaterThan(tries);
});

/** A client of one contact, with a source of randomness that fails once it is told to, in the middle of whatever the core does. */
async function brittle() {
  const file = join(newFolder(), 'home.db');
  const store = await openNodeStore(file, new Uint8Array(32));
  let isBroken = false;
  const random = (length: number): Uint8Array => {
    if (isBroken) throw new TypeError('no more randomness');
    return new Uint8Array(randomBytes(length));
  };
  const put = vi.fn(async () => {});
  const platform = { store, openLink: relayThat(put), openPeer: openNodePeer, random, now: Date.now, nextTurn };
  await createHome(platform, 'Alice', 'https://relay.test');
  const { record } = meet(1).bob;
  await store.commit([{ kind: 'contact', record }]);
  const client = await runClient(platform, 'live');
  const events: ClientEvent[] = [];
  client.subscribe((event) => events.push(event));
  return { client, platform, contact: record.id, events, put, file, break: () => (isBroken = true) };
}

const FAILED = { code: 'internal', message: expect.stringContaining('no more randomness') as string };

it('fails as a whole where a request meets what nobody foresaw: the memory is half changed and is not believed any more', async () => {
  const home = await brittle();
  const { id } = await home.client.send(home.contact, 'before', { wait: 'accepted' });
  home.break();
  const before = home.put.mock.calls.length;
  await expect(home.client.send(home.contact, 'after')).rejects.toMatchObject(FAILED);
  await expect(home.client.invite()).rejects.toMatchObject(FAILED);
  await expect(home.client.status()).rejects.toMatchObject(FAILED);
  expect(home.events.filter(({ type }) => type === 'notice')).toMatchObject([{ contact: null, code: 'internal', text: FAILED.message }]);
  await home.client.close();
  expect(home.put.mock.calls.length).toBe(before);
  const store = await openNodeStore(home.file, new Uint8Array(32));
  expect(await store.messages({ contact: home.contact, limit: 10 })).toMatchObject([{ id, text: 'before' }]);
  await store.close();
});

it('tells whoever asked before a failure that it is done: it is kept, and they would ask again', async () => {
  const { client, platform, contact, put, file, ...home } = await brittle();
  await client.close();
  const store = await openNodeStore(file, new Uint8Array(32));
  const core = new Core((await store.load())!, { random: platform.random, direct: true }, Date.now());
  const loop = new Loop({ ...platform, store }, core, { onNews: () => {}, onRelay: () => {}, onFailure: () => {} });
  const send = (text: string) => loop.ask((request) => ({ type: 'send', request, contact, text }), 'sent');
  const before = send('before');
  home.break();
  const after = send('after');
  await expect(after).rejects.toMatchObject(FAILED);
  expect((await before).message).toMatchObject({ text: 'before', state: 'queued' });
  expect(await store.messages({ contact, limit: 10 })).toMatchObject([{ text: 'before' }]);
  expect(put).not.toHaveBeenCalled();
  await loop.close();
});

it('fails in the same way where nobody asked, and ends no process', async () => {
  const home = await brittle();
  // The relay comes later, and whoever is greeted by it is sent something sealed.
  home.break();
  await expect.poll(() => home.events.filter(({ type }) => type === 'notice'), { timeout: 60_000 }).toMatchObject([{ contact: null, code: 'internal', text: FAILED.message }]);
  await expect(home.client.send(home.contact, 'after')).rejects.toMatchObject(FAILED);
  await home.client.close();
});
