// Who may allocate: time-limited credentials in the form that coturn calls "REST", and nonces. Pure: time, chance and the
// secret are arguments. A credential must never name anybody.
//
//   username = expiry in seconds since 1970 ":" 12 random characters       password = base64(HMAC-SHA1(secret, username))

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Endpoint } from './address.js';
import { CREDENTIAL_SECONDS, NONCE_MS } from './limits.js';

export const REALM_NAME = 'sotto';

/** The secret that signs credentials of an expiry (seconds since 1970). */
export type Secrets = (expiresAt: number) => Uint8Array;

export interface Credential {
  readonly username: string;
  readonly password: string;
  readonly ttlSeconds: number;
}

/** Random bytes that mintCredential takes. */
export const CREDENTIAL_RANDOM_BYTES = 9;

const DAY_SECONDS = 86_400;

/** A secret per day, so that one that leaks is worth nothing soon; none tells another. @param master 32 random bytes. */
export function rotatingSecrets(master: Uint8Array): Secrets {
  return (expiresAt) => createHmac('sha256', master).update(`credential ${Math.floor(expiresAt / DAY_SECONDS)}`).digest();
}

/** The one secret that an operator has given to a server that is not ours. */
export function sharedSecret(secret: string): Secrets {
  const bytes = Buffer.from(secret);
  return () => bytes;
}

/** @param now in ms since 1970. */
export function mintCredential(secrets: Secrets, now: number, random: Uint8Array): Credential {
  const expiresAt = Math.floor(now / 1_000) + CREDENTIAL_SECONDS;
  const username = `${expiresAt}:${Buffer.from(random).toString('base64url')}`;
  return { username, password: passwordOf(secrets, expiresAt, username), ttlSeconds: CREDENTIAL_SECONDS };
}

/** The key of MESSAGE-INTEGRITY that belongs to a user name, be it expired or not; null if it is none of ours. */
export function credentialKey(secrets: Secrets, username: string): Uint8Array | null {
  const expiresAt = expiryOf(username);
  if (expiresAt === null) return null;
  return longTermKey(username, REALM_NAME, passwordOf(secrets, expiresAt, username));
}

/** The key of MESSAGE-INTEGRITY (RFC 8489 §9.2.2). @param realm as the server has written it */
export function longTermKey(username: string, realm: string | Uint8Array, password: string): Uint8Array {
  return createHash('md5').update(`${username}:`).update(realm).update(`:${password}`).digest();
}

export function isExpired(username: string, now: number): boolean {
  return (expiryOf(username) ?? 0) * 1_000 <= now;
}

function expiryOf(username: string): number | null {
  const [, digits] = /^(\d{1,10}):/.exec(username) ?? [];
  return digits === undefined ? null : Number(digits);
}

function passwordOf(secrets: Secrets, expiresAt: number, username: string): string {
  return createHmac('sha1', secrets(expiresAt)).update(username).digest('base64');
}

const SLOT_BYTES = 2;
const MAC_BYTES = 4;
const NONCE_LENGTH = 8;

/**
 * Nonces for one server: 8 characters, as short as a small answer needs them, that say when and to which address and port they were
 * given (RFC 8489 §9.2.4). They do not begin with its nonce cookie, which announces features that this server does not have.
 */
export class Nonces {
  readonly #key: Uint8Array;

  /** @param key 32 random bytes. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  give(source: Endpoint, now: number): string {
    return this.#of(source, Math.floor(now / NONCE_MS));
  }

  isGood(nonce: string, source: Endpoint, now: number): boolean {
    if (nonce.length !== NONCE_LENGTH) return false;
    const slot = Math.floor(now / NONCE_MS);
    return [slot, slot - 1].some((given) => timingSafeEqual(Buffer.from(nonce, 'latin1'), Buffer.from(this.#of(source, given))));
  }

  #of({ address, port }: Endpoint, slot: number): string {
    const when = Buffer.alloc(SLOT_BYTES);
    when.writeUInt16BE(slot & 0xffff);
    const mac = createHmac('sha256', this.#key).update(when).update(`${port} ${address}`).digest().subarray(0, MAC_BYTES);
    return Buffer.concat([when, mac]).toString('base64url');
  }
}
