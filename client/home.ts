// The home folder of one identity: where its files are, its key, and the lock that lets one process in at a time.
// It never looks into the store, and nothing that it leaves behind when its owner is killed may block the next owner.

import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { SottoError } from '../crypto/error.js';
import { openKey, sealKey, type StretchCost } from '../crypto/passphrase.js';
import { ready } from '../crypto/sodium.js';
import type { StoreKey } from './stores/store.js';
import { stretchApart } from './stretch.js';

const KEY_BYTES = 32;
const SALT_BYTES = 16;

/** About a sixth of a second on a desktop: unnoticed by a person, dear to one who guesses. Kept in each key file, so that it can grow. */
const STRETCH_COST: StretchCost = { passes: 3, memoryBytes: 64 * 1024 * 1024 };
/** A key file may not ask for more than this, so that a false one cannot exhaust the machine. */
const STRETCH_MAX: StretchCost = { passes: 64, memoryBytes: 1024 * 1024 * 1024 };

/** Tries to take the lock while others come and go; each failed try means that somebody else got further. */
const LOCK_TRIES = 100;

/** What it means that a process holds a lock. */
const HELD = {
  lock: (pid: string) => `The process ${pid} has this home open and does not answer; end it and try again.`,
  listen: (pid: string) => `Another "sotto listen" shows the messages of this home already, as process ${pid}; end that one first, or use another home.`,
  passphrase: (pid: string) => `The process ${pid} changes the passphrase of this home; wait for it, or end it.`,
} as const;

/** The files of a home. */
export interface HomeFiles {
  /** The encrypted store; it gets this name when it is whole, and only then is there a home. */
  readonly store: string;
  /** The store while `init` makes it. */
  readonly newStore: string;
  readonly key: string;
  /** Where the owner answers other processes (client/cli/rpc.ts). */
  readonly socket: string;
  /** How far `sotto listen` has shown the messages (client/cli/cursor.ts). */
  readonly shown: string;
}

export function homeFiles(home: string): HomeFiles {
  const store = join(home, 'store.db');
  return { store, newStore: `${store}.new`, key: join(home, 'key'), socket: join(home, 'socket'), shown: join(home, 'shown') };
}

/** Whether somebody's identity is in this folder. */
export function homeExists(home: string): boolean {
  const files = homeFiles(home);
  return fs.existsSync(files.store) && fs.existsSync(files.key);
}

/** Makes the folder, open to its owner alone. Throws `store-failed`, or `option-invalid` rather than close a folder that holds other things. */
export function prepareHome(home: string): void {
  try {
    makeFolder(home);
  } catch (error) {
    throw new SottoError('store-failed', `The folder ${home} cannot be made (${(error as NodeJS.ErrnoException).code}); choose another with --home DIR.`, error);
  }
  const open = process.platform !== 'win32' && (fs.statSync(home).mode & 0o077) !== 0;
  if (open && fs.readdirSync(home).length > 0) {
    throw new SottoError('option-invalid', `${home} holds other files and others may read it; choose an empty folder with --home DIR.`);
  }
  fs.chmodSync(home, 0o700);
}

// Node's own way to make a folder with its parents never ends where the system denies that a parent exists, as in /proc.
function makeFolder(path: string): void {
  if (fs.existsSync(path)) return;
  makeFolder(dirname(path));
  fs.mkdirSync(path, { mode: 0o700 });
}

// The key file has slots, each of which gives the store's key: as it is (folder and file are closed to others), or sealed under a
// passphrase. Files of version 1 are one slot.

const base64 = z.base64().transform((text) => new Uint8Array(Buffer.from(text, 'base64')));
const COST = z.strictObject({
  passes: z.int().min(1).max(STRETCH_MAX.passes),
  memoryBytes: z.int().min(8192).max(STRETCH_MAX.memoryBytes),
});
const OPEN_SLOT = z.strictObject({ key: base64.refine((key) => key.length === KEY_BYTES) });
const PASSPHRASE_SLOT = z.strictObject({ cost: COST, salt: base64.refine((salt) => salt.length === SALT_BYTES), sealed: base64 });
const SLOTS_MAX = 8;
const KEY_FILE = z.union([
  z.strictObject({ version: z.literal(2), slots: z.array(z.union([OPEN_SLOT, PASSPHRASE_SLOT])).min(1).max(SLOTS_MAX) }).transform(({ slots }) => slots),
  OPEN_SLOT.extend({ version: z.literal(1) }).transform(({ key }) => [{ key }]),
  PASSPHRASE_SLOT.extend({ version: z.literal(1) }).transform(({ cost, salt, sealed }) => [{ cost, salt, sealed }]),
]);

