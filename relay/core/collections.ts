// Which connection collects which mailbox, and what is on its way to it: the order and the window of deliveries. Envelopes
// are only passed on here, never kept: what was not acknowledged is listed again for the next connection.

import { encodeDelivery } from '../wire/delivery.js';
import type { Answer, Operation, StoredEnvelope } from './operation.js';

/** Most deliveries that wait for one connection's acknowledgement: enough that a round trip never stops a drain. */
export const WINDOW_ENVELOPES = 256;

/** Most bytes of them, give or take one envelope: what one slow client can make the relay buffer. */
export const WINDOW_BYTES = 1024 * 1024;

/** The part of a connection that deliveries need. */
export interface Collector {
  readonly id: number;
  readonly mailboxes: Map<string, Collection>;
  /** Mailboxes that have envelopes in the store which were not delivered yet, the longest waiting first. */
  readonly behind: Set<Collection>;
  /** The mailbox whose list the store was asked for; one at a time, so that the window bounds what is read. */
  listing: Collection | null;
  /** Deliveries without acknowledgement. */
  envelopes: number;
  bytes: number;
}

/** One mailbox as one connection collects it. */
export interface Collection {
  readonly key: string;
  readonly mailbox: Uint8Array;
  readonly collector: Collector;
  /** The last sequence delivered. */
  after: number;
  /** Bytes of each delivery that was not acknowledged, by sequence. */
  readonly flying: Map<number, number>;
}

/** What collections ask of their relay. */
export interface Ports {
  readonly send: (connection: number, frame: Uint8Array) => void;
  readonly ask: (connection: number, operation: Operation, then: (answer: Answer, now: number) => void) => void;
  /** The store could not be read: the client must hear of it, or its messages would silently stop. */
  readonly fail: (connection: number) => void;
  /** Others have taken over all that this connection collected: its client has come back by another way. */
  readonly replaced: (connection: number) => void;
}

export class Collections {
  readonly #ports: Ports;
  readonly #byMailbox = new Map<string, Collection>();

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** A connection collects a mailbox from now on, and whoever did before does not. Everything waiting comes (again). */
  start(collector: Collector, mailbox: Uint8Array, waiting: boolean): void {
    const key = keyOf(mailbox);
    const before = this.#byMailbox.get(key);
    if (before !== undefined) this.#takeFrom(before, collector);
    // A copy, since the frame's bytes may be a view of a much larger buffer that an idle client must not hold; slice() of a Buffer is none.
    const collection: Collection = { key, mailbox: new Uint8Array(mailbox), collector, after: 0, flying: new Map() };
    this.#byMailbox.set(key, collection);
    collector.mailboxes.set(key, collection);
    if (waiting) this.#catchUp(collection);
  }

  /** Whether any connection collects this mailbox. */
  isCollected(mailbox: Uint8Array): boolean {
    return this.#byMailbox.has(keyOf(mailbox));
  }

  /** Whether this connection collects this mailbox. */
  has(collector: Collector, mailbox: Uint8Array): boolean {
    return collector.mailboxes.has(keyOf(mailbox));
  }

  /** The mailbox is no more. */
  stop(mailbox: Uint8Array): void {
    const collection = this.#byMailbox.get(keyOf(mailbox));
    if (collection !== undefined) this.#drop(collection);
  }

  /** The connection is no more. */
  leave(collector: Collector): void {
    collector.behind.clear();
    for (const collection of collector.mailboxes.values()) this.#drop(collection);
  }

  /** An envelope has become durable. It goes out at once where nothing older waits. */
  stored(mailbox: Uint8Array, stored: StoredEnvelope, now: number): void {
    const collection = this.#byMailbox.get(keyOf(mailbox));
    if (collection === undefined) return;
    const { collector } = collection;
    const inOrder = !collector.behind.has(collection) && collector.listing !== collection;
    if (inOrder && hasRoom(collector)) this.#deliver(collection, stored, now);
    else this.#catchUp(collection);
  }

  /** The client has these envelopes on its disk: there is room for others. */
  acknowledged(collector: Collector, mailbox: Uint8Array, sequences: readonly number[]): void {
    const collection = collector.mailboxes.get(keyOf(mailbox));
    if (collection !== undefined) for (const sequence of sequences) land(collection, sequence);
    this.#list(collector);
  }

  #catchUp(collection: Collection): void {
    collection.collector.behind.add(collection);
    this.#list(collection.collector);
  }

  /** Asks the store for the next envelopes of the mailbox that has waited longest, if there is room for any. */
  #list(collector: Collector): void {
    const [collection] = collector.behind;
    if (collection === undefined || collector.listing !== null || !hasRoom(collector)) return;
    collector.behind.delete(collection);
    collector.listing = collection;
    const { mailbox, after } = collection;
    const room = { limit: WINDOW_ENVELOPES - collector.envelopes, maxBytes: WINDOW_BYTES - collector.bytes };
    this.#ports.ask(collector.id, { kind: 'list', mailbox, after, ...room }, (answer, now) => {
      collector.listing = null;
      if (this.#byMailbox.get(collection.key) === collection) this.#listed(collection, answer, now);
      this.#list(collector);
    });
  }

  #listed(collection: Collection, answer: Answer, now: number): void {
    if (answer.kind !== 'listed') return this.#ports.fail(collection.collector.id);
    for (const stored of answer.envelopes) this.#deliver(collection, stored, now);
    if (answer.more) collection.collector.behind.add(collection);
  }

  #deliver(collection: Collection, { sequence, storedAt, envelope }: StoredEnvelope, now: number): void {
    collection.after = sequence;
    collection.flying.set(sequence, envelope.length);
    collection.collector.envelopes += 1;
    collection.collector.bytes += envelope.length;
    this.#ports.send(collection.collector.id, encodeDelivery(collection.mailbox, sequence, envelope, Math.max(0, now - storedAt)));
  }

  #takeFrom(collection: Collection, heir: Collector): void {
    const { collector } = collection;
    this.#drop(collection);
    if (collector !== heir && collector.mailboxes.size === 0) this.#ports.replaced(collector.id);
  }

  #drop(collection: Collection): void {
    const { collector, flying } = collection;
    for (const sequence of flying.keys()) land(collection, sequence);
    collector.behind.delete(collection);
    collector.mailboxes.delete(collection.key);
    this.#byMailbox.delete(collection.key);
    this.#list(collector);
  }
}

/** A mailbox as the key of a map: a text in one piece, where one that was put together would hold its pieces. */
function keyOf(mailbox: Uint8Array): string {
  return String.fromCharCode(...mailbox);
}

function hasRoom(collector: Collector): boolean {
  return collector.envelopes < WINDOW_ENVELOPES && collector.bytes < WINDOW_BYTES;
}

function land(collection: Collection, sequence: number): void {
  const bytes = collection.flying.get(sequence);
  if (bytes === undefined) return;
  collection.flying.delete(sequence);
  collection.collector.envelopes -= 1;
  collection.collector.bytes -= bytes;
}
