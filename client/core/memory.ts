// What the core holds in memory, and the way everything leaves it: records that change are saved, the rest is emitted.
// Nothing here decides anything.

import { packSession, resumptionOf, unpackSession } from '../../crypto/session.js';
import type { Session } from '../../crypto/session.js';
import { firstDevices } from '../../crypto/devices.js';
import { identityId, unpackIdentity } from '../../crypto/identity.js';
import type { ErrorCode } from '../../crypto/error.js';
import type { Identity } from '../../crypto/identity.js';
import type { InvitationLink } from '../../crypto/invitation.js';
import type { Random } from '../../crypto/random.js';
import { concat, toHex } from '../../crypto/bytes.js';
import type { Description } from './description.js';
import type { CallId, LinkRole, RequestId } from './input.js';
import type { Output } from './output.js';
import type {
  AddressRecord, ContactId, ContactRecord, EnvelopeId, InvitationRecord, MailboxId, MessageId, MessageRecord, MessageState, OutgoingRecord, OwnMailbox, PastRecord, PathName, RequestRecord,
  SelfRecord, Snapshot, WeekRecord,
} from './records.js';
import { GIVEN_UP } from './records.js';
import { Timers } from './timers.js';

/** An envelope on its way out, and where it is in flight now. */
export interface Outgoing {
  record: OutgoingRecord;
  via: PathName | null;
  /** When it went by the direct path, to notice that no receipt comes. */
  sentAt: number;
}

/** One attempt to open a direct path, from the dialing to its end (direct.ts). */
export interface Call {
  readonly id: CallId;
  readonly contact: ContactId;
  readonly role: 'offerer' | 'answerer';
  readonly startedAt: number;
  phase: 'dialing' | 'binding' | 'open';
  /** Hash of the offer, sent or received. */
  offerHash: Uint8Array | null;
  remote: Description | null;
  /** What DTLS used, once it is open. */
  fingerprints: { readonly local: Uint8Array; readonly remote: Uint8Array } | null;
  /** Whether our own address in use is one of a TURN server, and whether the contact says so of theirs. */
  relayed: boolean;
  relayedThere: boolean;
  /** The contact's Bind, if it came before our channel was open. */
  proof: Uint8Array | null;
}

/** Why a conversation does not go directly (sentences in client/views.ts). */
export type WhyRelay = 'short-lived' | 'resetting' | 'policy' | 'unconfirmed' | 'away' | 'dialing' | 'ended' | 'failed';

/** The relay takes nothing for a contact: why, and until when nothing is put there. */
export interface Hold {
  readonly code: ErrorCode;
  readonly until: number;
}

/** A contact, its session, and what is under way with it. */
export interface Contact {
  record: ContactRecord;
  /** Null from the beginning of a reset until it is answered. */
  session: Session | null;
  /** Our Texts by number: not yet delivered; delivered and not yet read. */
  readonly undelivered: Map<number, MessageRecord>;
  readonly unread: Map<number, MessageRecord>;
  /** Our Texts that have failed here; a late receipt may still prove otherwise. */
  readonly failed: Map<number, MessageRecord>;
  /** Ids of the newest of the contact's Texts that are here, by number. */
  readonly recent: Map<number, MessageId>;
  /** The contact's Texts that wait behind a gap. */
  readonly held: Map<number, MessageRecord>;
  /** Everything that is on its way out, and the part of it that is not in flight, in order. */
  readonly outgoing: Map<EnvelopeId, Outgoing>;
  readonly byNumber: Map<number, Outgoing>;
  waiting: Outgoing[];
  inFlight: number;
  /** Times in a row that the relay has refused what we put, and what came of the last one; null once something was taken. */
  putFailures: number;
  hold: Hold | null;
  /** The bound, open call; null when the conversation uses the relay. */
  openCall: CallId | null;
  /** When anything last came by a peer connection, and when a receipt was last asked for by one. */
  heardDirectAt: number;
  askedDirectAt: number;
  callFailures: number;
  nextCallAt: number;
  nextGreetAt: number;
  pathSince: number;
  why: WhyRelay;
  lastReceiptAt: number;
  /** When we last sent what the contact had asked for. */
  lastAgainAt: number;
  lastRepeatedAt: number;
  /** Offers before this time are too many. */
  nextOfferAt: number;
  gapAsked: number;
  /** The contact's texts do not continue what is here: no more of them are taken in this session. */
  differs: boolean;
  /** Earliest next answer about where the session stands, and next time that this home is believed to be an old copy; whether our reset has
   *  no mailbox to go to (reset.ts). */
  nextTellAt: number;
  nextOldAt: number;
  resetFailed: boolean;
}

