// The texts of one conversation: numbers, order, gaps, receipts, and the states of our own texts.
// A state is claimed only on proof: `accepted` on the relay's answer, `delivered` and `read` on the contact's receipt.

import { SottoError } from '../../crypto/error.js';
import { equal, fromHex, toHex, utf8 } from '../../crypto/bytes.js';
import { hash } from '../../crypto/hash.js';
import { CHAIN_BYTES, ID_BYTES, LACKING_MAX, TEXT_MAX_BYTES } from './body.js';
import { forgetOldUnread } from './memory.js';
import type { Contact, Memory } from './memory.js';
import type { Receipt, Settled, Text } from './message_pb.js';
import { enqueue, EXPIRED, flush, holdOf, remove } from './outbox.js';
import { GIVEN_UP, RECENT_MAX } from './records.js';
import type { MessageRecord, MessageState, PathName } from './records.js';
import type { RequestId } from './input.js';

/** Shortest time between two receipts: a stream of texts is answered in batches. */
const RECEIPT_INTERVAL_MS = 50;
/** How long a gap may be a mere race of two paths, before the missing texts are asked for; then ever more patiently. */
const GAP_FIRST_MS = 2_000;
const GAP_MAX_MS = 600_000;
/** Somebody who has not answered this many messages is away: asking more would only fill their mailbox. */
const ASK_UNANSWERED_MAX = 20;
/** Shortest time between two receipts for envelopes that came again: a relay that repeats them must not make us speak without end. */
const REPEATED_INTERVAL_MS = 60_000;
/** Shortest time between two answers to a contact that asks for what it lacks: an honest one waits longer before it asks (GAP_FIRST_MS). */
const AGAIN_INTERVAL_MS = 1_500;
/** How long texts wait behind a gap before they are shown without what is missing. */
const HOLD_MS = 20_000;
/** Texts on their way to one contact: half of what the ratchet seals without an answer, so that a flood never exhausts the session. */
const UNDELIVERED_MAX = 5_000;

/** What may follow what. A missing entry means that the news is old. */
const NEXT: Record<MessageState, readonly MessageState[]> = {
  queued: ['accepted', 'delivered', 'read', 'failed'],
  accepted: ['delivered', 'read', 'failed'],
  delivered: ['read'],
  read: [],
  failed: ['delivered', 'read'],
  received: [],
};

/** The person sends a text. Throws `message-empty`, `outbox-full` or what `enqueue` throws; then nothing has changed. */
export function sendText(memory: Memory, contact: Contact, request: RequestId, text: string): void {
  if (text === '') throw new SottoError('message-empty');
  if (utf8(text).length > TEXT_MAX_BYTES) throw new SottoError('message-too-large');
  if (contact.undelivered.size >= UNDELIVERED_MAX) throw new SottoError('outbox-full');
  const id = memory.random(ID_BYTES);
  const number = contact.record.sentNumber + 1;
  const chain = nextChain(contact.record.sentChain, id, text);
  enqueue(memory, contact, { case: 'text', value: { id, number, chain, text } }, number);
  memory.update(contact, { sentNumber: number, sentChain: chain });
  const record: MessageRecord = {
    id: toHex(id), contact: contact.record.id, direction: 'out', number, text, state: 'queued', path: null, reason: holdOf(contact)?.code ?? null,
    sentAt: memory.now, receivedAt: null, acceptedAt: null, deliveredAt: null, readAt: null, position: memory.nextPosition(),
  };
  contact.undelivered.set(number, record);
  memory.saveText(record, 'state');
  memory.emit({ type: 'answer', request, result: { type: 'sent', message: record } });
}

/** The chain value of a text after another one (PROTOCOL.md §6). */
export function nextChain(chain: Uint8Array, id: Uint8Array, text: string): Uint8Array {
  return hash('chain', chain, id, hash('text', utf8(text))).slice(0, CHAIN_BYTES);
}

/** The fields of a Text. */
type Said = Pick<Text, 'id' | 'number' | 'chain' | 'text'>;

