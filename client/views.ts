// What the runtime shows of the core's memory: plain JSON for people's programs, and the sentences that go with it.

import { ERRORS, isErrorCode } from '../crypto/error.js';
import type { ErrorCode } from '../crypto/error.js';
import type { ClientEvent, ContactStatus, ContactView, MessageView, RelayStatus } from './client.js';
import type { Contact, Memory, WhyRelay } from './core/memory.js';
import type { Notice } from './core/output.js';
import type { MessageRecord } from './core/records.js';
import type { LinkState } from './transports/link.js';
import type { Peer } from './transports/peer.js';

const WHY: Record<WhyRelay, string> = {
  'short-lived': 'this command does not stay long enough to open a direct path',
  'resetting': 'a new session with this contact begins as soon as they answer',
  'policy': 'you have chosen that no direct path is opened to this contact',
  'unconfirmed': 'nothing has come from them since you accepted their invitation',
  'away': 'the contact has not been seen since this program started',
  'dialing': 'a direct path is being tried',
  'failed': 'no direct path could be opened; it will be tried again',
};

const NOTICES: Record<Notice, string> = {
  'history-differs': 'What this contact says they wrote before does not match what is here; compare with them.',
  'gap': 'Messages of this contact are missing; they have been asked for again.',
  'session-replaced': 'This contact accepted another invitation and has a new session; compare safety numbers.',
  'rolled-back': 'This home is an old copy: the contact has had more from it. A new session begins as soon as they answer; what you write waits until then.',
  'session-reset': 'A new session with this contact begins. The safety number is the same.',
  'restored': 'This contact has restored their home from a backup. The safety number is the same.',
  'reset-impossible': 'No new session with this contact can begin, for their mailbox is gone; send them a new invitation.',
  'fingerprint-mismatch': 'Somebody stood between you and this contact on the direct path; it was closed, the relay is used.',
  'mailbox-lost': 'The relay no longer lets us collect the mailbox of this contact; what they write does not arrive.',
};

export function noticeEvent(memory: Memory, contact: string | null, code: Notice | ErrorCode): ClientEvent {
  const known = contact === null ? undefined : memory.contacts.get(contact);
  return { type: 'notice', contact: known === undefined ? null : contactView(known), code, text: isErrorCode(code) ? ERRORS[code].sentence : NOTICES[code] };
}

export function contactView(contact: Contact): ContactView {
  return { id: contact.record.id, name: contact.record.name };
}

export function messageView(memory: Memory, record: MessageRecord): MessageView {
  const contact = memory.contacts.get(record.contact);
  const { id, direction, text, state, path, reason, sentAt, receivedAt, acceptedAt, deliveredAt, readAt } = record;
  return {
    id, contact: { id: record.contact, name: contact?.record.name ?? '' }, direction, text, state, path, reason,
    sentAt, receivedAt, acceptedAt, deliveredAt, readAt, position: record.position ?? 0,
  };
}

export function contactStatus(contact: Contact, peer: Peer | undefined): ContactStatus {
  const { record } = contact;
  const isDirect = contact.openCall !== null;
  return {
    ...contactView(contact),
    path: isDirect ? 'direct' : 'relay',
    since: contact.pathSince,
    why: isDirect ? 'both networks let packets through, and both sides have proven who they are' : WHY[whyRelay(contact)],
    pair: peer?.pair() ?? null,
    rttMs: peer?.rttMs() ?? null,
    policy: record.policy,
    heardAt: record.heardAt === 0 ? null : record.heardAt,
    undelivered: contact.undelivered.size,
    unread: record.unread,
  };
}

function whyRelay(contact: Contact): WhyRelay {
  if (contact.session === null) return 'resetting';
  if (contact.record.policy === 'relay-only') return 'policy';
  if (contact.record.flight !== null) return 'unconfirmed';
  return contact.why;
}

export function relayStatus(url: string, state: LinkState | undefined): RelayStatus {
  if (state === undefined) return { url, online: false, rttMs: null, reason: 'not connected' };
  return state.online ? { url, online: true, rttMs: state.rttMs, reason: null } : { url, online: false, rttMs: null, reason: state.reason };
}
