// How a relay is named: scheme, host and port, in the one form in which it is kept, compared and signed.

import { SottoError } from './error.js';

declare const URL: new (text: string) => { readonly protocol: string; readonly origin: string; readonly hostname: string; readonly href: string };

/** Longest relay origin in bytes: what one length byte can say; a DNS name has at most 253. */
const RELAY_MAX_BYTES = 255;

/**
 * The origin of a relay's address: scheme, host and port, as a URL parser normalises them.
 * Throws `relay-url-invalid` for an address that is not http(s) or says more than that.
 */
export function relayOrigin(relay: string): string {
  const url = parseUrl(relay);
  const isOrigin = (url.protocol === 'https:' || url.protocol === 'http:') && url.href === `${url.origin}/`;
  if (!isOrigin || url.origin.length > RELAY_MAX_BYTES) throw new SottoError('relay-url-invalid');
  return url.origin;
}

/** The host of an origin, by name or address, without the brackets of IPv6. */
export function hostOf(origin: string): string {
  return parseUrl(origin).hostname.replace(/^\[|\]$/g, '');
}

function parseUrl(address: string): InstanceType<typeof URL> {
  try {
    return new URL(address);
  } catch (cause) {
    throw new SottoError('relay-url-invalid', undefined, cause);
  }
}
