// A second implementation of what PROTOCOL.md says of keys and bytes, written from its text on other libraries and in another way. It
// imports nothing from crypto/, client/ or relay/: where the two differ, one of them or the text is wrong. Here: the notation of §1.

import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { blake2b } from '@noble/hashes/blake2.js';
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js';

/** Gives so many random bytes, drawn in the order in which the text names what is drawn. */
export type Draw = (length: number) => Uint8Array;

/** What the text calls by a code of §9. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export function refuse(code: string): never {
  throw new Refusal(code);
}

/** What `action` gives; whatever goes wrong in it is this code. */
export function orRefuse<T>(code: string, action: () => T): T {
  try {
    return action();
  } catch {
    return refuse(code);
  }
}

export const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
export const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
export const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'));
export const NOTHING = new Uint8Array(0);
export const ZERO_NONCE = new Uint8Array(24);

/** An unsigned number of so many bytes, big-endian. */
export function be(value: number, size: number): Uint8Array {
  const field = Buffer.alloc(size);
  field.writeUIntBE(value, 0, size);
  return new Uint8Array(field);
}

/** Reads a structure field after field; `done` refuses what is left. */
export class Fields {
  #rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#rest = bytes;
  }

  take(length: number): Uint8Array {
    if (this.#rest.length < length) refuse('malformed');
    const field = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
    return field;
  }

  number(size: number): number {
    return Buffer.from(this.take(size)).readUIntBE(0, size);
  }

  must(value: number): void {
    if (this.number(1) !== value) refuse('malformed');
  }

  done(): void {
    if (this.#rest.length > 0) refuse('malformed');
  }
}

/** E(l, x…). */
function encode(label: string, parts: readonly Uint8Array[]): Uint8Array {
  const name = utf8(`sotto1/${label}`);
  return join(be(name.length, 1), name, ...parts.flatMap((part) => [be(part.length, 4), part]));
}

export function h32(label: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return blake2b(encode(label, parts), { dkLen: 32 });
}

/** [.L, .R] of K(k, l, x…). */
export function k(key: Uint8Array, label: string, ...parts: readonly Uint8Array[]): [Uint8Array, Uint8Array] {
  const derived = blake2b(encode(label, parts), { dkLen: 64, key });
  return [derived.slice(0, 32), derived.slice(32)];
}

export const hash512 = (bytes: Uint8Array): Uint8Array => blake2b(bytes);

export const publicX = (secret: Uint8Array): Uint8Array => x25519.getPublicKey(secret);
export const publicEd = (seed: Uint8Array): Uint8Array => ed25519.getPublicKey(seed);

/** X25519; fails where the result is zero. */
export function dh(secret: Uint8Array, point: Uint8Array, code = 'undecryptable'): Uint8Array {
  const shared = orRefuse(code, () => x25519.getSharedSecret(secret, point));
  return same(shared, new Uint8Array(32)) ? refuse(code) : shared;
}

export function sign(seed: Uint8Array, label: string, message: Uint8Array): Uint8Array {
  return ed25519.sign(join(utf8(`sotto1/${label}`), message), seed);
}

export function verifies(publicKey: Uint8Array, label: string, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    // The library asks this of the key alone.
    if (ed25519.Point.fromBytes(signature.slice(0, 32)).isSmallOrder()) return false;
    return ed25519.verify(signature, join(utf8(`sotto1/${label}`), message), publicKey, { zip215: false });
  } catch {
    return false;
  }
}

export function seal(key: Uint8Array, nonce: Uint8Array, message: Uint8Array, ad: Uint8Array): Uint8Array {
  return xchacha20poly1305(key, nonce, ad).encrypt(message);
}

export function unseal(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Uint8Array | undefined {
  try {
    return xchacha20poly1305(key, nonce, ad).decrypt(sealed);
  } catch {
    return undefined;
  }
}

export function pad(message: Uint8Array, length: number): Uint8Array {
  return join(message, Uint8Array.of(0x80), new Uint8Array(length - message.length - 1));
}

export function unpad(padded: Uint8Array): Uint8Array {
  const end = padded.lastIndexOf(0x80);
  return end >= 0 && padded.slice(end + 1).every((byte) => byte === 0) ? padded.slice(0, end) : refuse('malformed');
}

export const kemPublic = (seed: Uint8Array): Uint8Array => ml_kem768_x25519.keygen(seed).publicKey;

/** A ciphertext to an X-Wing key and what is in it, from 64 random bytes. */
export function encapsulate(publicKey: Uint8Array, random: Uint8Array, code = 'undecryptable'): { ct: Uint8Array; ss: Uint8Array } {
  const { cipherText: ct, sharedSecret: ss } = orRefuse(code, () => ml_kem768_x25519.encapsulate(publicKey, random));
  return { ct, ss };
}

export function decapsulate(ct: Uint8Array, seed: Uint8Array): Uint8Array {
  return orRefuse('undecryptable', () => ml_kem768_x25519.decapsulate(ct, seed));
}