/** Somebody who waits for approval, and the session in which they write. */
export interface Request {
  record: RequestRecord;
  session: Session;
}

/** A link to a relay as last reported. */
interface LinkMemory {
  readonly online: boolean;
  readonly rttMs: number;
}

/** Takes an envelope into a contact's outgoing ones. */
export function keep(contact: Contact, record: OutgoingRecord): Outgoing {
  const outgoing: Outgoing = { record, via: null, sentAt: 0 };
  contact.outgoing.set(record.envelope, outgoing);
  if (record.number !== null) contact.byNumber.set(record.number, outgoing);
  return outgoing;
}

function textsIn(contact: Contact, state: MessageState): Map<number, MessageRecord> {
  return state === 'delivered' ? contact.unread : state === 'failed' ? contact.failed : contact.undelivered;
}

const RESUMPTION_BYTES = 32;
/** Secrets of earlier sessions that are kept: so many sessions old may a backup be that still finds us. */
const EARLIER_MAX = 4;

/** The secrets by which a new session with this contact can begin: that of the session, if there is one, then earlier ones. */
export function resumptionsOf({ session, record }: Contact): readonly Uint8Array[] {
  const earlier = Array.from({ length: record.resumptions.length / RESUMPTION_BYTES }, (_, n) => record.resumptions.subarray(n * RESUMPTION_BYTES, (n + 1) * RESUMPTION_BYTES));
  return session === null ? earlier : [resumptionOf(session), ...earlier];
}

/** ContactRecord.resumptions when the session has ended. One that the contact never answered may be unknown to it and gives way to an earlier one. */
export function resumptionsAfter(contact: Contact): Uint8Array {
  const [last, ...earlier] = resumptionsOf(contact);
  const isUnknown = contact.session !== null && contact.record.flight !== null && earlier.length > 0;
  return concat(...(last === undefined || isUnknown ? earlier : [last, ...earlier]).slice(0, EARLIER_MAX));
}

/** The path that a peer connection is. */
export function pathOfCall({ relayed, relayedThere }: Call): PathName {
  return relayed || relayedThere ? 'turn' : 'direct';
}

/** Delivered texts kept in memory for a read receipt; older ones stay `delivered`. */
const UNREAD_MAX = 1_000;

export function forgetOldUnread({ unread }: Contact): void {
  for (const number of unread.keys()) {
    if (unread.size <= UNREAD_MAX) return;
    unread.delete(number);
  }
}

export class Memory {
  self: SelfRecord;
  readonly identity: Identity;
  readonly id: ContactId;
  readonly contacts = new Map<ContactId, Contact>();
  /** Contacts whom our person has blocked: they are kept, and none of `contacts`, so that nothing is done for them. */
  readonly blocked = new Map<ContactId, Contact>();
  /** What is left of removed contacts, by its key. */
  readonly past = new Map<string, PastRecord>();
  readonly invitations = new Map<string, InvitationRecord>();
  address: AddressRecord | null;
  /** The cards of our address that may still be used, by lookup id. */
  readonly weeks = new Map<string, WeekRecord>();
  /** Flights to our address that are done with, and the card of each (FlightRecord). */
  readonly flights = new Map<string, string>();
  readonly requests = new Map<ContactId, Request>();
  /** Mailboxes that are given up and that their relay has not closed yet. */
  readonly closing = new Map<MailboxId, OwnMailbox>();
  readonly calls = new Map<CallId, Call>();
  readonly timers = new Timers();
  readonly random: Random;
  /** Whether this process stays long enough to open direct paths. */
  readonly direct: boolean;
  /** Mailboxes that the relay delivers on the present connection. */
  readonly collected = new Set<MailboxId>();
  /** Requests that wait for the relay: for our address; by lookup id of the invitation; with the link that is being accepted. */
  readonly addressing = new Set<RequestId>();
  readonly inviting = new Map<string, RequestId>();
  readonly accepting = new Map<RequestId, InvitationLink>();
  readonly links = new Map<string, LinkMemory>();
  order = 0;
  now = 0;
  #outputs: Output[] = [];
  readonly #changed = new Set<Contact>();
  #selfChanged = false;

