// What a client asks of a new allocation (RFC 8656 §7.2, steps 3 to 7). Pure.

import {
  EVEN_PORT,
  LIFETIME,
  readEvenPort,
  readFamily,
  readLifetime,
  readText,
  readTransport,
  REQUESTED_ADDRESS_FAMILY,
  REQUESTED_TRANSPORT,
  RESERVATION_TOKEN,
  UDP,
  type Family,
} from './attribute.js';
import type { ErrorNumber } from './commons.js';
import { LIFETIME_MAX_SECONDS, LIFETIME_SECONDS } from './limits.js';
import { valueOf, type StunMessage } from './message.js';

export interface Wish {
  /** Null if it is left to the server. */
  readonly family: Family | null;
  readonly seconds: number;
  readonly even: boolean;
  /** The next port is to be reserved, too. */
  readonly pair: boolean;
  /** Of a port that was reserved before. */
  readonly token: string | null;
}

const TOKEN_BYTES = 8;

/** Reads an Allocate request; an error code if it cannot be meant so. */
export function readWish(message: StunMessage): Wish | ErrorNumber {
  const transport = readTransport(valueOf(message, REQUESTED_TRANSPORT) ?? new Uint8Array(0));
  if (transport === null) return 400;
  if (transport !== UDP) return 442;
  const seconds = readSeconds(message);
  const token = valueOf(message, RESERVATION_TOKEN);
  const even = valueOf(message, EVEN_PORT);
  const wanted = valueOf(message, REQUESTED_ADDRESS_FAMILY);
  if (token !== undefined && (token.length !== TOKEN_BYTES || even !== undefined || wanted !== undefined)) return 400;
  const family = wanted === undefined ? null : readFamily(wanted);
  const pair = even === undefined ? false : readEvenPort(even);
  if (seconds === null || pair === null || (wanted !== undefined && family === null)) return 400;
  if (family === 0) return 440;
  return { family, seconds: grantedSeconds(seconds), even: even !== undefined, pair, token: token === undefined ? null : readText(token) };
}

/** The LIFETIME of a request; what the RFC takes for it where there is none; null if it is no number. */
export function readSeconds(message: StunMessage): number | null {
  const value = valueOf(message, LIFETIME);
  return value === undefined ? LIFETIME_SECONDS : readLifetime(value);
}

export function grantedSeconds(wanted: number): number {
  return Math.min(Math.max(wanted, LIFETIME_SECONDS), LIFETIME_MAX_SECONDS);
}
