// A new version takes the place of the one that runs: everything is loaded before the old one is told to end, so that clients
// find nobody only for as long as the old one says goodbye.

import { setTimeout as sleep } from 'node:timers/promises';
import { SottoError } from '../crypto/error.js';
import { ownerOfFolder } from './stores/upkeep.js';

/** How often to look whether it is gone. */
const LOOK_INTERVAL_MS = 10;

/** How long it may take to answer what it has read and to say goodbye. */
const END_MAX_MS = 15_000;

/**
 * Tells the relay that uses a folder to end, and resolves when the folder is free.
 * @throws SottoError `data-in-use` if it does not end, or may not be told to.
 */
export async function endPredecessor(folder: string): Promise<void> {
  const owner = await ownerOfFolder(folder);
  if (owner === null) return;
  if (owner === process.pid || !told(owner)) throw inUse(folder, owner);
  for (const end = performance.now() + END_MAX_MS; performance.now() < end; await sleep(LOOK_INTERVAL_MS)) {
    if (await ownerOfFolder(folder) === null) return;
  }
  throw inUse(folder, owner);
}

function told(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGTERM');
  } catch {
    return false;
  }
}

function inUse(folder: string, owner: number): SottoError {
  return new SottoError('data-in-use', `The relay that uses the data in ${folder} (process ${owner}) does not end; end it yourself, or choose another folder with --data DIR.`);
}