/** A Text of the contact has come, by whichever path. */
export function onText(memory: Memory, contact: Contact, text: Said, sentAt: number, path: PathName): void {
  owe(memory, contact);
  const { receivedNumber, lacking } = contact.record;
  if (text.number <= receivedNumber && !lacking.includes(text.number)) return;
  noteLast(memory, contact, text.number - 1);
  if (text.number > contact.record.receivedNumber + 1) return; // a gap too wide to remember: it comes again once that is repaired
  if (text.number === contact.record.readyNumber + 1 && !isContinuing(contact, text)) differ(memory, contact);
  // The receipt that is owed tells the contact which text we have instead, and ends this session.
  if (contact.differs && text.number > contact.record.readyNumber) return;
  memory.update(contact, {
    receivedNumber: Math.max(receivedNumber, text.number),
    lacking: contact.record.lacking.filter((number) => number !== text.number),
  });
  const isKnown = isSentAgain(contact, text);
  remember(contact, text);
  if (isKnown) {
    release(memory, contact, text.chain);
    return watchGap(memory, contact);
  }
  const record: MessageRecord = {
    id: toHex(text.id), contact: contact.record.id, direction: 'in', number: text.number, text: text.text, state: 'received', path, reason: null,
    sentAt, receivedAt: memory.now, acceptedAt: null, deliveredAt: null, readAt: null, position: null,
  };
  if (text.number <= contact.record.readyNumber) {
    // Nobody has read it yet, whatever came after it was read.
    if (text.number <= contact.record.readNumber) memory.update(contact, { readNumber: text.number - 1 });
    show(memory, contact, record);
  } else if (text.number === contact.record.readyNumber + 1) {
    contact.held.set(text.number, record);
    release(memory, contact, text.chain);
  } else {
    contact.held.set(text.number, record);
    memory.saveText(record, null);
  }
  watchGap(memory, contact);
}

// What the contact says it has said must continue what we have; if not, one of us has an old copy of it. After a gap that was given up
// there is nothing to compare.
function isContinuing({ record: { readyChain } }: Contact, { id, text, chain }: Said): boolean {
  return readyChain.length === 0 || chain.length === 0 || equal(nextChain(readyChain, id, text), chain);
}

function differ(memory: Memory, contact: Contact): void {
  if (contact.differs) return;
  contact.differs = true;
  memory.emit({ type: 'notice', contact: contact.record.id, code: 'history-differs' });
}

// After a reset a text may come under a second number: what is sent again has no chain value, and is known by its id.
function isSentAgain({ recent }: Contact, { id, chain }: Said): boolean {
  return chain.length === 0 && [...recent.values()].includes(toHex(id));
}

function remember({ recent }: Contact, { id, number }: Said): void {
  recent.set(number, toHex(id));
  if (recent.size > RECENT_MAX) recent.delete(recent.keys().next().value!);
}

function show(memory: Memory, contact: Contact, record: MessageRecord): void {
  memory.update(contact, { unread: contact.record.unread + 1 });
  memory.saveText({ ...record, position: memory.nextPosition() }, 'message');
}

// Gives out, in order, every held text that has no gap before it; a number that is neither held nor waited for does not come.
// `claimed` is the chain value that came with the first text: taken where a gap has left us with none of our own.
function release(memory: Memory, contact: Contact, claimed: Uint8Array): void {
  let { readyNumber, readyChain } = contact.record;
  const { receivedNumber, lacking } = contact.record;
  const first = readyNumber + 1;
  while (readyNumber < receivedNumber && !lacking.includes(readyNumber + 1)) {
    readyNumber += 1;
    const record = contact.held.get(readyNumber);
    if (record === undefined) {
      readyChain = new Uint8Array();
      continue;
    }
    contact.held.delete(readyNumber);
    readyChain = readyChain.length > 0 ? nextChain(readyChain, fromHex(record.id), record.text) : readyNumber === first ? claimed : readyChain;
    show(memory, contact, record);
  }
  memory.update(contact, { readyNumber, readyChain });
}

/** No text of the contact's below this number will come: those that are here are shown, and nothing is waited for. */
export function settleBelow(memory: Memory, contact: Contact, first: number): void {
  contact.differs = false;
  for (const [number, record] of [...contact.held].toSorted(([a], [b]) => a - b)) {
    if (number >= first) break;
    contact.held.delete(number);
    show(memory, contact, record);
  }
  const { receivedNumber, lacking, readyNumber } = contact.record;
  memory.update(contact, { receivedNumber: Math.max(receivedNumber, first - 1), lacking: lacking.filter((number) => number >= first) });
  if (first - 1 > readyNumber) memory.update(contact, { readyNumber: first - 1, readyChain: new Uint8Array() });
  release(memory, contact, new Uint8Array());
  watchGap(memory, contact);
}

