// A passphrase guards the key of a home: Argon2id makes it dear to guess, and the key is sealed under what comes out. The one
// asynchronous room: Argon2id lives in another, larger build of libsodium that is loaded only when it is needed, and whose
// memory never shrinks again: it is run in a worker that is ended (client/stretch.ts).

import { concat, utf8 } from './bytes.js';
import { SottoError } from './error.js';
import type { Random } from './random.js';
import { NONCE_BYTES, open, seal, TAG_BYTES } from './sodium.js';

/** What a guess costs. */
export interface StretchCost {
  /** Passes over the memory, at least 1. */
  readonly passes: number;
  /** Memory in bytes, at least 8192. */
  readonly memoryBytes: number;
}

const KEY_BYTES = 32;
const SEALED_KEY_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES;
const AD = utf8('sotto1/key');

/** 32 bytes from a passphrase and a 16-byte salt by Argon2id (RFC 9106, one lane). */
export async function stretch(passphrase: string, salt: Uint8Array, cost: StretchCost): Promise<Uint8Array> {
  const { default: sumo } = await import('libsodium-wrappers-sumo');
  await sumo.ready;
  // The same letters typed on two systems may arrive composed on one and decomposed on the other.
  const bytes = utf8(passphrase.normalize('NFC'));
  const key = sumo.crypto_pwhash(KEY_BYTES, bytes, salt, cost.passes, cost.memoryBytes, sumo.crypto_pwhash_ALG_ARGON2ID13);
  bytes.fill(0);
  return key;
}

/** A 32-byte key sealed under another, with a fresh nonce: 72 bytes. */
export function sealKey(key: Uint8Array, kek: Uint8Array, random: Random): Uint8Array {
  const nonce = random(NONCE_BYTES);
  return concat(nonce, seal(kek, nonce, key, AD));
}

/** The key that sealKey() was given. Throws `passphrase-wrong`, or `malformed` where the length cannot be right. */
export function openKey(sealed: Uint8Array, kek: Uint8Array): Uint8Array {
  if (sealed.length !== SEALED_KEY_BYTES) throw new SottoError('malformed');
  const key = open(kek, sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES), AD);
  if (key === null) throw new SottoError('passphrase-wrong');
  return key;
}
