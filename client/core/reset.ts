// A session that no longer carries is begun anew, by whoever notices: a home that comes from a backup or is an old copy, or a session
// that has used up its keys (PROTOCOL.md §4.1). What is said here is sealed by the secret of a session that both have had, and ends in
// an ordinary first flight. It never happens silently, and never without that secret.

import { equal, fromHex, toHex } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import type { ErrorCode } from '../../crypto/error.js';
import { FLIGHT_BYTES, initiate, respond } from '../../crypto/handshake.js';
import { hash } from '../../crypto/hash.js';
import { createReset, openReset, openResumption, packPendingReset, sealResumption, unpackPendingReset } from '../../crypto/reset.js';
import type { PendingReset, Reset, ResetReason, Standing } from '../../crypto/reset.js';
import { isBehind, receivedPosition, sentPosition } from '../../crypto/session.js';
import { ENVELOPE_MAX_TTL_SECONDS } from '../../relay/wire/limits.js';
import { NUMBER_MAX } from './body.js';
import { isRepeatDue, owe, settleBelow } from './conversation.js';
import { hangUp } from './direct.js';
import { checkNewest, CLOCK_AHEAD_MS, contactId, isCrossing, openFirst, peerMailbox, replaceSession } from './contacts.js';
import { bundleAddress } from './mailboxes.js';
import { resumptionsAfter, resumptionsOf } from './memory.js';
import type { Contact, Memory } from './memory.js';
import type { Body } from './message_pb.js';
import { enqueue, remove } from './outbox.js';
import type { EnvelopeId } from './records.js';

/** Life of a reset: as long as that of an invitation. Then another is made. */
const RESET_LIFE_MS = 7 * 24 * 3_600_000;
/** How often the same bytes are put again until they are answered. */
const REPEAT_MS = 600_000;
/** A contact may begin anew, or make us do so, once in this time: each time costs our person a notice and us a handshake. */
const RESET_INTERVAL_MS = 3_600_000;
/** Our texts go on so many numbers later: an old copy of a home does not know how many the newer one had given out. */
export const NUMBERS_APART = 2 ** 20;
/** How often the other side is asked where it stands while a text has no receipt, and how long such a question is worth anything. */
const DOUBT_AGAIN_MS = 3_600_000;
const STANDING_TTL_SECONDS = 3_600;
/** Shortest time between two answers to that: a relay may repeat a question without end. */
const TELL_INTERVAL_MS = 60_000;

/** Ends the session and asks the contact for a new one. Texts that are not delivered get new numbers; they wait, and so do new ones. */
export function begin(memory: Memory, contact: Contact, reason: ResetReason): void {
  hangUp(memory, contact);
  for (const outgoing of contact.outgoing.values()) remove(memory, contact, outgoing);
  renumber(memory, contact);
  const resumptions = resumptionsAfter(contact);
  contact.session = null;
  memory.update(contact, { resumptions, flight: null, flightKey: null, helloOwed: false, unanswered: 0 });
  memory.emit({ type: 'notice', contact: contact.record.id, code: reason === 'rolled-back' ? 'rolled-back' : 'session-reset' });
  create(memory, contact, reason);
  memory.emit({ type: 'path', contact: contact.record.id });
}

/**
 * The contact has shown that this home is an old copy, and begins anew. Who says so more than once an hour lies, and so does who has said it until
 * the numbers of our texts come to their end: nothing changes then.
 */
export function onOldCopy(memory: Memory, contact: Contact): void {
  if (memory.now < contact.nextOldAt || contact.record.sentNumber > NUMBER_MAX - 2 * NUMBERS_APART) return;
  contact.nextOldAt = memory.now + RESET_INTERVAL_MS;
  begin(memory, contact, 'rolled-back');
}

// What our texts were numbered as is not ours alone any more: another copy of this home may have given out the same numbers.
function renumber(memory: Memory, contact: Contact): void {
  const texts = [...contact.undelivered.values()].toSorted((a, b) => a.number - b.number);
  const first = contact.record.sentNumber + NUMBERS_APART;
  contact.undelivered.clear();
  contact.failed.clear();
  for (const [index, text] of texts.entries()) {
    const number = first + index;
    memory.emit({ type: 'save', change: { kind: 'renumbered', contact: text.contact, from: text.number, to: number } });
    contact.undelivered.set(number, { ...text, number });
  }
  memory.update(contact, { sentFirst: first, sentNumber: first + texts.length - 1 });
}

