// Everything sealed that goes out: which path it takes, what the relay answered, when it is tried again, when it is given up.
// The same bytes may go by both paths; the receiver's ratchet takes them once (PROTOCOL.md §7).

import { fromHex, toHex } from '../../crypto/bytes.js';
import { hash } from '../../crypto/hash.js';
import { isErrorCode, type ErrorCode } from '../../crypto/error.js';
import { encrypt } from '../../crypto/session.js';
import type { Session } from '../../crypto/session.js';
import { ENVELOPE_MAX_TTL_SECONDS } from '../../relay/wire/limits.js';
import { encodeBody } from './body.js';
import type { Content } from './body.js';
import { keep } from './memory.js';
import type { Contact, Hold, Memory, Outgoing } from './memory.js';
import type { CallId } from './input.js';
import type { ContactRecord, EnvelopeId, MessageRecord } from './records.js';

/** Envelopes of one contact in flight at a time: keeps the receiver's gaps far below the ratchet's longest jump (1,000). */
const IN_FLIGHT_MAX = 500;
/** How long an envelope on the direct path waits for its receipt before it also goes by the relay. */
const DIRECT_PATIENCE_MS = 3_000;
/** How long an accepted text may be without a receipt before the contact is asked for one. */
export const ASK_AFTER_MS = 600_000;
/** How long before the session itself is doubted (reset.ts): longer than a contact that is there takes to answer. */
const DOUBT_AFTER_MS = 20_000;
/** The reason of a text that was not delivered in the life of its envelope. */
export const EXPIRED = 'expired';
/** First and longest wait after a refused put, where the relay gives no better advice. */
const RETRY_MIN_MS = 2_000;
const RETRY_MAX_MS = 300_000;
/** Longest advice that is followed, as long as a relay's own longest; and the part of a wait that chance may add, so that not all who
 *  were sent away come back in one moment. */
const ADVICE_MAX_MS = 3_600_000;
const SPREAD = 1 / 4;
/** How often expiry is looked at. */
const EXPIRY_CHECK_MS = 3_600_000;
/** Transient messages are worthless later. */
export const TRANSIENT_TTL_SECONDS = 30;
/** No more transient messages to somebody who has not answered this many: lost ones cost them skipped keys. */
const TRANSIENT_UNANSWERED_MAX = 100;

/** Seals a body for a contact and moves the session on. Throws `message-too-large` or `session-exhausted` and then changes nothing. */
function seal(memory: Memory, contact: Contact, ratchet: Session, content: Content | null): { readonly envelope: EnvelopeId; readonly bytes: Uint8Array } {
  const { record } = contact;
  // Until the contact has answered, they may have lost any earlier message: each one introduces us again.
  const hello = isKnown(record) ? null : { name: memory.self.name, reply: address(contact), devices: memory.self.devices, first: firstOf(contact) };
  const body = encodeBody(memory.now, content, hello);
  const { session, message } = encrypt(ratchet, body, memory.random, memory.now, record.flight ?? undefined);
  memory.advance(contact, session, { unanswered: record.unanswered + 1 });
  return { envelope: toHex(hash('envelope', message).subarray(0, 16)), bytes: message };
}

/** The lowest number that may still come from us. */
function firstOf(contact: Contact): number {
  return Math.min(...contact.undelivered.keys(), contact.record.sentNumber + 1);
}

// Whether the contact surely knows where we collect.
function isKnown({ flight, helloOwed }: ContactRecord): boolean {
  return flight === null && !helloOwed;
}

function address(contact: Contact): { relay: string; mailbox: Uint8Array; token: Uint8Array } {
  const { relay, mailbox, token } = contact.record.inbox;
  return { relay, mailbox: fromHex(mailbox), token };
}

/**
 * Queues a durable or idempotent message: saved now, sent as soon as a path is there. `number` is the Text's, null for others.
 * Without a session it is sealed when there is one: a text is undelivered until then, and all others are owed then.
 */
