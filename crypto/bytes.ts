// Bytes and their written forms: joining, comparing, hex, base64url, UTF-8, and packed structures with big-endian numbers.
// Everything read here may come from a stranger: a wrong form is always SottoError `malformed`, never anything else.
// It must never know what the bytes mean.

import { SottoError } from './error.js';

// The platform has these everywhere; the pure configuration knows neither DOM nor Node.
declare const TextEncoder: new () => { encode(text: string): Uint8Array };
declare const TextDecoder: new (label: 'utf-8', options: { fatal: true; ignoreBOM: true }) => { decode(bytes: Uint8Array): string };

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** A few messages with their sessions; little enough to be kept as a whole for one session that lies long. */
const SLAB_BYTES = 16_384;
let slab = new Uint8Array(SLAB_BYTES);
let slabUsed = 0;

/**
 * So many zero bytes that nobody else has or gets, cut from a larger piece: one piece from the engine costs more than the sealing of
 * a header. Their `buffer` is shared, so it is not to be transferred.
 */
export function allocate(length: number): Uint8Array {
  if (length > SLAB_BYTES / 4) return new Uint8Array(length);
  if (length > SLAB_BYTES - slabUsed) {
    slab = new Uint8Array(SLAB_BYTES);
    slabUsed = 0;
  }
  slabUsed += length;
  return slab.subarray(slabUsed - length, slabUsed);
}

/** All parts, one after the other, in new memory. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Whether two byte strings are the same, in time that depends on their lengths alone. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
  return hex;
}

/** Reads lower- or upper-case hexadecimal. Throws `malformed`. */
export function fromHex(hex: string): Uint8Array {
  if (hex.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(hex)) throw new SottoError('malformed');
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** Base64url without padding (RFC 4648 §5). */
export function toBase64url(bytes: Uint8Array): string {
  let encoded = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const group = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let shift = 18; shift >= 0; shift -= 6) encoded += BASE64URL[(group >> shift) & 63];
  }
  return encoded.slice(0, Math.ceil((bytes.length * 4) / 3));
}

/** Reads base64url without padding. Throws `malformed`, also for a text that toBase64url would not have written. */
export function fromBase64url(encoded: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((encoded.length * 3) / 4));
  let bits = 0;
  let at = 0;
  for (let i = 0; i < encoded.length; i++) {
    bits = ((bits << 6) | BASE64URL.indexOf(encoded.charAt(i))) & 0xffffff;
    // Every character but the first of four completes a byte.
    if (i % 4 !== 0) bytes[at++] = bits >> (6 - 2 * (i % 4));
  }
  // Catches foreign characters, impossible lengths and stray bits at the end in one comparison.
  if (toBase64url(bytes) !== encoded) throw new SottoError('malformed');
  return bytes;
}

/** The UTF-8 form of a text. */
export function utf8(value: string): Uint8Array {
  return encoder.encode(value);
}

/** The text of UTF-8 bytes. Throws `malformed`. */
export function text(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new SottoError('malformed', undefined, cause);
  }
}

/** Reads a packed structure, from its beginning if nothing else is said. Every read past the end throws `malformed`. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** The next `length` bytes, in memory of their own. */
  bytes(length: number): Uint8Array {
    const from = this.#pass(length);
    return this.#bytes.slice(from, from + length);
  }

  /** The next `length` bytes, where they lie. */
  view(length: number): Uint8Array {
    const from = this.#pass(length);
    return this.#bytes.subarray(from, from + length);
  }

  /** An unsigned big-endian number of `size` bytes, at most 6. */
  number(size: number): number {
    const from = this.#pass(size);
    let value = 0;
    for (let at = from; at < from + size; at++) value = value * 256 + this.#bytes[at]!;
    return value;
  }

  /** Passes over the next `length` bytes, and answers how many are behind the reader then. */
  skip(length: number): number {
    this.#pass(length);
    return this.#at;
  }

  /** The next byte must be `expected`: a version, a suite, a reserved field. */
  expect(expected: number): void {
    if (this.number(1) !== expected) throw new SottoError('malformed');
  }

  /** All that is left, in memory of its own. */
  rest(): Uint8Array {
    return this.bytes(this.#bytes.length - this.#at);
  }

  /** Nothing may be left. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new SottoError('malformed');
  }

  /** Where the next `length` bytes begin; the reader then stands behind them. */
  #pass(length: number): number {
    if (length > this.#bytes.length - this.#at) throw new SottoError('malformed');
    this.#at += length;
    return this.#at - length;
  }
}

/** Writes a packed structure, field after field, into memory whose length is known before: a secret is copied once. */
export class Writer {
  readonly #packed: Uint8Array;
  #at = 0;

  /** @param target a length, or memory to write in. */
  constructor(target: number | Uint8Array) {
    this.#packed = typeof target === 'number' ? allocate(target) : target;
  }

  bytes(part: Uint8Array): this {
    this.#packed.set(part, this.#at);
    this.#at += part.length;
    return this;
  }

  /** An unsigned big-endian number in `size` bytes, at most 6. */
  number(value: number, size: number): this {
    this.#at += size;
    for (let at = this.#at, rest = value; at > this.#at - size; rest = Math.floor(rest / 256)) this.#packed[--at] = rest % 256;
    return this;
  }

  /** What was written, which must fill its memory. */
  finish(): Uint8Array {
    if (this.#at !== this.#packed.length) throw new SottoError('internal', `A structure has ${this.#at} bytes instead of ${this.#packed.length}.`);
    return this.#packed;
  }
}
