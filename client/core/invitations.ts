// How strangers become contacts: an invitation given out, a link accepted, a first flight received (PROTOCOL.md §3, §4).
// The one-time private keys of an invitation are erased in the same transaction that stores the session they made.

import { checkDevices, devicesHash } from '../../crypto/devices.js';
import { equal, fromHex, toHex } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import type { ErrorCode } from '../../crypto/error.js';
import { FLIGHT_BYTES, initiate, respond } from '../../crypto/handshake.js';
import { hash } from '../../crypto/hash.js';
import { identityId, packPublicIdentity } from '../../crypto/identity.js';
import type { PublicIdentity } from '../../crypto/identity.js';
import { createInvitation, openCard, packInvitation, parseLink, unpackInvitation } from '../../crypto/invitation.js';
import type { Invitation } from '../../crypto/invitation.js';
import { hostOf, relayOrigin } from '../../crypto/origin.js';
import { decrypt } from '../../crypto/session.js';
import type { Session } from '../../crypto/session.js';
import { CLAIM_BYTES, ENVELOPE_MAX_TTL_SECONDS, LOOKUP_BYTES, MAILBOX_BYTES, TOKEN_BYTES } from '../../relay/wire/limits.js';
import { CHAIN_BYTES, decodeBody } from './body.js';
import { owe, sendAllAgain, settleBelow } from './conversation.js';
import { hangUp } from './direct.js';
import type { RequestId } from './input.js';
import { resumptionsAfter } from './memory.js';
import type { Contact, Memory } from './memory.js';
import type { Body } from './message_pb.js';
import { enqueue } from './outbox.js';
import { isThisMachine } from './sdp.js';
import type { ContactRecord, InvitationRecord, OwnMailbox, PeerMailbox } from './records.js';

/** The relay gives out no card that has expired, but a flight that was put before may wait as long as an envelope lives. */
const GRACE_MS = ENVELOPE_MAX_TTL_SECONDS * 1000;
/** How far ahead of ours a contact's clock may be: two machines never agree. */
export const CLOCK_AHEAD_MS = 24 * 3_600_000;
/** Length of the seed of a mailbox's owner key (Ed25519). */
const SEED_BYTES = 32;

/** The person wants a link. It is answered when the relay holds the card and the mailbox. */
export function invite(memory: Memory, request: RequestId, lifetimeMs: number): void {
  const mailbox = createMailbox(memory);
  const expiresAt = memory.now + lifetimeMs;
  const { name, devices } = memory.self;
  const created = createInvitation({ identity: memory.identity, devices, name, ...bundleAddress(mailbox), expiresAt }, memory.random);
  const record: InvitationRecord = {
    lookup: toHex(created.lookup), link: created.link, secret: packInvitation(created.secret), card: created.card,
    published: false, mailbox, createdAt: memory.now, expiresAt,
  };
  memory.invitations.set(record.lookup, record);
  memory.inviting.set(record.lookup, request);
  memory.emit({ type: 'save', change: { kind: 'invitation', record } });
  collect(memory, mailbox);
  publish(memory, record);
}

/** One of our mailboxes as a bundle says it. */
export function bundleAddress({ relay, mailbox, token }: OwnMailbox): { readonly relay: string; readonly mailbox: Uint8Array; readonly token: Uint8Array } {
  return { relay, mailbox: fromHex(mailbox), token };
}

/** Gives the card to the relay; again after a crash in between. */
export function publish(memory: Memory, record: InvitationRecord): void {
  const ttlSeconds = Math.ceil((record.expiresAt - memory.now) / 1000);
  memory.emit({ type: 'publish', relay: record.mailbox.relay, lookup: record.lookup, card: record.card, ttlSeconds });
}

/** The relay has the card, or refused it. */
export function onPublished(memory: Memory, lookup: string, error: ErrorCode | null): void {
  const record = memory.invitations.get(lookup);
  if (record === undefined) return;
  if (error === null) {
    const published = { ...record, published: true };
    memory.invitations.set(lookup, published);
    memory.emit({ type: 'save', change: { kind: 'invitation', record: published } });
    answerInvite(memory, published);
  } else {
    failInvite(memory, record, error);
  }
}

/** The link works once the card is published and the mailbox exists. */
export function answerInvite(memory: Memory, record: InvitationRecord): void {
  const request = memory.inviting.get(record.lookup);
  if (request === undefined || !record.published || !memory.collected.has(record.mailbox.mailbox)) return;
  memory.inviting.delete(record.lookup);
  memory.emit({ type: 'answer', request, result: { type: 'invited', link: record.link, expiresAt: record.expiresAt } });
}

/** An invitation that never worked is forgotten, so that nobody waits for it. */
export function failInvite(memory: Memory, record: InvitationRecord, error: ErrorCode): void {
  const request = memory.inviting.get(record.lookup);
  if (request === undefined) return;
  memory.inviting.delete(record.lookup);
  forget(memory, record);
  memory.emit({ type: 'answer', request, result: new SottoError(error) });
}

