// The plain back end: libsodium by the functions that its package documents. They leave keys behind in the WebAssembly heap,
// so it only stands in where the arena (crypto/sodium-arena.ts) cannot be had.

import sodium from 'libsodium-wrappers';
import { type Primitives, TAG_BYTES } from './primitives.js';

/** The documented functions, once `sodium.ready` has resolved. */
export const wrapper: Primitives = {
  x25519: (secret, point) => attempt(() => sodium.crypto_scalarmult(secret, point)),
  x25519PublicKey: (secret) => sodium.crypto_scalarmult_base(secret),
  ed25519PublicKey: (seed) => sodium.crypto_sign_seed_keypair(seed).publicKey,
  ed25519Sign(seed, message) {
    const { privateKey } = sodium.crypto_sign_seed_keypair(seed);
    const signature = sodium.crypto_sign_detached(message, privateKey);
    privateKey.fill(0);
    return signature;
  },
  ed25519Verify: (publicKey, message, signature) => sodium.crypto_sign_verify_detached(signature, message, publicKey),
  xwingPublicKey: (seed) => sodium.crypto_kem_xwing_seed_keypair(seed).publicKey,
  xwingEncapsulate: (publicKey, random) => attempt(() => sodium.crypto_kem_xwing_enc_deterministic(publicKey, random)),
  xwingDecapsulate: (ciphertext, seed) => attempt(() => sodium.crypto_kem_xwing_dec(ciphertext, seed)),
  sealInPlace: (key, nonce, text, ad) => text.set(sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(text.subarray(0, -TAG_BYTES), ad, null, nonce, key)),
  open: (key, nonce, sealed, ad) => attempt(() => sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, ad, nonce, key)),
  blake2b: (length, message, key) => sodium.crypto_generichash(length, message, key),
  derive(message, key) {
    const derived = sodium.crypto_generichash(64, message, key);
    const halves = { left: derived.slice(0, 32), right: derived.slice(32) };
    derived.fill(0);
    return halves;
  },
};

/** The package throws where libsodium itself answers no. */
function attempt<T>(operation: () => T): T | null {
  try {
    return operation();
  } catch {
    return null;
  }
}