export function enqueue(memory: Memory, contact: Contact, content: Content | null, number: number | null): void {
  if (contact.session === null) return;
  const { envelope, bytes } = seal(memory, contact, contact.session, content);
  memory.order += 1;
  const outgoing = keep(contact, {
    envelope, bytes, number, contact: contact.record.id, order: memory.order,
    createdAt: memory.now, expiresAt: memory.now + ENVELOPE_MAX_TTL_SECONDS * 1000, acceptedAt: null,
  });
  contact.waiting.push(outgoing);
  memory.emit({ type: 'save', change: { kind: 'outgoing', record: outgoing.record } });
  flush(memory, contact);
}

/** Sends a message that is worthless later: by the given call, or by the relay if that is reachable now. Dropped otherwise. */
export function sendTransient(memory: Memory, contact: Contact, content: Content, call: CallId | null): void {
  const { record, session } = contact;
  if (session === null) return;
  if (call === null && (record.unanswered >= TRANSIENT_UNANSWERED_MAX || record.flight !== null || !isReachable(memory, contact))) return;
  const { envelope, bytes } = seal(memory, contact, session, content);
  if (call !== null) memory.emit({ type: 'peer-send', call, frame: bytes });
  else memory.emit({ type: 'put', contact: record.id, envelope, to: record.outbox, bytes, ttlSeconds: TRANSIENT_TTL_SECONDS });
}

/** Sends what waits, by the best path there is now. */
export function flush(memory: Memory, contact: Contact): void {
  while (contact.waiting.length > 0 && contact.inFlight < inFlightMax(contact)) {
    if (contact.openCall !== null) sendDirect(memory, contact, contact.waiting.shift()!, contact.openCall);
    else if (isRelayReady(memory, contact)) sendByRelay(memory, contact, contact.waiting.shift()!);
    else return;
  }
}

// After a refusal one envelope goes ahead, and the others when it was taken.
function inFlightMax(contact: Contact): number {
  return holdOf(contact) === null ? IN_FLIGHT_MAX : 1;
}

/** Why and until when what is written waits here although the relay is there; null if it does not. */
export function holdOf({ openCall, hold }: Contact): Hold | null {
  return openCall === null ? hold : null;
}

function isRelayReady(memory: Memory, contact: Contact): boolean {
  return isReachable(memory, contact) && (contact.hold?.until ?? 0) <= memory.now;
}

// Before our first message is out, the mailbox for its answer must exist.
function isReachable(memory: Memory, { record }: Contact): boolean {
  return memory.isOnline(record.outbox.relay, 'deposit') && (isKnown(record) || memory.collected.has(record.inbox.mailbox));
}

function sendDirect(memory: Memory, contact: Contact, outgoing: Outgoing, call: CallId): void {
  memory.emit({ type: 'peer-send', call, frame: outgoing.record.bytes });
  if (outgoing.record.number === null) {
    // Receipts are cumulative: a lost one is made good by the next, which every change of path brings.
    remove(memory, contact, outgoing);
    return;
  }
  setReason(memory, contact, outgoing, null);
  outgoing.via = memory.pathOf(contact);
  outgoing.sentAt = memory.now;
  contact.inFlight += 1;
  memory.timers.start(`race:${contact.record.id}`, memory.now + DIRECT_PATIENCE_MS);
}

function sendByRelay(memory: Memory, contact: Contact, outgoing: Outgoing): void {
  outgoing.via = 'relay';
  contact.inFlight += 1;
  const { envelope, bytes, expiresAt } = outgoing.record;
  memory.emit({ type: 'put', contact: contact.record.id, envelope, to: contact.record.outbox, bytes, ttlSeconds: ttl(memory, expiresAt) });
}

// Within what the relay takes, also when the machine's clock was set back meanwhile.
function ttl(memory: Memory, expiresAt: number): number {
  return Math.min(ENVELOPE_MAX_TTL_SECONDS, Math.max(1, Math.ceil((expiresAt - memory.now) / 1000)));
}

/** The direct path is gone: what it took without a receipt goes by the relay. */
export function reroute(memory: Memory, contact: Contact): void {
  for (const outgoing of contact.outgoing.values()) if (isByPeer(outgoing)) putBack(contact, outgoing);
  contact.waiting.sort((a, b) => a.record.order - b.record.order);
  flush(memory, contact);
  const hold = holdOf(contact);
  if (hold !== null) for (const outgoing of contact.waiting) setReason(memory, contact, outgoing, hold.code);
}