  constructor(snapshot: Snapshot, random: Random, direct: boolean, now: number) {
    this.random = random;
    this.direct = direct;
    this.now = now;
    this.identity = unpackIdentity(snapshot.self.identity);
    const { devices, createdAt } = snapshot.self;
    this.self = { ...snapshot.self, devices: devices.length > 0 ? devices : firstDevices(this.identity, createdAt) };
    this.id = toHex(identityId(this.identity));
    for (const record of snapshot.invitations) this.invitations.set(record.lookup, record);
    this.address = snapshot.address;
    for (const record of snapshot.weeks) this.weeks.set(record.lookup, record);
    for (const { flight, lookup } of snapshot.flights) this.flights.set(flight, lookup);
    for (const record of snapshot.requests) this.requests.set(record.id, { record, session: unpackSession(record.session) });
    for (const mailbox of snapshot.closing) this.closing.set(mailbox.mailbox, mailbox);
    for (const record of snapshot.contacts) this.addContact(record, record.session.length === 0 ? null : unpackSession(record.session));
    for (const record of snapshot.outgoing.toSorted((a, b) => a.order - b.order)) this.#load(record);
    for (const text of snapshot.pending.toSorted((a, b) => a.number - b.number)) {
      const contact = this.contacts.get(text.contact);
      if (contact !== undefined && text.reason !== GIVEN_UP) textsIn(contact, text.state).set(text.number, text);
    }
    for (const { contact, number, id } of snapshot.recent) this.contacts.get(contact)?.recent.set(number, id);
    for (const text of snapshot.held) {
      const contact = this.contacts.get(text.contact);
      contact?.held.set(text.number, text);
      contact?.recent.set(text.number, text.id);
    }
    for (const contact of this.contacts.values()) forgetOldUnread(contact);
    for (const contact of this.contacts.values()) if (contact.record.blocked) this.setAside(contact);
    for (const record of snapshot.past) this.past.set(record.key, record);
  }

