// Two requests of the person's at one moment: what one of them ends, the other must not stumble over.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import { openNodeLink } from '../../client/node.js';
import { createHome, runClient } from '../../client/run.js';
import { openNodeStore } from '../../client/stores/node.js';
import { openNodePeer } from '../../client/transports/peer-node.js';
import { ready } from '../../crypto/sodium.js';
import { meet } from './core/support.js';
import { newFolder } from './stores/folder.js';

beforeAll(ready);

it.each(['block', 'remove'] as const)('a text that is queued while its contact goes (%s) is told as queued: told as a failure, it would be written again', async (wish) => {
  const store = await openNodeStore(join(newFolder(), 'home.db'), new Uint8Array(32));
  const platform = { store, openLink: openNodeLink, openPeer: openNodePeer, random: (length: number) => new Uint8Array(randomBytes(length)), now: Date.now, nextTurn };
  await createHome(platform, 'Alice', 'https://relay.test');
  const { record } = meet(1).bob;
  await store.commit([{ kind: 'contact', record: { ...record, heardAt: 1 } }]);
  const client = await runClient(platform, 'offline');
  const [message] = await Promise.all([client.send(record.id, 'hello'), client[wish](record.id)]);
  expect(message).toMatchObject({ text: 'hello', state: 'queued' });
  await client.close();
});