function create(memory: Memory, contact: Contact, reason: ResetReason): void {
  const { inbox, sentFirst } = contact.record;
  const [resumption] = resumptionsOf(contact);
  if (resumption === undefined) return tellImpossible(memory, contact);
  const { name, devices } = memory.self;
  const madeAt = memory.now;
  const { envelope, secret } = createReset(
    { identity: memory.identity, devices, name, ...bundleAddress(inbox), expiresAt: madeAt + RESET_LIFE_MS },
    { reason, madeAt, first: sentFirst, resumption }, memory.random);
  memory.update(contact, { reset: packPendingReset({ madeAt, secret, envelope }), resetReason: reason });
  repeat(memory, contact);
}

/** Puts a reset that has no answer yet once more; after its life, another. Timer `reset:`, and whenever the relay is there. */
export function repeat(memory: Memory, contact: Contact): void {
  const { id, inbox, outbox, resetReason } = contact.record;
  const pending = pendingOf(contact);
  if (contact.session !== null || pending === null) return;
  const expiresAt = pending.madeAt + RESET_LIFE_MS;
  if (expiresAt <= memory.now) return create(memory, contact, resetReason as ResetReason);
  memory.timers.set(`reset:${id}`, memory.now + REPEAT_MS);
  // Before it is out, the mailbox for its answer must exist.
  if (!memory.isOnline(outbox.relay, 'deposit') || !memory.collected.has(inbox.mailbox)) return;
  const ttlSeconds = Math.min(ENVELOPE_MAX_TTL_SECONDS, Math.ceil((expiresAt - memory.now) / 1000));
  memory.emit({ type: 'put', contact: id, envelope: nameOf(pending.envelope), to: outbox, bytes: pending.envelope, ttlSeconds });
}

/** The relay has answered the put of something: if it was our reset and the mailbox is gone, only a new invitation helps. */
export function onPut(memory: Memory, contact: Contact, envelope: EnvelopeId, error: ErrorCode | null): void {
  if (error !== 'mailbox-unknown' && error !== 'token-wrong') return;
  const pending = pendingOf(contact);
  if (contact.session === null && pending !== null && nameOf(pending.envelope) === envelope) tellImpossible(memory, contact);
}

function tellImpossible(memory: Memory, contact: Contact): void {
  if (contact.resetFailed) return;
  contact.resetFailed = true;
  memory.emit({ type: 'notice', contact: contact.record.id, code: 'reset-impossible' });
}

/** Whether a flight answers our reset; then the session begins, and this is what its first message says. */
export function onFlight(memory: Memory, contact: Contact, envelope: Uint8Array): Body | null {
  const pending = pendingOf(contact);
  if (pending === null) return null;
  const flight = attempt(() => openFirst(memory, respond(memory.identity, pending.secret, envelope.subarray(0, FLIGHT_BYTES)), envelope));
  if (flight === null || contactId(flight.peer) !== contact.record.id || isCrossing(memory, contact, pending.madeAt)) return null;
  const { flightKey, devices, outbox, sentAt } = flight;
  memory.emit({ type: 'link', relay: outbox.relay, role: 'deposit' });
  memory.timers.clear(`reset:${contact.record.id}`);
  replaceSession(memory, contact, flight.session, { flight: null, flightKey, devices, helloOwed: false, outbox, begunAt: sentAt, heardAt: memory.now, reset: null });
  settleBelow(memory, contact, flight.first);
  owe(memory, contact);
  return flight.body;
}

/** Something that the session did not open: is it sealed by a secret of this contact? Then it is dealt with. */
export function onSealed(memory: Memory, contact: Contact, envelope: Uint8Array): boolean {
  const opened = attempt(() => openResumption(resumptionsOf(contact), fromHex(contact.record.id), envelope));
  if (opened === null) return false;
  const { said, resumption } = opened;
  if (said.type === 'reset') onReset(memory, contact, said, resumption);
  else onStanding(memory, contact, said, resumption);
  return true;
}

