// Strangers who come by our address wait here until the person approves (PROTOCOL.md §7), and so do contacts who have parted with us and
// come back. They must learn nothing before: no receipt, no presence, no connection to their relay; until then what came is only read and saved.

import { weekOf } from '../../crypto/address.js';
import { fromHex, toHex, utf8 } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import { FLIGHT_BYTES, respond } from '../../crypto/handshake.js';
import type { Responded } from '../../crypto/handshake.js';
import { hash } from '../../crypto/hash.js';
import { packPublicIdentity, unpackPublicIdentity } from '../../crypto/identity.js';
import { unpackInvitation } from '../../crypto/invitation.js';
import { decrypt, packSession } from '../../crypto/session.js';
import type { Session } from '../../crypto/session.js';
import { decodeBody } from './body.js';
import { begin, contactId, createContact, isFlightOf, openFirst } from './contacts.js';
import type { OpenedFlight } from './contacts.js';
import { noteLast, onText, owe } from './conversation.js';
import type { RequestId } from './input.js';
import { collect, createMailbox } from './mailboxes.js';
import type { Contact, Memory } from './memory.js';
import type { Body } from './message_pb.js';
import type { ContactId, OwnMailbox, RequestRecord, RequestText, WeekRecord } from './records.js';

/** Most who wait. Newer ones are not kept: a flood must not push out those who came before it. */
export const REQUESTS_MAX = 100;
/** Most texts of one of them, and bytes of all these: enough to say who one is. The others are asked for on approval. */
export const REQUEST_TEXTS_MAX = 20;
export const REQUEST_BYTES_MAX = 16_384;

/** Lengths of EK, and of what is remembered of it. */
const FLIGHT_KEY_BYTES = 32;
const FLIGHT_ID_BYTES = 16;

/** A flight that has opened, with the first message of its session. */
interface Opened extends OpenedFlight {
  readonly week: WeekRecord;
}

/**
 * An envelope in the mailbox of our address that is of no contact: somebody who waits goes on writing, or somebody new comes. Gives a contact
 * only where our person has asked for that contact too. Throws a SottoError for whatever is no flight or no message; then nothing has changed.
 */
export function onStranger(memory: Memory, envelope: Uint8Array): { readonly contact: Contact; readonly body: Body } | null {
  for (const { record, session } of memory.requests.values()) {
    if (!isFlightOf(record, envelope)) continue;
    const opened = decrypt(session, envelope.subarray(FLIGHT_BYTES), memory.random, memory.now);
    take(memory, record, opened.session, decodeBody(opened.body));
    return null;
  }
  // Accepted or refused before: nothing new, whoever repeats it.
  if (memory.flights.has(flightId(envelope))) return null;
  const opened = open(memory, envelope);
  const id = contactId(opened.peer);
  if (memory.blocked.has(id)) return null;
  const known = memory.contacts.get(id);
  if (known !== undefined) {
    if (known.record.flight !== null) return cross(memory, known, opened);
    // A flight that is older than the session has crossed it, or was held back: it begins nothing.
    if (opened.begunAt <= known.record.begunAt) return null;
  }
  const before = memory.requests.get(id)?.record;
  if (before === undefined && memory.requests.size >= REQUESTS_MAX) return null;
  remember(memory, opened);
  const { name, outbox, flightKey, devices, begunAt, session, body } = opened;
  const kept = before ?? { id, identity: packPublicIdentity(opened.peer), createdAt: memory.now, lastNumber: 0, texts: [] };
  take(memory, { ...kept, name: known?.record.name ?? name, outbox, flightKey, devices, begunAt, session: new Uint8Array(), heardAt: 0 }, session, body);
  if (before === undefined && memory.requests.size === REQUESTS_MAX) memory.emit({ type: 'notice', contact: null, code: 'requests-full' });
  return null;
}

/** What is remembered of a flight to an address (PROTOCOL.md §4, rule 6), in hexadecimal. */
export function flightId(envelope: Uint8Array): string {
  return toHex(hash('flight', envelope.subarray(0, FLIGHT_KEY_BYTES)).subarray(0, FLIGHT_ID_BYTES));
}

function remember(memory: Memory, { flightKey, week: { lookup } }: Opened): void {
  const flight = flightId(flightKey);
  memory.flights.set(flight, lookup);
  memory.emit({ type: 'save', change: { kind: 'flight', record: { flight, lookup } } });
}

