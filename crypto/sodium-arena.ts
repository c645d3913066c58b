// The arena: libsodium's own functions, called on one fixed piece of the WebAssembly heap. What a call was given, made, or left
// on the stack is zero again when it returns, so that no key outlives its use there. It rests on exports that the package does
// not document: what it needs of them is written here and checked at load. It must never know what the bytes are for.

import sodium from 'libsodium-wrappers';
import { allocate, equal } from './bytes.js';
import { SottoError } from './error.js';
import {
  answersRight,
  type Derived,
  type Encapsulated,
  INPUT_MAX_BYTES,
  type Primitives,
  SIGNATURE_BYTES,
  TAG_BYTES,
  XWING_CIPHERTEXT_BYTES,
  XWING_PUBLIC_BYTES,
} from './primitives.js';

/** What libsodium-wrappers has below its documented functions. */
export interface Exports {
  /** The whole memory. Another object after it has grown. */
  readonly HEAPU8: Uint8Array;
  readonly [name: string]: unknown;
}

/** Our name of each function that is used, and libsodium's (0.8.4). */
const NAMES = {
  malloc: '_malloc',
  scalarmult: '_crypto_scalarmult',
  scalarmultBase: '_crypto_scalarmult_base',
  signKeys: '_crypto_sign_seed_keypair',
  sign: '_crypto_sign_detached',
  verify: '_crypto_sign_verify_detached',
  xwingKeys: '_crypto_kem_xwing_seed_keypair',
  xwingEncapsulate: '_crypto_kem_xwing_enc_deterministic',
  xwingDecapsulate: '_crypto_kem_xwing_dec',
  encrypt: '_crypto_aead_xchacha20poly1305_ietf_encrypt',
  decrypt: '_crypto_aead_xchacha20poly1305_ietf_decrypt',
  hash: '_crypto_generichash',
} as const satisfies Record<keyof Functions, string>;

/**
 * Numbers are addresses and lengths, or the answer, 0 for "done". The length of a message has 64 bits and is two arguments,
 * the low half first. Where 0 alone can be given, it is an address that stands for "none", or a high half.
 */
interface Functions {
  malloc(length: number): number;
  scalarmult(shared: number, secret: number, point: number): number;
  scalarmultBase(point: number, secret: number): number;
  signKeys(publicKey: number, secretKey: number, seed: number): number;
  sign(signature: number, length: 0, message: number, low: number, high: 0, secretKey: number): number;
  verify(signature: number, message: number, low: number, high: 0, publicKey: number): number;
  xwingKeys(publicKey: number, secretKey: number, seed: number): number;
  xwingEncapsulate(ciphertext: number, shared: number, publicKey: number, random: number): number;
  xwingDecapsulate(shared: number, ciphertext: number, secretKey: number): number;
  encrypt(sealed: number, length: 0, text: number, low: number, high: 0, ad: number, adLow: number, adHigh: 0, none: 0, nonce: number, key: number): number;
  decrypt(text: number, length: 0, none: 0, sealed: number, low: number, high: 0, ad: number, adLow: number, adHigh: 0, nonce: number, key: number): number;
  hash(hash: number, length: number, message: number, low: number, high: 0, key: number, keyLength: number): number;
}

const KEY_BYTES = 32;
const SIGN_SECRET_BYTES = 64;

/** What the engine keeps with the object itself: cheaper than any piece of a larger memory. */
const SMALL_BYTES = 64;

/** Every place in the arena begins at a multiple of this power of two. */
const ALIGNMENT = 16;

/** The longest input, and room for all keys and results beside it: X-Wing's 2.4 kB are the most. */
const ARENA_BYTES = INPUT_MAX_BYTES + 4_096;

/** Where the stack of 0.8.4 begins, growing down; between two calls it is empty. The load test finds out if it ever moves. */
const STACK_TOP = 107_152;

/** Wiped after the two that every message needs: AEAD and BLAKE2b go down 592 bytes. */
const SHALLOW_BYTES = 1_024;

/** Wiped after all others: X-Wing's decapsulation goes down 22,480 bytes, of the stack's 65,536. */
const DEEP_BYTES = 32_768;

