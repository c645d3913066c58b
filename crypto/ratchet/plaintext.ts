// What a message key seals: a body, and behind it a piece in the room that is left to the length of the envelope
// (PROTOCOL.md §5.7). There is always room for the four bytes that say where each ends.

import { Writer } from '../bytes.js';
import { type Piece, UNIT_BYTES } from './piece.js';

/** Body length u16 | first unit u8 | count of units u8. */
export const PLAINTEXT_HEAD_BYTES = 4;

/** The room for a piece behind a body of so many bytes. */
export function pieceRoom(plaintext: Uint8Array, bodyLength: number): Uint8Array {
  return plaintext.subarray(PLAINTEXT_HEAD_BYTES + bodyLength);
}

/** Writes head and body before a piece that lies in its room. */
export function packPlaintext(plaintext: Uint8Array, body: Uint8Array, piece: Piece): void {
  new Writer(plaintext).number(body.length, 2).number(piece.first, 1).number(piece.bytes.length / UNIT_BYTES, 1).bytes(body);
}

/** What packPlaintext() was given, or null if nobody packed this. */
export function unpackPlaintext(plaintext: Uint8Array): { readonly body: Uint8Array; readonly piece: Piece } | null {
  if (plaintext.length < PLAINTEXT_HEAD_BYTES) return null;
  const pieceAt = PLAINTEXT_HEAD_BYTES + ((plaintext[0]! << 8) | plaintext[1]!);
  const end = pieceAt + plaintext[3]! * UNIT_BYTES;
  if (end > plaintext.length) return null;
  let behind = 0;
  for (let at = end; at < plaintext.length; at++) behind |= plaintext[at]!;
  if (behind !== 0) return null;
  return { body: plaintext.subarray(PLAINTEXT_HEAD_BYTES, pieceAt), piece: { first: plaintext[2]!, bytes: plaintext.subarray(pieceAt, end) } };
}
