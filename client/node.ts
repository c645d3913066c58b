// Picks the parts of a client for Node: the home folder, the store in a file, the relay over ws, peers over node-datachannel. It joins
// them and lets go of them in order; it knows nothing of what they do.

import { renameSync, rmSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SottoError } from '../crypto/error.js';
import type { Client } from './client.js';
import { createKey, homeExists, homeFiles, lockHome, prepareHome, readKey } from './home.js';
import { random } from './random.js';
import { createHome, type Mode, type Platform, runClient } from './run.js';
import { openNodeStore } from './stores/node.js';
import { openNodePeer, shutdownNodePeers } from './transports/peer-node.js';
import { openRelayLink } from './transports/relay-link.js';
import { NodeSocket } from './transports/socket-node.js';

/** How often the machine's addresses are looked at: a person who changes networks is back within this time. */
const NETWORK_LOOK_MS = 2_000;

/** Links to relays as Node opens them. */
/** The operator's token for relays that ask for one, from SOTTO_ADMISSION. */
const admission = Buffer.from(process.env['SOTTO_ADMISSION'] ?? '');

export const openNodeLink = openRelayLink({ WebSocket: NodeSocket, now: () => performance.now(), random: Math.random, admission });

export interface NewHome {
  readonly name: string;
  /** URL of the relay where the mailboxes are opened. */
  readonly relay: string;
  /** Seals the key of the home; null leaves it to the permissions of its file. */
  readonly passphrase: string | null;
}

/**
 * Makes a home with a new identity. If it is interrupted there is no home, and it can be done again.
 * @throws SottoError `home-exists`, `home-in-use`, `name-invalid`, `option-invalid`
 */
export async function createNodeHome(home: string, { name, relay, passphrase }: NewHome): Promise<void> {
  prepareHome(home);
  const unlock = lockHome(home);
  try {
    const files = homeFiles(home);
    const key = await createKey(home, passphrase);
    for (const leftover of ['', '-journal', '-wal']) rmSync(files.newStore + leftover, { force: true });
    const store = await openNodeStore(files.newStore, key);
    try {
      await createHome({ store, random, now: Date.now }, name, relay);
    } finally {
      await store.close();
    }
    renameSync(files.newStore, files.store);
  } finally {
    unlock();
  }
}

/**
 * Opens a home; no other process can until the client is closed.
 * @throws SottoError `home-missing`, `home-in-use`, `passphrase-required`, `passphrase-wrong`, `store-damaged`
 */
export async function openHome(home: string, { passphrase, mode }: { readonly passphrase: string | null; readonly mode: Mode }): Promise<Client> {
  if (!homeExists(home)) throw new SottoError('home-missing');
  const unlock = lockHome(home);
  try {
    const store = await openNodeStore(homeFiles(home).store, await readKey(home, passphrase));
    const platform: Platform = { store, openLink: openNodeLink, openPeer: openNodePeer, random, now: Date.now, nextTurn, watchNetwork };
    const client = await runClient(platform, mode).catch(async (error: unknown) => {
      await store.close();
      throw error;
    });
    return closingWith(client, () => {
      if (mode === 'live') shutdownNodePeers();
      unlock();
    });
  } catch (error) {
    unlock();
    throw error;
  }
}

function closingWith(client: Client, after: () => void): Client {
  const close = client.close.bind(client);
  client.close = async () => {
    await close();
    after();
  };
  return client;
}

function watchNetwork(onChange: () => void): () => void {
  let seen = JSON.stringify(networkInterfaces());
  const timer = setInterval(() => {
    const now = JSON.stringify(networkInterfaces());
    if (now === seen) return;
    seen = now;
    onChange();
  }, NETWORK_LOOK_MS);
  return () => clearInterval(timer);
}