/** The back end on an arena of its own, or null if these exports are not what it needs. */
export function openArena(exports = (sodium as unknown as { libsodium: Exports }).libsodium): Primitives | null {
  const functions = functionsOf(exports);
  const address = functions?.malloc(ARENA_BYTES + ALIGNMENT) ?? 0;
  if (functions === null || address < STACK_TOP) return null;
  const base = align(address);
  const end = base + ARENA_BYTES;
  const memory = () => exports.HEAPU8.slice(0, end);
  const trace = (seed: number) => {
    exports.HEAPU8.fill(seed, base, end);
    functions.signKeys(base, base + KEY_BYTES, base + KEY_BYTES + SIGN_SECRET_BYTES);
    exports.HEAPU8.fill(0, base, end);
  };

  // Wiping what is not the stack would destroy something, so first see where calls on two public seeds leave different traces.
  trace(1);
  const before = memory();
  trace(2);
  const traces = changes(before, memory());
  if (traces.first < STACK_TOP - DEEP_BYTES || align(traces.last + 1) !== STACK_TOP) return null;

  const arena = new Arena(exports, functions, base);
  if (!answersRight(arena)) return null;
  const clean = before.fill(0, STACK_TOP - DEEP_BYTES, STACK_TOP);
  return equal(clean, memory()) ? arena : null;
}

function functionsOf(exports: Exports): Functions | null {
  const found = Object.entries(NAMES).map(([ours, name]) => [ours, exports[name]] as const);
  return found.every(([, value]) => typeof value === 'function') ? (Object.fromEntries(found) as unknown as Functions) : null;
}

/** One operation at a time: each begins at the start of the arena and leaves it zero. */
class Arena implements Primitives {
  readonly #exports: Exports;
  readonly #sodium: Functions;
  readonly #base: number;
  /** The memory as it was when the operation began. */
  #heap: Uint8Array;
  /** The first free place. */
  #free: number;

  constructor(exports: Exports, functions: Functions, base: number) {
    this.#exports = exports;
    this.#sodium = functions;
    this.#base = base;
    this.#heap = exports.HEAPU8;
    this.#free = base;
  }

