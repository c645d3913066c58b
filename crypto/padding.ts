// Padding hides how long something is: an envelope has one of eight lengths (PROTOCOL.md §5.7), and a card always the same,
// with 0x80 and zeros behind what it carries (ISO/IEC 7816-4; §3.3).

import { SottoError } from './error.js';

/** The lengths that an envelope may have, in bytes; the largest is what a relay takes. */
export const BUCKETS = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536] as const;

/** The smallest bucket that holds `length` bytes. Throws `message-too-large`. */
export function bucketFor(length: number): number {
  const bucket = BUCKETS.find((size) => size >= length);
  if (bucket === undefined) throw new SottoError('message-too-large');
  return bucket;
}

/** The smallest bucket above `bucket`, or the largest. */
export function bucketAfter(bucket: number): number {
  return BUCKETS.find((size) => size > bucket) ?? bucket;
}

/** `bytes | 0x80 | zeros`, `length` bytes long: at least one more than `bytes`. */
export function pad(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) throw new SottoError('message-too-large');
  const padded = new Uint8Array(length);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  return padded;
}

/** What pad() was given, or null if nobody padded this. */
export function unpad(padded: Uint8Array): Uint8Array | null {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end--;
  return padded[end] === 0x80 ? padded.slice(0, end) : null;
}
