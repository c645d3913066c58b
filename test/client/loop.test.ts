// How the loop ends: it waits for what can still go out, and for nothing else. Its timer never fires here, so what waits for it never ends.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
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
