// The Worker that holds a store in the browser: the same engine on the origin private file system, which only a Worker may
// write to synchronously. One page at a time holds a store; the lock lives and dies with the Worker, as its open files do.

import createEngine from '@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs';
import wasm from '@journeyapps/wa-sqlite/dist/mc-wa-sqlite.wasm?url';
import { AccessHandlePoolVFS } from '@journeyapps/wa-sqlite/src/examples/AccessHandlePoolVFS.js';
import { expose, proxy, type ProxyMarked } from 'comlink';
import { SottoError } from '../../crypto/error.js';
import { openStore } from './sql.js';
import { openDatabase, type Engine } from './sqlite.js';
import type { Store, StoreKey } from './store.js';
import { carryErrors } from './web-error.js';

/** What the page calls, once. It ends the Worker when the store is closed or could not be opened. */
export interface WebWorker {
  open(name: string, key: StoreKey): Promise<Store & ProxyMarked>;
}

/** A page that is reloaded waits this long for the Worker of the page before it to let go. */
const LOCK_WAIT_MS = 2000;
const FILE = 'store';

carryErrors();
expose({ open } satisfies WebWorker);

async function open(name: string, key: StoreKey): Promise<Store & ProxyMarked> {
  const folder = `sotto-${name}`;
  await lock(folder);
  const engine: Engine = await createEngine({ locateFile: () => wasm });
  const vfs = await AccessHandlePoolVFS.create(folder, engine).catch((error: unknown) => { throw unopened(error); });
  return proxy(await openStore(await openDatabase(engine, vfs, FILE, key)));
}

/** Takes the lock of a name for as long as this Worker lives. */
function lock(name: string): Promise<void> {
  return new Promise((taken, refused) => {
    const held = () => new Promise<never>(() => taken());
    navigator.locks.request(name, { signal: AbortSignal.timeout(LOCK_WAIT_MS) }, held).catch((error: unknown) => refused(inUse(error)));
  });
}

function unopened(error: unknown): SottoError {
  if (error instanceof DOMException && error.name === 'NoModificationAllowedError') return inUse(error);
  return new SottoError('store-failed', 'The browser does not let this page keep files; leave private browsing, or allow site data.', error);
}

function inUse(cause: unknown): SottoError {
  return new SottoError('home-in-use', 'Sotto is open in another tab or window; use that one, or close it.', cause);
}
