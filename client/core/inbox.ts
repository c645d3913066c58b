// Everything sealed that comes in: whose mailbox it lies in, what opens it, and who is told what it says. By whichever path it comes, and
// whatever it is, nothing that does not open changes anything (PROTOCOL.md §7).

import { SottoError } from '../../crypto/error.js';
import { FLIGHT_BYTES } from '../../crypto/handshake.js';
import { decrypt } from '../../crypto/session.js';
import { decodeBody } from './body.js';
import * as contacts from './contacts.js';
import * as conversation from './conversation.js';
import * as direct from './direct.js';
import type { Input } from './input.js';
import * as invitations from './invitations.js';
import { ownerOf } from './mailboxes.js';
import type { Contact, Memory } from './memory.js';
import type { Body } from './message_pb.js';
import { ASK_AFTER_MS, expectRoom } from './outbox.js';
import type { InvitationRecord, PathName } from './records.js';
import * as requests from './requests.js';
import * as reset from './reset.js';

/** The relay delivers what lay in a mailbox of ours; it is acknowledged whatever it is. */
export function onDelivery(memory: Memory, delivery: Extract<Input, { type: 'delivery' }>): void {
  const { contact, invitation, relay } = ownerOf(memory, delivery.mailbox);
  if (relay === null) return;
  const { envelope, mailbox, sequence } = delivery;
  const isFresh = delivery.ageMs <= direct.FRESH_MS;
  let heard: Contact | null;
  if (contact !== null) heard = onEnvelope(memory, contact, envelope, 'relay', isFresh) ? contact : null;
  else if (invitation !== null) heard = onFlight(memory, invitation, envelope, isFresh);
  else heard = onAddressed(memory, envelope, isFresh);
  // Released with the saves of this input: the relay deletes the envelope only when its content is on our disk.
  memory.emit({ type: 'acknowledge', relay, mailbox, sequence });
  if (heard !== null && isFresh) direct.onAlive(memory, heard);
}

/** An envelope of a contact, by whichever path. True if it was new and genuine. */
export function onEnvelope(memory: Memory, contact: Contact, envelope: Uint8Array, path: PathName, isFresh: boolean): boolean {
  const { flight, helloOwed } = contact.record;
  const hasFlight = contacts.isFlightOf(contact.record, envelope);
  const message = hasFlight ? envelope.subarray(FLIGHT_BYTES) : envelope;
  let opened: ReturnType<typeof decrypt>;
  try {
    if (contact.session === null) throw new SottoError('undecryptable');
    opened = decrypt(contact.session, message, memory.random, memory.now);
  } catch (error) {
    if (error instanceof SottoError && error.code === 'undecryptable') return onUnopened(memory, contact, envelope, path, isFresh);
    onRejected(memory, contact, error);
    return false;
  }
  if (path !== 'relay') contact.heardDirectAt = memory.now;
  // Who leaves the flight out has opened a message of ours, and each of them said where we collect.
  memory.advance(contact, opened.session, { heardAt: memory.now, unanswered: 0, flight: null, reset: null, helloOwed: helloOwed && hasFlight });
  // Who is heard again is asked soon for what they should have had, however long they were silent.
  memory.timers.hasten(`ask:${contact.record.id}`, memory.now + ASK_AFTER_MS);
  expectRoom(memory, contact);
  try {
    const body = decodeBody(opened.body);
    // Once per session, so that nobody sends us from relay to relay.
    if (flight !== null && body.hello?.reply !== undefined) contacts.onReply(memory, contact, body.hello.reply);
    onBody(memory, contact, body, path, isFresh);
  } catch (error) {
    onRejected(memory, contact, error);
  }
  return true;
}

// Not of the session: the answer to our reset, or sealed by the secret of a session. Or nobody's.
function onUnopened(memory: Memory, contact: Contact, envelope: Uint8Array, path: PathName, isFresh: boolean): boolean {
  const body = reset.onFlight(memory, contact, envelope);
  if (body !== null) {
    onBody(memory, contact, body, path, isFresh);
    return true;
  }
  if (reset.onSealed(memory, contact, envelope) || contact.session === null) return false;
  memory.emit({ type: 'notice', contact: contact.record.id, code: 'undecryptable' });
  return false;
}

function onFlight(memory: Memory, invitation: InvitationRecord, envelope: Uint8Array, isFresh: boolean): Contact | null {
  try {
    const opened = invitations.onFlight(memory, invitation, envelope);
    if (opened === null) return null;
    onBody(memory, opened.contact, opened.body, 'relay', isFresh);
    return opened.contact;
  } catch (error) {
    onRejected(memory, null, error);
    return null;
  }
}

// In the mailbox of our address: a contact that has not read our answer yet, somebody who waits, or somebody new. Anybody may write here,
// so what does not open is no news to the person.
function onAddressed(memory: Memory, envelope: Uint8Array, isFresh: boolean): Contact | null {
  for (const contact of memory.contacts.values()) {
    if (contacts.isFlightOf(contact.record, envelope)) return onEnvelope(memory, contact, envelope, 'relay', isFresh) ? contact : null;
  }
  try {
    const opened = requests.onStranger(memory, envelope);
    if (opened === null) return null;
    onBody(memory, opened.contact, opened.body, 'relay', isFresh);
    return opened.contact;
  } catch (error) {
    if (!(error instanceof SottoError)) throw error;
    return null;
  }
}

function onRejected(memory: Memory, contact: Contact | null, error: unknown): void {
  if (!(error instanceof SottoError)) throw error;
  if (error.code === 'duplicate' && contact !== null) conversation.onRepeated(memory, contact);
  // Of what the other side has sealed, this alone can be helped, and only by the person.
  else memory.emit({ type: 'notice', contact: contact?.record.id ?? null, code: error.code === 'relay-elsewhere' ? error.code : 'undecryptable' });
}

function onBody(memory: Memory, contact: Contact, body: Body, path: PathName, isFresh: boolean): void {
  const { content } = body;
  switch (content.case) {
    case undefined: return;
    case 'text': return conversation.onText(memory, contact, content.value, Number(body.sentAt), path);
    case 'receipt':
      if (!conversation.onReceipt(memory, contact, content.value)) reset.onOldCopy(memory, contact);
      return;
    case 'settled': return conversation.onSettled(memory, contact, content.value);
    case 'presence':
      conversation.noteLast(memory, contact, content.value.last);
      return isFresh ? direct.onPresence(memory, contact, content.value, path) : undefined;
    case 'offer': return isFresh ? direct.onOffer(memory, contact, content.value) : undefined;
    case 'answer': return direct.onAnswer(memory, contact, content.value);
    case 'candidates': return direct.onCandidates(memory, contact, content.value);
    case 'bind': return direct.onBind(memory, contact, content.value);
  }
}
