// How somebody becomes a contact, by whichever way they came: the record, the session, and where they are reached (PROTOCOL.md §7).
// It knows nothing of links and cards.

import { equal, toHex } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import { FLIGHT_BYTES } from '../../crypto/handshake.js';
import { identityId, packPublicIdentity } from '../../crypto/identity.js';
import type { PublicIdentity } from '../../crypto/identity.js';
import { hostOf, relayOrigin } from '../../crypto/origin.js';
import type { Session } from '../../crypto/session.js';
import { CHAIN_BYTES } from './body.js';
import { sendAllAgain } from './conversation.js';
import { closeMailbox } from './mailboxes.js';
import type { Contact, Memory } from './memory.js';
import type { Address } from './message_pb.js';
import { flush } from './outbox.js';
import type { ContactId, ContactRecord, OwnMailbox, PeerMailbox } from './records.js';
import { isThisMachine } from './sdp.js';

/** A contact without a word said. */
export function createContact(identity: PublicIdentity, name: string, inbox: OwnMailbox, outbox: PeerMailbox, now: number): ContactRecord {
  return {
    id: contactId(identity), name, identity: packPublicIdentity(identity), createdAt: now, policy: 'direct',
    session: new Uint8Array(), flight: null, flightKey: null, inbox, helloOwed: false, outbox,
    sentNumber: 0, sentChain: new Uint8Array(CHAIN_BYTES),
    receivedNumber: 0, lacking: [], readyNumber: 0, readyChain: new Uint8Array(CHAIN_BYTES),
    readNumber: 0, receiptOwed: false, unanswered: 0, heardAt: 0,
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
    memory.update(contact, {});
    memory.emit({ type: 'contact', contact: contact.record });
    return contact;
  }
  if (known.record.flight === null) memory.emit({ type: 'notice', contact: record.id, code: 'session-replaced' });
  const { flight, flightKey, inbox, helloOwed, outbox } = record;
  if (inbox.mailbox !== known.record.inbox.mailbox) closeMailbox(memory, known.record.inbox);
  memory.advance(known, session, { flight, flightKey, inbox, helloOwed, outbox, unanswered: 0, createdAt: memory.now });
  sendAllAgain(memory, known);
  return known;
}

/** Whether an envelope repeats the flight that made this contact's session; its ratchet message follows the flight. */
export function isFlightOf({ flightKey }: { readonly flightKey: Uint8Array | null }, envelope: Uint8Array): boolean {
  return flightKey !== null && envelope.length > FLIGHT_BYTES && equal(envelope.subarray(0, flightKey.length), flightKey);
}

/** Where somebody says that they are reached. Throws `relay-url-invalid` or `card-invalid`. */
export function peerMailbox(memory: Memory, { relay, mailbox, token }: Omit<Address, '$typeName'>): PeerMailbox {
  const origin = relayOrigin(relay);
  // It must not make us knock at the services of this machine, unless our own relay is here too.
  if (isThisMachine(hostOf(origin)) && !isThisMachine(hostOf(memory.self.relay))) throw new SottoError('card-invalid');
  return { relay: origin, mailbox: toHex(mailbox), token };
}

/** The first answer of a contact says where they collect from now on: they have a mailbox for us alone (§7). */
export function onReply(memory: Memory, contact: Contact, reply: Address): void {
  const outbox = peerMailbox(memory, reply);
  if (outbox.mailbox === contact.record.outbox.mailbox) return;
  memory.update(contact, { outbox });
  memory.emit({ type: 'link', relay: outbox.relay, role: 'deposit' });
  contact.putPaused = false;
  flush(memory, contact);
}
