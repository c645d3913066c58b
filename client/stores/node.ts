// The store of a home in Node: one encrypted file. Whoever opens it holds the home's lock; nothing here looks for it.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname } from 'node:path';
import createEngine from '@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs';
import { NodeVfs } from './node-vfs.js';
import { openStore } from './sql.js';
import { openDatabase, type Engine } from './sqlite.js';
import type { Store, StoreKey } from './store.js';

const WASM = createRequire(import.meta.url).resolve('@journeyapps/wa-sqlite/dist/mc-wa-sqlite.wasm');

/**
 * Opens the store in a file, or begins a new one; the folder exists.
 * @throws SottoError `store-damaged` if the key is wrong or the file is damaged; `store-failed` if it cannot be opened.
 */
export async function openNodeStore(path: string, key: StoreKey): Promise<Store> {
  // An engine for each store: the key and the pages of one are in no memory of another.
  const engine: Engine = await createEngine({ wasmBinary: await readFile(WASM) });
  return openStore(await openDatabase(engine, new NodeVfs(dirname(path), engine), basename(path), key));
}
