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
import { hostOf, relayOrigin } from '../../crypto/origin.js';
import { decrypt } from '../../crypto/session.js';
import type { Session } from '../../crypto/session.js';
import { CLAIM_BYTES, ENVELOPE_MAX_TTL_SECONDS, LOOKUP_BYTES, MAILBOX_BYTES, TOKEN_BYTES } from '../../relay/wire/limits.js';
import { CHAIN_BYTES, decodeBody } from './body.js';
import { owe, sendAllAgain } from './conversation.js';
import type { RequestId } from './input.js';
import type { Contact, Memory } from './memory.js';
import type { Body } from './message_pb.js';
import { enqueue } from './outbox.js';
import { isThisMachine } from './sdp.js';
import type { ContactRecord, InvitationRecord, OwnMailbox, PeerMailbox } from './records.js';

/** The relay gives out no card that has expired, but a flight that was put before may wait as long as an envelope lives. */
const GRACE_MS = ENVELOPE_MAX_TTL_SECONDS * 1000;
/** Length of the seed of a mailbox's owner key (Ed25519). */
const SEED_BYTES = 32;

/** The person wants a link. It is answered when the relay holds the card and the mailbox. */
export function invite(memory: Memory, request: RequestId, lifetimeMs: number): void {
  const mailbox = createMailbox(memory);
  const expiresAt = memory.now + lifetimeMs;
  const { name, relay, devices } = memory.self;
  const created = createInvitation({ identity: memory.identity, devices, name, relay, mailbox: fromHex(mailbox.mailbox), token: mailbox.token, expiresAt }, memory.random);
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
  const outbox: PeerMailbox = { relay: depositable(memory, bundle.relay), mailbox: toHex(bundle.mailbox), token: bundle.token };
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
  const { flight, flightKey, devices, inbox, outbox } = record;
  memory.advance(known, session, { flight, flightKey, devices, inbox, outbox, unanswered: 0, createdAt: memory.now });
  sendAllAgain(memory, known);
  return known;
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

// The list, if it may stand in the place of the one that we know. Throws `malformed`.
function checkNewest(memory: Memory, identity: PublicIdentity, devices: Uint8Array): Uint8Array {
  const known = memory.contacts.get(toHex(identityId(identity)))?.record.devices ?? null;
  checkDevices(devices, identity, known?.length === 0 ? null : known);
  return devices;
}

function createContact(memory: Memory, identity: PublicIdentity, devices: Uint8Array, name: string, inbox: OwnMailbox, outbox: PeerMailbox): ContactRecord {
  return {
    id: toHex(identityId(identity)), name, identity: packPublicIdentity(identity), devices, createdAt: memory.now, policy: 'direct',
    session: new Uint8Array(), flight: null, flightKey: null, inbox, outbox,
    sentNumber: 0, sentChain: new Uint8Array(CHAIN_BYTES),
    receivedNumber: 0, lacking: [], readyNumber: 0, readyChain: new Uint8Array(CHAIN_BYTES),
    readNumber: 0, unread: 0, receiptOwed: false, unanswered: 0, heardAt: 0,
  };
}

/** An envelope in the mailbox of an invitation: somebody accepts it. Throws `undecryptable` or `malformed`; then nothing has changed. */
export function onFlight(memory: Memory, invitation: InvitationRecord, envelope: Uint8Array): { readonly contact: Contact; readonly body: Body } | null {
  if (envelope.length <= FLIGHT_BYTES) throw new SottoError('undecryptable');
  const secret = unpackInvitation(invitation.secret);
  const opened = respond(memory.identity, secret, envelope.subarray(0, FLIGHT_BYTES), memory.random);
  const { session, body: bytes } = decrypt(opened.session, envelope.subarray(FLIGHT_BYTES), memory.random, memory.now);
  const body = decodeBody(bytes);
  const { hello } = body;
  const reply = hello?.reply;
  if (hello === undefined || reply === undefined || !equal(devicesHash(hello.devices), opened.peerDevices)) throw new SottoError('malformed');
  const devices = checkNewest(memory, opened.peer, hello.devices);
  const outbox: PeerMailbox = { relay: depositable(memory, reply.relay), mailbox: toHex(reply.mailbox), token: reply.token };
  const record = { ...createContact(memory, opened.peer, devices, hello.name, invitation.mailbox, outbox), flightKey: opened.flightKey };
  const known = memory.contacts.get(record.id);
  if (known !== undefined && isCrossing(memory, known, invitation)) return null;
  forget(memory, invitation);
  memory.emit({ type: 'link', relay: outbox.relay, role: 'deposit' });
  const contact = begin(memory, record, session);
  memory.update(contact, { heardAt: memory.now });
  owe(memory, contact);
  return { contact, body };
}

// Two flights that cross: the session that the lower identity id began wins on both sides, whenever the other flight comes. An
// invitation that is younger than our session is no crossing: the contact begins anew.
function isCrossing(memory: Memory, known: Contact, invitation: InvitationRecord): boolean {
  const { flightKey, createdAt } = known.record;
  return flightKey === null && memory.id < known.record.id && invitation.createdAt <= createdAt;
}

/** Whether an envelope repeats the flight that made this contact's session; its ratchet message follows the flight. */
export function isFlightOf(contact: Contact, envelope: Uint8Array): boolean {
  const { flightKey } = contact.record;
  return flightKey !== null && envelope.length > FLIGHT_BYTES && equal(envelope.subarray(0, flightKey.length), flightKey);
}
