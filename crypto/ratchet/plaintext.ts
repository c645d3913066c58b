// What a message key seals: a body, and behind it a piece in the room that is left to the length of the envelope
// (PROTOCOL.md §5.7). There is always room for the four bytes that say where each ends.

import { type Piece, UNIT_BYTES } from './piece.js';

/** Body length u16 | first unit u8 | count of units u8. */
export const PLAINTEXT_HEAD_BYTES = 4;

/** Head, body, piece and zeros: `length` bytes, which must hold them. */
export function packPlaintext(body: Uint8Array, piece: Piece, length: number): Uint8Array {
  const plaintext = new Uint8Array(length);
  plaintext.set([body.length >> 8, body.length & 0xff, piece.first, piece.bytes.length / UNIT_BYTES]);
  plaintext.set(body, PLAINTEXT_HEAD_BYTES);
  plaintext.set(piece.bytes, PLAINTEXT_HEAD_BYTES + body.length);
  return plaintext;
}

/** What packPlaintext() was given, or null if nobody packed this. */
export function unpackPlaintext(plaintext: Uint8Array): { readonly body: Uint8Array; readonly piece: Piece } | null {
  if (plaintext.length < PLAINTEXT_HEAD_BYTES) return null;
  const pieceAt = PLAINTEXT_HEAD_BYTES + ((plaintext[0]! << 8) | plaintext[1]!);
  const end = pieceAt + plaintext[3]! * UNIT_BYTES;
  if (end > plaintext.length) return null;
  for (let at = end; at < plaintext.length; at++) if (plaintext[at] !== 0) return null;
  return { body: plaintext.slice(PLAINTEXT_HEAD_BYTES, pieceAt), piece: { first: plaintext[2]!, bytes: plaintext.subarray(pieceAt, end) } };
}
