// Watches the disk and the memory, so that the relay says no to new work while it can still do the old: what was accepted is
// delivered, acknowledged and expired with what is left. It never knows what fills them.

import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';

/** How often to look while nothing is written: others may fill the disk. */
const LOOK_INTERVAL_MS = 1_000;

/** Writing this part of the reserve is reason to look again: a file grows by a multiple of what is put into it. */
const WARY_PARTS = 8;

/** The part of a bound that must be free again before new work is taken, so that it does not go to and fro. */
const RELIEF = 0.1;

/** The part of the machine's memory that a relay may have if nobody says otherwise. */
const MEMORY_SHARE = 0.75;

export interface GuardOptions {
  /** Folder of the store. */
  readonly folder: string;
  /** Bytes of its disk that stay free: room to acknowledge and expire in. */
  readonly diskReserveBytes: number;
  /** Bytes that the store can write without asking the disk. */
  readonly reusableBytes: () => number;
  /** Bytes of memory of this process from which on nothing new is taken; null for three quarters of what the machine gives it. */
  readonly memoryMaxBytes: number | null;
  /** Called on each change. */
  readonly onPressure: (short: Shortage) => void;
}

/** What the machine is short of; null for nothing. */
export type Shortage = 'disk' | 'memory' | null;

export class Guard {
  readonly #options: GuardOptions;
  readonly #memoryMaxBytes: number;
  readonly #timer: NodeJS.Timeout;
  #short: Shortage = null;
  #diskFreeBytes = Infinity;
  #expectedBytes = 0;
  #stopped = false;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#memoryMaxBytes = options.memoryMaxBytes ?? MEMORY_SHARE * memoryOfMachine();
    this.#timer = setInterval(() => void this.look(), LOOK_INTERVAL_MS).unref();
  }

  get short(): Shortage {
    return this.#short;
  }

  /** Free bytes of the store's disk when it was last looked at. */
  get diskFreeBytes(): number {
    return this.#diskFreeBytes;
  }

  /** So many bytes are about to be written; looks first if they and what came since the last look may matter. */
  async expect(bytes: number): Promise<void> {
    this.#expectedBytes += bytes;
    if (this.#expectedBytes > this.#options.diskReserveBytes / WARY_PARTS) await this.look();
  }

  async look(): Promise<void> {
    this.#expectedBytes = 0;
    this.#diskFreeBytes = await freeBytes(this.#options.folder);
    // A disk may be slow to say so, and the store be closed by now.
    if (this.#stopped) return;
    const short = this.#judge();
    if (short === this.#short) return;
    this.#short = short;
    this.#options.onPressure(short);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  #judge(): Shortage {
    const { diskReserveBytes, reusableBytes } = this.#options;
    const disk = diskReserveBytes * (this.#short === 'disk' ? 1 + RELIEF : 1);
    // A file that has been full keeps its size when it is emptied; some of the disk itself must be left all the same.
    if (this.#diskFreeBytes < disk / 2 || this.#diskFreeBytes + reusableBytes() < disk) return 'disk';
    const memory = this.#memoryMaxBytes * (this.#short === 'memory' ? 1 - RELIEF : 1);
    return ownMemoryBytes() > memory ? 'memory' : null;
  }
}

/** Bytes that this user may still write to the disk of a folder; no limit where the system does not say. */
export async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return Infinity;
  }
}

let known = 0;

/**
 * Bytes of memory that are this process's alone, where the system tells. What it has mapped of the store's file is resident, too, and grows
 * with the store, but the system takes it back whenever somebody needs room.
 */
export function ownMemoryBytes(): number {
  try {
    known = anonymousBytes() ?? process.memoryUsage.rss();
  } catch {
    // Either opens a file, and connections may have taken the last one: what was seen before is not far off.
  }
  return known;
}

/** Null where there is no such number. */
function anonymousBytes(): number | null {
  if (process.platform !== 'linux') return null;
  const [, kib] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
  return kib === undefined ? null : Number(kib) * 1024;
}

/** What the machine has, or the part of it that a container was given. */
function memoryOfMachine(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}
