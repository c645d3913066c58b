// To whom relayed data may go. Closed by default: only to the clients of this relay, so that it is no door into a network and
// no disguise for anybody. Pure. What is relayed between two allocations never gets here: no packet is sent for it.

import { isSpecial, Networks } from './range.js';
import { Tally } from './tally.js';

export interface PeerPolicy {
  /** `clients`: the public addresses of those who have a connection to this relay now. `open`: every public address. */
  readonly peers: 'clients' | 'open';
  /** Networks (CIDR) that are allowed whatever they are. For tests on one machine, and for nothing else. */
  readonly exempt?: readonly string[];
}

export class Peers {
  readonly #open: boolean;
  readonly #exempt: Networks;
  readonly #connections = new Tally();
  #own: ReadonlySet<string> = new Set();

  constructor({ peers, exempt = [] }: PeerPolicy) {
    this.#open = peers === 'open';
    this.#exempt = new Networks(exempt);
  }

  /** A client's connection came from, or is gone from, an address. */
  count(address: string, difference: 1 | -1): void {
    this.#connections.add(address, difference);
  }

  /** The addresses of this machine, and what it is known by outside. */
  setOwn(addresses: Iterable<string>): void {
    this.#own = new Set(addresses);
  }

  /** Whether an address may be a peer now. */
  allows(address: string): boolean {
    return this.isExempt(address) || (this.isReachable(address) && !isSpecial(address));
  }

  isExempt(address: string): boolean {
    return this.#exempt.has(address);
  }

  /** The half of allows() that may change from one packet to the next, for addresses that were allowed once. */
  isReachable(address: string): boolean {
    return !this.#own.has(address) && (this.#open || this.#connections.of(address) > 0);
  }
}
