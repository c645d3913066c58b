// Our address: a link that stays, and for each week a card with keys of its own (PROTOCOL.md §3.5). Cards are published ahead, and
// secrets that no flight can need any more are erased. Who comes by the address is not known here (requests.ts).

import { createAddress, createWeekCard, WEEK_MS, weekOf } from '../../crypto/address.js';
import { toHex } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import type { ErrorCode } from '../../crypto/error.js';
import { packInvitation } from '../../crypto/invitation.js';
import { ENVELOPE_MAX_TTL_SECONDS } from '../../relay/wire/limits.js';
import type { RequestId } from './input.js';
import { bundleAddress, closeMailbox, collect, createMailbox } from './mailboxes.js';
import type { Memory } from './memory.js';
import type { AddressRecord, WeekRecord } from './records.js';

/** Weeks after this one whose cards the relay has already: as long the owner may be away and is still found (REUSABLE_CARD_MAX_TTL_SECONDS). */
const WEEKS_AHEAD = 4;
/** How long after its week a card is still given out: a guest's clock may be late by as much. */
const LATE_MS = 86_400_000;
/** How long a flight that was put at the last moment may wait in the mailbox. */
const GRACE_MS = ENVELOPE_MAX_TTL_SECONDS * 1000;
/** How often the weeks are looked at. */
const CHECK_MS = 3_600_000;
/** How long the person waits for a relay that does not answer. */
const ANSWER_MS = 15_000;

/** The person wants the link; an address is made if there is none. It is answered when the relay has the card of this week. */
export function show(memory: Memory, request: RequestId): void {
  const address = memory.address ?? create(memory);
  memory.addressing.add(request);
  memory.timers.set('addressing', memory.now + ANSWER_MS);
  keepWeeks(memory);
  publish(memory, address);
  settle(memory);
}

/** The person wants another link: the old one serves nobody any more. */
export function replace(memory: Memory, request: RequestId): void {
  end(memory);
  show(memory, request);
}

/** Ends the address: its secrets are erased, its mailbox is given up. Requests that have come stay. */
export function end(memory: Memory): void {
  const { address } = memory;
  if (address === null) return;
  for (const week of memory.weeks.values()) erase(memory, week);
  memory.address = null;
  memory.emit({ type: 'save', change: { kind: 'address-removed' } });
  closeMailbox(memory, address.mailbox);
}

function create(memory: Memory): AddressRecord {
  const mailbox = createMailbox(memory);
  const address = { ...createAddress(mailbox.relay, memory.identity, memory.random), mailbox, createdAt: memory.now };
  memory.address = address;
  memory.emit({ type: 'save', change: { kind: 'address', record: address } });
  collect(memory, mailbox);
  return address;
}

/** Timer `address`: cards for the weeks that come, and no secrets of those that are over. */
export function checkWeeks(memory: Memory): void {
  keepWeeks(memory);
  if (memory.address !== null) publish(memory, memory.address);
  memory.timers.set('address', memory.now + CHECK_MS);
}

function keepWeeks(memory: Memory): void {
  const { address } = memory;
  if (address === null) return;
  for (const week of memory.weeks.values()) if (week.expiresAt + GRACE_MS <= memory.now) erase(memory, week);
  const present = new Set([...memory.weeks.values()].map(({ week }) => week));
  const current = weekOf(memory.now);
  for (let week = current; week <= current + WEEKS_AHEAD; week += 1) if (!present.has(week)) addWeek(memory, address, week);
}

function addWeek(memory: Memory, { linkKey, mailbox }: AddressRecord, week: number): void {
  const expiresAt = (week + 1) * WEEK_MS + LATE_MS;
  const { name, devices } = memory.self;
  const terms = { identity: memory.identity, devices, name, ...bundleAddress(mailbox), expiresAt };
  const { lookup, card, secret } = createWeekCard(terms, linkKey, week, memory.random);
  save(memory, { lookup: toHex(lookup), week, secret: packInvitation(secret), card, published: false, expiresAt });
}

function save(memory: Memory, record: WeekRecord): void {
  memory.weeks.set(record.lookup, record);
  memory.emit({ type: 'save', change: { kind: 'week', record } });
}

// With its secrets go the flights that they would open: nothing can be opened twice any more.
function erase(memory: Memory, { lookup }: WeekRecord): void {
  memory.weeks.delete(lookup);
  for (const [flight, card] of memory.flights) {
    if (card !== lookup) continue;
    memory.flights.delete(flight);
    memory.emit({ type: 'save', change: { kind: 'flight-removed', flight } });
  }
  memory.emit({ type: 'save', change: { kind: 'week-removed', lookup } });
}

// A card is out only after the mailbox that it names.
function publish(memory: Memory, { mailbox }: AddressRecord): void {
  if (!memory.collected.has(mailbox.mailbox)) return;
  for (const { lookup, card, published, expiresAt } of memory.weeks.values()) {
    const ttlSeconds = Math.ceil((expiresAt - memory.now) / 1000);
    if (!published && ttlSeconds > 0) memory.emit({ type: 'publish', relay: mailbox.relay, lookup, card, reusable: true, ttlSeconds });
  }
}

/** The mailbox of the address is collected, or cannot be. */
export function onCollected(memory: Memory, address: AddressRecord, error: ErrorCode | null): void {
  if (error === null) publish(memory, address);
  else fail(memory, error);
}

/** The relay has a card, or refused it. */
export function onPublished(memory: Memory, lookup: string, error: ErrorCode | null): void {
  const record = memory.weeks.get(lookup);
  if (record === undefined) return;
  if (error === null) {
    save(memory, { ...record, published: true });
    settle(memory);
    return;
  }
  // A copy of this home has published other keys, or somebody who has the link was there first: what is answered to them we cannot read.
  if (error === 'card-taken') memory.emit({ type: 'notice', contact: null, code: 'address-lost' });
  if (record.week === weekOf(memory.now)) fail(memory, error);
}

// Answers those who wait, once the link works.
function settle(memory: Memory): void {
  const current = weekOf(memory.now);
  if (memory.address === null || ![...memory.weeks.values()].some(({ week, published }) => week === current && published)) return;
  for (const request of memory.addressing) memory.emit({ type: 'answer', request, result: { type: 'address', link: memory.address.link } });
  stopWaiting(memory);
}

/** Timer `addressing`, or a refusal: the link does not work yet. The address stays, and is published as soon as that can be done. */
export function fail(memory: Memory, error: ErrorCode): void {
  for (const request of memory.addressing) memory.emit({ type: 'answer', request, result: new SottoError(error) });
  stopWaiting(memory);
}

function stopWaiting(memory: Memory): void {
  memory.addressing.clear();
  memory.timers.clear('addressing');
}