  #load(record: OutgoingRecord): void {
    const contact = this.contacts.get(record.contact);
    if (contact === undefined) return;
    const outgoing = keep(contact, record);
    if (record.acceptedAt === null) contact.waiting.push(outgoing);
    this.order = Math.max(this.order, record.order);
  }

  addContact(record: ContactRecord, session: Session | null): Contact {
    const contact: Contact = {
      record, session,
      undelivered: new Map(), unread: new Map(), failed: new Map(), recent: new Map(), held: new Map(), outgoing: new Map(), byNumber: new Map(),
      waiting: [], inFlight: 0, putFailures: 0, hold: null,
      openCall: null, heardDirectAt: 0, askedDirectAt: 0, callFailures: 0, nextCallAt: 0, nextGreetAt: 0, pathSince: this.now, why: this.direct ? 'away' : 'short-lived',
      lastReceiptAt: 0, lastAgainAt: 0, lastRepeatedAt: 0, nextOfferAt: 0, gapAsked: 0, differs: false, nextTellAt: 0, nextOldAt: 0, resetFailed: false,
    };
    this.contacts.set(record.id, contact);
    return contact;
  }

  /** A contact, blocked or not. */
  known(id: ContactId): Contact | undefined {
    return this.contacts.get(id) ?? this.blocked.get(id);
  }

  /** Moves a contact to the blocked ones. */
  setAside(contact: Contact): void {
    this.contacts.delete(contact.record.id);
    this.blocked.set(contact.record.id, contact);
  }

  /** Moves a contact back from the blocked ones. */
  takeBack(contact: Contact): void {
    this.blocked.delete(contact.record.id);
    this.contacts.set(contact.record.id, contact);
  }

  /** Forgets a contact and everything said. */
  forget(contact: Contact): void {
    const { id } = contact.record;
    this.contacts.delete(id);
    this.blocked.delete(id);
    this.#changed.delete(contact);
    this.emit({ type: 'save', change: { kind: 'contact-removed', id } });
  }

  /** Forgets somebody who waits for approval. False if nobody of this id does. */
  forgetRequest(id: ContactId): boolean {
    if (!this.requests.delete(id)) return false;
    this.emit({ type: 'save', change: { kind: 'request-removed', id } });
    return true;
  }

  /** Changes a contact's record; it is saved, with its session, at the end of this input. */
  update(contact: Contact, patch: Partial<ContactRecord>): void {
    contact.record = { ...contact.record, ...patch };
    this.#changed.add(contact);
  }

  /** The session moved on: as `update`, with the ratchet. */
  advance(contact: Contact, session: Session, patch: Partial<ContactRecord>): void {
    contact.session = session;
    this.update(contact, patch);
  }

  /** The machine's clock was set back: what was to happen at a time still happens as soon as before. */
  setClockBack(ms: number): void {
    this.timers.shift(ms);
    for (const contact of [...this.contacts.values(), ...this.blocked.values()]) {
      contact.lastReceiptAt -= ms;
      contact.lastAgainAt -= ms;
      contact.lastRepeatedAt -= ms;
      contact.heardDirectAt -= ms;
      contact.askedDirectAt -= ms;
      contact.nextCallAt -= ms;
      contact.nextGreetAt -= ms;
      contact.nextOfferAt -= ms;
      contact.nextTellAt -= ms;
      contact.nextOldAt -= ms;
      if (contact.hold !== null) contact.hold = { ...contact.hold, until: contact.hold.until - ms };
      for (const outgoing of contact.outgoing.values()) outgoing.sentAt -= ms;
    }
  }

  /** The next place in the order of this home. */
  nextPosition(): number {
    this.self = { ...this.self, position: this.self.position + 1 };
    this.#selfChanged = true;
    return this.self.position;
  }

  emit(output: Output): void {
    this.#outputs.push(output);
  }

  /** Saves an own or received text and tells the person where that is due. */
  saveText(record: MessageRecord, event: 'message' | 'state' | null): void {
    this.emit({ type: 'save', change: { kind: 'message', record } });
    if (event !== null) this.emit({ type: event, message: record });
  }

  isOnline(relay: string, role: LinkRole): boolean {
    return this.links.get(`${role} ${relay}`)?.online ?? false;
  }

  /** The path that a conversation uses now. */
  pathOf(contact: Contact): PathName {
    const call = contact.openCall === null ? undefined : this.calls.get(contact.openCall);
    return call === undefined ? 'relay' : pathOfCall(call);
  }

  /** Own mailboxes: of contacts, of invitations that nobody has accepted yet, and of our address. */
  *mailboxes(): Generator<OwnMailbox> {
    for (const contact of this.contacts.values()) yield contact.record.inbox;
    for (const invitation of this.invitations.values()) yield invitation.mailbox;
    if (this.address !== null) yield this.address.mailbox;
  }

  /** All that this input led to, saves included; empties the list. */
  takeOutputs(): Output[] {
    if (this.#selfChanged) this.emit({ type: 'save', change: { kind: 'self', record: this.self } });
    for (const contact of this.#changed) {
      contact.record = { ...contact.record, session: contact.session === null ? new Uint8Array() : packSession(contact.session) };
      this.emit({ type: 'save', change: { kind: 'contact', record: contact.record } });
    }
    this.#selfChanged = false;
    this.#changed.clear();
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }
}
