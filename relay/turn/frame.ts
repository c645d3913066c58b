// What a TURN client and its server exchange beside STUN messages: ChannelData, and both of them as a stream (RFC 8656 §12).
// Pure: bytes in, bytes out.
//
//   ChannelData: channel 2 (0x4000 … 0x7fff) | length 2 | data, over a stream padded to 4

import { HEADER_BYTES } from './message.js';

/** The channels of RFC 5766, of which RFC 8656 keeps the first quarter: old clients are about, and nothing else comes to these ports. */
export const CHANNEL_FIRST = 0x4000;
export const CHANNEL_LAST = 0x7fff;

const CHANNEL_HEADER_BYTES = 4;

/** Whether bytes that came together are ChannelData, by their first one. */
export function isChannelData(bytes: Uint8Array): boolean {
  return bytes.length >= CHANNEL_HEADER_BYTES && bytes[0]! >> 6 === CHANNEL_FIRST >> 14;
}

export function readChannel(bytes: Uint8Array): number {
  return (bytes[0]! << 8) | bytes[1]!;
}

/** The data of a ChannelData message, as a view; null if it is longer than what came. What follows it is padding. */
export function readChannelData(bytes: Uint8Array): Uint8Array | null {
  const end = CHANNEL_HEADER_BYTES + ((bytes[2]! << 8) | bytes[3]!);
  return end > bytes.length ? null : bytes.subarray(CHANNEL_HEADER_BYTES, end);
}

/** @param padded as a stream needs it. */
export function writeChannelData(channel: number, data: Uint8Array, padded: boolean): Uint8Array {
  const end = CHANNEL_HEADER_BYTES + data.length;
  const length = padded ? (end + 3) & ~3 : end;
  // From the pool, since this is done for every packet; every byte of it is written.
  const bytes = Buffer.allocUnsafe(length);
  bytes[0] = channel >> 8;
  bytes[1] = channel;
  bytes[2] = data.length >> 8;
  bytes[3] = data.length;
  bytes.set(data, CHANNEL_HEADER_BYTES);
  bytes.fill(0, end);
  return bytes;
}

/** Cuts a stream into STUN messages and ChannelData. */
export class Frames {
  #rest: Uint8Array = new Uint8Array(0);

  /** The messages that are whole with what came now, as views; null once the stream is neither, and for good. */
  push(bytes: Uint8Array): Uint8Array[] | null {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const frames: Uint8Array[] = [];
    while (rest.length >= CHANNEL_HEADER_BYTES) {
      const length = lengthOf(rest);
      if (length === null) return null;
      if (rest.length < length) break;
      frames.push(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    this.#rest = rest;
    return frames;
  }
}

/** How long the message is that begins here, with padding; null if none begins so. At most 65,555 bytes. */
function lengthOf(bytes: Uint8Array): number | null {
  const length = (bytes[2]! << 8) | bytes[3]!;
  if (isChannelData(bytes)) return CHANNEL_HEADER_BYTES + ((length + 3) & ~3);
  return bytes[0]! < 0x40 && length % 4 === 0 ? HEADER_BYTES + length : null;
}