// With the secrets of one of the weeks, the likeliest first. Garbage costs one attempt per week.
function open(memory: Memory, envelope: Uint8Array): Opened {
  const current = weekOf(memory.now);
  const weeks = [...memory.weeks.values()].toSorted((a, b) => Math.abs(a.week - current) - Math.abs(b.week - current));
  for (const week of weeks) {
    const responded = attempt(memory, week, envelope.subarray(0, FLIGHT_BYTES));
    if (responded === null) continue;
    return { ...openFirst(memory, responded, envelope), week };
  }
  throw new SottoError('undecryptable');
}

function attempt(memory: Memory, week: WeekRecord, flight: Uint8Array): Responded | null {
  try {
    return respond(memory.identity, unpackInvitation(week.secret), flight);
  } catch (error) {
    if (error instanceof SottoError && error.code === 'undecryptable') return null;
    throw error;
  }
}

// Where both have asked and neither has been answered, the session that the lower identity id began wins on both sides, and our own asking
// was the approval.
function cross(memory: Memory, known: Contact, opened: Opened): { readonly contact: Contact; readonly body: Body } | null {
  if (memory.id < known.record.id) return null;
  remember(memory, opened);
  const contact = welcome(memory, opened, known.record.inbox, opened.session);
  memory.update(contact, { heardAt: memory.now });
  return { contact, body: opened.body };
}

// What somebody who waits has said, and nothing else of it: kept as far as there is room.
function take(memory: Memory, before: RequestRecord, session: Session, { content, sentAt }: Body): void {
  const text = content.case === 'text' ? content.value : null;
  const texts = text === null ? before.texts : withText(before.texts, { number: text.number, id: toHex(text.id), chain: toHex(text.chain), text: text.text, sentAt: Number(sentAt) });
  const record = { ...before, session: packSession(session), heardAt: memory.now, lastNumber: Math.max(before.lastNumber, text?.number ?? 0), texts };
  const isNews = !memory.requests.has(record.id) || (before.texts.length === 0 && texts.length > 0);
  memory.requests.set(record.id, { record, session });
  memory.emit({ type: 'save', change: { kind: 'request', record } });
  if (isNews) memory.emit({ type: 'request', record });
}

function withText(texts: readonly RequestText[], text: RequestText): readonly RequestText[] {
  const all = [...texts.filter(({ number }) => number !== text.number), text].toSorted((a, b) => a.number - b.number);
  const bytes = all.reduce((sum, { text: words }) => sum + utf8(words).length, 0);
  return all.length > REQUEST_TEXTS_MAX || bytes > REQUEST_BYTES_MAX ? texts : all;
}

/** The person approves: what was said appears, and is answered from now on. Throws `request-unknown`. */
export function approve(memory: Memory, request: RequestId, id: ContactId): void {
  const waiting = memory.requests.get(id);
  if (waiting === undefined) throw new SottoError('request-unknown');
  const { record, session } = waiting;
  const { name, outbox, flightKey, devices, begunAt } = record;
  const isBack = memory.contacts.has(id);
  // The mailbox of the address is everybody's; this contact gets one of their own, and is told of it until they surely know.
  const contact = welcome(memory, { peer: unpackPublicIdentity(record.identity), name, outbox, flightKey, devices, begunAt }, createMailbox(memory), session);
  memory.update(contact, { heardAt: record.heardAt });
  collect(memory, contact.record.inbox);
  noteLast(memory, contact, record.lastNumber);
  for (const { number, id: textId, chain, text, sentAt } of record.texts) {
    onText(memory, contact, { id: fromHex(textId), number, chain: fromHex(chain), text }, sentAt, 'relay');
  }
  memory.emit({ type: 'answer', request, result: { type: 'accepted', contact: id, isBack } });
}

function welcome(memory: Memory, { peer, name, outbox, flightKey, devices, begunAt }: Omit<OpenedFlight, 'session' | 'first' | 'body'>, inbox: OwnMailbox, session: Session): Contact {
  const contact = begin(memory, { ...createContact(peer, devices, name, inbox, outbox, memory.now), flightKey, begunAt, helloOwed: true }, session);
  owe(memory, contact);
  return contact;
}

/** The person refuses: nothing is kept, and nothing is said. Throws `request-unknown`. */
export function refuse(memory: Memory, request: RequestId, id: ContactId): void {
  if (!memory.forgetRequest(id)) throw new SottoError('request-unknown');
  memory.emit({ type: 'answer', request, result: { type: 'done' } });
}