/** The contact cannot give these: they are waited for no longer. */
export function onSettled(memory: Memory, contact: Contact, { numbers }: Settled): void {
  const settled = new Set(numbers);
  memory.update(contact, { lacking: contact.record.lacking.filter((number) => !settled.has(number)) });
  release(memory, contact, new Uint8Array());
  watchGap(memory, contact);
}

/** The contact's texts exist up to `last`: those that we have not seen are lacking, as many as we can remember. */
export function noteLast(memory: Memory, contact: Contact, last: number): void {
  const { receivedNumber, lacking } = contact.record;
  const known = Math.min(last, receivedNumber + LACKING_MAX - lacking.length);
  if (known <= receivedNumber) return;
  const missing = Array.from({ length: known - receivedNumber }, (_, index) => receivedNumber + 1 + index);
  memory.update(contact, { receivedNumber: known, lacking: [...lacking, ...missing] });
  watchGap(memory, contact);
}

/** Keeps the two timers of a gap running while there is one. */
export function watchGap(memory: Memory, contact: Contact): void {
  const { id, lacking } = contact.record;
  if (contact.held.size > 0) memory.timers.start(`hold:${id}`, memory.now + HOLD_MS);
  else memory.timers.clear(`hold:${id}`);
  if (lacking.length > 0) {
    memory.timers.start(`gap:${id}`, memory.now + GAP_FIRST_MS);
  } else {
    memory.timers.clear(`gap:${id}`);
    contact.gapAsked = 0;
  }
}

/** Timer `gap:`: the missing texts were not just late; ask for them, ever more patiently. */
export function askAgain(memory: Memory, contact: Contact): void {
  if (contact.record.unanswered < ASK_UNANSWERED_MAX) sendReceipt(memory, contact, true);
  contact.gapAsked += 1;
  memory.timers.set(`gap:${contact.record.id}`, memory.now + Math.min(GAP_MAX_MS, GAP_FIRST_MS * 4 ** contact.gapAsked));
}

/** Timer `hold:`: show what waits behind a gap. What is missing is still asked for, and shown late if it comes. */
export function giveUpGap(memory: Memory, contact: Contact): void {
  memory.update(contact, { readyNumber: Math.min(...contact.held.keys()) - 1, readyChain: new Uint8Array() });
  memory.emit({ type: 'notice', contact: contact.record.id, code: 'gap' });
  release(memory, contact, new Uint8Array());
  watchGap(memory, contact);
}

/** The contact must be told what we have: soon, and once for many texts. Survives a crash as `receiptOwed`. */
export function owe(memory: Memory, contact: Contact): void {
  if (!contact.record.receiptOwed) memory.update(contact, { receiptOwed: true });
  memory.timers.start(`receipt:${contact.record.id}`, Math.max(memory.now, contact.lastReceiptAt + RECEIPT_INTERVAL_MS));
}

/** Somebody repeats what we have: they may have missed our receipt. */
export function onRepeated(memory: Memory, contact: Contact): void {
  if (isRepeatDue(memory, contact)) owe(memory, contact);
}

/** Whether somebody who repeats themselves is to be answered now; then not again for a while. */
export function isRepeatDue(memory: Memory, contact: Contact): boolean {
  if (memory.now < contact.lastRepeatedAt + REPEATED_INTERVAL_MS) return false;
  contact.lastRepeatedAt = memory.now;
  return true;
}

/** Timer `receipt:`. */
export function sendReceipt(memory: Memory, contact: Contact, again = false): void {
  const { receivedNumber, lacking, readNumber } = contact.record;
  contact.lastReceiptAt = memory.now;
  memory.update(contact, { receiptOwed: contact.session === null });
  const last = Math.max(0, ...contact.recent.keys());
  const lastId = fromHex(contact.recent.get(last) ?? '');
  enqueue(memory, contact, { case: 'receipt', value: { delivered: receivedNumber, lacking: [...lacking], read: readNumber, again, last, lastId } }, null);
}

/** Our person has seen the contact's texts up to a number. */
export function markRead(memory: Memory, contact: Contact, number: number): void {
  const read = Math.min(number, contact.record.readyNumber);
  if (read <= contact.record.readNumber) return;
  const { readyNumber, lacking, unread } = contact.record;
  const above = readyNumber - read - lacking.filter((lack) => lack > read && lack <= readyNumber).length;
  memory.update(contact, { readNumber: read, unread: Math.min(unread, above) });
  owe(memory, contact);
}

