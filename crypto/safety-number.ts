// The number that two people compare aloud to know that nobody stands between them (PROTOCOL.md §2.1). Both see the same one.

import { concat } from './bytes.js';
import { identityId, type PublicIdentity } from './identity.js';
import { blake2b } from './sodium.js';

/** Version of the number's making, so that a later one never looks like a changed identity. */
const VERSION = Uint8Array.of(0, 1);

/** Makes each guess at an identity with a similar number this many times dearer (as in Signal's numeric fingerprint). */
const ITERATIONS = 5200;

/** Five digits are made from this many bytes; the bias of the remainder is below 2^-23. */
const GROUP_BYTES = 5;
const GROUPS = 6;

/** 60 digits, the same for (a, b) and (b, a): the two halves stand in ascending order. */
export function safetyNumber(mine: PublicIdentity, theirs: PublicIdentity): string {
  return [half(mine), half(theirs)].toSorted().join('');
}

function half(identity: PublicIdentity): string {
  let state = concat(VERSION, identityId(identity), identity.ed);
  for (let i = 0; i < ITERATIONS; i++) state = blake2b(64, concat(state, identity.ed), null);
  let digits = '';
  for (let group = 0; group < GROUPS; group++) {
    const bytes = state.subarray(group * GROUP_BYTES, (group + 1) * GROUP_BYTES);
    const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    digits += (value % 100_000).toString().padStart(5, '0');
  }
  return digits;
}
