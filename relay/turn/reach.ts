// Where the allocations of one server are reached: by everybody, and by those of its other threads inside this machine. Pure.

import type { Endpoint } from './address.js';
import type { Family } from './attribute.js';
import { Commons } from './commons.js';

/** An address of each family; null where there is none. */
export type Addresses = Readonly<Record<Family, string | null>>;

export interface ReachOptions {
  /** At which allocations are reached by peers, and known to clients. */
  readonly relayed: Addresses;
  /** At which the relayed sockets of this machine find each other; the same if not given. */
  readonly within?: Addresses;
  /** What other threads know, too. */
  readonly commons?: Commons;
}

export class Reach {
  readonly commons: Commons;
  readonly #relayed: Addresses;
  readonly #within: Addresses;

  constructor({ relayed, within = relayed, commons = new Commons() }: ReachOptions) {
    this.commons = commons;
    this.#relayed = relayed;
    this.#within = within;
  }

  /** The address of a family that clients are told. */
  address(family: Family): string | null {
    return this.#relayed[family];
  }

  /** The family of allocations for which none was asked: IPv4, as RFC 8656 §7.2 has it, but where there is none. Browsers never ask. */
  get usual(): Family {
    return this.#relayed[4] === null ? 6 : 4;
  }

  /** Whether an allocation of this server, of whichever thread, is there. */
  isLive({ address, port }: Endpoint, family: Family): boolean {
    return address === this.#relayed[family] && this.commons.isLive(family, port);
  }

  /** Where the socket of an allocation that is live is found inside this machine. */
  inside({ port }: Endpoint, family: Family): Endpoint {
    return { address: this.#within[family]!, port };
  }

  /** A source as clients know it, be it the socket of an allocation. */
  outside(source: Endpoint, family: Family): Endpoint {
    const isOurs = source.address === this.#within[family] && this.commons.isLive(family, source.port);
    return isOurs ? { address: this.#relayed[family]!, port: source.port } : source;
  }
}