// The contact has begun anew: become its guest. A reset that is older than the session, or comes too soon, or is not what it must
// be, changes nothing.
function onReset(memory: Memory, contact: Contact, reset: Reset, resumption: Uint8Array): void {
  const { record } = contact;
  if (reset.madeAt === record.begunAt && record.flight !== null) {
    // Asked again: our answer was lost.
    if (isRepeatDue(memory, contact)) enqueue(memory, contact, null, null);
    return;
  }
  if (reset.madeAt <= record.begunAt || reset.madeAt > memory.now + CLOCK_AHEAD_MS || memory.now < record.resetTakenAt + RESET_INTERVAL_MS) return;
  const bundle = attempt(() => openReset(reset, resumption, memory.now));
  if (bundle === null || contactId(bundle.identity) !== record.id) return;
  const begun = attempt(() => {
    const devices = checkNewest(memory, bundle.identity, bundle.devices);
    return { devices, outbox: peerMailbox(memory, bundle), ...initiate(memory.identity, memory.self.devices, bundle, memory.random) };
  });
  if (begun === null) return;
  const { session, flight, devices, outbox } = begun;
  memory.emit({ type: 'link', relay: outbox.relay, role: 'deposit' });
  replaceSession(memory, contact, session, { flight, flightKey: null, devices, helloOwed: false, outbox, begunAt: reset.madeAt, resetTakenAt: memory.now });
  settleBelow(memory, contact, reset.first);
  enqueue(memory, contact, null, null);
  owe(memory, contact);
  memory.emit({ type: 'notice', contact: record.id, code: reset.reason === 'restored' ? 'restored' : 'session-reset' });
}

/**
 * Timer `doubt:`: a text was accepted and nobody says that it was delivered. Perhaps the contact is away, perhaps one of us is an old copy: ask
 * where the other stands. Never an answer to what comes: whoever puts bytes into a mailbox learns nothing by it.
 */
export function doubt(memory: Memory, contact: Contact): void {
  const { session, record, undelivered } = contact;
  if (session === null || undelivered.size === 0) return;
  memory.timers.set(`doubt:${record.id}`, memory.now + DOUBT_AGAIN_MS);
  if (record.flight === null) tell(memory, contact, resumptionsOf(contact)[0]!, true);
}

function tell(memory: Memory, contact: Contact, resumption: Uint8Array, asks: boolean): void {
  const { session, record } = contact;
  if (session === null || !memory.isOnline(record.outbox.relay, 'deposit')) return;
  const isCurrent = equal(resumptionsOf(contact)[0]!, resumption);
  const bytes = sealResumption(resumption, fromHex(memory.id), { type: 'standing', asks, received: isCurrent ? receivedPosition(session) : null }, memory.random);
  memory.emit({ type: 'put', contact: record.id, envelope: nameOf(bytes), to: record.outbox, bytes, ttlSeconds: STANDING_TTL_SECONDS });
}

// Where the contact has received more in this session than we have sent, or has left it, this home is an old copy.
function onStanding(memory: Memory, contact: Contact, { asks, received }: Standing, resumption: Uint8Array): void {
  const { session, record } = contact;
  if (session !== null && record.flight === null && equal(resumptionsOf(contact)[0]!, resumption)) {
    if (received === null || isBehind(sentPosition(session, record.flightKey === null), received)) return onOldCopy(memory, contact);
  }
  if (!asks || memory.now < contact.nextTellAt) return;
  contact.nextTellAt = memory.now + TELL_INTERVAL_MS;
  tell(memory, contact, resumption, false);
}

function pendingOf({ record }: Contact): PendingReset | null {
  return record.reset === null ? null : unpackPendingReset(record.reset);
}

function nameOf(bytes: Uint8Array): EnvelopeId {
  return toHex(hash('envelope', bytes).subarray(0, 16));
}

/** What comes of something from outside, or null where it is refused. */
function attempt<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    if (error instanceof SottoError) return null;
    throw error;
  }
}
