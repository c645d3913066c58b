// Pieces: how a post-quantum key or ciphertext, longer than the room that one message leaves, travels in several
// (PROTOCOL.md §5.8). Which messages arrive, in which order and how often does not matter. It must never know what it carries.

import { concat } from '../bytes.js';

/** Pieces are cut at multiples of this: fine enough to leave little room unused, coarse enough to number in one byte. */
export const UNIT_BYTES = 16;

/** What one message carries: whole units, which go on at the beginning after the last one. */
export interface Piece {
  /** Number of the first unit. */
  readonly first: number;
  readonly bytes: Uint8Array;
}

/** What a message carries whose sender has nothing to send. */
export const NO_PIECE: Piece = { first: 0, bytes: new Uint8Array(0) };

/** The units of something that have come so far. */
export type Units = readonly (Uint8Array | null)[];

/** Nothing yet of something that has `length` bytes, a multiple of UNIT_BYTES. */
export function noUnits(length: number): Units {
  return Array.from({ length: length / UNIT_BYTES }, () => null);
}

/** As many units of `whole` as `room` bytes hold, each at most once, from number `first` on. */
export function cutPiece(whole: Uint8Array, first: number, room: number): Piece {
  const length = Math.min(room - (room % UNIT_BYTES), whole.length);
  const at = first * UNIT_BYTES;
  return { first, bytes: concat(whole.subarray(at), whole.subarray(0, at)).slice(0, length) };
}

/** Number of the unit after a piece of `whole`. */
export function unitAfter(whole: Uint8Array, piece: Piece): number {
  return (piece.first + piece.bytes.length / UNIT_BYTES) % (whole.length / UNIT_BYTES);
}

/** The units with those of a piece; of two that differ the earlier stays. */
export function addPiece(units: Units, piece: Piece): Units {
  const added = [...units];
  for (let at = 0; at < piece.bytes.length; at += UNIT_BYTES) {
    added[(piece.first + at / UNIT_BYTES) % added.length] ??= piece.bytes.slice(at, at + UNIT_BYTES);
  }
  return added;
}

/** The whole, or null while a unit is missing. */
export function joinUnits(units: Units): Uint8Array | null {
  return units.every((unit) => unit !== null) ? concat(...units) : null;
}
