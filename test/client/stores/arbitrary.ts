// Arbitrary records of every kind, and changes of few of them, so that changes of one record meet.

import fc from 'fast-check';
import { toHex } from '../../../crypto/bytes.js';
import type { AddressRecord, Change, ContactRecord, FlightRecord, InvitationRecord, MessageRecord, OutgoingRecord, OwnMailbox, PastRecord, PeerMailbox, RequestRecord, RequestText, SelfRecord, WeekRecord } from '../../../client/core/records.js';

/** Any text that UTF-8 can hold, with NUL, a byte order mark and what else may come. */
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.constantFrom('', '\0', 'before\0after', '\u{feff}marked'));
const bytes = fc.uint8Array({ maxLength: 300 });
const hex = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map(toHex);
/** Times and numbers, also those of a contact whose clock is nonsense. */
const number = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53, 2 ** 60, 2 ** 64));
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });

const own: fc.Arbitrary<OwnMailbox> = fc.record({ relay: text, mailbox: hex(16), ownerSeed: bytes, token: bytes });
const peer: fc.Arbitrary<PeerMailbox> = fc.record({ relay: text, mailbox: hex(16), token: bytes });

export const self: fc.Arbitrary<SelfRecord> = fc.record({ name: text, relay: text, identity: bytes, devices: bytes, createdAt: number, position: number });

const id = (length: number) => fc.nat({ max: 5 }).map((n) => toHex(new Uint8Array(length).fill(n)));

const contact: fc.Arbitrary<ContactRecord> = fc.record({
  id: id(32), name: text, identity: bytes, devices: bytes, createdAt: number, policy: fc.constantFrom('direct', 'relay-only'), blocked: fc.boolean(),
  session: bytes, flight: orNull(bytes), flightKey: orNull(bytes), begunAt: number,
  resumptions: bytes, reset: orNull(bytes), resetReason: orNull(text), resetTakenAt: number, inbox: own, helloOwed: fc.boolean(), outbox: peer,
  sentFirst: number, sentNumber: number, sentChain: bytes, receivedNumber: number, lacking: fc.array(fc.nat(), { maxLength: 5 }),
  readyNumber: number, readyChain: bytes, readNumber: number, unread: number, receiptOwed: fc.boolean(), unanswered: number, heardAt: number,
});

const past: fc.Arbitrary<PastRecord> = fc.record({
  key: id(16), sentNumber: number, sentChain: bytes, receivedNumber: number, lacking: fc.array(fc.nat(), { maxLength: 5 }), receivedChain: bytes, readNumber: number,
});

const invitation: fc.Arbitrary<InvitationRecord> = fc.record({
  lookup: id(16), link: text, secret: bytes, card: bytes, published: fc.boolean(), mailbox: own, createdAt: number, expiresAt: number,
});

const address: fc.Arbitrary<AddressRecord> = fc.record({ link: text, linkKey: bytes, mailbox: own, createdAt: number });
const week: fc.Arbitrary<WeekRecord> = fc.record({ lookup: id(16), week: number, secret: bytes, card: bytes, published: fc.boolean(), expiresAt: number });
const flight: fc.Arbitrary<FlightRecord> = fc.record({ flight: id(16), lookup: id(16) });
const requestText: fc.Arbitrary<RequestText> = fc.record({ number: fc.nat(), id: hex(16), chain: hex(8), text, sentAt: fc.nat() });
const request: fc.Arbitrary<RequestRecord> = fc.record({
  id: id(32), name: text, identity: bytes, session: bytes, flightKey: bytes, devices: bytes, outbox: peer,
  createdAt: number, begunAt: number, heardAt: number, lastNumber: number, texts: fc.array(requestText, { maxLength: 3 }),
});
const closing = own.chain((mailbox) => id(16).map((address_) => ({ ...mailbox, mailbox: address_ })));

const outgoing: fc.Arbitrary<OutgoingRecord> = fc.record({
  envelope: id(16), contact: id(32), order: number, bytes, number: orNull(number), createdAt: number, expiresAt: number, acceptedAt: orNull(number),
});

/** A message with a position, which follows from what makes it that message. */
const message: fc.Arbitrary<MessageRecord> = fc.record({
  which: fc.nat({ max: 5 }), id: id(16), direction: fc.constantFrom('in' as const, 'out' as const), text,
  state: fc.constantFrom('queued', 'accepted', 'delivered', 'read', 'failed', 'received'),
  path: fc.constantFrom(null, 'relay', 'direct'), reason: orNull(text),
  sentAt: number, receivedAt: orNull(number), acceptedAt: orNull(number), deliveredAt: orNull(number), readAt: orNull(number),
}).map(({ which, ...rest }) => Object.assign(rest, {
  number: which + 1,
  contact: toHex(new Uint8Array(32).fill(4)),
  position: rest.direction === 'in' ? which + 1 : which + 2 ** 33,
}));

export const change: fc.Arbitrary<Change> = fc.oneof(
  self.map((record) => ({ kind: 'self' as const, record })),
  contact.map((record) => ({ kind: 'contact' as const, record })),
  id(32).map((who) => ({ kind: 'contact-removed' as const, id: who })),
  past.map((record) => ({ kind: 'past' as const, record })),
  id(16).map((key) => ({ kind: 'past-removed' as const, key })),
  invitation.map((record) => ({ kind: 'invitation' as const, record })),
  id(16).map((lookup) => ({ kind: 'invitation-removed' as const, lookup })),
  address.map((record) => ({ kind: 'address' as const, record })),
  fc.constant({ kind: 'address-removed' as const }),
  week.map((record) => ({ kind: 'week' as const, record })),
  id(16).map((lookup) => ({ kind: 'week-removed' as const, lookup })),
  flight.map((record) => ({ kind: 'flight' as const, record })),
  id(16).map((name) => ({ kind: 'flight-removed' as const, flight: name })),
  request.map((record) => ({ kind: 'request' as const, record })),
  id(32).map((who) => ({ kind: 'request-removed' as const, id: who })),
  closing.map((record) => ({ kind: 'closing' as const, record })),
  id(16).map((mailbox) => ({ kind: 'closing-removed' as const, mailbox })),
  outgoing.map((record) => ({ kind: 'outgoing' as const, record })),
  id(16).map((envelope) => ({ kind: 'outgoing-removed' as const, envelope })),
  message.map((record) => ({ kind: 'message' as const, record })),
);
