// Mutants that no test can notice, because the program does the same with them, and why. A reason is a sentence that a reader can
// check. An entry that no longer fits any mutant does nothing.

import type { Mutant } from './mutants.js';

interface Equivalent {
  readonly file: string;
  /** Part of the line where it is. */
  readonly on: string;
  readonly before: string;
  readonly after: string;
  /** Why nobody can tell. */
  readonly why: string;
}

const NEVER_NULL = 'the other operand is null or false wherever this one is';
const READS_PAST = 'one turn more reads undefined, which counts as 0, and what it makes is cut off or written past the end';
const NOTHING_TO_SEND = 'an epoch without a message has nothing to send yet, and what has nothing to send is never cramped';
const SAME_LIST = 'a list to which nothing is added, and from which nothing is dropped, is written as it was';

const EQUIVALENT: readonly Equivalent[] = [
  { file: 'crypto/bundle.ts', on: 'reader.end()', before: 'reader.end()', after: 'undefined', why: 'the signature is over all but the last 64 bytes, so bytes behind it are part of what it would have to sign' },
  { file: 'crypto/bytes.ts', on: 'difference |= ', before: '<', after: '<=', why: READS_PAST },
  { file: 'crypto/bytes.ts', on: 'i += 3', before: '<', after: '<=', why: READS_PAST },
  { file: 'crypto/bytes.ts', on: 'i < encoded.length', before: '<', after: '<=', why: READS_PAST },
  { file: 'crypto/hash.ts', on: 'parts.length > 0', before: 'parts.length > 0', after: 'false', why: 'what is not wiped cannot be seen from outside' },
  { file: 'crypto/hash.ts', on: 'parts.length === 0', before: 'parts.length === 0', after: 'false', why: 'the kept label is written anew, byte for byte the same' },
  { file: 'crypto/invitation.ts', on: 'relay === undefined', before: 'relay === undefined', after: 'false', why: 'a text that is split has at least one part' },
  { file: 'crypto/invitation.ts', on: 'fragment === undefined', before: 'fragment === undefined', after: 'false', why: 'what is not there cannot be read as base64url, and that is refused alike' },
  { file: 'crypto/invitation.ts', on: 'packed === null', before: 'packed === null', after: 'false', why: 'nothing cannot be read as a bundle, and that is refused alike' },
  { file: 'crypto/padding.ts', on: 'padded[end] === 0', before: 'end >= 0', after: 'true', why: 'what stands before the first byte is undefined, and ends the loop as well' },
  { file: 'crypto/padding.ts', on: 'padded[end] === 0', before: '>=', after: '>', why: 'a zero in the first place is no 0x80 either' },
  { file: 'crypto/ratchet/braid.ts', on: 'now - since', before: 'messages > 0', after: 'true', why: NOTHING_TO_SEND },
  { file: 'crypto/ratchet/braid.ts', on: 'now - since', before: '>', after: '>=', why: NOTHING_TO_SEND },
  { file: 'crypto/ratchet/parts.ts', on: 'flags |= ', before: '<', after: '<=', why: READS_PAST },
  { file: 'crypto/ratchet/piece.ts', on: 'upToEnd.length < bytes.length', before: '<', after: '<=', why: 'where nothing is left to write, nothing is written' },
  { file: 'crypto/ratchet/skipped.ts', on: 'passed.length === 0', before: 'passed.length === 0', after: 'false', why: 'a copy says the same as what it is a copy of' },
  { file: 'crypto/ratchet/plaintext.ts', on: 'behind |= ', before: '<', after: '<=', why: READS_PAST },
  { file: 'crypto/ratchet/skipped.ts', on: 'holds(oldest)', before: 'holds(oldest)', after: 'false', why: 'if the oldest may stay all may, so the filter keeps them all' },
  { file: 'crypto/ratchet/skipped.ts', on: 'holds(oldest)', before: 'oldest === undefined || holds(oldest)', after: 'false', why: 'if the oldest may stay all may, so the filter keeps them all' },
  { file: 'crypto/ratchet/state.ts', on: 'braid.step === this.#braid?.step', before: 'braid && braid.step === this.#braid?.step', after: 'false', why: 'a braid that is written as a whole has the same bytes' },
  { file: 'crypto/ratchet/state.ts', on: 'at > this.#restAt', before: '>', after: '>=', why: 'where nothing is left to write, nothing is written' },
  { file: 'crypto/session.ts', on: 'begun ?? refuse()', before: 'refuse()', after: 'new Uint8Array(32)', why: 'begin() has given the chain its keys' },
  { file: 'crypto/session.ts', on: 'receiving && x25519', before: 'refuse()', after: 'new Uint8Array(32)', why: 'only a message, whose key gave a result before, leaves a chain that is to begin' },
  { file: 'crypto/session.ts', on: 'receiving && x25519', before: 'receiving', after: 'true', why: NEVER_NULL },
  { file: 'crypto/session.ts', on: 'walk.passed.length > 0', before: 'walk.passed.length > 0', after: 'true', why: SAME_LIST },
  { file: 'crypto/session.ts', on: 'walk.passed.length > 0', before: '>', after: '>=', why: SAME_LIST },
  { file: 'crypto/session.ts', on: 'isStale(oldestSkipped, now)', before: 'oldestSkipped && isStale(oldestSkipped, now)', after: 'true', why: SAME_LIST },
  { file: 'crypto/session.ts', on: 'isStale(oldestSkipped, now)', before: 'isStale(oldestSkipped, now)', after: 'true', why: SAME_LIST },
  { file: 'crypto/session.ts', on: 'receiving && current', before: 'receiving', after: 'true', why: NEVER_NULL },
  { file: 'crypto/session.ts', on: 'receiving && rest', before: 'receiving', after: 'true', why: NEVER_NULL },
  { file: 'crypto/session.ts', on: 'receiving && rest', before: 'rest', after: 'true', why: NEVER_NULL },
];

/** Whether a mutant is known to change nothing that can be seen. */
export function isEquivalent({ file, context, before, after }: Mutant): boolean {
  return EQUIVALENT.some((known) => known.file === file && context.includes(known.on) && known.before === before && known.after === after);
}
