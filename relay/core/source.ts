// What one source of connections may take: so much at once and so much in time, over all its connections together. Our own
// buckets and no library's, since the brain's clock is an argument and its answer is due in the same call. A source is a number
// that the loop gives; what address it stands for is not known here.

import type { Limits } from './limits.js';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Fills at a steady rate, up to what it holds. */
export class Bucket {
  readonly #holds: number;
  readonly #msPerPiece: number;
  #level: number;
  #at: number;

  constructor(holds: number, msPerPiece: number, now: number) {
    this.#holds = holds;
    this.#msPerPiece = msPerPiece;
    this.#level = holds;
    this.#at = now;
  }

  /** Takes pieces out. Where there are too few it takes nothing, and says in how many ms there will be enough; 0 otherwise. */
  take(pieces: number, now: number): number {
    this.#fill(now);
    // More than it ever holds is had by an empty wait for all of it, or one large envelope could never be put.
    const missing = Math.min(pieces, this.#holds) - this.#level;
    if (missing > 0) return Math.ceil(missing * this.#msPerPiece);
    this.#level -= pieces;
    return 0;
  }

  giveBack(pieces: number): void {
    this.#level = Math.min(this.#holds, this.#level + pieces);
  }

  isFull(now: number): boolean {
    this.#fill(now);
    return this.#level === this.#holds;
  }

  /** A clock that went back fills nothing, and begins again from there. */
  #fill(now: number): void {
    this.#level = Math.min(this.#holds, this.#level + Math.max(0, now - this.#at) / this.#msPerPiece);
    this.#at = now;
  }
}

/** One source as it stands now. */
export interface Source {
  connections: number;
  readonly requests: Bucket;
  readonly bytes: Bucket;
  readonly mailboxes: Bucket;
}

/** Sources that are remembered before those that need not be are looked for. */
const FORGET_FROM = 10_000;

export class Sources {
  readonly #limits: Limits;
  readonly #byNumber = new Map<number, Source>();
  #forgetFrom = FORGET_FROM;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** The source of a connection that opens; null if it has all the connections that it may have. */
  enter(number: number, now: number): Source | null {
    if (this.#byNumber.size >= this.#forgetFrom) this.#forget(now);
    const source = this.#byNumber.get(number) ?? this.#start(number, now);
    if (source.connections >= this.#limits.sourceConnections) return null;
    source.connections += 1;
    return source;
  }

  #start(number: number, now: number): Source {
    const { sourceBurst, sourceRequestsPerSecond, sourceBytesPerHour, sourceMailboxesPerDay } = this.#limits;
    const source: Source = {
      connections: 0,
      requests: new Bucket(sourceBurst, SECOND_MS / sourceRequestsPerSecond, now),
      bytes: new Bucket(sourceBytesPerHour, HOUR_MS / sourceBytesPerHour, now),
      mailboxes: new Bucket(sourceMailboxesPerDay, DAY_MS / sourceMailboxesPerDay, now),
    };
    this.#byNumber.set(number, source);
    return source;
  }

  /** Whoever is away and owes nothing is a stranger again. Looked for as often as the number doubles, so that it costs little. */
  #forget(now: number): void {
    for (const [number, { connections, requests, bytes, mailboxes }] of this.#byNumber) {
      if (connections === 0 && requests.isFull(now) && bytes.isFull(now) && mailboxes.isFull(now)) this.#byNumber.delete(number);
    }
    this.#forgetFrom = Math.max(FORGET_FROM, this.#byNumber.size * 2);
  }
}