/** Timer `invitations`: expired ones lose their keys and their mailbox, once nothing that was put in time can still wait there. */
export function expireInvitations(memory: Memory): void {
  for (const record of memory.invitations.values()) {
    if (record.expiresAt + GRACE_MS > memory.now) continue;
    forget(memory, record);
    memory.emit({ type: 'close-mailbox', mailbox: record.mailbox });
  }
}

function forget(memory: Memory, record: InvitationRecord): void {
  memory.invitations.delete(record.lookup);
  memory.emit({ type: 'save', change: { kind: 'invitation-removed', lookup: record.lookup } });
}

/** The person has a link. Throws `link-invalid`, `own-invitation`, `contact-exists`. */
export function accept(memory: Memory, request: RequestId, text: string): void {
  const link = parseLink(text);
  const id = toHex(link.idHash);
  if (id === memory.id) throw new SottoError('own-invitation');
  refuseKnown(memory, id, null);
  memory.accepting.set(request, link);
  memory.emit({ type: 'link', relay: link.relay, role: 'deposit' });
  // Ours alone, and the same again after a crash: the relay gives a card to one claim only.
  const claim = hash('claim', memory.identity.edSeed, link.linkKey).slice(0, CLAIM_BYTES);
  memory.emit({ type: 'take', request, relay: link.relay, lookup: link.lookup.slice(0, LOOKUP_BYTES), claim });
}

/** The relay has given us the card of the link that is being accepted. Throws what openCard throws. */
export function onCard(memory: Memory, request: RequestId, card: Uint8Array | null, error: ErrorCode | null): void {
  const link = memory.accepting.get(request);
  memory.accepting.delete(request);
  if (link === undefined) return;
  if (card === null) throw new SottoError(error ?? 'card-unknown');
  const bundle = openCard(link, card, memory.now);
  // Their flight may have come while we waited for their card.
  refuseKnown(memory, toHex(link.idHash), toHex(bundle.mailbox));
  const devices = checkNewest(memory, bundle.identity, bundle.devices);
  const { session, flight } = initiate(memory.identity, memory.self.devices, bundle, memory.random);
  const outbox = outboxOf(memory, bundle);
  const record = { ...createContact(memory, bundle.identity, devices, bundle.name, createMailbox(memory), outbox), flight };
  memory.emit({ type: 'link', relay: outbox.relay, role: 'deposit' });
  collect(memory, record.inbox);
  const contact = begin(memory, record, session);
  enqueue(memory, contact, null, null);
  memory.emit({ type: 'answer', request, result: { type: 'accepted', contact: record.id } });
}

// A session that works is never given up for a link, and the same invitation makes no second one: its keys are gone at its maker.
// Only a contact that has never answered may be invited again.
function refuseKnown(memory: Memory, id: string, mailbox: string | null): void {
  const known = memory.contacts.get(id)?.record;
  if (known !== undefined && (known.flight === null || known.outbox.mailbox === mailbox)) throw new SottoError('contact-exists');
}

// Makes a contact, or gives the one that is there a new session: what was not delivered in the old one is sealed anew.
function begin(memory: Memory, record: ContactRecord, session: Session): Contact {
  const known = memory.contacts.get(record.id);
  if (known === undefined) {
    const contact = memory.addContact(record, session);
    memory.update(contact, {});
    memory.emit({ type: 'contact', contact: contact.record });
    return contact;
  }
  if (known.record.flight === null) memory.emit({ type: 'notice', contact: record.id, code: 'session-replaced' });
  memory.emit({ type: 'close-mailbox', mailbox: known.record.inbox });
  const { flight, flightKey, devices, inbox, outbox, begunAt } = record;
  replaceSession(memory, known, session, { flight, flightKey, devices, inbox, outbox, begunAt, reset: null });
  return known;
}

/** Gives a contact a new session: what was not delivered in the old one is sealed anew, and its direct paths end with it. */
export function replaceSession(memory: Memory, contact: Contact, session: Session, patch: Partial<ContactRecord>): void {
  hangUp(memory, contact);
  const begunAt = Math.max(contact.record.begunAt, patch.begunAt ?? 0);
  memory.advance(contact, session, { ...patch, begunAt, resumptions: resumptionsAfter(contact), unanswered: 0, createdAt: memory.now });
  sendAllAgain(memory, contact);
}

/** Where a contact wants to be reached, as a bundle or a Hello says it. Throws `card-invalid`. */
export function outboxOf(memory: Memory, { relay, mailbox, token }: { readonly relay: string; readonly mailbox: Uint8Array; readonly token: Uint8Array }): PeerMailbox {
  return { relay: depositable(memory, relay), mailbox: toHex(mailbox), token };
}

