// Plain records for the store's tests to build on, and the key of their stores.

import type { Change, ContactRecord, MessageRecord, OwnMailbox, PeerMailbox, SelfRecord } from '../../../client/core/records.js';

export const KEY = Uint8Array.from({ length: 32 }, (_, n) => 0xe0 - n);

export const ALICE: SelfRecord = { name: 'Alice Liddell', relay: 'https://relay.example', identity: new Uint8Array(96).fill(1), devices: new Uint8Array(179).fill(2), createdAt: 1_760_000_000_000, position: 0 };
export const BOB = 'b0'.repeat(32);

const OUTBOX: PeerMailbox = { relay: ALICE.relay, mailbox: '22'.repeat(16), token: new Uint8Array(16).fill(4) };
const INBOX: OwnMailbox = { ...OUTBOX, mailbox: '11'.repeat(16), ownerSeed: new Uint8Array(32).fill(3) };

/** Bob after our Text number n, with a session of the usual size. */
export function bobAfter(n: number): ContactRecord {
  return {
    id: BOB, name: 'Bob Cratchit', identity: new Uint8Array(64).fill(5), devices: new Uint8Array(179).fill(6), createdAt: 1_760_000_000_000, policy: 'direct', blocked: false,
    session: new Uint8Array(700).fill(n), flight: null, flightKey: null, begunAt: 0,
    resumptions: new Uint8Array(64).fill(7), reset: null, resetReason: null, resetTakenAt: 0, inbox: INBOX, helloOwed: false, outbox: OUTBOX,
    sentFirst: 1, sentNumber: n, sentChain: new Uint8Array(8).fill(n), receivedNumber: 0, lacking: [], readyNumber: 0, readyChain: new Uint8Array(8),
    readNumber: 0, unread: 0, receiptOwed: false, unanswered: n, heardAt: 0,
  };
}

/** Our Text number n, at position n. */
export function textTo(contactId: string, n: number, words = `message number ${n}`): MessageRecord {
  return {
    id: idOf(n), contact: contactId, direction: 'out', number: n, text: words, state: 'queued', path: null, reason: null,
    sentAt: 1_760_000_000_000 + n, receivedAt: null, acceptedAt: null, deliveredAt: null, readAt: null, position: n,
  };
}

/** What one sent Text writes: the session that sealed it, the message, and the envelope. */
export function sending(n: number): Change[] {
  return [
    { kind: 'contact', record: bobAfter(n) },
    { kind: 'message', record: textTo(BOB, n) },
    { kind: 'outgoing', record: { envelope: idOf(n), contact: BOB, order: n, bytes: new Uint8Array(700).fill(n), number: n, createdAt: n, expiresAt: n, acceptedAt: null } },
  ];
}

export function idOf(n: number): string {
  return n.toString(16).padStart(32, '0');
}
