// The two functions that every key and every id of the protocol is made with (PROTOCOL.md §1): keyed and unkeyed BLAKE2b over
// a label and parts whose lengths are written before them, so that no two different inputs look alike.

import { utf8 } from './bytes.js';
import { blake2b } from './sodium.js';

/** Stands before every label, so that nothing made here is valid in another protocol or another major version. */
export const LABEL_PREFIX = 'sotto1/';

const HASH_BYTES = 32;
const DERIVED_BYTES = 64;

/** H32(label, parts…): 32 bytes that nobody can make from another label or other parts. */
export function hash(label: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return blake2b(HASH_BYTES, encode(label, parts), null);
}

/** K(key, label, parts…): two independent 32-byte halves. The key has 16 to 64 bytes. */
export function derive(key: Uint8Array, label: string, ...parts: readonly Uint8Array[]): { left: Uint8Array; right: Uint8Array } {
  const input = encode(label, parts);
  const derived = blake2b(DERIVED_BYTES, input, key);
  input.fill(0);
  return { left: derived.subarray(0, HASH_BYTES), right: derived.subarray(HASH_BYTES) };
}

/** u8 length of label | label | for each part: u32 length | part. */
function encode(label: string, parts: readonly Uint8Array[]): Uint8Array {
  const name = utf8(LABEL_PREFIX + label);
  const encoded = new Uint8Array(parts.reduce((total, part) => total + 4 + part.length, 1 + name.length));
  const view = new DataView(encoded.buffer);
  encoded[0] = name.length;
  encoded.set(name, 1);
  let at = 1 + name.length;
  for (const part of parts) {
    view.setUint32(at, part.length);
    encoded.set(part, at + 4);
    at += 4 + part.length;
  }
  return encoded;
}
