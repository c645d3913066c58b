// How strangers become contacts: an invitation given out, a link accepted, a first flight received (PROTOCOL.md §3, §4).
// The one-time private keys of an invitation are erased in the same transaction that stores the session they made.

import { parseAnyLink } from '../../crypto/address.js';
import { toHex } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import type { ErrorCode } from '../../crypto/error.js';
import { FLIGHT_BYTES, initiate, respond } from '../../crypto/handshake.js';
import { hash } from '../../crypto/hash.js';
import { createInvitation, openCard, packInvitation, unpackInvitation } from '../../crypto/invitation.js';
import type { InvitationLink } from '../../crypto/invitation.js';
import { CLAIM_BYTES, ENVELOPE_MAX_TTL_SECONDS } from '../../relay/wire/limits.js';
import { begin, checkNewest, createContact, isCrossing, leaveRelay, openFirst, peerMailbox } from './contacts.js';
import { owe, settleBelow } from './conversation.js';
import type { RequestId } from './input.js';
import { bundleAddress, closeMailbox, collect, createMailbox } from './mailboxes.js';
import type { Contact, Memory } from './memory.js';
import type { Body } from './message_pb.js';
import { enqueue } from './outbox.js';
import { refuseBlocked } from './parting.js';
import { checkPlace } from './place.js';
import { SHORT_ID } from './records.js';
import type { InvitationRecord } from './records.js';
import { approve } from './requests.js';

/** The relay gives out no card that has expired, but a flight that was put before may wait as long as an envelope lives. */
const GRACE_MS = ENVELOPE_MAX_TTL_SECONDS * 1000;

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

/** Gives the card to the relay; again after a crash in between. */
export function publish(memory: Memory, record: InvitationRecord): void {
  const ttlSeconds = Math.ceil((record.expiresAt - memory.now) / 1000);
  memory.emit({ type: 'publish', relay: record.mailbox.relay, lookup: record.lookup, card: record.card, reusable: false, ttlSeconds });
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
    closeMailbox(memory, record.mailbox);
  }
}

function forget(memory: Memory, record: InvitationRecord): void {
  memory.invitations.delete(record.lookup);
  memory.emit({ type: 'save', change: { kind: 'invitation-removed', lookup: record.lookup } });
}

/** The person has a link. Throws `link-invalid`, `own-invitation`, `contact-exists`, `relay-elsewhere`. */
export function accept(memory: Memory, request: RequestId, text: string): void {
  const link = parseAnyLink(text, memory.now);
  const id = toHex(link.idHash);
  if (id === memory.id) throw new SottoError('own-invitation');
  // They have asked already: their session serves, and ours would only cross it.
  if (memory.requests.has(id)) return approve(memory, request, id);
  refuseKnown(memory, id, null);
  checkPlace(link.relay, memory.self.relay);
  memory.accepting.set(request, link);
  memory.emit({ type: 'link', relay: link.relay, role: 'deposit' });
  // Ours alone, and the same again after a crash: the relay gives a card to one claim only. It ties no two cards to one guest.
  const claim = hash('claim', memory.identity.edSeed, link.lookup).slice(0, CLAIM_BYTES);
  memory.emit({ type: 'take', request, relay: link.relay, lookup: link.lookup, claim });
}

/** The relay has given us the card of the link that is being accepted. Throws what openCard throws. */
export function onCard(memory: Memory, request: RequestId, card: Uint8Array | null, error: ErrorCode | null): void {
  const link = memory.accepting.get(request);
  memory.accepting.delete(request);
  if (link === undefined) return;
  try {
    join(memory, request, link, card, error);
  } finally {
    leaveRelay(memory, link.relay);
  }
}

function join(memory: Memory, request: RequestId, link: InvitationLink, card: Uint8Array | null, error: ErrorCode | null): void {
  if (card === null) throw new SottoError(error ?? 'card-unknown');
  const bundle = openCard(link, card, memory.now);
  // Their flight may have come while we waited for their card.
  const id = toHex(link.idHash);
  if (memory.requests.has(id)) return approve(memory, request, id);
  refuseKnown(memory, id, toHex(bundle.mailbox));
  const devices = checkNewest(memory, bundle.identity, bundle.devices);
  const { session, flight } = initiate(memory.identity, memory.self.devices, bundle, memory.random);
  const record = { ...createContact(bundle.identity, devices, bundle.name, createMailbox(memory), peerMailbox(memory, bundle), memory.now), flight };
  collect(memory, record.inbox);
  const contact = begin(memory, record, session);
  enqueue(memory, contact, null, null);
  memory.emit({ type: 'answer', request, result: { type: 'accepted', contact: record.id, isBack: false } });
}

// A session that works is never given up for a link, and the same invitation makes no second one: its keys are gone at its maker.
// Only a contact that has never answered may be invited again.
function refuseKnown(memory: Memory, id: string, mailbox: string | null): void {
  refuseBlocked(memory, id);
  const known = memory.contacts.get(id)?.record;
  if (known === undefined || (known.flight !== null && known.outbox.mailbox !== mailbox)) return;
  const short = known.id.slice(0, SHORT_ID);
  throw new SottoError('contact-exists', `This is ${known.name}, your contact already; write to them with "sotto chat ${short}". If they have removed you, first "sotto contacts remove ${short}".`);
}

/** An envelope in the mailbox of an invitation: somebody accepts it. Throws `undecryptable` or `malformed`; then nothing has changed. */
export function onFlight(memory: Memory, invitation: InvitationRecord, envelope: Uint8Array): { readonly contact: Contact; readonly body: Body } | null {
  const opened = openFirst(memory, respond(memory.identity, unpackInvitation(invitation.secret), envelope.subarray(0, FLIGHT_BYTES)), envelope);
  const { session, flightKey, devices, outbox, body } = opened;
  const record = { ...createContact(opened.peer, devices, opened.name, invitation.mailbox, outbox, memory.now), flightKey, begunAt: opened.begunAt };
  // The link stays good for whomever it was meant for.
  if (memory.blocked.has(record.id)) return null;
  const known = memory.contacts.get(record.id);
  if (known !== undefined && isCrossing(memory, known, invitation.createdAt)) return null;
  forget(memory, invitation);
  const contact = begin(memory, record, session);
  memory.update(contact, { heardAt: memory.now });
  settleBelow(memory, contact, opened.first);
  owe(memory, contact);
  return { contact, body };
}
