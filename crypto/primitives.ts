// What a back end of crypto/sodium.ts is: the primitives that the protocol stands on, and the one test that each back end
// passes before it is used. Lengths have been checked before a back end is asked. It must never know where keys are kept.

import { concat, equal, fromHex } from './bytes.js';

export const NONCE_BYTES = 24;
export const TAG_BYTES = 16;
export const SIGNATURE_BYTES = 64;
export const XWING_PUBLIC_BYTES = 1216;
export const XWING_CIPHERTEXT_BYTES = 1120;
export const XWING_RANDOM_BYTES = 64;

/** Most bytes that one operation takes, message and associated data together: a relay's longest frame (relay/wire/limits.ts). */
export const INPUT_MAX_BYTES = 65_536 + 1_024;

/** An X-Wing ciphertext and the 32-byte secret inside it. */
export interface Encapsulated {
  readonly ciphertext: Uint8Array;
  readonly sharedSecret: Uint8Array;
}

/** Two independent 32-byte keys. */
export interface Derived {
  readonly left: Uint8Array;
  readonly right: Uint8Array;
}

/** The functions of crypto/sodium.ts, which says what each one promises. What they return is in memory of its own. */
export interface Primitives {
  x25519(secret: Uint8Array, point: Uint8Array): Uint8Array | null;
  x25519PublicKey(secret: Uint8Array): Uint8Array;
  ed25519PublicKey(seed: Uint8Array): Uint8Array;
  ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array;
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  xwingPublicKey(seed: Uint8Array): Uint8Array;
  xwingEncapsulate(publicKey: Uint8Array, random: Uint8Array): Encapsulated | null;
  xwingDecapsulate(ciphertext: Uint8Array, seed: Uint8Array): Uint8Array | null;
  sealInPlace(key: Uint8Array, nonce: Uint8Array, text: Uint8Array, ad: Uint8Array): void;
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Uint8Array | null;
  blake2b(length: number, message: Uint8Array, key: Uint8Array | null): Uint8Array;
  /** The two halves of 64 bytes of keyed blake2b(…). */
  derive(message: Uint8Array, key: Uint8Array): Derived;
}

/** BLAKE2b-256 of every primitive's output for the fixed inputs of answersRight(), computed with another library. */
const ANSWER = 'f1d2e4e559b17ff6bdff5bc4fc3954b265553e9fc98635b8074e991585750819';

/** Whether a back end computes what it should: one pass through every primitive with fixed inputs. */
export function answersRight(primitives: Primitives): boolean {
  const seed = Uint8Array.from({ length: XWING_RANDOM_BYTES }, (_, i) => i);
  const secret = seed.subarray(0, 32);
  const nonce = seed.subarray(0, NONCE_BYTES);
  const nothing = new Uint8Array(0);
  const signature = primitives.ed25519Sign(secret, seed);
  const kem = primitives.xwingEncapsulate(primitives.xwingPublicKey(secret), seed);
  const halves = primitives.derive(seed, secret);
  const sealed = concat(seed, new Uint8Array(TAG_BYTES));
  primitives.sealInPlace(secret, nonce, sealed, signature);
  const outputs = [
    primitives.x25519(secret, primitives.x25519PublicKey(seed.subarray(32))),
    primitives.ed25519Verify(primitives.ed25519PublicKey(secret), seed, signature) ? signature : null,
    kem && primitives.xwingDecapsulate(kem.ciphertext, secret),
    kem && kem.sharedSecret,
    sealed,
    primitives.open(secret, nonce, sealed, signature),
    halves.left,
    halves.right,
  ];
  return equal(primitives.blake2b(32, concat(...outputs.map((output) => output ?? nothing)), secret), fromHex(ANSWER));
}
