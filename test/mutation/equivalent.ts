// Mutants that no test can notice, because the program does the same with them, and why. A reason is a sentence that a reader can
// check. An entry that no longer fits any mutant does nothing.

import type { Mutant } from './mutants.js';

/** The change, why nobody can tell, and part of the line where it is if that says more than what is changed. */
type Equivalent = readonly [before: string, after: string, why: string, on?: string];

const NEVER_NULL = 'the other operand is null or false wherever this one is';
const READS_PAST = 'one turn more reads undefined, which counts as 0, and what it makes is cut off or written past the end';
const NOTHING_TO_SEND = 'an epoch without a message has nothing to send yet, and what has nothing to send is never cramped';
const SAME_LIST = 'a list to which nothing is added, and from which nothing is dropped, is written as it was';
const NOT_OURSELVES = 'nobody is a contact of themselves';
const GIVEN_OUT = 'the number up to which texts were given out is never lacking: a text of it was left before';
const NO_CALL = 'no call has no id';
const NO_WEEKS = 'without an address there are no cards of it';
const NOT_WAITING = 'what does not wait is not among what waits';
const NO_OTHER_CODE = 'nothing else has such a code';
const ALL_MAY_STAY = 'if the oldest may stay all may, so the filter keeps them all';
const EXPIRED_ANSWER = 'what has expired is given to nobody, and is the first to go where there are too many';
const NOTHING_LEFT = 'where nothing is left to write, nothing is written';