/** The contact tells what it has and what its person has read. False if that proves that this home is an old copy; then nothing is believed. */
export function onReceipt(memory: Memory, contact: Contact, receipt: Receipt): boolean {
  if (isOfNewerCopy(contact, receipt)) return false;
  const lacking = new Set(receipt.lacking);
  for (const text of contact.undelivered.values()) {
    if (text.number > receipt.delivered) continue;
    if (!lacking.has(text.number)) delivered(memory, contact, text);
  }
  for (const text of contact.failed.values()) {
    // Of numbers before a reset a receipt says only that nobody waits for them.
    if (text.number > receipt.delivered || text.number < contact.record.sentFirst || lacking.has(text.number)) continue;
    contact.failed.delete(text.number);
    delivered(memory, contact, text);
  }
  for (const text of contact.unread.values()) {
    if (text.number > receipt.read) continue;
    contact.unread.delete(text.number);
    move(memory, text, 'read', { readAt: memory.now });
  }
  if (receipt.again) sendAgain(memory, contact, lacking);
  flush(memory, contact);
  return true;
}

// Whether the contact has had texts from this identity that this home has never written.
function isOfNewerCopy(contact: Contact, receipt: Receipt): boolean {
  const { sentFirst, sentNumber } = contact.record;
  const { last, lastId } = receipt;
  if (Math.max(receipt.delivered, receipt.read, last) > sentNumber) return true;
  const own = contact.undelivered.get(last) ?? contact.unread.get(last) ?? contact.failed.get(last);
  return own !== undefined && last >= sentFirst && own.id !== toHex(lastId);
}

function delivered(memory: Memory, contact: Contact, text: MessageRecord): void {
  const outgoing = contact.byNumber.get(text.number);
  const path = (outgoing === undefined ? text.path : outgoing.via) ?? 'relay';
  if (outgoing !== undefined) remove(memory, contact, outgoing);
  contact.undelivered.delete(text.number);
  const moved = move(memory, text, 'delivered', { path, deliveredAt: memory.now });
  contact.unread.set(text.number, moved);
  forgetOldUnread(contact);
}

function move(memory: Memory, text: MessageRecord, state: MessageState, patch: Partial<MessageRecord>): MessageRecord {
  if (!NEXT[text.state].includes(state)) return text;
  const moved: MessageRecord = { ...text, ...patch, state, reason: null };
  memory.saveText(moved, 'state');
  return moved;
}

// The contact has waited for these in vain: seal them anew, unless they are still on their way from here. Those that cannot be
// given, because it has had them or because they were refused for good, are settled: it need not ask again.
function sendAgain(memory: Memory, contact: Contact, numbers: ReadonlySet<number>): void {
  if (memory.now < contact.lastAgainAt + AGAIN_INTERVAL_MS) return;
  contact.lastAgainAt = memory.now;
  const settled: number[] = [];
  for (const number of numbers) {
    const outgoing = contact.byNumber.get(number);
    if (number > contact.record.sentNumber || outgoing?.record.acceptedAt === null) continue;
    const failed = contact.failed.get(number);
    const text = contact.undelivered.get(number) ?? (failed?.reason === EXPIRED ? failed : undefined);
    if (outgoing !== undefined) remove(memory, contact, outgoing);
    if (text !== undefined) {
      enqueueText(memory, contact, text);
      continue;
    }
    if (failed !== undefined) giveUp(memory, contact, failed);
    settled.push(number);
  }
  if (settled.length > 0) enqueue(memory, contact, { case: 'settled', value: { numbers: settled } }, null);
}

// From now on the contact counts this number as one that it need not have: no receipt may make a delivered text of it.
function giveUp(memory: Memory, contact: Contact, text: MessageRecord): void {
  contact.failed.delete(text.number);
  memory.saveText({ ...text, reason: GIVEN_UP }, 'state');
}

/** A new session has taken the place of an old one: everything not delivered is sealed anew. */
export function sendAllAgain(memory: Memory, contact: Contact): void {
  for (const outgoing of contact.outgoing.values()) remove(memory, contact, outgoing);
  for (const text of contact.undelivered.values()) enqueueText(memory, contact, text);
}

// Sealed again, a text makes no claim about the chain: what it stood on is already settled.
function enqueueText(memory: Memory, contact: Contact, text: MessageRecord): void {
  enqueue(memory, contact, { case: 'text', value: { id: fromHex(text.id), number: text.number, chain: new Uint8Array(), text: text.text } }, text.number);
}
