// Picks the parts of a client for Node: the home folder, the store in a file, the relay over ws, peers over node-datachannel. It joins
// them and lets go of them in order; it knows nothing of what they do.

import { existsSync, renameSync, rmSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SottoError } from '../crypto/error.js';
import { readArchive, writeArchive } from './backup/archive-file.js';
import { restoredChange } from './backup/backup.js';
import type { BackupRecord } from './backup/backup.js';
import type { Client } from './client.js';
import type { Change } from './core/records.js';
import { createKey, homeExists, homeFiles, lockHome, prepareHome, readKey } from './home.js';
import type { Mode, Platform } from './platform.js';
import { random } from './random.js';
import { createHome, runClient } from './run.js';
import { openNodeStore } from './stores/node.js';
import type { Store } from './stores/store.js';
import { openNodePeer, shutdownNodePeers } from './transports/peer-node.js';
import { openRelayLink } from './transports/relay-link.js';
import { NodeSocket } from './transports/socket-node.js';

export { archiveKind } from './backup/archive-file.js';

/** How often the machine's addresses are looked at: a person who changes networks is back within this time. */
const NETWORK_LOOK_MS = 2_000;

/** The operator's token for relays that ask for one, from SOTTO_ADMISSION. */
const admission = Buffer.from(process.env['SOTTO_ADMISSION'] ?? '');

/** Links to relays as Node opens them. */
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
  return makeHome(home, passphrase, (store) => createHome({ store, random, now: Date.now }, name, relay));
}

/** Makes a home of which `fill` writes the store; it is one when the store is whole. */
async function makeHome<T>(home: string, passphrase: string | null, fill: (store: Store) => Promise<T>): Promise<T> {
  prepareHome(home);
  const unlock = lockHome(home);
  try {
    const files = homeFiles(home);
    const key = await createKey(home, passphrase);
    for (const leftover of ['', '-journal', '-wal']) rmSync(files.newStore + leftover, { force: true });
    const store = await openNodeStore(files.newStore, key);
    const made = await fill(store).finally(() => store.close());
    // SQLite says nothing where the disk has no room, at the end, for what is in the log; and the log keeps its old name.
    if (existsSync(`${files.newStore}-wal`)) throw new SottoError('store-failed');
    renameSync(files.newStore, files.store);
    return made;
  } finally {
    unlock();
  }
}

/** What a backup gave back. */
export interface RestoredHome {
  readonly name: string;
  readonly contacts: number;
  readonly messages: number;
  /** The link of the address, which goes on; null if there was none. */
  readonly address: string | null;
  /** The last position that was given out. */
  readonly position: number;
}

/** Changes of a restore in one transaction. */
const RESTORE_BATCH = 500;

/**
 * Makes a home of a backup. If it is interrupted or the backup is not whole there is no home, and it can be done again.
 * @param secret the words of the recovery key, or the passphrase of the backup.
 * @throws SottoError `home-exists`, `home-in-use`, `option-invalid`, and what readArchive throws
 */
export async function restoreNodeHome(home: string, file: string, secret: string, passphrase: string | null): Promise<RestoredHome> {
  if (homeExists(home)) throw new SottoError('home-exists');
  return readArchive(file, secret, (records) => makeHome(home, passphrase, (store) => restoreRecords(store, records)));
}

async function restoreRecords(store: Store, records: AsyncGenerator<BackupRecord>): Promise<RestoredHome> {
  const { value: owner } = await records.next();
  if (owner?.kind !== 'owner') throw new SottoError('backup-invalid');
  await store.create(owner.record);
  const count = { contact: 0, address: 0, week: 0, message: 0 };
  let address: string | null = null;
  let batch: Change[] = [];
  for await (const record of records) {
    if (record.kind === 'owner') throw new SottoError('backup-invalid');
    count[record.kind] += 1;
    if (record.kind === 'address') address = record.record.link;
    batch.push(restoredChange(record));
    if (batch.length === RESTORE_BATCH) await store.commit(batch.splice(0));
  }
  await store.commit(batch);
  return { name: owner.record.name, contacts: count.contact, messages: count.message, address, position: owner.record.position };
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
    const platform: Platform = { store, openLink: openNodeLink, openPeer: openNodePeer, random, now: Date.now, nextTurn, watchNetwork, writeArchive };
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
  let seen = addresses();
  const timer = setInterval(() => {
    const now = addresses() ?? seen;
    if (now === seen) return;
    seen = now;
    onChange();
  }, NETWORK_LOOK_MS);
  return () => clearInterval(timer);
}

/** The machine's addresses as a text; null where the system does not tell, as when no file is left for its answer. */
function addresses(): string | null {
  try {
    return JSON.stringify(networkInterfaces());
  } catch {
    return null;
  }
}
