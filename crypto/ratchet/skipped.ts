// Keys of messages that have not come yet, although later ones have. Each opens one message; what does not come within the
// limits is given up (PROTOCOL.md §5.6). A list is never changed, and stays the same object while it says the same.

import type { NumberedKey } from './chain.js';

/** A key that waits for its message. */
export interface SkippedKey extends NumberedKey {
  /** Ordinal of the receiving chain. */
  readonly chain: number;
  /** ms since 1970. */
  readonly storedAt: number;
}

/** In the order in which they were passed over. */
export type Skipped = readonly SkippedKey[];

/** Most keys kept of what one message has passed over: a mailbox holds no more envelopes than this. */
export const SKIPPED_MAX_PER_MESSAGE = 1_000;

/** Most keys kept in a session, oldest out: 92 kB of state. */
export const SKIPPED_MAX = 2_000;

/** As long as a relay may keep an envelope; a key kept longer is only a risk. */
const SKIPPED_MAX_AGE_MS = 30 * 24 * 3600 * 1000;

/** The list with keys added behind, within the limit. */
export function addSkipped(skipped: Skipped, chain: number, passed: readonly NumberedKey[], now: number): Skipped {
  if (passed.length === 0) return skipped;
  return [...skipped, ...passed.map(({ n, key }) => ({ chain, n, key, storedAt: now }))].slice(-SKIPPED_MAX);
}

/** Whether a key has waited too long. */
export function isStale(key: SkippedKey, now: number): boolean {
  return now - key.storedAt > SKIPPED_MAX_AGE_MS;
}

/** The list without keys that are too old or belong to a chain before `oldestChain`. */
export function dropSkipped(skipped: Skipped, oldestChain: number, now: number): Skipped {
  const [oldest] = skipped;
  const holds = (key: SkippedKey) => key.chain >= oldestChain && !isStale(key, now);
  // Keys stand in the order in which they came: if the first may stay, all may.
  return oldest === undefined || holds(oldest) ? skipped : skipped.filter(holds);
}
