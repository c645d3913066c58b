// What a message key seals: a body, and behind it a piece in the room that is left to the length of the envelope
// (PROTOCOL.md §5.7). There is always room for the four bytes that say where each ends.

import { Writer } from '../bytes.js';
import { type Piece, UNIT_BYTES } from './piece.js';

/** Body length u16 | first unit u8 | count of units u8. */
export const PLAINTEXT_HEAD_BYTES = 4;

/** Head, body, piece and zeros: `length` bytes, which must hold them. */
export function packPlaintext(body: Uint8Array, piece: Piece, length: number): Uint8Array {
  const packed = new Writer()
    .number(body.length, 2)
    .number(piece.first, 1)
    .number(piece.bytes.length / UNIT_BYTES, 1)
    .bytes(body, piece.bytes)
    .finish();
  const plaintext = new Uint8Array(length);
  plaintext.set(packed);
  return plaintext;
}

/** What packPlaintext() was given, or null if nobody packed this. */
export function unpackPlaintext(plaintext: Uint8Array): { readonly body: Uint8Array; readonly piece: Piece } | null {
  const [high = 0, low = 0, first = 0, count = 0] = plaintext;
  const pieceAt = PLAINTEXT_HEAD_BYTES + high * 256 + low;
  const end = pieceAt + count * UNIT_BYTES;
  if (end > plaintext.length || plaintext.subarray(end).some((byte) => byte !== 0)) return null;
  return { body: plaintext.slice(PLAINTEXT_HEAD_BYTES, pieceAt), piece: { first, bytes: plaintext.slice(pieceAt, end) } };
}
