// One relay per data folder. The process that has it stands in the database itself, where a write transaction is exclusive
// between processes, so two that start at once cannot both succeed; one that was killed leaves a name that is no longer alive.

import { readFileSync } from 'node:fs';
import type { Database } from 'lmdb';
import { SottoError } from '../../crypto/error.js';

const OWNER_KEY = Buffer.from('owner');

/**
 * Enters this process as the owner of the folder.
 * @throws SottoError `data-in-use` if the owner that stands there is alive, be it this process itself.
 */
export function claimFolder(root: Database<Buffer, Buffer>, folder: string): void {
  root.transactionSync(() => {
    const owner = root.get(OWNER_KEY)?.toString();
    if (owner !== undefined && isAlive(owner)) {
      throw new SottoError('data-in-use', `Another relay uses the data in ${folder}; end it, or choose another folder with --data DIR.`);
    }
    root.putSync(OWNER_KEY, Buffer.from(nameOf(process.pid)));
  });
}

/** The process id of the owner, if it is alive. */
export function ownerOf(root: Database<Buffer, Buffer>): number | null {
  const owner = root.get(OWNER_KEY)?.toString();
  return owner !== undefined && isAlive(owner) ? Number.parseInt(owner, 10) : null;
}

export function releaseFolder(root: Database<Buffer, Buffer>): void {
  root.removeSync(OWNER_KEY);
}

/** A process as its id and start time, since the system gives ids out again. */
function nameOf(pid: number): string {
  return `${pid} ${startOf(pid)}`;
}

function isAlive(name: string): boolean {
  const pid = Number.parseInt(name, 10);
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Not ours to signal, but alive.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return nameOf(pid) === name;
}

/** Field 22 of /proc/PID/stat, counted from behind the name, which may hold anything; empty where the system has no /proc. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
