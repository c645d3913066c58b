// What a client of the virtual world has on its disk: the records of a store, in memory. It knows nothing of SQL, and nothing of why a
// record is kept.

import { RECENT_MAX } from '../../client/core/records.js';
import type {
  AddressRecord, Change, ContactRecord, FlightRecord, InvitationRecord, MessageRecord, OutgoingRecord, OwnMailbox, PastRecord, RequestRecord, SelfRecord, Snapshot, WeekRecord,
} from '../../client/core/records.js';

/** What a client has on its disk: what a store would give back after a crash. */
export class Disk {
  self: SelfRecord;
  readonly contacts: Map<string, ContactRecord>;
  readonly past: Map<string, PastRecord>;
  readonly invitations: Map<string, InvitationRecord>;
  address: AddressRecord | null;
  readonly weeks: Map<string, WeekRecord>;
  readonly flights: Map<string, FlightRecord>;
  readonly requests: Map<string, RequestRecord>;
  readonly closing: Map<string, OwnMailbox>;
  readonly outgoing: Map<string, OutgoingRecord>;
  readonly messages: Map<string, MessageRecord>;

  constructor(self: SelfRecord, other?: Disk) {
    this.self = self;
    this.contacts = new Map(other?.contacts);
    this.past = new Map(other?.past);
    this.invitations = new Map(other?.invitations);
    this.address = other?.address ?? null;
    this.weeks = new Map(other?.weeks);
    this.flights = new Map(other?.flights);
    this.requests = new Map(other?.requests);
    this.closing = new Map(other?.closing);
    this.outgoing = new Map(other?.outgoing);
    this.messages = new Map(other?.messages);
  }

  /** An old copy, to be put back later. */
  copy(): Disk {
    return new Disk(this.self, this);
  }

  commit(changes: readonly Change[]): void {
    for (const change of changes) {
      switch (change.kind) {
        case 'self': this.self = change.record; break;
        case 'contact': this.contacts.set(change.record.id, change.record); break;
        case 'contact-removed': this.#removeContact(change.id); break;
        case 'past': this.past.set(change.record.key, change.record); break;
        case 'past-removed': this.past.delete(change.key); break;
        case 'invitation': this.invitations.set(change.record.lookup, change.record); break;
        case 'invitation-removed': this.invitations.delete(change.lookup); break;
        case 'address': this.address = change.record; break;
        case 'address-removed': this.address = null; break;
        case 'week': this.weeks.set(change.record.lookup, change.record); break;
        case 'week-removed': this.weeks.delete(change.lookup); break;
        case 'flight-removed': this.flights.delete(change.flight); break;
        case 'flight': this.flights.set(change.record.flight, change.record); break;
        case 'request': this.requests.set(change.record.id, change.record); break;
        case 'request-removed': this.requests.delete(change.id); break;
        case 'closing': this.closing.set(change.record.mailbox, change.record); break;
        case 'closing-removed': this.closing.delete(change.mailbox); break;
        case 'outgoing': this.outgoing.set(change.record.envelope, change.record); break;
        case 'outgoing-removed': this.outgoing.delete(change.envelope); break;
        case 'message': this.messages.set(`${change.record.direction} ${change.record.id}`, change.record); break;
        case 'renumbered': {
          const { contact, from, to } = change;
          const message = [...this.messages.values()].find((one) => one.direction === 'out' && one.contact === contact && one.number === from)!;
          this.messages.set(`out ${message.id}`, { ...message, number: to });
        }
      }
    }
  }

  #removeContact(id: string): void {
    this.contacts.delete(id);
    for (const [key, { contact }] of this.outgoing) if (contact === id) this.outgoing.delete(key);
    for (const [key, { contact }] of this.messages) if (contact === id) this.messages.delete(key);
  }

  snapshot(): Snapshot {
    const messages = [...this.messages.values()];
    return {
      self: this.self,
      contacts: [...this.contacts.values()],
      past: [...this.past.values()],
      invitations: [...this.invitations.values()],
      address: this.address,
      weeks: [...this.weeks.values()],
      flights: [...this.flights.values()],
      requests: [...this.requests.values()],
      closing: [...this.closing.values()],
      outgoing: [...this.outgoing.values()],
      pending: messages.filter(({ direction, state }) => direction === 'out' && ['queued', 'accepted', 'delivered', 'failed'].includes(state)),
      held: messages.filter(({ direction, position }) => direction === 'in' && position === null),
      recent: messages.filter(({ direction, position }) => direction === 'in' && position !== null).toSorted((a, b) => a.number - b.number).slice(-RECENT_MAX),
    };
  }
}
