// A process that takes the lock of a home. Without a count it says whether it got it and holds it until it is ended; with one it takes and
// lets go that many times, and says how often it was inside together with another.

import { closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { lockHome } from '../../client/home.js';

const [home = '', count] = process.argv.slice(2);

function tryLock(): (() => void) | null {
  try {
    return lockHome(home);
  } catch {
    return null;
  }
}

/** Whether nobody else was inside: the file can be made by one alone. */
function alone(): boolean {
  const inside = join(home, 'inside');
  try {
    closeSync(openSync(inside, 'wx'));
    rmSync(inside);
    return true;
  } catch {
    return false;
  }
}

if (count === undefined) {
  process.send?.(tryLock() ? 'held' : 'refused');
  setInterval(() => {}, 60_000);
} else {
  let together = 0;
  for (let entered = 0; entered < Number(count);) {
    const unlock = tryLock();
    if (!unlock) continue;
    entered += 1;
    if (!alone()) together += 1;
    unlock();
  }
  process.send?.(together);
  process.disconnect();
}
