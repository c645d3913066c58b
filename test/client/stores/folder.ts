// A folder for a test's store, the parts of openNodeStore one by one for those that put another VFS between, and the whole of
// what a store tells.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import createEngine from '@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs';
import { onTestFinished } from 'vitest';
import { NodeVfs } from '../../../client/stores/node-vfs.js';
import { openDatabase, type Database, type Engine } from '../../../client/stores/sqlite.js';
import type { Store } from '../../../client/stores/store.js';
import { KEY } from './records.js';

/** A new folder, gone when the test is. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** All bytes of all files of a folder. */
export function bytesOf(folder: string): Buffer {
  return Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))));
}

/** Opens the database of `store.db` in a folder through a VFS. */
export async function databaseThrough<V extends NodeVfs>(Vfs: new (folder: string, engine: Engine) => V, folder: string): Promise<{ database: Database; vfs: V }> {
  const wasm = createRequire(import.meta.url).resolve('@journeyapps/wa-sqlite/dist/mc-wa-sqlite.wasm');
  const engine: Engine = await createEngine({ wasmBinary: readFileSync(wasm) });
  const vfs = new Vfs(folder, engine);
  return { database: await openDatabase(engine, vfs, 'store.db', KEY), vfs };
}

/** Everything that a store can be asked for. */
export async function contentOf(store: Store) {
  return { snapshot: await store.load(), messages: await store.messages({ limit: 10_000 }), found: await store.search('message', 10_000) };
}
