// Every allocation of the server, found by whatever names it, and the ports that are held for a second one (RFC 8656 §7.2).
// Pure: what happens with sockets is decided elsewhere.

import { subscriberOf, type Endpoint } from './address.js';
import type { Allocation, Flow } from './allocation.js';
import type { Family } from './attribute.js';
import type { Commons } from './commons.js';
import { RESERVATION_MS } from './limits.js';
import { Places } from './places.js';
import { Tally } from './tally.js';

/** A socket that waits for the allocation that has its token. */
export interface Reservation {
  readonly socket: number;
  readonly port: number;
  readonly family: Family;
  readonly username: string;
  readonly expiresAt: number;
}

export class Table {
  readonly #byFlow = new Places<Allocation>();
  readonly #bySocket = new Map<number, Allocation>();
  readonly #byRelayed = new Places<Allocation>();
  readonly #commons: Commons;
  readonly #perCredential = new Tally();
  readonly #perSource = new Tally();
  readonly #reservations = new Map<string, Reservation>();

  constructor(commons: Commons) {
    this.#commons = commons;
  }

  /** Sockets in use. */
  get size(): number {
    return this.#bySocket.size + this.#reservations.size;
  }

  ofFlow({ listener, source }: Flow): Allocation | undefined {
    return this.#byFlow.get(source.address, source.port, listener);
  }

  ofSocket(socket: number): Allocation | undefined {
    return this.#bySocket.get(socket);
  }

  /** The allocation that is reached at this endpoint. */
  ofRelayed({ address, port }: Endpoint): Allocation | undefined {
    return this.#byRelayed.get(address, port);
  }

  countOf(username: string): number {
    return this.#perCredential.of(username);
  }

  /** Allocations of the subscriber who has this address. */
  countFrom(address: string): number {
    return this.#perSource.of(subscriberOf(address));
  }

  add(allocation: Allocation): void {
    const { listener, source } = allocation.flow;
    this.#byFlow.set(source.address, source.port, allocation, listener);
    this.#bySocket.set(allocation.socket, allocation);
    this.#perCredential.add(allocation.username, 1);
    this.#perSource.add(subscriberOf(source.address), 1);
  }

  /** Says where an allocation is reached from now on. */
  place(allocation: Allocation, relayed: Endpoint): void {
    allocation.relayed = relayed;
    this.#commons.setLive(allocation.family, relayed.port, true);
    this.#byRelayed.set(relayed.address, relayed.port, allocation);
  }

  remove(allocation: Allocation): void {
    const { flow: { listener, source }, relayed, family } = allocation;
    this.#byFlow.delete(source.address, source.port, listener);
    this.#bySocket.delete(allocation.socket);
    if (relayed !== null) {
      this.#commons.setLive(family, relayed.port, false);
      this.#byRelayed.delete(relayed.address, relayed.port);
    }
    this.#perCredential.add(allocation.username, -1);
    this.#perSource.add(subscriberOf(source.address), -1);
  }

  reserve(token: string, reservation: Omit<Reservation, 'expiresAt'>, now: number): void {
    this.#reservations.set(token, { ...reservation, expiresAt: now + RESERVATION_MS });
  }

  /** Gives a reserved socket to whom it was reserved for. */
  redeem(token: string, username: string, now: number): Reservation | null {
    const reservation = this.#reservations.get(token);
    if (reservation === undefined || reservation.username !== username || reservation.expiresAt <= now) return null;
    this.#reservations.delete(token);
    return reservation;
  }

  /** Forgets what has expired and says which sockets nobody needs any more. */
  sweep(now: number): number[] {
    const free: number[] = [];
    for (const [token, { socket, expiresAt }] of this.#reservations) {
      if (expiresAt > now) continue;
      this.#reservations.delete(token);
      free.push(socket);
    }
    for (const allocation of this.#bySocket.values()) {
      if (allocation.expiresAt > now) continue;
      this.remove(allocation);
      free.push(allocation.socket);
    }
    return free;
  }
}