/**
 * Makes the key of a new home and writes its file, whole or not at all. A key without a store is what an interrupted `init`
 * leaves; it is replaced.
 * @param passphrase seals the key; null leaves it to the file's permissions.
 * @throws SottoError `home-exists` where a store is, with or without its key.
 */
export async function createKey(home: string, passphrase: string | null): Promise<StoreKey> {
  const files = homeFiles(home);
  if (homeExists(home)) throw new SottoError('home-exists');
  if (fs.existsSync(files.store)) {
    throw new SottoError('home-exists', `There is a message store in ${home}, but its key file is missing; bring it back or choose another folder.`);
  }
  const key = new Uint8Array(randomBytes(KEY_BYTES));
  await writeKey(home, key, passphrase);
  return key;
}

/**
 * Locks a home with another passphrase, or with none. The key stays what it is, and so does the store; whoever is interrupted leaves the
 * old lock or the new one.
 * @throws SottoError `home-missing`, `home-in-use` while another process does the same, `passphrase-required`, `passphrase-wrong`
 */
export async function changePassphrase(home: string, current: string | null, next: string | null): Promise<void> {
  if (!homeExists(home)) throw new SottoError('home-missing');
  const unlock = lockHome(home, 'passphrase');
  try {
    await writeKey(home, await readKey(home, current), next);
  } finally {
    unlock();
  }
}

async function writeKey(home: string, key: StoreKey, passphrase: string | null): Promise<void> {
  const slot = passphrase === null ? { key: toBase64(key) } : await passphraseSlot(key, passphrase);
  writeWhole(homeFiles(home).key, `${JSON.stringify({ version: 2, slots: [slot] })}\n`);
}

/** Whether the home asks for a passphrase. Throws `home-missing` or `store-damaged`. */
export function keyIsSealed(home: string): boolean {
  return readSlots(home).every((slot) => 'sealed' in slot);
}

/** The key of a home. Rejects with `home-missing`, `passphrase-required`, `passphrase-wrong` or `store-damaged`. */
export async function readKey(home: string, passphrase: string | null): Promise<StoreKey> {
  const slots = readSlots(home);
  for (const slot of slots) if ('key' in slot) return slot.key;
  if (passphrase === null) throw new SottoError('passphrase-required');
  for (const slot of slots) {
    const key = 'sealed' in slot ? await openSlot(slot, passphrase) : null;
    if (key !== null) return key;
  }
  throw new SottoError('passphrase-wrong');
}

async function openSlot({ sealed, salt, cost }: z.infer<typeof PASSPHRASE_SLOT>, passphrase: string): Promise<StoreKey | null> {
  await ready();
  const stretched = await stretchApart(passphrase, salt, cost);
  try {
    return openKey(sealed, stretched);
  } catch (error) {
    if (error instanceof SottoError && error.code === 'passphrase-wrong') return null;
    throw error;
  } finally {
    stretched.fill(0);
  }
}

async function passphraseSlot(key: Uint8Array, passphrase: string): Promise<object> {
  await ready();
  const salt = new Uint8Array(randomBytes(SALT_BYTES));
  const stretched = await stretchApart(passphrase, salt, STRETCH_COST);
  const sealed = sealKey(key, stretched, (length) => new Uint8Array(randomBytes(length)));
  stretched.fill(0);
  return { cost: STRETCH_COST, salt: toBase64(salt), sealed: toBase64(sealed) };
}

