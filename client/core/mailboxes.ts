// Our own mailboxes: how one is made, whose it is, and how one is given up. A mailbox that is given up stays known until its relay has
// closed it, so that nobody goes on writing where nobody reads.

import { fromHex, toHex } from '../../crypto/bytes.js';
import type { ErrorCode } from '../../crypto/error.js';
import { MAILBOX_BYTES, TOKEN_BYTES } from '../../relay/wire/limits.js';
import type { Contact, Memory } from './memory.js';
import type { AddressRecord, InvitationRecord, MailboxId, OwnMailbox } from './records.js';

/** Length of the seed of a mailbox's owner key (Ed25519). */
const SEED_BYTES = 32;

/** A new mailbox at our relay; it exists when the relay has been asked to collect it. */
export function createMailbox(memory: Memory): OwnMailbox {
  return { relay: memory.self.relay, mailbox: toHex(memory.random(MAILBOX_BYTES)), ownerSeed: memory.random(SEED_BYTES), token: memory.random(TOKEN_BYTES) };
}

/** One of our mailboxes as a bundle says it. */
export function bundleAddress({ relay, mailbox, token }: OwnMailbox): { readonly relay: string; readonly mailbox: Uint8Array; readonly token: Uint8Array } {
  return { relay, mailbox: fromHex(mailbox), token };
}

/** A new mailbox is collected at once; if the relay is away, with all others when it is back. */
export function collect(memory: Memory, mailbox: OwnMailbox): void {
  if (memory.isOnline(mailbox.relay, 'collect')) memory.emit({ type: 'collect', mailbox });
}

/** Gives a mailbox up: now, or when the relay is back. */
export function closeMailbox(memory: Memory, mailbox: OwnMailbox): void {
  memory.closing.set(mailbox.mailbox, mailbox);
  memory.emit({ type: 'save', change: { kind: 'closing', record: mailbox } });
  if (memory.isOnline(mailbox.relay, 'collect')) memory.emit({ type: 'close-mailbox', mailbox });
}

/** A relay is back: closes what it could not be told to close. */
export function closeRest(memory: Memory, relay: string): void {
  for (const mailbox of memory.closing.values()) if (mailbox.relay === relay) memory.emit({ type: 'close-mailbox', mailbox });
}

/** The relay's answer. A mailbox that somebody else has is closed as far as we are concerned; anything else is tried again. */
export function onClosed(memory: Memory, mailbox: MailboxId, error: ErrorCode | null): void {
  if (error !== null && error !== 'mailbox-taken') return;
  if (memory.closing.delete(mailbox)) memory.emit({ type: 'save', change: { kind: 'closing-removed', mailbox } });
}

/** Whose a mailbox of ours is: one of three, or nobody's any more. */
export interface Owner {
  readonly contact: Contact | null;
  readonly invitation: InvitationRecord | null;
  readonly own: AddressRecord | null;
  readonly relay: string | null;
}

export function ownerOf(memory: Memory, mailbox: MailboxId): Owner {
  const nobody: Owner = { contact: null, invitation: null, own: null, relay: null };
  for (const contact of memory.contacts.values()) if (contact.record.inbox.mailbox === mailbox) return { ...nobody, contact, relay: contact.record.inbox.relay };
  for (const invitation of memory.invitations.values()) if (invitation.mailbox.mailbox === mailbox) return { ...nobody, invitation, relay: invitation.mailbox.relay };
  const own = memory.address;
  return own?.mailbox.mailbox === mailbox ? { ...nobody, own, relay: own.mailbox.relay } : nobody;
}