  x25519(secret: Uint8Array, point: Uint8Array): Uint8Array | null {
    return this.#use(DEEP_BYTES, () => {
      const shared = this.#room(KEY_BYTES);
      return this.#sodium.scalarmult(shared, this.#put(secret), this.#put(point)) === 0 ? this.#take(shared, KEY_BYTES) : null;
    });
  }

  x25519PublicKey(secret: Uint8Array): Uint8Array {
    return this.#use(DEEP_BYTES, () => {
      const point = this.#room(KEY_BYTES);
      this.#sodium.scalarmultBase(point, this.#put(secret));
      return this.#take(point, KEY_BYTES);
    });
  }

  ed25519PublicKey(seed: Uint8Array): Uint8Array {
    return this.#use(DEEP_BYTES, () => this.#take(this.#signKeys(seed).publicKey, KEY_BYTES));
  }

  ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
    return this.#use(DEEP_BYTES, () => {
      const signature = this.#room(SIGNATURE_BYTES);
      this.#sodium.sign(signature, 0, this.#put(message), message.length, 0, this.#signKeys(seed).secretKey);
      return this.#take(signature, SIGNATURE_BYTES);
    });
  }

  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    return this.#use(DEEP_BYTES, () => this.#sodium.verify(this.#put(signature), this.#put(message), message.length, 0, this.#put(publicKey)) === 0);
  }

  xwingPublicKey(seed: Uint8Array): Uint8Array {
    return this.#use(DEEP_BYTES, () => {
      const publicKey = this.#room(XWING_PUBLIC_BYTES);
      this.#sodium.xwingKeys(publicKey, this.#room(KEY_BYTES), this.#put(seed));
      return this.#take(publicKey, XWING_PUBLIC_BYTES);
    });
  }

  xwingEncapsulate(publicKey: Uint8Array, random: Uint8Array): Encapsulated | null {
    return this.#use(DEEP_BYTES, () => {
      const [ciphertext, shared] = [this.#room(XWING_CIPHERTEXT_BYTES), this.#room(KEY_BYTES)];
      const answer = this.#sodium.xwingEncapsulate(ciphertext, shared, this.#put(publicKey), this.#put(random));
      return answer === 0 ? { ciphertext: this.#take(ciphertext, XWING_CIPHERTEXT_BYTES), sharedSecret: this.#take(shared, KEY_BYTES) } : null;
    });
  }

  xwingDecapsulate(ciphertext: Uint8Array, seed: Uint8Array): Uint8Array | null {
    return this.#use(DEEP_BYTES, () => {
      const shared = this.#room(KEY_BYTES);
      return this.#sodium.xwingDecapsulate(shared, this.#put(ciphertext), this.#put(seed)) === 0 ? this.#take(shared, KEY_BYTES) : null;
    });
  }

  sealInPlace(key: Uint8Array, nonce: Uint8Array, text: Uint8Array, ad: Uint8Array): void {
    this.#begin();
    try {
      const at = this.#put(text);
      this.#sodium.encrypt(at, 0, at, text.length - TAG_BYTES, 0, this.#put(ad), ad.length, 0, 0, this.#put(nonce), this.#put(key));
      text.set(this.#heap.subarray(at, at + text.length));
    } finally {
      this.#end(SHALLOW_BYTES);
    }
  }

  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Uint8Array | null {
    this.#begin();
    try {
      const text = this.#put(sealed);
      const answer = this.#sodium.decrypt(text, 0, 0, text, sealed.length, 0, this.#put(ad), ad.length, 0, this.#put(nonce), this.#put(key));
      return answer === 0 ? this.#take(text, sealed.length - TAG_BYTES) : null;
    } finally {
      this.#end(SHALLOW_BYTES);
    }
  }

  blake2b(length: number, message: Uint8Array, key: Uint8Array | null): Uint8Array {
    this.#begin();
    try {
      return this.#take(this.#hash(length, message, key), length);
    } finally {
      this.#end(SHALLOW_BYTES);
    }
  }

  derive(message: Uint8Array, key: Uint8Array): Derived {
    this.#begin();
    try {
      const derived = this.#hash(2 * KEY_BYTES, message, key);
      return { left: this.#take(derived, KEY_BYTES), right: this.#take(derived + KEY_BYTES, KEY_BYTES) };
    } finally {
      this.#end(SHALLOW_BYTES);
    }
  }

  /** The address of a hash. */
  #hash(length: number, message: Uint8Array, key: Uint8Array | null): number {
    const hash = this.#room(length);
    this.#sodium.hash(hash, length, this.#put(message), message.length, 0, key ? this.#put(key) : 0, key ? key.length : 0);
    return hash;
  }

  #signKeys(seed: Uint8Array): { readonly publicKey: number; readonly secretKey: number } {
    const [publicKey, secretKey] = [this.#room(KEY_BYTES), this.#room(SIGN_SECRET_BYTES)];
    this.#sodium.signKeys(publicKey, secretKey, this.#put(seed));
    return { publicKey, secretKey };
  }

  /** Runs an operation, and leaves zeros where it and the stack have been, `stackBytes` deep. */
  #use<T>(stackBytes: number, operation: () => T): T {
    this.#begin();
    try {
      return operation();
    } finally {
      this.#end(stackBytes);
    }
  }

  #begin(): void {
    this.#heap = this.#exports.HEAPU8;
  }

  #end(stackBytes: number): void {
    this.#heap.fill(0, this.#base, this.#free).fill(0, STACK_TOP - stackBytes, STACK_TOP);
    this.#free = this.#base;
  }

  /** The address of so many free bytes. */
  #room(length: number): number {
    const address = this.#free;
    const free = align(address + length);
    if (free > this.#base + ARENA_BYTES) throw new SottoError('message-too-large');
    this.#free = free;
    return address;
  }

  /** The address of a copy. */
  #put(bytes: Uint8Array): number {
    const address = this.#room(bytes.length);
    this.#heap.set(bytes, address);
    return address;
  }

  #take(address: number, length: number): Uint8Array {
    if (length <= SMALL_BYTES) return this.#heap.slice(address, address + length);
    const taken = allocate(length);
    taken.set(this.#heap.subarray(address, address + length));
    return taken;
  }
}

function align(address: number): number {
  return (address + ALIGNMENT - 1) & -ALIGNMENT;
}

/** The first and the last place where two memories differ; -1 if they do not. */
function changes(before: Uint8Array, after: Uint8Array): { readonly first: number; readonly last: number } {
  const differs = (byte: number, at: number) => byte !== after[at];
  return { first: before.findIndex(differs), last: before.findLastIndex(differs) };
}
