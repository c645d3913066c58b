// SQLite's files on node:fs: the database, its log and its journal, in one folder, with synchronous calls. Writes that follow
// each other are held back and written as one, at the latest when SQLite asks for them to be on the disk; what a crash may lose
// is what SQLite expects a power failure to lose. It does no locking (the home's lock does that) and refuses temporary files,
// which would hold plain text. It sees only encrypted pages.

import { closeSync, constants, existsSync, fdatasyncSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as VFS from '@journeyapps/wa-sqlite/src/VFS.js';
import type { Engine } from './sqlite.js';

/** Longest file name in bytes, as most file systems have it. */
const NAME_BYTES = 255;
/** How much is held back: the log of a commit of tens of messages is one write. */
const HELD_BYTES = 256 * 1024;
const SECTOR_BYTES = 4096;

export class NodeVfs extends VFS.Base {
  override mxPathname = NAME_BYTES;
  readonly #engine: Engine;
  readonly #folder: string;
  readonly #files = new Map<number, File>();

  /** @param folder where the files lie; it exists. */
  constructor(folder: string, engine: Engine) {
    super('node', engine);
    this.#engine = engine;
    this.#folder = folder;
  }

  override xOpen(_vfs: number, name: number, id: number, flags: number, outFlags: number): number {
    if (name === 0) return VFS.SQLITE_CANTOPEN;
    return attempt(VFS.SQLITE_CANTOPEN, () => {
      this.#files.set(id, this.#open(this.#path(name), (flags & VFS.SQLITE_OPEN_CREATE) !== 0));
      this.#view().setInt32(outFlags, flags, true);
    });
  }

  override xClose(id: number): number {
    return attempt(VFS.SQLITE_IOERR_CLOSE, () => {
      const file = this.#file(id);
      this.#files.delete(id);
      file.close();
    });
  }

  override xDelete(_vfs: number, name: number, syncFolder: number): number {
    if (!existsSync(this.#path(name))) return VFS.SQLITE_IOERR_DELETE_NOENT;
    return attempt(VFS.SQLITE_IOERR_DELETE, () => {
      unlinkSync(this.#path(name));
      if (syncFolder !== 0) this.#syncFolder();
    });
  }

  override xAccess(_vfs: number, name: number, _flags: number, result: number): number {
    this.#view().setInt32(result, existsSync(this.#path(name)) ? 1 : 0, true);
    return VFS.SQLITE_OK;
  }

  override xFullPathname(_vfs: number, name: number, capacity: number, result: number): number {
    const bytes = new TextEncoder().encode(`${this.#engine.UTF8ToString(name)}\0`);
    if (bytes.length > capacity) return VFS.SQLITE_CANTOPEN;
    this.#engine.HEAPU8.set(bytes, result);
    return VFS.SQLITE_OK;
  }

  override xRead(id: number, pointer: number, length: number, low: number, high: number): number {
    const into = this.#bytes(pointer, length);
    let read = 0;
    const code = attempt(VFS.SQLITE_IOERR_READ, () => { read = this.#file(id).read(into, offset(low, high)); });
    if (code !== VFS.SQLITE_OK || read === length) return code;
    into.fill(0, read);
    return VFS.SQLITE_IOERR_SHORT_READ;
  }

  override xWrite(id: number, pointer: number, length: number, low: number, high: number): number {
    return attempt(VFS.SQLITE_IOERR_WRITE, () => this.#file(id).write(this.#bytes(pointer, length), offset(low, high)));
  }

  override xTruncate(id: number, low: number, high: number): number {
    return attempt(VFS.SQLITE_IOERR_TRUNCATE, () => this.#file(id).truncate(offset(low, high)));
  }

  override xSync(id: number, _flags: number): number {
    return attempt(VFS.SQLITE_IOERR_FSYNC, () => this.#file(id).sync());
  }

  override xFileSize(id: number, result: number): number {
    return attempt(VFS.SQLITE_IOERR_FSTAT, () => this.#view().setBigInt64(result, BigInt(this.#file(id).size()), true));
  }

  override xCheckReservedLock(_id: number, result: number): number {
    this.#view().setInt32(result, 0, true);
    return VFS.SQLITE_OK;
  }

  override xSectorSize(_id: number): number {
    return SECTOR_BYTES;
  }

  override xDeviceCharacteristics(_id: number): number {
    // As SQLite's own VFS assumes of every disk; without it each commit writes the log up to a whole sector.
    return VFS.SQLITE_IOCAP_POWERSAFE_OVERWRITE;
  }

  #open(path: string, create: boolean): File {
    if (existsSync(path) || !create) return new File(openSync(path, constants.O_RDWR));
    const file = new File(openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600));
    this.#syncFolder();
    return file;
  }

  /** Makes a new or deleted name durable. Windows does so by itself and opens no folders. */
  #syncFolder(): void {
    if (process.platform === 'win32') return;
    const folder = openSync(this.#folder, constants.O_RDONLY);
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }

  #path(name: number): string {
    return join(this.#folder, this.#engine.UTF8ToString(name));
  }

  #file(id: number): File {
    const file = this.#files.get(id);
    if (file === undefined) throw new Error('the file is not open');
    return file;
  }

  #bytes(pointer: number, length: number): Uint8Array {
    return this.#engine.HEAPU8.subarray(pointer, pointer + length);
  }

  #view(): DataView {
    return new DataView(this.#engine.HEAPU8.buffer);
  }
}

/** An open file. A write lies in memory until something else than the bytes after it is asked for. */
class File {
  readonly #fd: number;
  readonly #held = new Uint8Array(HELD_BYTES);
  #start = 0;
  #length = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Fills `into` from a position and tells how much there was. */
  read(into: Uint8Array, position: number): number {
    this.#flush();
    let done = 0;
    while (done < into.length) {
      const read = readSync(this.#fd, into, done, into.length - done, position + done);
      if (read === 0) break;
      done += read;
    }
    return done;
  }

  write(bytes: Uint8Array, position: number): void {
    const follows = position === this.#start + this.#length && this.#length + bytes.length <= HELD_BYTES;
    if (!follows) {
      this.#flush();
      this.#start = position;
    }
    this.#held.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  truncate(size: number): void {
    this.#flush();
    ftruncateSync(this.#fd, size);
  }

  sync(): void {
    this.#flush();
    fdatasyncSync(this.#fd);
  }

  size(): number {
    return Math.max(fstatSync(this.#fd).size, this.#length === 0 ? 0 : this.#start + this.#length);
  }

  close(): void {
    try {
      this.#flush();
    } finally {
      closeSync(this.#fd);
    }
  }

  #flush(): void {
    const bytes = this.#held.subarray(0, this.#length);
    // Given up if it fails: SQLite is told, and writes anew what it still wants.
    this.#length = 0;
    for (let done = 0; done < bytes.length;) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#start + done);
    }
  }
}

/** No exception may pass through SQLite's frames: it becomes a result code, a full disk one of its own. */
function attempt(failure: number, work: () => void): number {
  try {
    work();
    return VFS.SQLITE_OK;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOSPC' ? VFS.SQLITE_FULL : failure;
  }
}

/** A 64-bit offset, which comes as two signed 32-bit halves. */
function offset(low: number, high: number): number {
  return high * 2 ** 32 + (low >>> 0);
}
