// How somebody becomes a contact, by whichever way they came: the record, the session, and where they are reached (PROTOCOL.md §7).
// It knows nothing of links and cards.

import { equal, toHex } from '../../crypto/bytes.js';
import { checkDevices, devicesHash } from '../../crypto/devices.js';
import { SottoError } from '../../crypto/error.js';
import { FLIGHT_BYTES } from '../../crypto/handshake.js';
import type { Responded } from '../../crypto/handshake.js';
import { identityId, packPublicIdentity } from '../../crypto/identity.js';
import type { PublicIdentity } from '../../crypto/identity.js';
import { relayOrigin } from '../../crypto/origin.js';
import { decrypt } from '../../crypto/session.js';
import type { Session } from '../../crypto/session.js';
import { CHAIN_BYTES, decodeBody } from './body.js';
import { sendAllAgain, watchGap } from './conversation.js';
import { hangUp } from './direct.js';
import { closeMailbox } from './mailboxes.js';
import { resumptionsAfter } from './memory.js';
import type { Contact, Memory } from './memory.js';
import type { Address, Body } from './message_pb.js';
import { flush } from './outbox.js';
import { takePast } from './past.js';
import { checkPlace } from './place.js';
import type { ContactId, ContactRecord, OwnMailbox, PeerMailbox } from './records.js';

/** How far ahead of ours a contact's clock may be: two machines never agree. */
export const CLOCK_AHEAD_MS = 24 * 3_600_000;

/** A contact without a word said. */
export function createContact(identity: PublicIdentity, devices: Uint8Array, name: string, inbox: OwnMailbox, outbox: PeerMailbox, now: number): ContactRecord {
  return {
    id: contactId(identity), name, identity: packPublicIdentity(identity), devices, createdAt: now, policy: 'direct', blocked: false,
    session: new Uint8Array(), flight: null, flightKey: null, begunAt: 0, resumptions: new Uint8Array(), reset: null, resetReason: null, resetTakenAt: 0,
    inbox, helloOwed: false, outbox,
    sentFirst: 1, sentNumber: 0, sentChain: new Uint8Array(CHAIN_BYTES),
    receivedNumber: 0, lacking: [], readyNumber: 0, readyChain: new Uint8Array(CHAIN_BYTES),
    readNumber: 0, unread: 0, receiptOwed: false, unanswered: 0, heardAt: 0,
  };
}

export function contactId(identity: PublicIdentity): ContactId {
  return toHex(identityId(identity));
}

/** Makes a contact, or gives the one that is there a new session: what was not delivered in the old one is sealed anew. */
export function begin(memory: Memory, record: ContactRecord, session: Session): Contact {
  memory.emit({ type: 'link', relay: record.outbox.relay, role: 'deposit' });
  // Whoever is a contact now waits for no approval any more.
  if (memory.requests.delete(record.id)) memory.emit({ type: 'save', change: { kind: 'request-removed', id: record.id } });
  const known = memory.contacts.get(record.id);
  if (known === undefined) {
    const contact = memory.addContact(record, session);
    memory.update(contact, takePast(memory, record.id));
    watchGap(memory, contact);
    memory.emit({ type: 'contact', contact: contact.record });
    return contact;
  }
  if (known.record.flight === null) memory.emit({ type: 'notice', contact: record.id, code: 'session-replaced' });
  const { flight, flightKey, devices, begunAt, inbox, helloOwed, outbox } = record;
  if (inbox.mailbox !== known.record.inbox.mailbox) closeMailbox(memory, known.record.inbox);
  replaceSession(memory, known, session, { flight, flightKey, devices, begunAt, inbox, helloOwed, outbox, reset: null });
  return known;
}

/** Gives a contact a new session: what was not delivered in the old one is sealed anew, and its direct paths end with it. */
export function replaceSession(memory: Memory, contact: Contact, session: Session, patch: Partial<ContactRecord>): void {
  hangUp(memory, contact);
  // It may bring another mailbox.
  contact.hold = null;
  const { begunAt, outbox } = contact.record;
  memory.advance(contact, session, { ...patch, begunAt: Math.max(begunAt, patch.begunAt ?? 0), resumptions: resumptionsAfter(contact), unanswered: 0, createdAt: memory.now });
  leaveRelay(memory, outbox.relay);
  sendAllAgain(memory, contact);
}