/** A receipt was asked for by the direct path, which is not believed any more if nothing comes back. */
export function expectAnswer(memory: Memory, contact: Contact): void {
  contact.askedDirectAt = memory.now;
  memory.timers.start(`race:${contact.record.id}`, memory.now + DIRECT_PATIENCE_MS);
}

/**
 * Timer `race:`: receipts are overdue on the direct path, so the relay gets the envelopes too. True if nothing at all has come from
 * the contact by that path meanwhile: it may carry pings and still swallow envelopes, and must not be believed any more.
 */
export function race(memory: Memory, contact: Contact): boolean {
  const direct = [...contact.outgoing.values()].filter(isByPeer);
  const isAsked = contact.openCall !== null && contact.askedDirectAt > contact.heardDirectAt;
  if (direct.length === 0 && !isAsked) return false;
  memory.timers.set(`race:${contact.record.id}`, memory.now + DIRECT_PATIENCE_MS);
  const isOverdue = (at: number): boolean => at + DIRECT_PATIENCE_MS <= memory.now;
  const overdue = direct.filter(({ sentAt }) => isOverdue(sentAt));
  if ((overdue.length === 0 && !(isAsked && isOverdue(contact.askedDirectAt))) || !isRelayReady(memory, contact)) return false;
  if (isOverdue(contact.heardDirectAt)) return true;
  for (const outgoing of overdue.slice(0, roomAtRelay(contact))) {
    contact.inFlight -= 1;
    sendByRelay(memory, contact, outgoing);
  }
  return false;
}

// After a refusal one envelope goes ahead here, too.
function roomAtRelay(contact: Contact): number {
  if (contact.hold === null) return IN_FLIGHT_MAX;
  return [...contact.outgoing.values()].some(({ via }) => via === 'relay') ? 0 : 1;
}

function isByPeer({ via }: Outgoing): boolean {
  return via !== null && via !== 'relay';
}

function putBack(contact: Contact, outgoing: Outgoing): void {
  outgoing.via = null;
  contact.inFlight -= 1;
  contact.waiting.push(outgoing);
}

/** The relay has answered a put. */
export function onPut(memory: Memory, contact: Contact, envelope: EnvelopeId, error: ErrorCode | null, retryAfterMs = 0): void {
  const outgoing = contact.outgoing.get(envelope);
  if (outgoing?.via !== 'relay') return;
  if (error === null) accepted(memory, contact, outgoing);
  else refused(memory, contact, outgoing, error, retryAfterMs);
}

function accepted(memory: Memory, contact: Contact, outgoing: Outgoing): void {
  contact.putFailures = 0;
  setHold(memory, contact, null);
  if (outgoing.record.number === null) {
    remove(memory, contact, outgoing);
  } else {
    outgoing.via = null;
    contact.inFlight -= 1;
    outgoing.record = { ...outgoing.record, acceptedAt: memory.now };
    memory.emit({ type: 'save', change: { kind: 'outgoing', record: outgoing.record } });
    const text = textOf(contact, outgoing);
    awaitReceipt(memory, contact);
    if (text?.state === 'queued') setText(memory, contact, { ...text, state: 'accepted', path: 'relay', reason: null, acceptedAt: memory.now });
  }
  flush(memory, contact);
}

/** Texts were accepted: asks after a while, if nothing comes. */
export function awaitReceipt(memory: Memory, contact: Contact): void {
  memory.timers.start(`ask:${contact.record.id}`, memory.now + ASK_AFTER_MS);
  memory.timers.start(`doubt:${contact.record.id}`, memory.now + DOUBT_AFTER_MS);
}

function refused(memory: Memory, contact: Contact, outgoing: Outgoing, error: ErrorCode, retryAfterMs: number): void {
  if (error === 'token-wrong' || error === 'envelope-too-large') {
    fail(memory, contact, outgoing, error);
    return;
  }
  putBack(contact, outgoing);
  contact.waiting.sort((a, b) => a.record.order - b.record.order);
  // An unreachable relay is tried again when its link is back; a refusal after a while.
  if (error !== 'relay-unreachable' && (contact.hold?.until ?? 0) <= memory.now) holdBack(memory, contact, error, retryAfterMs);
  // The path that has opened meanwhile, or was too slow, needs nothing of the relay.
  if (contact.openCall === null) setReason(memory, contact, outgoing, error);
  else flush(memory, contact);
}

