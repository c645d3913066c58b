// Where a relay is, as far as its name says: a contact who names a relay must not make us knock at the doors of a network that only we
// are in. It resolves no name, for the answer could be another one at the next question.

import { SottoError } from '../../crypto/error.js';
import { hostOf } from '../../crypto/origin.js';
import { isThisMachine } from './sdp.js';

/** On this machine, in a network of few, or where everybody reaches it. */
export type Place = 'machine' | 'network' | 'internet';

/** What no route of the internet leads to (RFC 6890): also carrier NAT, where overlay networks are, and link-local, where clouds keep secrets. */
const LOCAL_IPV4 = /^(0|10|127|169\.254|172\.(1[6-9]|2\d|3[01])|192\.168|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.[\d.]+$/;
/** Of IPv6 the internet is this alone (RFC 4291 §2.4), apart from 6to4, which hides an IPv4 address. */
const PUBLIC_IPV6 = /^(?!2002:)[23][0-9a-f]{3}:/;
/** Names that only a local network knows (RFC 6762, RFC 8375, ICANN's `internal`), or that a search list completes. */
const LOCAL_NAME = /^[^.:]+\.?$|\.(local|lan|internal|home\.arpa)\.?$/;

/**
 * Where the relay of this origin is. Without TLS nobody proves to be the host that a name means, so a name may lead anywhere: what is
 * reached by `http:` is believed to be near.
 */
export function placeOf(relay: string): Place {
  const host = hostOf(relay);
  if (isThisMachine(host)) return 'machine';
  const isLocal = host.includes(':') ? !PUBLIC_IPV6.test(host) : LOCAL_IPV4.test(host) || LOCAL_NAME.test(host);
  return isLocal || !relay.startsWith('https:') ? 'network' : 'internet';
}

/** A relay that somebody else names must be in the same kind of place as ours: else one of us reaches what the other does not mean. Throws `relay-elsewhere`. */
export function checkPlace(relay: string, own: string): void {
  if (relay !== own && placeOf(relay) !== placeOf(own)) throw new SottoError('relay-elsewhere');
}

/**
 * Whether a TURN server that our relay names may be used: a relay in the internet must not make us send into networks of ours. The host is
 * as the URL of the server has it. Throws `relay-url-invalid` where it is none.
 */
export function mayForward(host: string, relay: string): boolean {
  return placeOf(relay) !== 'internet' || placeOf(`https://${host.includes(':') ? `[${host}]` : host}`) === 'internet';
}
