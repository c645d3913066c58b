// Who somebody is: an Ed25519 key that signs and an X25519 key that agrees on secrets. An identity is the pair; neither key
// alone names anybody (PROTOCOL.md §2).

import { concat, Reader } from './bytes.js';
import { hash } from './hash.js';
import type { Random } from './random.js';
import { ed25519PublicKey, x25519PublicKey } from './sodium.js';

/** What others know of an identity. */
export interface PublicIdentity {
  /** Ed25519 public key, 32 bytes. */
  readonly ed: Uint8Array;
  /** X25519 public key, 32 bytes. */
  readonly x: Uint8Array;
}

/** An identity with its secrets. */
export interface Identity extends PublicIdentity {
  /** Ed25519 seed, 32 bytes. */
  readonly edSeed: Uint8Array;
  /** X25519 secret, 32 bytes. */
  readonly xSecret: Uint8Array;
}

/** Length of packPublicIdentity(…). */
export const PUBLIC_IDENTITY_BYTES = 64;

const PACK_VERSION = 1;

/** A new identity. Draws 32 bytes for the Ed25519 seed, then 32 for the X25519 secret. */
export function createIdentity(random: Random): Identity {
  return fromSecrets(random(32), random(32));
}

/** 32 bytes that name an identity. */
export function identityId(identity: PublicIdentity): Uint8Array {
  return hash('id', identity.ed, identity.x);
}

/** The secrets: version 1 | Ed25519 seed | X25519 secret, 65 bytes. */
export function packIdentity(identity: Identity): Uint8Array {
  return concat(Uint8Array.of(PACK_VERSION), identity.edSeed, identity.xSecret);
}

/** Reads packIdentity(…). Throws `malformed`. */
export function unpackIdentity(packed: Uint8Array): Identity {
  const reader = new Reader(packed);
  reader.expect(PACK_VERSION);
  const edSeed = reader.bytes(32);
  const xSecret = reader.bytes(32);
  reader.end();
  return fromSecrets(edSeed, xSecret);
}

/** ed | x, 64 bytes. */
export function packPublicIdentity(identity: PublicIdentity): Uint8Array {
  return concat(identity.ed, identity.x);
}

/** Reads packPublicIdentity(…). Throws `malformed`. */
export function unpackPublicIdentity(packed: Uint8Array): PublicIdentity {
  const reader = new Reader(packed);
  const identity = { ed: reader.bytes(32), x: reader.bytes(32) };
  reader.end();
  return identity;
}

function fromSecrets(edSeed: Uint8Array, xSecret: Uint8Array): Identity {
  return { ed: ed25519PublicKey(edSeed), x: x25519PublicKey(xSecret), edSeed, xSecret };
}
