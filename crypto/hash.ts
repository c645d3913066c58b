// The two functions that every key and every id of the protocol is made with (PROTOCOL.md §1): keyed and unkeyed BLAKE2b over
// a label and parts whose lengths are written before them, so that no two different inputs look alike.

import { concat, utf8, Writer } from './bytes.js';
import { blake2b, derive as deriveHalves } from './sodium.js';

/** Stands before every label, so that nothing made here is valid in another protocol or another major version. */
export const LABEL_PREFIX = 'sotto1/';

const HASH_BYTES = 32;

/** The labels that have been used, encoded; they are constants of the protocol, so there are few. */
const labels = new Map<string, Uint8Array>();

/** H32(label, parts…): 32 bytes that nobody can make from another label or other parts. */
export function hash(label: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return blake2b(HASH_BYTES, encode(label, parts), null);
}

/** K(key, label, parts…): two independent 32-byte halves. The key has 16 to 64 bytes. */
export function derive(key: Uint8Array, label: string, ...parts: readonly Uint8Array[]): { left: Uint8Array; right: Uint8Array } {
  const input = encode(label, parts);
  const halves = deriveHalves(input, key);
  // A label alone is kept, and no secret.
  if (parts.length > 0) input.fill(0);
  return halves;
}

/** The label, then for each part: u32 length | part. Not to be changed where there are no parts. */
function encode(label: string, parts: readonly Uint8Array[]): Uint8Array {
  const name = labels.get(label) ?? encodeLabel(label);
  if (parts.length === 0) return name;
  let length = name.length;
  for (const part of parts) length += 4 + part.length;
  const writer = new Writer(length).bytes(name);
  for (const part of parts) writer.number(part.length, 4).bytes(part);
  return writer.finish();
}

/** u8 length of label | label. */
function encodeLabel(label: string): Uint8Array {
  const name = utf8(LABEL_PREFIX + label);
  const encoded = concat(Uint8Array.of(name.length), name);
  labels.set(label, encoded);
  return encoded;
}
