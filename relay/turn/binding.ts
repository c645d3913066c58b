// The answer to a Binding request (RFC 8489 §6.3, RFC 5780 §6): the address that it came from. Pure, and keeps nothing.
//
// The reflector's rule: no answer to a stranger is larger than 1.5 times the request, counted as the network carries them, with
// the headers of IP and UDP. A bare request and the least answer of the RFC are 48 and 60 bytes over IPv4, 68 and 92 over IPv6.

import type { Endpoint } from './address.js';
import type { Flow } from './allocation.js';
import {
  CHANGE_REQUEST,
  clearAddress,
  ERROR_CODE,
  errorCode,
  familyOf,
  OTHER_ADDRESS,
  readChangeRequest,
  RESPONSE_ORIGIN,
  UNKNOWN_ATTRIBUTES,
  unknownAttributes,
  XOR_MAPPED_ADDRESS,
  xorAddress,
} from './attribute.js';
import { AMPLIFICATION_MAX } from './limits.js';
import { BINDING_ERROR, BINDING_SUCCESS, OPTIONAL_FROM, valueOf, writeMessage, type Attribute, type StunMessage } from './message.js';

/** An ear of the server: where it is, and the one at the same address with another port, by which a client learns what its NAT does. */
export interface Listener {
  readonly endpoint: Endpoint | null;
  readonly other: number | null;
}

export interface BindingAnswer {
  readonly listener: number;
  readonly bytes: Uint8Array;
  /** Whether it is error 420. */
  readonly refused: boolean;
}

/** Those that a Binding request may carry and that change nothing here: credentials, which are not asked for, and ICE's (RFC 8445 §16.1). */
const PASSED_OVER: ReadonlySet<number> = new Set([
  CHANGE_REQUEST,
  0x0006, // USERNAME
  0x0008, // MESSAGE-INTEGRITY
  0x0014, // REALM
  0x0015, // NONCE
  0x001c, // MESSAGE-INTEGRITY-SHA256
  0x001d, // PASSWORD-ALGORITHM
  0x001e, // USERHASH
  0x0024, // PRIORITY
  0x0025, // USE-CANDIDATE
  0x0026, // PADDING
]);

const IP_UDP_HEADER_BYTES = { 4: 28, 6: 48 } as const;

/** Answers with the source's address, from the ear that it asks for, or with error 420 where it asks for something else. */
export function answerBinding(request: StunMessage, requestBytes: number, { source, listener }: Flow, listeners: readonly Listener[]): BindingAnswer {
  const { transaction, fingerprint } = request;
  const change = readChangeRequest(valueOf(request, CHANGE_REQUEST) ?? new Uint8Array(4));
  const other = listeners[listener]?.other ?? null;
  const unknown = unknownOf(request, PASSED_OVER);
  // A server with one address cannot answer from another one (RFC 5780 §6.1).
  if (change === null || change.ip || (change.port && other === null)) unknown.push(CHANGE_REQUEST);
  if (unknown.length > 0) {
    return { listener, bytes: writeMessage({ type: BINDING_ERROR, transaction, attributes: unknownAnswer(unknown), fingerprint }), refused: true };
  }
  const from = change?.port && other !== null ? other : listener;
  const mapped = { type: XOR_MAPPED_ADDRESS, value: xorAddress(source, transaction) };
  const write = (more: readonly Attribute[]): Uint8Array => writeMessage({ type: BINDING_SUCCESS, transaction, attributes: [mapped, ...more], fingerprint });
  const bytes = write(whereabouts(listeners, from, other));
  return { listener: from, bytes: mayAnswer(source, requestBytes, bytes) ? bytes : write([]), refused: false };
}

/** Whether an answer is small enough for a stranger. */
export function mayAnswer({ address }: Endpoint, requestBytes: number, answer: Uint8Array): boolean {
  const header = IP_UDP_HEADER_BYTES[familyOf(address)];
  return answer.length + header <= AMPLIFICATION_MAX * (requestBytes + header);
}

/** Types of a message's attributes that must be understood and are not among those known. */
export function unknownOf({ attributes }: StunMessage, known: ReadonlySet<number>): number[] {
  return attributes.map(({ type }) => type).filter((type) => type < OPTIONAL_FROM && !known.has(type));
}

/** What error 420 says. */
export function unknownAnswer(types: readonly number[]): Attribute[] {
  return [{ type: ERROR_CODE, value: errorCode(420) }, { type: UNKNOWN_ATTRIBUTES, value: unknownAttributes(types) }];
}

/** The other address to ask and that of the answer (RFC 5780 §7.3, §7.4), where there are two: for requests long enough, as those with PADDING are. */
function whereabouts(listeners: readonly Listener[], from: number, other: number | null): Attribute[] {
  const origin = listeners[from]?.endpoint ?? null;
  const alternative = other === null ? null : listeners[other]?.endpoint ?? null;
  if (origin === null || alternative === null) return [];
  return [{ type: OTHER_ADDRESS, value: clearAddress(alternative) }, { type: RESPONSE_ORIGIN, value: clearAddress(origin) }];
}
