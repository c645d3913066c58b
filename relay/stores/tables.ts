// The one file of the lmdb store and the tables in it, for those who keep things there and those who look after them. It never
// knows what a record means.

import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { open, type Database } from 'lmdb';
import { SottoError } from '../../crypto/error.js';

export type Table = Database<Buffer, Buffer>;

export interface Tables {
  readonly root: ReturnType<typeof open<Buffer, Buffer>>;
  readonly mailboxes: Table;
  readonly envelopes: Table;
  readonly ids: Table;
  readonly cards: Table;
  readonly expiry: Table;
}

/** With pages this large an envelope of 2 KiB shares its page with others instead of wasting half of its own. */
const PAGE_BYTES = 16_384;

const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const;

/** Keys of the root table. */
export const FORMAT_KEY = Buffer.from('format');
export const TOTALS_KEY = Buffer.from('totals');

/** The store's file in a relay's data folder. */
export function fileIn(folder: string): string {
  return join(folder, 'relay.mdb');
}

/** Opens the file in a folder, or makes it. */
export function openTables(folder: string): Tables {
  return openFile(fileIn(folder), false);
}

/**
 * @param readOnly also while a relay has the file open; what it writes meanwhile is not seen.
 * @throws SottoError `store-failed` if the file is there and belongs to somebody else
 */
export function openFile(path: string, readOnly: boolean): Tables {
  for (const file of [path, `${path}-lock`]) ensureUsable(file);
  const root = open<Buffer, Buffer>({ path, noSubdir: true, pageSize: PAGE_BYTES, readOnly, ...BINARY });
  const table = (name: string): Table => root.openDB(name, BINARY);
  return { root, mailboxes: table('mailboxes'), envelopes: table('envelopes'), ids: table('ids'), cards: table('cards'), expiry: table('expiry') };
}

/** Whoever looks after a relay as another user may leave files that it cannot open. */
function ensureUsable(file: string): void {
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw new SottoError('store-failed', `The file ${file} belongs to another user; give it to the one who runs the relay, with chown.`, error);
  }
}

/** What lmdb tells about a table, and about the whole file. */
interface Statistics {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
  readonly lastPageNumber: number;
}

/** Bytes of the file that hold nothing: lmdb writes there before it asks the disk for more. */
export function reusableBytes({ root, ...tables }: Tables): number {
  const { lastPageNumber } = root.getStats() as Statistics;
  const used = Object.values(tables).map((table) => table.getStats() as Statistics).map(({ treeBranchPageCount, treeLeafPageCount, overflowPages }) => treeBranchPageCount + treeLeafPageCount + overflowPages);
  return Math.max(0, lastPageNumber - used.reduce((total, pages) => total + pages, 0)) * PAGE_BYTES;
}

/** The same bytes as a Buffer, which is what lmdb takes as a key. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