const EQUIVALENT: Record<string, readonly Equivalent[]> = {
  'client/core/address.ts': [
    ['record === undefined', 'false', 'only what is known as a card of the address is told here'],
    ['memory.address === null', 'false', NO_WEEKS, 'memory.address === null || !'],
  ],
  'client/core/contacts.ts': [
    ['<', '<=', NOT_OURSELVES, 'memory.id < record.id'],
  ],
  'client/core/conversation.ts': [
    ['>', '>=', GIVEN_OUT, 'contact.differs && text.number'],
    ['<=', '<', GIVEN_OUT, 'if (text.number <= contact.record.readyNumber)'],
    ['<=', '<', GIVEN_OUT, 'lack <= readyNumber'],
    ['>=', '>', 'what is here of the first number itself is given out right after, with nothing to compare either way', 'number >= first'],
    ['!NEXT[text.state].includes(state)', 'false', 'each text is kept where only states that may follow are asked for', 'NEXT[text.state]'],
  ],
  'client/core/core.ts': [
    ['<', '<=', 'a clock that is set back by nothing stays where it is', 'setClockBack'],
    ['next !== null', 'true', 'three timers of every core run always'],
    ['error instanceof SottoError', 'true', NO_OTHER_CODE, "error.code === 'session-exhausted'"],
  ],
  'client/core/direct.ts': [
    ['contact.openCall === null', 'false', NO_CALL, 'memory.calls.get(contact.openCall)'],
    ['<', '<=', NOT_OURSELVES, 'memory.id < contact.record.id'],
  ],
  'client/core/inbox.ts': [
    ['error instanceof SottoError', 'true', NO_OTHER_CODE, "error.code === 'undecryptable'"],
    ['contact !== null', 'true', 'the first message of a session is no duplicate', "error.code === 'duplicate'"],
  ],
  'client/core/memory.ts': [
    ['contact.openCall === null', 'false', NO_CALL, 'this.calls.get(contact.openCall)'],
    ['Math.max(this.order, record.order)', 'record.order', 'they are loaded in ascending order', 'this.order = Math.max'],
  ],
  'client/core/outbox.ts': [
    ['outgoing.via === null', 'true', NOT_WAITING, 'contact.waiting.filter'],
    ['outgoing.record.acceptedAt === null', 'true', NOT_WAITING, 'contact.waiting.filter'],
    ['outgoing.record.number === null', 'false', 'there is no text without a number', 'contact.undelivered.get(outgoing.record.number)'],
  ],
  'client/core/requests.ts': [
    ['error instanceof SottoError', 'true', NO_OTHER_CODE, "error.code === 'undecryptable'"],
    ["error.code === 'undecryptable'", 'true', 'respond() throws nothing else'],
    ['<', '<=', NOT_OURSELVES, 'memory.id < known.record.id'],
  ],
  'client/core/timers.ts': [
    ['<', '<=', 'a timer that is moved to its own time stays where it is', 'at < (this.#due.get(name) ?? at)'],
    ['<', '<=', 'of two that are due at the same time either is the earliest', 'at < earliest'],
  ],
  'crypto/archive.ts': [
    ['1024 ** 3', '1024 ** 3 + 1', 'a header says memory in whole kibibytes', 'const MEMORY_MAX_BYTES'],
  ],
  'crypto/bundle.ts': [
    ['reader.end()', 'undefined', 'the signature is over all but the last 64 bytes, so bytes behind it are part of what it would have to sign'],
  ],
  'crypto/bytes.ts': [
    ['<', '<=', READS_PAST, 'difference |= '],
    ['<', '<=', READS_PAST, 'i += 3'],
    ['<', '<=', READS_PAST, 'i < encoded.length'],
  ],
  'crypto/devices.ts': [
    ['at >= 0', 'true', 'what stands before the first byte is undefined, and below nothing', 'a[at]! < b[at]!'],
    ['<', '<=', 'it is the first place where the two differ', 'a[at]! < b[at]!'],
  ],
  'crypto/hash.ts': [
    ['parts.length > 0', 'false', 'what is not wiped cannot be seen from outside'],
    ['parts.length === 0', 'false', 'the kept label is written anew, byte for byte the same'],
  ],
  'crypto/invitation.ts': [
    ['relay === undefined', 'false', 'a text that is split has at least one part'],
    ['fragment === undefined', 'false', 'what is not there cannot be read as base64url, and that is refused alike'],
    ['packed === null', 'false', 'nothing cannot be read as a bundle, and that is refused alike'],
  ],
  'crypto/padding.ts': [
    ['end >= 0', 'true', 'what stands before the first byte is undefined, and ends the loop as well', 'padded[end] === 0'],
    ['>=', '>', 'a zero in the first place is no 0x80 either', 'padded[end] === 0'],
  ],
  'crypto/ratchet/braid.ts': [
    ['messages > 0', 'true', NOTHING_TO_SEND, 'now - since'],
    ['>', '>=', NOTHING_TO_SEND, 'now - since'],
  ],
  'crypto/ratchet/parts.ts': [
    ['<', '<=', READS_PAST, 'flags |= '],
  ],
  'crypto/ratchet/piece.ts': [
    ['<', '<=', NOTHING_LEFT, 'upToEnd.length < bytes.length'],
  ],
  'crypto/ratchet/plaintext.ts': [
    ['<', '<=', READS_PAST, 'behind |= '],
  ],
  'crypto/ratchet/skipped.ts': [
    ['passed.length === 0', 'false', 'a copy says the same as what it is a copy of'],
    ['holds(oldest)', 'false', ALL_MAY_STAY],
    ['oldest === undefined || holds(oldest)', 'false', ALL_MAY_STAY, 'holds(oldest)'],
  ],
  'crypto/ratchet/state.ts': [
    ['braid && braid.step === this.#braid?.step', 'false', 'a braid that is written as a whole has the same bytes', 'braid.step === this.#braid?.step'],
    ['>', '>=', NOTHING_LEFT, 'at > this.#restAt'],
  ],
  'crypto/session.ts': [
    ['refuse()', 'new Uint8Array(32)', 'begin() has given the chain its keys', 'begun ?? refuse()'],
    ['refuse()', 'new Uint8Array(32)', 'only a message, whose key gave a result before, leaves a chain that is to begin', 'receiving && x25519'],
    ['receiving', 'true', NEVER_NULL, 'receiving && x25519'],
    ['walk.passed.length > 0', 'true', SAME_LIST],
    ['>', '>=', SAME_LIST, 'walk.passed.length > 0'],
    ['oldestSkipped && isStale(oldestSkipped, now)', 'true', SAME_LIST, 'isStale(oldestSkipped, now)'],
    ['isStale(oldestSkipped, now)', 'true', SAME_LIST],
    ['receiving', 'true', NEVER_NULL, 'receiving && current'],
    ['receiving', 'true', NEVER_NULL, 'receiving && rest'],
    ['rest', 'true', NEVER_NULL, 'receiving && rest'],
  ],
  'crypto/sodium-arena.ts': [
    ['functions === null', 'false', 'without functions there is no address either'],
    ['<', '<=', 'no memory is given out so near to the stack', 'functions === null'],
    ['<', '<=', 'no call goes down exactly so far', 'traces.first < STACK_TOP'],
  ],
  'crypto/sodium.ts': [
    ['arena === undefined', 'true', 'another arena does the same', 'arena = openArena()'],
    ["wanted === 'arena'", 'true', 'an arena that is not wanted is not used', 'arena = openArena()'],
    ['sealed.length < TAG_BYTES', 'false', 'libsodium refuses what is shorter than a tag, too'],
  ],
  'relay/core/relay.ts': [
    ["this.#admission.kind === 'work'", 'true', 'who asks for no work has no bits, and that is written like none'],
    ['!(error instanceof SottoError)', 'false', 'nothing else is thrown there but by a fault of ours'],
    ["answer.kind === 'opened'", 'true', 'no other answer says that a mailbox was created', 'answer.created'],
    ["answer.kind === 'refused'", 'true', NO_OTHER_CODE, "answer.code === 'mailbox-unknown'"],
    ["answer.kind === 'refused'", 'true', 'what is asked to open a mailbox opens it or refuses', "answer.kind !== 'opened'"],
    ["operation.kind !== 'put'", 'false', 'only a mailbox that is full says when it will have room'],
  ],
  'relay/core/source.ts': [
    ['Math.min(this.#holds, this.#level + pieces)', 'this.#level + pieces', 'a bucket is filled, which bounds it, before anybody looks into it'],
  ],
  'relay/turn/access.ts': [
    ['name === allocation?.username', 'false', 'a name has the same key every time'],
    ['until > now', 'true', EXPIRED_ANSWER],
    ['>', '>=', EXPIRED_ANSWER, 'until > now && this.#answers.size'],
  ],
  'relay/turn/address.ts': [
    ["address.includes(':')", 'true', 'the bytes of an IPv4 address are no more and no fewer than its text'],
    ["part.includes('.')", 'true', 'what has no point is no IPv4 address'],
  ],
  'relay/turn/attribute.ts': [
    ['ip === null', 'false', 'the first thing that is done with nothing throws the same'],
  ],
  'relay/turn/binding.ts': [
    ['other !== null', 'true', 'whoever asks for another port where there is none was refused before', 'const from'],
    ['other === null', 'false', 'there is no listener of that name', 'const alternative'],
  ],
  'relay/turn/frame.ts': [
    ['bytes.length >= CHANNEL_HEADER_BYTES', 'true', 'what is shorter has no data, and a stream waits for more of it', 'CHANNEL_FIRST >> 14'],
    ['this.#rest.length === 0', 'false', 'a copy says the same as what it is a copy of'],
    ['<', '<=', 'what begins with 0x40 is ChannelData', 'bytes[0]! < 0x40'],
  ],
  'relay/turn/meter.ts': [
    ['>', '>=', 'nothing is nothing either way', 'spentMs > 0'],
    ['<', '<=', 'a turn more at the end of every address only makes it another hash', 'index < subscriber.length'],
  ],
  'relay/turn/turn.ts': [
    ['allocation !== undefined', 'true', 'what has a channel is an allocation', 'channel !== undefined'],
    ['wish.token === null', 'false', 'nothing is reserved under no token', 'const reserved'],
    ['reserved === null', 'true', 'a port that is given to whom it was kept for has just made room for itself', 'wish.pair ? 2 : 1'],
    ['request === undefined', 'false', 'each socket that was asked for is told of once', 'request === undefined || allocation === undefined'],
    ['number === null', 'false', 'nothing is less than the first channel'],
    ['peer === null', 'false', 'a peer that is none was refused before', 'refused !== null || peer === null'],
    ['allocation.relayed === null', 'false', 'nobody is let in before an allocation has its address', 'permission === undefined'],
  ],
};

/** Whether a mutant is known to change nothing that can be seen. */
export function isEquivalent({ file, context, before, after }: Mutant): boolean {
  return EQUIVALENT[file]?.some(([from, to, , on = from]) => from === before && to === after && context.includes(on)) ?? false;
}
