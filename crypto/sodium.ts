// The only door to libsodium: the few primitives that the protocol stands on, each in its deterministic form. A wrong length of
// our own keys and nonces is our mistake and throws; whatever another party could have chosen badly is answered with null.
// It must never know what the bytes are for.

import sodium from 'libsodium-wrappers';
import { SottoError } from './error.js';
import {
  answersRight,
  type Derived,
  type Encapsulated,
  INPUT_MAX_BYTES,
  NONCE_BYTES,
  type Primitives,
  SIGNATURE_BYTES,
  TAG_BYTES,
  XWING_CIPHERTEXT_BYTES,
  XWING_PUBLIC_BYTES,
  XWING_RANDOM_BYTES,
} from './primitives.js';
import { openArena } from './sodium-arena.js';
import { wrapper } from './sodium-wrapper.js';

export { INPUT_MAX_BYTES, NONCE_BYTES, SIGNATURE_BYTES, TAG_BYTES, XWING_CIPHERTEXT_BYTES, XWING_PUBLIC_BYTES, XWING_RANDOM_BYTES } from './primitives.js';

const KEY_BYTES = 32;

/** Least bytes of a key or a result of BLAKE2b, so that none is short enough to guess; the most are its own. */
const BLAKE2B_MIN_BYTES = 16;
const BLAKE2B_MAX_BYTES = 64;

/** How libsodium is reached: by the arena, which leaves no key in its memory, or by the functions that its package documents. */
export type BackEnd = 'arena' | 'wrapper';

let arena: Primitives | null | undefined;
let chosen: Primitives | undefined;

/**
 * Loads libsodium, checks it, and answers which back end is used: the arena, or the wrapper where the arena cannot be had.
 * Everything else in crypto/ is synchronous and needs this first. Throws `internal` if libsodium computes wrongly.
 */
export async function ready(): Promise<BackEnd> {
  await sodium.ready;
  chosen ??= choose('arena');
  return chosen === wrapper ? 'wrapper' : 'arena';
}

/** ready() with the back end that is wanted, from now on and for all. */
export async function readyOn(wanted: BackEnd): Promise<BackEnd> {
  await sodium.ready;
  chosen = choose(wanted);
  return ready();
}

function choose(wanted: BackEnd): Primitives {
  if (wanted === 'arena' && arena === undefined) arena = openArena();
  if (wanted === 'arena' && arena) return arena;
  if (!answersRight(wrapper)) throw new SottoError('internal', 'libsodium gives wrong answers on this machine.');
  return wrapper;
}

/** X25519 (RFC 7748); null if the point is of low order, so that the result would not depend on the secret. */
export function x25519(secret: Uint8Array, point: Uint8Array): Uint8Array | null {
  demand(secret, KEY_BYTES);
  return point.length === KEY_BYTES ? backEnd().x25519(secret, point) : null;
}

/** The X25519 public key of a 32-byte secret. */
export function x25519PublicKey(secret: Uint8Array): Uint8Array {
  demand(secret, KEY_BYTES);
  return backEnd().x25519PublicKey(secret);
}

/** The Ed25519 public key of a 32-byte seed. */
export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  demand(seed, KEY_BYTES);
  return backEnd().ed25519PublicKey(seed);
}

/** The Ed25519 signature by a 32-byte seed. Throws `message-too-large` above INPUT_MAX_BYTES. */
export function ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  demand(seed, KEY_BYTES);
  limit(message.length);
  return backEnd().ed25519Sign(seed, message);
}

/** Whether an Ed25519 signature is right; false also for wrong lengths and low-order keys. */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES || message.length > INPUT_MAX_BYTES) return false;
  return backEnd().ed25519Verify(publicKey, message, signature);
}

/** The X-Wing public key of a 32-byte seed, which is also its private key. */
export function xwingPublicKey(seed: Uint8Array): Uint8Array {
  demand(seed, KEY_BYTES);
  return backEnd().xwingPublicKey(seed);
}

/** X-Wing encapsulation with 64 random bytes; null if the public key is not a valid one. */
export function xwingEncapsulate(publicKey: Uint8Array, random: Uint8Array): Encapsulated | null {
  demand(random, XWING_RANDOM_BYTES);
  return publicKey.length === XWING_PUBLIC_BYTES ? backEnd().xwingEncapsulate(publicKey, random) : null;
}

/**
 * X-Wing decapsulation; null if the X25519 part is of low order. Any other altered ciphertext gives a secret that nobody knows:
 * only a later authenticated decryption tells.
 */
export function xwingDecapsulate(ciphertext: Uint8Array, seed: Uint8Array): Uint8Array | null {
  demand(seed, KEY_BYTES);
  return ciphertext.length === XWING_CIPHERTEXT_BYTES ? backEnd().xwingDecapsulate(ciphertext, seed) : null;
}

/**
 * XChaCha20-Poly1305: plaintext and a 16-byte tag. A key and nonce together seal one plaintext only. Throws
 * `message-too-large` where plaintext and associated data are longer than INPUT_MAX_BYTES.
 */
export function seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): Uint8Array {
  const text = new Uint8Array(plaintext.length + TAG_BYTES);
  text.set(plaintext);
  sealInPlace(key, nonce, text, ad);
  return text;
}

/** seal() where the plaintext lies: `text` ends with room for the tag, and is sealed when this returns. */
export function sealInPlace(key: Uint8Array, nonce: Uint8Array, text: Uint8Array, ad: Uint8Array): void {
  demand(key, KEY_BYTES);
  demand(nonce, NONCE_BYTES);
  if (text.length < TAG_BYTES) throw new SottoError('internal', 'A text has no room for its tag.');
  limit(text.length - TAG_BYTES + ad.length);
  backEnd().sealInPlace(key, nonce, text, ad);
}

/** The plaintext that seal() was given, or null if anything differs. */
export function open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Uint8Array | null {
  demand(key, KEY_BYTES);
  demand(nonce, NONCE_BYTES);
  if (sealed.length < TAG_BYTES || sealed.length - TAG_BYTES + ad.length > INPUT_MAX_BYTES) return null;
  return backEnd().open(key, nonce, sealed, ad);
}

/** BLAKE2b (RFC 7693): 16 to 64 bytes, and so many of key. Throws `message-too-large` above INPUT_MAX_BYTES. */
export function blake2b(length: number, message: Uint8Array, key: Uint8Array | null): Uint8Array {
  if (!isBlake2bSize(length) || (key && !isBlake2bSize(key.length))) throw new SottoError('internal', 'BLAKE2b has 16 to 64 bytes.');
  limit(message.length);
  return backEnd().blake2b(length, message, key);
}

/** The two halves of 64 bytes of BLAKE2b with a key: 32 bytes each, independent of each other. Throws as blake2b() does. */
export function derive(message: Uint8Array, key: Uint8Array): Derived {
  if (!isBlake2bSize(key.length)) throw new SottoError('internal', 'BLAKE2b has 16 to 64 bytes.');
  limit(message.length);
  return backEnd().derive(message, key);
}

function backEnd(): Primitives {
  if (chosen === undefined) throw new SottoError('internal', 'crypto is used before ready() has resolved.');
  return chosen;
}

function demand(ours: Uint8Array, length: number): void {
  if (ours.length !== length) throw new SottoError('internal', `A key or nonce has ${ours.length} bytes instead of ${length}.`);
}

function isBlake2bSize(length: number): boolean {
  return length >= BLAKE2B_MIN_BYTES && length <= BLAKE2B_MAX_BYTES;
}

function limit(length: number): void {
  if (length > INPUT_MAX_BYTES) throw new SottoError('message-too-large');
}
