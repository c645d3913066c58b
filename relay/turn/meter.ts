// How fast somebody may go (the generic cell rate algorithm: one number per somebody, the time up to which their allowance
// is spent). Pure: time is an argument. It forgets nobody early and grows by nobody.

import { createHmac } from 'node:crypto';
import { subscriberOf } from './address.js';

/** One allowance. */
export class Meter {
  readonly #perMs: number;
  readonly #burstMs: number;
  #spentUntil = 0;

  /** @param burstMs how much of the rate may come at once, as the time in which it grows back. */
  constructor(perSecond: number, burstMs: number) {
    this.#perMs = perSecond / 1_000;
    this.#burstMs = burstMs;
  }

  /** Whether there is allowance left at `now` (ms); takes `amount` of it if so. */
  take(amount: number, now: number): boolean {
    const spentMs = spentAt(this.#spentUntil, now, this.#burstMs);
    if (spentMs >= this.#burstMs) return false;
    this.#spentUntil = now + spentMs + amount / this.#perMs;
    return true;
  }
}

/** How much is spent at `now`. So much that it cannot have been spent means that the clock was set back: then nothing is. */
function spentAt(spentUntil: number, now: number, burstMs: number): number {
  const spentMs = spentUntil - now;
  return spentMs > 0 && spentMs < 2 * burstMs ? spentMs : 0;
}

/** A power of two: half a MiB in all, however many sources there are. */
const SOURCES = 65_536;

/**
 * One allowance of messages per source address. Sources share a place in the table by a keyed hash, so that nobody can choose
 * whose allowance they use up, and a flood from a million addresses takes no memory.
 */
export class SourceMeter {
  readonly #spentUntil = new Float64Array(SOURCES);
  readonly #seed: number;
  readonly #perMs: number;
  readonly #burstMs: number;

  /** @param key random. */
  constructor(key: Uint8Array, perSecond: number, burstMs: number) {
    this.#seed = createHmac('sha256', key).update('source').digest().readUInt32BE();
    this.#perMs = perSecond / 1_000;
    this.#burstMs = burstMs;
  }

  take(address: string, now: number): boolean {
    const place = this.#placeOf(address);
    const spentMs = spentAt(this.#spentUntil[place]!, now, this.#burstMs);
    if (spentMs >= this.#burstMs) return false;
    this.#spentUntil[place] = now + spentMs + 1 / this.#perMs;
    return true;
  }

  /** FNV-1a from a secret start: cheaper than what a packet costs to receive. */
  #placeOf(address: string): number {
    const subscriber = subscriberOf(address);
    let hash = this.#seed;
    for (let index = 0; index < subscriber.length; index += 1) hash = Math.imul(hash ^ subscriber.charCodeAt(index), 0x01000193);
    return (hash ^ (hash >>> 16)) & (SOURCES - 1);
  }
}
