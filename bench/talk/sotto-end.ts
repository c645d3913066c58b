// The program of one end of a line of ours: a client of a home, whose texts go to its one contact.

import type * as Node from '../../client/node.js';
import type { ClientEvent } from '../../client/client.js';
import type { PathName } from '../../client/core/records.js';
import { shipped } from '../shipped.js';
import { serveEnd } from './end.js';

export interface SottoPlace {
  readonly home: string;
  readonly contact: string;
  /** The path that must stand before the line is open; the homes' policy decides which one it becomes. */
  readonly path: PathName;
}

const { openHome } = await shipped<typeof Node>('client/node.js');

serveEnd<SottoPlace>(async ({ home, contact, path }, onText) => {
  const client = await openHome(home, { passphrase: null, mode: 'live' });
  client.subscribe((event) => {
    if (event.type === 'message') onText(event.message.text);
  });
  await new Promise<void>((resolve) => client.subscribe((event) => {
    if (stands(path, event)) resolve();
  }));
  return {
    send: async (text) => {
      await client.send(contact, text);
    },
    close: () => client.close(),
  };
});

function stands(path: PathName, event: ClientEvent): boolean {
  return path === 'direct' ? event.type === 'path' && event.contact.path === 'direct' : event.type === 'relay' && event.relay.online;
}
