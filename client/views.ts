// What the runtime shows of the core's memory: plain JSON for people's programs, and the sentences that go with it.

import { ERRORS, isErrorCode } from '../crypto/error.js';
import type { ErrorCode } from '../crypto/error.js';
import type { ClientEvent, ContactStatus, ContactView, MessageView, RelayStatus, RequestView } from './client.js';
import type { Call, Contact, Memory, WhyRelay } from './core/memory.js';
import { holdOf } from './core/outbox.js';
import type { Notice } from './core/output.js';
import { SHORT_ID } from './core/records.js';
import type { MessageRecord, PathName, RequestRecord } from './core/records.js';
import { plainCause } from './health.js';
import type { Network } from './network.js';
import type { Pair } from './transports/peer.js';

/** Whoever was not heard for this long has left, as far as is known. */
const AWAY_MS = 60_000;

const WHY: Record<WhyRelay, string> = {
  'short-lived': 'this command does not stay long enough to open a direct path',
  'resetting': 'a new session with this contact begins as soon as they answer',
  'policy': 'you have chosen that no direct path is opened to this contact',
  'unconfirmed': 'nothing has come from them since you accepted their link; where it was an address, they answer only after approval',
  'away': 'they are away, or were a short while ago; a direct path is tried when they are here',
  'dialing': 'a direct path is being tried; it opens if they allow it and both networks let it through',
  'ended': 'the direct path has ended, as it does when they leave or a network changes; another is tried when they are here',
  'failed': 'no direct path could be opened: the networks let none through, or they do not allow it; it will be tried again',
};

const WHY_PEER: Record<Exclude<PathName, 'relay'>, string> = {
  direct: 'both networks let packets through, and both sides have proven who they are',
  turn: 'the networks let no packets through directly; a server forwards them, still sealed, and a direct path is tried again',
};

const NOTICES: Record<Notice, string> = {
  'history-differs': 'What this contact says they wrote before does not match what is here; compare with them.',
  'blocked': 'This contact is blocked: what they write is not collected, and nothing goes to them, until you take them back with "sotto contacts unblock CONTACT".',
  'unblocked': 'This contact is not blocked any more: what they wrote meanwhile comes now.',
  'gap': 'Messages of this contact are missing; they have been asked for again.',
  'session-replaced': 'This contact has begun anew by a link of yours: a new session takes the place of the old one. The safety number is the same.',
  'rolled-back': 'This home is an old copy: the contact has had more from it. A new session begins as soon as they answer; what you write waits until then.',
  'session-reset': 'A new session with this contact begins. The safety number is the same.',
  'restored': 'This contact has restored their home from a backup. The safety number is the same.',
  'reset-impossible': 'No new session with this contact can begin, for their mailbox is gone; send them a new invitation.',
  'fingerprint-mismatch': 'Somebody stood between you and this contact on the direct path; it was closed, the relay is used.',
  'mailbox-lost': 'The relay no longer lets us collect the mailbox of this contact; what they write does not arrive.',
  'address-lost': 'The relay has other cards under your address than this home, and what is sent by them cannot be read: take a new one with "sotto address --new".',
  'requests-full': 'So many wait for approval that nobody new is kept: look at "sotto requests" and refuse some; against a flood, take a new address with "sotto address --new".',
};

export function noticeEvent(memory: Memory, contact: string | null, code: Notice | ErrorCode): ClientEvent {
  const known = contact === null ? undefined : memory.known(contact);
  const sentence = isErrorCode(code) ? ERRORS[code].sentence : NOTICES[code];
  // A command in it is to be copied as it stands.
  const text = known === undefined ? sentence : sentence.replace('CONTACT', known.record.id.slice(0, SHORT_ID));
  return { type: 'notice', contact: known === undefined ? null : contactView(known), code, text };
}

export function contactView(contact: Contact): ContactView {
  return { id: contact.record.id, name: contact.record.name };
}

export function requestView(memory: Memory, { id, name, createdAt, texts, lastNumber }: RequestRecord): RequestView {
  // Of somebody who comes back the numbers go on.
  const messages = texts.length === 0 ? 0 : lastNumber - texts[0]!.number + 1;
  return { id, name, isContact: memory.contacts.has(id), at: createdAt, text: texts[0]?.text ?? null, messages };
}

export function messageView(memory: Memory, record: MessageRecord): MessageView {
  const contact = memory.known(record.contact);
  const { id, direction, text, state, path, reason, sentAt, receivedAt, acceptedAt, deliveredAt, readAt } = record;
  return {
    id, contact: { id: record.contact, name: contact?.record.name ?? '' }, direction, text, state, path, reason,
    sentAt, receivedAt, acceptedAt, deliveredAt, readAt, position: record.position ?? 0,
  };
}

export function contactStatus(memory: Memory, contact: Contact, network: Network, now: number): ContactStatus {
  const { record } = contact;
  const path = memory.pathOf(contact);
  const peer = network.peer(contact.openCall);
  const pair = peer?.pair() ?? null;
  const relaySince = network.onlineSince(record.outbox.relay, 'deposit');
  const hold = relaySince === null ? null : holdOf(contact);
  return {
    ...contactView(contact),
    path,
    connected: path !== 'relay' || (relaySince !== null && hold === null),
    held: hold && { reason: hold.code, until: hold.until },
    since: path === 'relay' ? Math.max(contact.pathSince, relaySince ?? 0) : contact.pathSince,
    why: path === 'relay' ? WHY[whyRelay(contact, now)] : WHY_PEER[path],
    pair: pair && { local: pair.local, remote: remoteOf(pair, memory.calls.get(contact.openCall!)!) },
    rttMs: peer?.rttMs() ?? null,
    policy: record.policy,
    heardAt: record.heardAt === 0 ? null : record.heardAt,
    undelivered: contact.undelivered.size,
    unread: record.unread,
  };
}

// A library that was sent packets before it was told of their address may take it for another one of the contact's.
function remoteOf({ remote }: Pair, { relayedThere }: Call): string {
  const [address, type] = remote.split(' ');
  if (!relayedThere || type === 'relay') return remote;
  return type === 'prflx' ? `${address} relay` : 'unknown relay';
}

function whyRelay(contact: Contact, now: number): WhyRelay {
  if (contact.session === null) return 'resetting';
  if (contact.record.policy === 'relay-only') return 'policy';
  // Who was heard before has begun anew, or we have with them.
  if (contact.record.flight !== null) return contact.record.heardAt > 0 ? 'resetting' : 'unconfirmed';
  // Calls fail with whoever has left; that says nothing of the networks.
  return (contact.why === 'failed' || contact.why === 'ended') && now - contact.record.heardAt > AWAY_MS ? 'away' : contact.why;
}

export function relayStatus(url: string, network: Network): RelayStatus {
  const [deposit, collect] = [network.state(url, 'deposit'), network.state(url, 'collect')];
  const state = network.uses(url, 'deposit') ? deposit : collect;
  if (state === undefined) return { url, online: false, rttMs: null, reason: 'not connected', cause: null };
  const failed = [state, collect].find((each) => each?.online === false);
  const cause = failed?.online === false ? failed.reason : null;
  return { url, online: state.online, rttMs: state.online ? state.rttMs : null, reason: cause === null ? null : plainCause(cause), cause };
}
