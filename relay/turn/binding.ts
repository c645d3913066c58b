// The STUN server as a function (RFC 8489 §6.3): the bytes of a request and where they came from make the bytes of an
// answer, or silence. It keeps nothing.
//
// Amplification, answer : request in bytes. With FINGERPRINT, as WebRTC sends it, 40 : 28 = 1.43 over IPv4 and 52 : 28 = 1.86
// over IPv6. The bare request of 20 bytes cannot be answered with less than 32 : 20 = 1.6 and 44 : 20 = 2.2. An error is at most 1.5.

import type { Endpoint } from './address.js';
import {
  BINDING_ERROR,
  BINDING_REQUEST,
  BINDING_SUCCESS,
  ERROR_CODE,
  errorCode,
  parseMessage,
  UNKNOWN_ATTRIBUTES,
  unknownAttributes,
  writeMessage,
  XOR_MAPPED_ADDRESS,
  xorAddress,
} from './message.js';

/** Attributes below this must be understood (RFC 8489 §14). */
const OPTIONAL_FROM = 0x8000;

/** Those that a Binding request may carry and that change nothing here: credentials, which are not asked for, and ICE's (RFC 8445 §16.1). */
const PASSED_OVER: ReadonlySet<number> = new Set([
  0x0006, // USERNAME
  0x0008, // MESSAGE-INTEGRITY
  0x0014, // REALM
  0x0015, // NONCE
  0x001c, // MESSAGE-INTEGRITY-SHA256
  0x001d, // PASSWORD-ALGORITHM
  0x001e, // USERHASH
  0x0024, // PRIORITY
  0x0025, // USE-CANDIDATE
]);

/**
 * Answers a Binding request with the address that it came from, or with error 420 where it asks for something unknown.
 * Null, which is silence, for everything that is not one well-formed Binding request.
 */
export function answerBinding(request: Uint8Array, source: Endpoint): Uint8Array | null {
  const message = parseMessage(request);
  if (message === null || message.type !== BINDING_REQUEST) return null;
  const { transaction, fingerprint } = message;
  const unknown = message.attributes.map(({ type }) => type).filter((type) => type < OPTIONAL_FROM && !PASSED_OVER.has(type));
  if (unknown.length > 0) {
    const attributes = [
      { type: ERROR_CODE, value: errorCode(420) },
      { type: UNKNOWN_ATTRIBUTES, value: unknownAttributes(unknown) },
    ];
    return writeMessage({ type: BINDING_ERROR, transaction, attributes, fingerprint });
  }
  const attributes = [{ type: XOR_MAPPED_ADDRESS, value: xorAddress(source, transaction) }];
  return writeMessage({ type: BINDING_SUCCESS, transaction, attributes, fingerprint });
}
