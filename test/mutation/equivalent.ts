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

const NOT_OURSELVES = 'nobody is a contact of themselves';
const GIVEN_OUT = 'the number up to which texts were given out is never lacking: a text of it was left before';
const NO_CALL = 'no call has no id';
const NO_WEEKS = 'without an address there are no cards of it';

const EQUIVALENT: readonly Equivalent[] = [
  { file: 'client/core/address.ts', on: 'record === undefined', before: 'record === undefined', after: 'false', why: 'only what is known as a card of the address is told here' },
  { file: 'client/core/address.ts', on: 'memory.address === null || !', before: 'memory.address === null', after: 'false', why: NO_WEEKS },
  { file: 'client/core/contacts.ts', on: 'memory.id < record.id', before: '<', after: '<=', why: NOT_OURSELVES },
  { file: 'client/core/conversation.ts', on: 'contact.differs && text.number', before: '>', after: '>=', why: GIVEN_OUT },
  { file: 'client/core/conversation.ts', on: 'if (text.number <= contact.record.readyNumber)', before: '<=', after: '<', why: GIVEN_OUT },
  { file: 'client/core/conversation.ts', on: 'lack <= readyNumber', before: '<=', after: '<', why: GIVEN_OUT },
  { file: 'client/core/conversation.ts', on: 'number >= first', before: '>=', after: '>', why: 'what is here of the first number itself is given out right after, with nothing to compare either way' },
  { file: 'client/core/conversation.ts', on: 'NEXT[text.state]', before: '!NEXT[text.state].includes(state)', after: 'false', why: 'each text is kept where only states that may follow are asked for' },
  { file: 'client/core/core.ts', on: 'setClockBack', before: '<', after: '<=', why: 'a clock that is set back by nothing stays where it is' },
  { file: 'client/core/core.ts', on: 'next !== null', before: 'next !== null', after: 'true', why: 'three timers of every core run always' },
  { file: 'client/core/inbox.ts', on: "error.code === 'undecryptable'", before: 'error instanceof SottoError', after: 'true', why: 'nothing else has such a code' },
  { file: 'client/core/core.ts', on: "error.code === 'session-exhausted'", before: 'error instanceof SottoError', after: 'true', why: 'nothing else has such a code' },
  { file: 'client/core/inbox.ts', on: "error.code === 'duplicate'", before: 'contact !== null', after: 'true', why: 'the first message of a session is no duplicate' },
  { file: 'client/core/direct.ts', on: 'memory.calls.get(contact.openCall)', before: 'contact.openCall === null', after: 'false', why: NO_CALL },
  { file: 'client/core/direct.ts', on: 'memory.id < contact.record.id', before: '<', after: '<=', why: NOT_OURSELVES },
  { file: 'client/core/memory.ts', on: 'this.calls.get(contact.openCall)', before: 'contact.openCall === null', after: 'false', why: NO_CALL },
  { file: 'client/core/memory.ts', on: 'this.order = Math.max', before: 'Math.max(this.order, record.order)', after: 'record.order', why: 'they are loaded in ascending order' },
  { file: 'client/core/outbox.ts', on: 'contact.waiting.filter', before: 'outgoing.via === null', after: 'true', why: 'what does not wait is not among what waits' },
  { file: 'client/core/outbox.ts', on: 'contact.waiting.filter', before: 'outgoing.record.acceptedAt === null', after: 'true', why: 'what does not wait is not among what waits' },
  { file: 'client/core/outbox.ts', on: 'contact.undelivered.get(outgoing.record.number)', before: 'outgoing.record.number === null', after: 'false', why: 'there is no text without a number' },
  { file: 'client/core/requests.ts', on: "error.code === 'undecryptable'", before: 'error instanceof SottoError', after: 'true', why: 'nothing else has such a code' },
  { file: 'client/core/requests.ts', on: "error.code === 'undecryptable'", before: "error.code === 'undecryptable'", after: 'true', why: 'respond() throws nothing else' },
  { file: 'client/core/requests.ts', on: 'memory.id < known.record.id', before: '<', after: '<=', why: NOT_OURSELVES },
  { file: 'client/core/timers.ts', on: 'at < (this.#due.get(name) ?? at)', before: '<', after: '<=', why: 'a timer that is moved to its own time stays where it is' },
  { file: 'client/core/timers.ts', on: 'at < earliest', before: '<', after: '<=', why: 'of two that are due at the same time either is the earliest' },
  { file: 'crypto/bundle.ts', on: 'reader.end()', before: 'reader.end()', after: 'undefined', why: 'the signature is over all but the last 64 bytes, so bytes behind it are part of what it would have to sign' },
  { file: 'crypto/bytes.ts', on: 'difference |= ', before: '<', after: '<=', why: READS_PAST },
  { file: 'crypto/bytes.ts', on: 'i += 3', before: '<', after: '<=', why: READS_PAST },
  { file: 'crypto/bytes.ts', on: 'i < encoded.length', before: '<', after: '<=', why: READS_PAST },
  { file: 'crypto/archive.ts', on: 'const MEMORY_MAX_BYTES', before: '1024 ** 3', after: '1024 ** 3 + 1', why: 'a header says memory in whole kibibytes' },
  { file: 'crypto/devices.ts', on: 'a[at]! < b[at]!', before: 'at >= 0', after: 'true', why: 'what stands before the first byte is undefined, and below nothing' },
  { file: 'crypto/devices.ts', on: 'a[at]! < b[at]!', before: '<', after: '<=', why: 'it is the first place where the two differ' },
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
  { file: 'crypto/sodium-arena.ts', on: 'functions === null', before: 'functions === null', after: 'false', why: 'without functions there is no address either' },
  { file: 'crypto/sodium-arena.ts', on: 'functions === null', before: '<', after: '<=', why: 'no memory is given out so near to the stack' },
  { file: 'crypto/sodium-arena.ts', on: 'traces.first < STACK_TOP', before: '<', after: '<=', why: 'no call goes down exactly so far' },
  { file: 'crypto/sodium.ts', on: 'arena = openArena()', before: 'arena === undefined', after: 'true', why: 'another arena does the same' },
  { file: 'crypto/sodium.ts', on: 'arena = openArena()', before: "wanted === 'arena'", after: 'true', why: 'an arena that is not wanted is not used' },
  { file: 'crypto/sodium.ts', on: 'sealed.length < TAG_BYTES', before: 'sealed.length < TAG_BYTES', after: 'false', why: 'libsodium refuses what is shorter than a tag, too' },
];

/** Whether a mutant is known to change nothing that can be seen. */
export function isEquivalent({ file, context, before, after }: Mutant): boolean {
  return EQUIVALENT.some((known) => known.file === file && context.includes(known.on) && known.before === before && known.after === after);
}
