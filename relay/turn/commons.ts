// What the threads of one server have in common: at which ports their allocations are reached, so that each knows the peers that are
// no door into this machine, how much is relayed and refused, and that each works. Memory and nothing else: no thread waits for another.

import type { Family } from './attribute.js';

/** Threads beside the main one. No machine that relays has more cores to spare. */
export const WORKERS_MAX = 64;

/** Each server has two ports, and workers follow the main one: 3478 and 3479, 3480 and 3481, … where they are free. */
export const PORTS_EACH = 2;

const PORTS = 65_536;
const LIVE_BYTES = 2 * PORTS;
const THREADS = WORKERS_MAX + 1;
const COUNTS_BYTES = THREADS * Float64Array.BYTES_PER_ELEMENT;

/** Why something is refused: by an error code of RFC 8489 and RFC 8656, or without a word, where an address has had its share (`limit`). */
export const REFUSALS = [400, 401, 403, 420, 437, 440, 441, 442, 443, 486, 508, 'limit'] as const;
export type Refusal = (typeof REFUSALS)[number];
export type ErrorNumber = Exclude<Refusal, 'limit'>;

export interface TurnTotals {
  /** That live now. */
  readonly allocations: number;
  /** Since the start, both directions. */
  readonly relayedBytes: number;
  /** Since the start; without those of which there were none. */
  readonly refused: readonly (readonly [why: Refusal, times: number])[];
}

export class Commons {
  /** To be given to the other threads. */
  readonly memory: SharedArrayBuffer;
  readonly #live: Uint8Array;
  /** One place per thread, in which nobody else writes. */
  readonly #allocations: Float64Array;
  readonly #relayed: Float64Array;
  readonly #inputs: Float64Array;
  readonly #refused: Float64Array;
  readonly #thread: number;

  /** @param thread 0 for the main one. */
  constructor(memory = new SharedArrayBuffer(LIVE_BYTES + (3 + REFUSALS.length) * COUNTS_BYTES), thread = 0) {
    this.memory = memory;
    this.#live = new Uint8Array(memory, 0, LIVE_BYTES);
    this.#allocations = new Float64Array(memory, LIVE_BYTES, THREADS);
    this.#relayed = new Float64Array(memory, LIVE_BYTES + COUNTS_BYTES, THREADS);
    this.#inputs = new Float64Array(memory, LIVE_BYTES + 2 * COUNTS_BYTES, THREADS);
    this.#refused = new Float64Array(memory, LIVE_BYTES + 3 * COUNTS_BYTES, THREADS * REFUSALS.length);
    this.#thread = thread;
  }

  get totals(): TurnTotals {
    const add = (total: number, one: number): number => total + one;
    const refused = REFUSALS.map((why, index) => [why, this.#refused.subarray(index * THREADS, (index + 1) * THREADS).reduce(add)] as const);
    return { allocations: this.#allocations.reduce(add), relayedBytes: this.#relayed.reduce(add), refused: refused.filter(([, times]) => times > 0) };
  }

  /** Whether an allocation of any thread is reached at this port. */
  isLive(family: Family, port: number): boolean {
    return Atomics.load(this.#live, placeOf(family, port)) === 1;
  }

  setLive(family: Family, port: number, isLive: boolean): void {
    Atomics.store(this.#live, placeOf(family, port), isLive ? 1 : 0);
    this.#allocations[this.#thread]! += isLive ? 1 : -1;
  }

  /** Inputs that a thread has begun with since the start. */
  inputsOf(thread: number): number {
    return this.#inputs[thread]!;
  }

  addInput(): void {
    this.#inputs[this.#thread]! += 1;
  }

  addRelayed(bytes: number): void {
    this.#relayed[this.#thread]! += bytes;
  }

  addRefused(why: Refusal): void {
    this.#refused[REFUSALS.indexOf(why) * THREADS + this.#thread]! += 1;
  }
}

function placeOf(family: Family, port: number): number {
  return (family === 4 ? 0 : PORTS) + port;
}
