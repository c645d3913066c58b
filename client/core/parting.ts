// How our person parts with a contact: removes them for good, or blocks them until they say otherwise (PROTOCOL.md §7). The contact is told
// nothing, either way: no message of the session says so.

import { SottoError } from '../../crypto/error.js';
import { leaveRelay } from './contacts.js';
import { hangUp } from './direct.js';
import { closeMailbox, collect } from './mailboxes.js';
import type { Contact, Memory } from './memory.js';
import { keepPast } from './past.js';
import type { ContactId } from './records.js';

/** A contact, blocked or not. Throws `contact-unknown`. */
export function anyContact(memory: Memory, id: ContactId): Contact {
  const contact = memory.known(id);
  if (contact === undefined) throw new SottoError('contact-unknown');
  return contact;
}

/** Forgets a contact: what was said, the session with all its keys, and what has not left yet. Their mailbox is closed, so that nobody writes where nobody reads. */
export function remove(memory: Memory, contact: Contact): void {
  const { record } = contact;
  fallSilent(memory, contact);
  memory.collected.delete(record.inbox.mailbox);
  closeMailbox(memory, record.inbox);
  keepPast(memory, record);
  memory.forget(contact);
  leaveRelay(memory, record.outbox.relay);
  memory.emit({ type: 'removed', contact: record });
}

/**
 * Blocks a contact: nothing goes to them, and what they write stays at the relay, as if we were away. Their mailbox is not closed: the relay
 * would refuse what they write, and so tell them. Throws `option-invalid` for whoever was never heard: their flight may be crossing ours, and
 * passed over it would leave both with a session that the other does not have.
 */
export function block(memory: Memory, contact: Contact): void {
  if (contact.record.blocked) return;
  const { id, inbox, outbox, heardAt } = contact.record;
  if (heardAt === 0) throw new SottoError('option-invalid', 'Nothing has come from this contact yet, so there is nothing to block; "sotto contacts remove" ends it.');
  fallSilent(memory, contact);
  memory.update(contact, { blocked: true });
  memory.setAside(contact);
  leaveRelay(memory, outbox.relay);
  memory.collected.delete(inbox.mailbox);
  if (memory.isOnline(inbox.relay, 'collect')) memory.emit({ type: 'leave-mailbox', relay: inbox.relay });
  memory.emit({ type: 'notice', contact: id, code: 'blocked' });
}

/** Takes a blocked contact back; what waits for both comes and goes from now on. What is owed to them is for the caller to resume. */
export function unblock(memory: Memory, contact: Contact): void {
  const { id, inbox, outbox } = contact.record;
  memory.update(contact, { blocked: false });
  memory.takeBack(contact);
  memory.emit({ type: 'link', relay: inbox.relay, role: 'collect' });
  memory.emit({ type: 'link', relay: outbox.relay, role: 'deposit' });
  collect(memory, inbox);
  memory.emit({ type: 'notice', contact: id, code: 'unblocked' });
  memory.emit({ type: 'path', contact: id });
}

// Ends what is under way with a contact. What was in flight waits again: whether it has arrived is not heard any more, and the same bytes do no
// harm twice.
function fallSilent(memory: Memory, contact: Contact): void {
  for (const outgoing of contact.outgoing.values()) outgoing.via = null;
  contact.waiting = [];
  contact.inFlight = 0;
  contact.hold = null;
  // With nothing waiting, it sends nothing.
  hangUp(memory, contact);
  contact.waiting = [...contact.outgoing.values()].filter(({ record }) => record.acceptedAt === null).toSorted((a, b) => a.record.order - b.record.order);
}