// The relay where a contact wants to be reached. It must not make us knock at the services of this machine, unless our own relay is here too.
function depositable(memory: Memory, relay: string): string {
  const origin = relayOrigin(relay);
  if (isThisMachine(hostOf(origin)) && !isThisMachine(hostOf(memory.self.relay))) throw new SottoError('card-invalid');
  return origin;
}

// A new mailbox is collected at once; if the relay is away, with all others when it is back.
function collect(memory: Memory, mailbox: OwnMailbox): void {
  if (memory.isOnline(mailbox.relay, 'collect')) memory.emit({ type: 'collect', mailbox });
}

function createMailbox(memory: Memory): OwnMailbox {
  return { relay: memory.self.relay, mailbox: toHex(memory.random(MAILBOX_BYTES)), ownerSeed: memory.random(SEED_BYTES), token: memory.random(TOKEN_BYTES) };
}

/** The list, if it may stand in the place of the one that we know. Throws `malformed`. */
export function checkNewest(memory: Memory, identity: PublicIdentity, devices: Uint8Array): Uint8Array {
  const known = memory.contacts.get(toHex(identityId(identity)))?.record.devices ?? null;
  checkDevices(devices, identity, known?.length === 0 ? null : known);
  return devices;
}

function createContact(memory: Memory, identity: PublicIdentity, devices: Uint8Array, name: string, inbox: OwnMailbox, outbox: PeerMailbox): ContactRecord {
  return {
    id: toHex(identityId(identity)), name, identity: packPublicIdentity(identity), devices, createdAt: memory.now, policy: 'direct',
    session: new Uint8Array(), flight: null, flightKey: null, begunAt: 0, resumptions: new Uint8Array(), reset: null, resetReason: null, resetTakenAt: 0, inbox, outbox,
    sentFirst: 1, sentNumber: 0, sentChain: new Uint8Array(CHAIN_BYTES),
    receivedNumber: 0, lacking: [], readyNumber: 0, readyChain: new Uint8Array(CHAIN_BYTES),
    readNumber: 0, unread: 0, receiptOwed: false, unanswered: 0, heardAt: 0,
  };
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

/** Opens a flight with one-time keys of ours. Throws `undecryptable` or `malformed`; nothing is changed either way. */
export function openFlight(memory: Memory, secret: Invitation, envelope: Uint8Array): OpenedFlight {
  if (envelope.length <= FLIGHT_BYTES) throw new SottoError('undecryptable');
  const opened = respond(memory.identity, secret, envelope.subarray(0, FLIGHT_BYTES), memory.random);
  const { session, body: bytes } = decrypt(opened.session, envelope.subarray(FLIGHT_BYTES), memory.random, memory.now);
  const body = decodeBody(bytes);
  const { hello } = body;
  const reply = hello?.reply;
  if (hello === undefined || reply === undefined || !equal(devicesHash(hello.devices), opened.peerDevices)) throw new SottoError('malformed');
  const devices = checkNewest(memory, opened.peer, hello.devices);
  const { peer, flightKey } = opened;
  return { session, peer, name: hello.name, flightKey, devices, outbox: outboxOf(memory, reply), first: hello.first, sentAt: Math.min(Number(body.sentAt), memory.now + CLOCK_AHEAD_MS), body };
}

/** An envelope in the mailbox of an invitation: somebody accepts it. Throws `undecryptable` or `malformed`; then nothing has changed. */
export function onFlight(memory: Memory, invitation: InvitationRecord, envelope: Uint8Array): { readonly contact: Contact; readonly body: Body } | null {
  const flight = openFlight(memory, unpackInvitation(invitation.secret), envelope);
  const { session, peer, name, flightKey, devices, outbox, body } = flight;
  const record = { ...createContact(memory, peer, devices, name, invitation.mailbox, outbox), flightKey, begunAt: flight.sentAt };
  const known = memory.contacts.get(record.id);
  if (known !== undefined && isCrossing(memory, known, invitation.createdAt)) return null;
  forget(memory, invitation);
  memory.emit({ type: 'link', relay: outbox.relay, role: 'deposit' });
  const contact = begin(memory, record, session);
  memory.update(contact, { heardAt: memory.now });
  settleBelow(memory, contact, flight.first);
  owe(memory, contact);
  return { contact, body };
}

/**
 * Whether a flight of a known contact crosses one of ours, which wins: the session that the lower identity id began is kept on both sides,
 * whenever the other flight comes. A flight by keys of ours that are younger than our session is no crossing: the contact begins anew.
 */
export function isCrossing(memory: Memory, { session, record }: Contact, keysMadeAt: number): boolean {
  return session !== null && record.flightKey === null && memory.id < record.id && keysMadeAt <= record.createdAt;
}

/** Whether an envelope repeats the flight that made this contact's session; its ratchet message follows the flight. */
export function isFlightOf(contact: Contact, envelope: Uint8Array): boolean {
  const { flightKey } = contact.record;
  return flightKey !== null && envelope.length > FLIGHT_BYTES && equal(envelope.subarray(0, flightKey.length), flightKey);
}