/** What a first flight and the first message behind it say, once both have opened. */
export interface OpenedFlight {
  readonly session: Session;
  readonly peer: PublicIdentity;
  readonly name: string;
  readonly flightKey: Uint8Array;
  readonly devices: Uint8Array;
  readonly outbox: PeerMailbox;
  /** No text of the guest's below this number will come. */
  readonly first: number;
  /** When it was written, by the guest's clock. */
  readonly sentAt: number;
  readonly body: Body;
}

/** The message behind a flight, which must open and say who the guest is. Throws `undecryptable` or `malformed`; nothing is changed either way. */
export function openFirst(memory: Memory, { session: begun, peer, peerDevices, flightKey }: Responded, envelope: Uint8Array): OpenedFlight {
  const { session, body: bytes } = decrypt(begun, envelope.subarray(FLIGHT_BYTES), memory.random, memory.now);
  const body = decodeBody(bytes);
  const { hello } = body;
  if (hello?.reply === undefined || !equal(devicesHash(hello.devices), peerDevices)) throw new SottoError('malformed');
  const devices = checkNewest(memory, peer, hello.devices);
  const sentAt = Math.min(Number(body.sentAt), memory.now + CLOCK_AHEAD_MS);
  return { session, peer, name: hello.name, flightKey, devices, outbox: peerMailbox(memory, hello.reply), first: hello.first, sentAt, body };
}

/** The list, if it may stand in the place of the one that we know. Throws `malformed`. */
export function checkNewest(memory: Memory, identity: PublicIdentity, devices: Uint8Array): Uint8Array {
  const known = memory.contacts.get(contactId(identity))?.record.devices ?? null;
  checkDevices(devices, identity, known?.length === 0 ? null : known);
  return devices;
}

/**
 * Whether a flight of a known contact crosses one of ours, which wins: the session that the lower identity id began is kept on both sides,
 * whenever the other flight comes. A flight by keys of ours that are younger than our session is no crossing: the contact begins anew.
 */
export function isCrossing(memory: Memory, { session, record }: Contact, keysMadeAt: number): boolean {
  return session !== null && record.flightKey === null && memory.id < record.id && keysMadeAt <= record.createdAt;
}

/** Whether an envelope repeats the flight that made this contact's session; its ratchet message follows the flight. */
export function isFlightOf({ flightKey }: { readonly flightKey: Uint8Array | null }, envelope: Uint8Array): boolean {
  return flightKey !== null && envelope.length > FLIGHT_BYTES && equal(envelope.subarray(0, flightKey.length), flightKey);
}

/** A contact is reached there no more. Whoever runs that relay, the contact perhaps, is to see us come and go only for somebody else's sake. */
export function leaveRelay(memory: Memory, relay: string): void {
  const isWanted = relay === memory.self.relay
    || [...memory.contacts.values()].some(({ record }) => record.outbox.relay === relay)
    || [...memory.accepting.values()].some((link) => link.relay === relay);
  if (!isWanted) memory.emit({ type: 'unlink', relay, role: 'deposit' });
}

/** Where somebody says that they are reached. Throws `relay-url-invalid` or `relay-elsewhere`. */
export function peerMailbox(memory: Memory, { relay, mailbox, token }: Omit<Address, '$typeName'>): PeerMailbox {
  const origin = relayOrigin(relay);
  checkPlace(origin, memory.self.relay);
  return { relay: origin, mailbox: toHex(mailbox), token };
}

/** The first answer of a contact says where they collect from now on: they have a mailbox for us alone (§7). */
export function onReply(memory: Memory, contact: Contact, reply: Address): void {
  const [before, outbox] = [contact.record.outbox, peerMailbox(memory, reply)];
  if (outbox.mailbox === before.mailbox) return;
  memory.update(contact, { outbox });
  memory.emit({ type: 'link', relay: outbox.relay, role: 'deposit' });
  leaveRelay(memory, before.relay);
  contact.hold = null;
  flush(memory, contact);
}
