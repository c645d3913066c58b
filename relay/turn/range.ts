// Which IP addresses are somebody's on the public internet. Everything else is refused as a peer of a relayed connection: a
// server inside a network must not be a door into it (RFC 8656 §21). Pure.

import { BlockList } from 'node:net';
import { familyOf } from './attribute.js';

/** IANA's special-purpose IPv4 addresses, multicast and the reserved class E with the broadcast address. */
const SPECIAL_V4 = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24',
  '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24',
  '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
];

/** Of IPv6 nothing is public but this (RFC 4291 §2.4): not ::, ::1, v4-mapped and -compatible, NAT64, ULA, link-local, multicast. */
const PUBLIC_V6 = ['2000::/3'];

/** And of that not protocol assignments with Teredo and ORCHID, documentation, 6to4 which hides an IPv4 address, AS112, SRv6. */
const SPECIAL_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20'];

/** A set of IP networks. */
export class Networks {
  readonly #list = new BlockList();

  /** @param networks in CIDR notation. @throws TypeError, RangeError if one is not. */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', prefix] = network.split('/');
      this.#list.addSubnet(address, Number(prefix), nameOf(address));
    }
  }

  has(address: string): boolean {
    return this.#list.check(address, nameOf(address));
  }
}

const specialV4 = new Networks(SPECIAL_V4);
const publicV6 = new Networks(PUBLIC_V6);
const specialV6 = new Networks(SPECIAL_V6);

/** Whether an address is none that the public internet routes to one host. */
export function isSpecial(address: string): boolean {
  if (familyOf(address) === 4) return specialV4.has(address);
  return !publicV6.has(address) || specialV6.has(address);
}

function nameOf(address: string): 'ipv4' | 'ipv6' {
  return familyOf(address) === 4 ? 'ipv4' : 'ipv6';
}