function holdBack(memory: Memory, contact: Contact, error: ErrorCode, retryAfterMs: number): void {
  const waitMs = Math.max(Math.min(ADVICE_MAX_MS, retryAfterMs), Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** contact.putFailures));
  contact.putFailures += 1;
  const spreadMs = Math.floor((waitMs * SPREAD * memory.random(1)[0]!) / 256);
  setHold(memory, contact, { code: error, until: memory.now + waitMs + spreadMs });
}

/** Whoever is heard collects, so that their mailbox may have room sooner than the relay could foresee. */
export function expectRoom(memory: Memory, contact: Contact): void {
  const until = memory.now + RETRY_MIN_MS;
  if (contact.hold?.code === 'mailbox-full' && contact.hold.until > until) setHold(memory, contact, { ...contact.hold, until });
}

/** After a start: why the first text waits that does, as it was when the home was closed. It is tried again at once. */
export function rememberHold(memory: Memory, contact: Contact): void {
  const reason = [...contact.undelivered.values()].find(({ state }) => state === 'queued')?.reason ?? '';
  if (isErrorCode(reason) && reason !== 'relay-unreachable') contact.hold = { code: reason, until: memory.now };
}

// Timer `put:` is when it ends; then flush() tries again.
function setHold(memory: Memory, contact: Contact, hold: Hold | null): void {
  if (hold === contact.hold) return;
  contact.hold = hold;
  if (hold === null) memory.timers.clear(`put:${contact.record.id}`);
  else memory.timers.set(`put:${contact.record.id}`, hold.until);
  memory.emit({ type: 'path', contact: contact.record.id });
}

/** Timer `expiry`: what nobody collected in its time has failed, and says so. */
export function expire(memory: Memory): void {
  for (const contact of memory.contacts.values()) {
    for (const outgoing of contact.outgoing.values()) {
      if (outgoing.record.expiresAt <= memory.now) fail(memory, contact, outgoing, EXPIRED);
    }
  }
  memory.timers.set('expiry', memory.now + EXPIRY_CHECK_MS);
}

function fail(memory: Memory, contact: Contact, outgoing: Outgoing, reason: string): void {
  remove(memory, contact, outgoing);
  const text = textOf(contact, outgoing);
  if (text === undefined) return;
  contact.undelivered.delete(text.number);
  const failed: MessageRecord = { ...text, state: 'failed', reason };
  contact.failed.set(text.number, failed);
  memory.saveText(failed, 'state');
}

/** Forgets an envelope that has done its work. */
export function remove(memory: Memory, contact: Contact, outgoing: Outgoing): void {
  if (outgoing.via !== null) contact.inFlight -= 1;
  contact.outgoing.delete(outgoing.record.envelope);
  if (outgoing.record.number !== null) contact.byNumber.delete(outgoing.record.number);
  if (outgoing.via === null && outgoing.record.acceptedAt === null) contact.waiting = contact.waiting.filter((other) => other !== outgoing);
  memory.emit({ type: 'save', change: { kind: 'outgoing-removed', envelope: outgoing.record.envelope } });
}

/** Keeps and saves the new state of an own text that is not delivered yet, and tells the person. */
function setText(memory: Memory, contact: Contact, text: MessageRecord): void {
  contact.undelivered.set(text.number, text);
  memory.saveText(text, 'state');
}

/** Why a text is still here, where that has changed. */
function setReason(memory: Memory, contact: Contact, outgoing: Outgoing, reason: ErrorCode | null): void {
  const text = textOf(contact, outgoing);
  if (text?.state === 'queued' && text.reason !== reason) setText(memory, contact, { ...text, reason });
}

function textOf(contact: Contact, outgoing: Outgoing): MessageRecord | undefined {
  return outgoing.record.number === null ? undefined : contact.undelivered.get(outgoing.record.number);
}
