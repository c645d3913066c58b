// Looking after the store's file from outside: what is in it, a copy of it while a relay uses it, and a smaller one when none
// does. It counts records and reads their times, and never looks at whose they are.

import { chownSync, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { SottoError } from '../../crypto/error.js';
import { unpackEnvelope, unpackMailbox, unpackTotals } from './layout.js';
import { FORMAT } from './migration.js';
import { claimFolder, ownerOf, releaseFolder } from './owner.js';
import type { Totals } from './store.js';
import { fileIn, FORMAT_KEY, openFile, TOTALS_KEY, type Tables } from './tables.js';

/** What a store's file holds. Ages are in ms. */
export interface Inspection {
  readonly format: number;
  readonly fileBytes: number;
  readonly totals: Totals;
  readonly emptyMailboxes: number;
  /** Envelopes in the fullest mailbox. */
  readonly fullestMailbox: number;
  readonly oldestEnvelopeMs: number | null;
  /** Envelopes and their bytes by how long they have waited, in the order of `AGES`. */
  readonly ages: readonly { readonly label: string; readonly envelopes: number; readonly bytes: number }[];
  /** Envelopes whose time is over and which have not been swept yet. */
  readonly expired: number;
  /** Time until the next unused mailbox is removed. */
  readonly nextUnusedMs: number | null;
}

/** Permissions of everybody but the owner of a file. */
const OTHERS = 0o077;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const AGES: readonly { readonly label: string; readonly upToMs: number }[] = [
  { label: 'under an hour', upToMs: HOUR_MS },
  { label: 'under a day', upToMs: DAY_MS },
  { label: 'under a week', upToMs: 7 * DAY_MS },
  { label: 'a week or longer', upToMs: Infinity },
];

/**
 * Counts what is in a relay's data folder, also while a relay runs on it.
 * @throws SottoError `store-damaged`
 */
export async function inspect(folder: string, now: number): Promise<Inspection> {
  const path = fileIn(folder);
  const tables = openExisting(path);
  try {
    return { format: formatOf(tables, path), fileBytes: statSync(path).size, totals: unpackTotals(tables.root.get(TOTALS_KEY)!), ...countMailboxes(tables, now), ...countEnvelopes(tables, now) };
  } finally {
    await tables.root.close();
  }
}

function countMailboxes({ mailboxes }: Tables, now: number) {
  let [emptyMailboxes, fullestMailbox, nextUnusedMs]: [number, number, number | null] = [0, 0, null];
  for (const { value } of mailboxes.getRange({})) {
    const { count, dueAt } = unpackMailbox(value);
    if (count === 0) emptyMailboxes += 1;
    fullestMailbox = Math.max(fullestMailbox, count);
    nextUnusedMs = Math.min(nextUnusedMs ?? Infinity, dueAt - now);
  }
  return { emptyMailboxes, fullestMailbox, nextUnusedMs };
}

function countEnvelopes({ envelopes }: Tables, now: number) {
  const ages = AGES.map(({ label }) => ({ label, envelopes: 0, bytes: 0 }));
  let [oldestEnvelopeMs, expired]: [number | null, number] = [null, 0];
  for (const { value } of envelopes.getRange({})) {
    const { storedAt, expiresAt, envelope } = unpackEnvelope(value);
    const ageMs = Math.max(0, now - storedAt);
    const age = ages[AGES.findIndex(({ upToMs }) => ageMs < upToMs)]!;
    age.envelopes += 1;
    age.bytes += envelope.length;
    oldestEnvelopeMs = Math.max(oldestEnvelopeMs ?? 0, ageMs);
    if (expiresAt <= now) expired += 1;
  }
  return { ages, oldestEnvelopeMs, expired };
}

/**
 * Writes everything that is kept at one moment to a new file, also while a relay runs. Deleted records are not in it.
 * @throws SottoError `option-invalid` if there is something at the target, `store-damaged`, `store-failed`
 */
export async function backup(folder: string, target: string): Promise<void> {
  if (existsSync(target)) throw new SottoError('option-invalid', `There is something at ${target} already; give a new name for the backup.`);
  const draft = `${target}.part`;
  const tables = openExisting(fileIn(folder));
  try {
    formatOf(tables, fileIn(folder));
    await copy(tables, draft);
    renameSync(draft, target);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error instanceof SottoError ? error : new SottoError('store-failed', `The backup could not be written to ${target}; check the folder and the free space of the disk.`, error);
  } finally {
    await tables.root.close();
  }
}

/**
 * Gives the disk what deleted records have left empty. No relay may run on the folder.
 * @returns bytes of the file before and after
 * @throws SottoError `data-in-use`, `store-damaged`, `store-failed` with nothing changed
 */
export async function compact(folder: string): Promise<{ readonly before: number; readonly after: number }> {
  const path = fileIn(folder);
  const draft = `${path}.part`;
  const before = existsSync(path) ? statSync(path).size : 0;
  await openExisting(path).root.close();
  const tables = openFile(path, false);
  try {
    formatOf(tables, path);
    claimFolder(tables.root, folder);
    try {
      await copy(tables, draft);
      // Whoever runs this may be another user than whoever runs the relay.
      const { uid, gid } = statSync(path);
      chownSync(draft, uid, gid);
    } catch (error) {
      releaseFolder(tables.root);
      throw new SottoError('store-failed', undefined, error);
    }
    // The claim lasts until the new file is in its place, where nobody has claimed anything.
    renameSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
    await tables.root.close();
  }
  return { before, after: statSync(path).size };
}

/** The process whose relay uses the folder; null if there is none. */
export async function ownerOfFolder(folder: string): Promise<number | null> {
  if (!existsSync(fileIn(folder))) return null;
  const { root } = openExisting(fileIn(folder));
  try {
    return ownerOf(root);
  } finally {
    await root.close();
  }
}

async function copy(tables: Tables, target: string): Promise<void> {
  rmSync(target, { force: true });
  // lmdb makes the file as the process makes all files, and nobody else may look into this one.
  const before = process.umask(OTHERS);
  await tables.root.backup(target, true).finally(() => process.umask(before));
  // The process that has the folder open has nothing to do with the copy.
  const copied = openFile(target, false);
  releaseFolder(copied.root);
  await copied.root.flushed;
  await copied.root.close();
  rmSync(`${target}-lock`, { force: true });
}

function openExisting(path: string): Tables {
  if (!existsSync(path)) throw new SottoError('store-damaged', `There is no relay's data at ${path}; choose the folder with --data DIR.`);
  try {
    return openFile(path, true);
  } catch (error) {
    if (error instanceof SottoError) throw error;
    throw new SottoError('store-damaged', `The relay's data at ${path} cannot be read; restore it from a backup.`, error);
  }
}

function formatOf({ root }: Tables, path: string): number {
  const format = root.get(FORMAT_KEY)?.[0];
  if (format === FORMAT) return format;
  throw new SottoError('store-damaged', `The relay's data at ${path} has format ${format ?? 'unknown'}, and this needs format ${FORMAT}; start the relay on it once, or update Sotto.`);
}
