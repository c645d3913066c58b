// The only door to libsodium: the few primitives that the protocol stands on, each in its deterministic form. Every input has
// its exact length (a caller's duty); whatever another party could have chosen badly is answered with null, not an exception.
// It must never know what the bytes are for.

import sodium from 'libsodium-wrappers';
import { concat, equal, fromHex } from './bytes.js';
import { SottoError } from './error.js';

export const NONCE_BYTES = 24;
export const TAG_BYTES = 16;
export const XWING_PUBLIC_BYTES = 1216;
export const XWING_CIPHERTEXT_BYTES = 1120;
export const XWING_RANDOM_BYTES = 64;

/** BLAKE2b-256 of every primitive's output for the fixed inputs of selfTest(), computed with another library. */
const SELF_TEST_ANSWER = '8518ee5371bf937ceb017b316a557649357be695fc881f2cadc4f5a795f30c9c';

let loading: Promise<void> | undefined;
let loaded = false;

/** Loads libsodium and checks it once. Everything else in crypto/ is synchronous and needs this first. Throws `internal`. */
export function ready(): Promise<void> {
  loading ??= sodium.ready.then(() => {
    loaded = true;
    if (!equal(selfTest(), fromHex(SELF_TEST_ANSWER))) throw new SottoError('internal', 'libsodium gives wrong answers on this machine.');
  });
  return loading;
}

/** X25519 (RFC 7748); null if the point is of low order, so that the result would not depend on the secret. */
export function x25519(secret: Uint8Array, point: Uint8Array): Uint8Array | null {
  return attempt(() => sodium.crypto_scalarmult(secret, point));
}

/** The X25519 public key of a 32-byte secret. */
export function x25519PublicKey(secret: Uint8Array): Uint8Array {
  return sodium.crypto_scalarmult_base(secret);
}

/** The Ed25519 public key of a 32-byte seed. */
export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  return sodium.crypto_sign_seed_keypair(seed).publicKey;
}

/** The Ed25519 signature by a 32-byte seed. */
export function ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  const { privateKey } = sodium.crypto_sign_seed_keypair(seed);
  const signature = sodium.crypto_sign_detached(message, privateKey);
  privateKey.fill(0);
  return signature;
}

/** Whether an Ed25519 signature is right; false also for wrong lengths and low-order keys. */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return attempt(() => sodium.crypto_sign_verify_detached(signature, message, publicKey)) ?? false;
}

/** The X-Wing public key of a 32-byte seed, which is also its private key. */
export function xwingPublicKey(seed: Uint8Array): Uint8Array {
  return sodium.crypto_kem_xwing_seed_keypair(seed).publicKey;
}

/** X-Wing encapsulation with 64 random bytes; null if the public key is not a valid one. */
export function xwingEncapsulate(publicKey: Uint8Array, random: Uint8Array): { ciphertext: Uint8Array; sharedSecret: Uint8Array } | null {
  return attempt(() => sodium.crypto_kem_xwing_enc_deterministic(publicKey, random));
}

/**
 * X-Wing decapsulation; null if the X25519 part is of low order. Any other altered ciphertext gives a secret that nobody knows:
 * only a later authenticated decryption tells.
 */
export function xwingDecapsulate(ciphertext: Uint8Array, seed: Uint8Array): Uint8Array | null {
  return attempt(() => sodium.crypto_kem_xwing_dec(ciphertext, seed));
}

/** XChaCha20-Poly1305: plaintext and a 16-byte tag. A key and nonce together seal one plaintext only. */
export function seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): Uint8Array {
  return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, ad, null, nonce, key);
}

/** The plaintext that seal() was given, or null if anything differs. */
export function open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Uint8Array | null {
  return attempt(() => sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, ad, nonce, key));
}

/** BLAKE2b (RFC 7693) of up to 64 bytes; a key has 16 to 64. */
export function blake2b(length: number, message: Uint8Array, key: Uint8Array | null): Uint8Array {
  return sodium.crypto_generichash(length, message, key);
}

function attempt<T>(operation: () => T): T | null {
  if (!loaded) throw new SottoError('internal', 'crypto is used before ready() has resolved.');
  try {
    return operation();
  } catch {
    return null;
  }
}

/** One pass through every primitive with fixed inputs. */
function selfTest(): Uint8Array {
  const seed = Uint8Array.from({ length: XWING_RANDOM_BYTES }, (_, i) => i);
  const secret = seed.subarray(0, 32);
  const nonce = seed.subarray(0, NONCE_BYTES);
  const nothing = new Uint8Array(0);
  const signature = ed25519Sign(secret, seed);
  const kem = xwingEncapsulate(xwingPublicKey(secret), seed);
  const sealed = seal(secret, nonce, seed, signature);
  const outputs = [
    x25519(secret, x25519PublicKey(seed.subarray(32))),
    ed25519Verify(ed25519PublicKey(secret), seed, signature) ? signature : null,
    kem && xwingDecapsulate(kem.ciphertext, secret),
    kem && kem.sharedSecret,
    sealed,
    open(secret, nonce, sealed, signature),
  ];
  return blake2b(32, concat(...outputs.map((output) => output ?? nothing)), secret);
}