function readSlots(home: string): z.infer<typeof KEY_FILE> {
  if (!homeExists(home)) throw new SottoError('home-missing');
  try {
    return KEY_FILE.parse(JSON.parse(fs.readFileSync(homeFiles(home).key, 'utf8')));
  } catch (cause) {
    throw new SottoError('store-damaged', 'The key file is damaged; restore it from a backup.', cause);
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** Writes a file of mode 0600 that is never seen half written and survives a loss of power. Throws `store-failed`. */
function writeWhole(path: string, text: string): void {
  const draft = `${path}.new`;
  try {
    fs.writeFileSync(draft, text, { mode: 0o600, flush: true });
    fs.renameSync(draft, path);
  } catch (error) {
    throw notWritten(path, draft, error);
  }
  syncFolder(dirname(path));
}

// A new name is on the disk when its folder is. Windows has no such call and needs none.
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

/** The error of a file that could not be made, whose draft goes. */
function notWritten(path: string, draft: string, error: unknown): SottoError {
  fs.rmSync(draft, { force: true });
  const { code } = error as NodeJS.ErrnoException;
  return new SottoError('store-failed', `${path} could not be written (${code ?? 'unknown'}); check the free space of the disk and who may write there.`, error);
}

// A lock is the file NAME.N with the highest N, naming a process that lives. Taking it means linking NAME.N+1, which one
// process alone can do. The highest file is never deleted (its owner empties it to let go), so a numeral, once passed, is
// never the highest again: a slow process that links an old one sees a higher one and withdraws.

/**
 * Makes this process the only one on this machine to hold a lock of the home. A dead holder's lock is taken over at once.
 * @param name 'lock' for the home itself, 'listen' for showing its messages, 'passphrase' for changing its passphrase.
 * @returns lets go.
 * @throws SottoError `home-in-use` while another process, or this one already, holds it.
 */
export function lockHome(home: string, name: keyof typeof HELD = 'lock'): () => void {
  const prefix = join(home, `${name}.`);
  const draft = `${prefix}draft.${process.pid}`;
  for (let tries = 0; tries < LOCK_TRIES; tries++) {
    const highest = highestNumeral(prefix);
    if (highest > 0) refuseIfAlive(`${prefix}${highest}`, name);
    const file = `${prefix}${highest + 1}`;
    if (!linkNew(draft, file)) continue;
    if (highestNumeral(prefix) === highest + 1) {
      for (const other of filesOf(prefix)) if (other !== file) fs.rmSync(other, { force: true });
      return () => {
        // A person may have deleted the home meanwhile.
        if (fs.existsSync(file)) fs.truncateSync(file);
      };
    }
    fs.rmSync(file, { force: true });
  }
  throw new SottoError('home-in-use');
}

function filesOf(prefix: string): string[] {
  const folder = dirname(prefix);
  return fs.readdirSync(folder).map((name) => join(folder, name)).filter((file) => file.startsWith(prefix));
}

function highestNumeral(prefix: string): number {
  const numerals = filesOf(prefix).map((file) => file.slice(prefix.length)).filter((rest) => /^\d{1,15}$/.test(rest));
  return Math.max(0, ...numerals.map(Number));
}

function refuseIfAlive(file: string, name: keyof typeof HELD): void {
  let owner: string;
  try {
    owner = fs.readFileSync(file, 'utf8');
  } catch {
    return; // A higher one has replaced it; linking the next numeral will fail or be withdrawn.
  }
  const [pid, start] = owner.split(' ');
  if (pid && start && isAlive(Number(pid), start)) {
    throw new SottoError('home-in-use', HELD[name](pid));
  }
}

/** Makes a file that names this process, whole, under a name that must be free; false if it is taken, or a winner removed the draft. */
function linkNew(draft: string, name: string): boolean {
  try {
    fs.writeFileSync(draft, `${process.pid} ${startOf(process.pid)}`, { mode: 0o600 });
    fs.linkSync(draft, name);
    fs.rmSync(draft, { force: true });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST' && code !== 'ENOENT') throw notWritten(name, draft, error);
    fs.rmSync(draft, { force: true });
    return false;
  }
}

function isAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  // A process id is given out again: it is the owner only if it started when the owner did.
  return startOf(pid) === start;
}

/** When a process started, in words of the kernel that differ between boots; '-' if it is dead, or there is no /proc. */
function startOf(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name and may hold anything; the fields after it start behind the last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A killed process that its parent has not yet noticed is dead too.
    if (fields[0] === 'Z' || fields[0] === 'X') return '-';
    return `${fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}`;
  } catch {
    return '-';
  }
}
