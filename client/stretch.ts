// A passphrase is stretched in a thread of its own, which ends with it: the memory that Argon2id takes, and every copy of passphrase
// and key in it, is given back then. It never learns what the key is for.

import { Worker } from 'node:worker_threads';
import type { StretchCost } from '../crypto/passphrase.js';

/** What the thread is given. */
export interface Stretching {
  readonly passphrase: string;
  readonly salt: Uint8Array;
  readonly cost: StretchCost;
}

/** stretch() of crypto/passphrase.ts, elsewhere. The caller erases the key when it is done with it. */
export async function stretchApart(passphrase: string, salt: Uint8Array, cost: StretchCost): Promise<Uint8Array> {
  const workerData: Stretching = { passphrase, salt, cost };
  const worker = new Worker(program(), { workerData });
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  } finally {
    await worker.terminate();
  }
}

// Built, the thread's file stands beside this one. Run from the source (tests), a thread has no loader but the one that it registers.
function program(): URL {
  if (!import.meta.url.endsWith('.ts')) return new URL('./stretch-worker.js', import.meta.url);
  const loader = import.meta.resolve('tsx/esm/api');
  const source = new URL('./stretch-worker.ts', import.meta.url);
  return new URL(`data:text/javascript,import { register } from '${loader}'; register(); await import('${source.href}');`);
}
