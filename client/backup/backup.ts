// What a backup holds: the owner, the contacts with the secrets by which a session can begin anew, the address with the keys of its cards,
// for what is printed cannot be changed, and the messages. Never the keys of a session, of a message or of an invitation (PROTOCOL.md §12.2).
// It knows no files, no bytes and no person.

import { type Memory, resumptionsAfter } from '../core/memory.js';
import type { AddressRecord, Change, ContactRecord, MessageRecord, SelfRecord, WeekRecord } from '../core/records.js';
import type { Store } from '../stores/store.js';

const PAGE = 500;

/** What belongs to a session and ends with it. */
interface SessionPart extends Pick<ContactRecord, 'session' | 'flight' | 'flightKey' | 'helloOwed' | 'reset' | 'resetReason' | 'receiptOwed' | 'unanswered'> {}

/** A contact as a backup knows it: its resumption secrets are all that is left of the session. */
export type BackupContact = Omit<ContactRecord, keyof SessionPart>;

/** One record of a backup. The owner comes first, then the contacts, then the address and its weeks if there is one, then the messages. */
export type BackupRecord =
  | { readonly kind: 'owner'; readonly record: SelfRecord }
  | { readonly kind: 'contact'; readonly record: BackupContact }
  | { readonly kind: 'address'; readonly record: AddressRecord }
  | { readonly kind: 'week'; readonly record: WeekRecord }
  | { readonly kind: 'message'; readonly record: MessageRecord };

/**
 * Everything that a backup of this home holds, as it is at this moment: what the memory holds is taken at once, and messages that come
 * later are left out. What the memory holds must be in the store.
 */
export function contentOf(memory: Memory, store: Store): AsyncIterable<BackupRecord> {
  const { self, address } = memory;
  const contacts = [...memory.contacts.values(), ...memory.blocked.values()];
  const fixed: BackupRecord[] = [
    { kind: 'owner', record: self },
    ...contacts.map((contact) => ({ kind: 'contact' as const, record: { ...withoutSession(contact.record), resumptions: resumptionsAfter(contact) } })),
    ...(address === null ? [] : [{ kind: 'address' as const, record: address }]),
    ...[...memory.weeks.values()].map((record) => ({ kind: 'week' as const, record })),
    ...contacts.flatMap(({ held }) => [...held.values()].map((record) => ({ kind: 'message' as const, record }))),
  ];
  return (async function* () {
    yield* fixed;
    for (let after = 0; ;) {
      const page = await store.messages({ after, before: self.position + 1, limit: PAGE });
      for (const record of page) yield { kind: 'message' as const, record };
      if (page.length < PAGE) return;
      after = page.at(-1)!.position!;
    }
  })();
}

function withoutSession(contact: ContactRecord): BackupContact {
  const { session: _1, flight: _2, flightKey: _3, helloOwed: _4, reset: _5, resetReason: _6, receiptOwed: _7, unanswered: _8, ...kept } = contact;
  return kept;
}

const NO_SESSION: SessionPart = { session: new Uint8Array(), flight: null, flightKey: null, helloOwed: false, reset: null, resetReason: null, receiptOwed: false, unanswered: 0 };

/** What a restored home writes of a record that is not the owner's: a contact is there without a session, which it then asks for (core/reset.ts). */
export function restoredChange(restored: Exclude<BackupRecord, { kind: 'owner' }>): Change {
  return restored.kind === 'contact' ? { kind: 'contact', record: { ...restored.record, ...NO_SESSION } } : restored;
}
