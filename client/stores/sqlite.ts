// The engine: SQLite with every page encrypted and authenticated (SQLite3 Multiple Ciphers, ChaCha20-Poly1305), compiled to
// WebAssembly. Opens a database through a VFS that the platform chooses and runs statements one at a time, as they are awaited.
// It must never know what the tables mean, and writes no byte but through the VFS.

import * as SQLite from '@journeyapps/wa-sqlite';
import { toHex } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import type { StoreKey } from './store.js';

export type SqlValue = string | number | Uint8Array | null;

/** What we use of the compiled module, beside what the library wraps. */
export interface Engine {
  /** The module's memory; another array after it has grown. */
  readonly HEAPU8: Uint8Array;
  UTF8ToString(pointer: number): string;
  ccall(name: string, returns: 'number', types: readonly ('number' | 'string')[], values: readonly (number | string)[]): number;
}

// One page is one 4 KiB sector of the disk: writing a page never tears its neighbour. (2 KiB would save 0.05 ms of a commit of
// one message, 16 KiB would double it.)
const PAGE_BYTES = 4096;
// 8 MiB of log before it is copied into the file: half the copying of SQLite's default, and a p99 of 1 ms instead of 3.
const CHECKPOINT_PAGES = 2048;
const CACHE_KIB = 8192;

const PRAGMAS = `
  PRAGMA page_size = ${PAGE_BYTES};
  PRAGMA locking_mode = exclusive;
  PRAGMA journal_mode = wal;
  PRAGMA synchronous = full;
  PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
  PRAGMA temp_store = memory;
  PRAGMA secure_delete = on;
  PRAGMA cache_size = -${CACHE_KIB};
`;

/**
 * Opens the database `file` of a VFS, or begins a new one.
 * @throws SottoError `store-damaged` if the key is wrong or the file is no database; `store-failed` if it cannot be opened.
 */
export async function openDatabase(engine: Engine, vfs: SQLiteVFS, file: string, key: StoreKey): Promise<Database> {
  const api = SQLite.Factory(engine);
  api.vfs_register(vfs, false);
  engine.ccall('sqlite3mc_vfs_create', 'number', ['string', 'number'], [vfs.name, 1]);
  const handle = await api.open_v2(file, undefined, `multipleciphers-${vfs.name}`).catch(async (error: unknown) => {
    await vfs.close();
    throw storeError(error);
  });
  const database = new Database(engine, api, handle, vfs);
  try {
    await database.script(`PRAGMA cipher = 'chacha20'; PRAGMA key = 'raw:${toHex(key)}';`);
    await database.script(PRAGMAS);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** An open database. Not re-entrant: await each call before the next. Every method rejects with a SottoError. */
export class Database {
  readonly #engine: Engine;
  readonly #api: SQLiteAPI;
  readonly #handle: number;
  readonly #vfs: SQLiteVFS;
  /** The address of sqlite3_free, as the destructor of what is bound. */
  readonly #free: number;
  readonly #statements = new Map<string, number>();

  constructor(engine: Engine, api: SQLiteAPI, handle: number, vfs: SQLiteVFS) {
    this.#engine = engine;
    this.#api = api;
    this.#handle = handle;
    this.#vfs = vfs;
    this.#free = this.#call('getSqliteFree');
  }

  /** Runs one statement, which is prepared once and kept, and resolves with its rows. */
  async run(sql: string, values: readonly SqlValue[] = []): Promise<SqlValue[][]> {
    try {
      const statement = this.#statements.get(sql) ?? await this.#prepare(sql);
      values.forEach((value, index) => this.#bind(statement, index + 1, value));
      return await this.#rows(statement);
    } catch (error) {
      throw storeError(error);
    }
  }

  /** Runs several statements that have no parameters and whose rows nobody wants. */
  async script(sql: string): Promise<void> {
    try {
      await this.#api.exec(this.#handle, sql);
    } catch (error) {
      throw storeError(error);
    }
  }

  /** Does the work in one transaction: durable when resolved; when rejected, nothing of it was done. */
  async transaction(work: () => Promise<void>): Promise<void> {
    await this.run('BEGIN IMMEDIATE');
    try {
      await work();
      await this.run('COMMIT');
    } catch (error) {
      // SQLite has rolled back by itself after some errors of the disk.
      if (this.#api.get_autocommit(this.#handle) === 0) await this.run('ROLLBACK');
      throw error;
    }
  }

  async close(): Promise<void> {
    try {
      for (const statement of this.#statements.values()) await this.#api.finalize(statement);
      this.#statements.clear();
      await this.#api.close(this.#handle);
    } catch (error) {
      throw storeError(error);
    } finally {
      await this.#vfs.close();
    }
  }

  async #prepare(sql: string): Promise<number> {
    for await (const statement of this.#api.statements(this.#handle, sql, { unscoped: true })) {
      this.#statements.set(sql, statement);
      return statement;
    }
    throw new SottoError('internal', 'An SQL statement was empty.');
  }

  async #rows(statement: number): Promise<SqlValue[][]> {
    const rows: SqlValue[][] = [];
    try {
      while (await this.#api.step(statement) === SQLite.SQLITE_ROW) {
        rows.push(Array.from({ length: this.#api.data_count(statement) }, (_, index) => this.#column(statement, index)));
      }
      return rows;
    } finally {
      // A reset says again what a failed step said.
      await this.#api.reset(statement).catch(() => {});
    }
  }

  #bind(statement: number, index: number, value: SqlValue): void {
    if (value === null || typeof value === 'number') this.#api.bind(statement, index, value);
    else this.#bindBytes(statement, index, value);
  }

  // The library's own binds end a text at its first NUL and turn empty bytes into NULL.
  #bindBytes(statement: number, index: number, value: string | Uint8Array): void {
    const bytes = typeof value === 'string' ? encoder.encode(value) : value;
    const bind = typeof value === 'string' ? 'sqlite3_bind_text' : 'sqlite3_bind_blob';
    const pointer = this.#call('sqlite3_malloc', bytes.length + 1);
    this.#engine.HEAPU8.set(bytes, pointer);
    const code = this.#call(bind, statement, index, pointer, bytes.length, this.#free);
    if (code !== SQLite.SQLITE_OK) throw new SQLite.SQLiteError('a value could not be bound', code);
  }

  #call(name: string, ...values: readonly number[]): number {
    return this.#engine.ccall(name, 'number', values.map(() => 'number'), values);
  }

  #column(statement: number, index: number): SqlValue {
    switch (this.#api.column_type(statement, index)) {
      case SQLite.SQLITE_NULL: return null;
      case SQLite.SQLITE_TEXT: return decoder.decode(this.#api.column_blob(statement, index));
      case SQLite.SQLITE_BLOB: return this.#api.column_blob(statement, index).slice();
      default: return Number(this.#api.column(statement, index));
    }
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The result codes by which a page that fails its authentication, or makes no sense, is told. */
const DAMAGED: ReadonlySet<number> = new Set([SQLite.SQLITE_CORRUPT, SQLite.SQLITE_NOTADB]);

function storeError(error: unknown): SottoError {
  if (error instanceof SottoError) return error;
  // The low byte is the primary code, what lies above it says where it happened.
  const damaged = error instanceof SQLite.SQLiteError && DAMAGED.has(error.code & 0xff);
  return new SottoError(damaged ? 'store-damaged' : 'store-failed', undefined, error);
}
