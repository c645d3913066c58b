// What the tests of crypto/ share: replayable randomness, two people with a session, and published vectors.

import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { firstDevices } from '../../crypto/devices.js';
import { type ErrorCode, SottoError } from '../../crypto/error.js';
import { FLIGHT_BYTES, initiate as initiateWith, respond } from '../../crypto/handshake.js';
import { createIdentity, type Identity } from '../../crypto/identity.js';
import { type Bundle, createInvitation, openCard, parseLink } from '../../crypto/invitation.js';
import type { Random } from '../../crypto/random.js';
import { decrypt, encrypt, type Session } from '../../crypto/session.js';
import { seeded } from '../vectors/chance.js';

export { seeded };

export function invite(random: Random, overrides: Partial<Parameters<typeof createInvitation>[0]> = {}) {
  const identity = overrides.identity ?? createIdentity(random);
  const invitation = createInvitation(
    { identity, devices: firstDevices(identity, 0), name: 'Bea', relay: 'https://relay.example', mailbox: random(16), token: random(16), expiresAt: 1_000, ...overrides },
    random,
  );
  return { identity, ...invitation };
}

/** initiate() of a guest with one device. */
export function initiate(identity: Identity, bundle: Bundle, random: Random) {
  return initiateWith(identity, firstDevices(identity, 0), bundle, random);
}

/** A guest and an inviter whose first message `hello` has arrived. */
export function pair(seed: string): { guest: Session; inviter: Session; flight: Uint8Array } {
  const random = seeded(seed);
  const { identity, link, card, secret } = invite(random);
  const first = initiate(createIdentity(random), openCard(parseLink(link), card, 0), random);
  const { session: guest, message } = encrypt(first.session, bytes('hello'), random, 0, first.flight);
  const second = respond(identity, secret, message.subarray(0, FLIGHT_BYTES));
  const { session: inviter } = decrypt(second.session, message.subarray(FLIGHT_BYTES), random, 0);
  return { guest, inviter, flight: first.flight };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function string(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}

export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** The code of the SottoError that `action` throws; any other end fails the test. */
export function codeOf(action: () => unknown): ErrorCode {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(SottoError);
    return (error as SottoError).code;
  }
  throw new Error('Nothing was thrown.');
}

const VECTORS = new URL('../../../shared/vectors/', import.meta.url);

export const VECTORS_PRESENT = existsSync(VECTORS);

export function vectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`${name}.json`, VECTORS), 'utf8'));
}
