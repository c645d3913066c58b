// Pieces: how a post-quantum key or ciphertext, longer than the room that one message leaves, travels in several
// (PROTOCOL.md §5.8). Which messages arrive, in which order and how often does not matter. It must never know what it carries.

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

/** What has come so far of something that travels in pieces. */
export interface Units {
  readonly bytes: Uint8Array;
  /** For each unit 1 if it has come, otherwise 0. */
  readonly has: Uint8Array;
}

/** Nothing yet of something that has `length` bytes, a multiple of UNIT_BYTES. */
export function noUnits(length: number): Units {
  return { bytes: new Uint8Array(length), has: new Uint8Array(length / UNIT_BYTES) };
}

/** As many units of `whole` as `room` holds, each at most once, from number `first` on; they lie at the beginning of the room then. */
export function cutPiece(whole: Uint8Array, first: number, room: Uint8Array): Piece {
  const bytes = room.subarray(0, Math.min(room.length - (room.length % UNIT_BYTES), whole.length));
  const upToEnd = whole.subarray(first * UNIT_BYTES, first * UNIT_BYTES + bytes.length);
  bytes.set(upToEnd);
  if (upToEnd.length < bytes.length) bytes.set(whole.subarray(0, bytes.length - upToEnd.length), upToEnd.length);
  return { first, bytes };
}

/** Number of the unit after a piece of `whole`. */
export function unitAfter(whole: Uint8Array, piece: Piece): number {
  return (piece.first + piece.bytes.length / UNIT_BYTES) % (whole.length / UNIT_BYTES);
}

/** The units with those of a piece; of two that differ the earlier stays. */
export function addPiece(units: Units, piece: Piece): Units {
  const [bytes, has] = [units.bytes.slice(), units.has.slice()];
  for (let at = 0; at < piece.bytes.length; at += UNIT_BYTES) {
    const unit = (piece.first + at / UNIT_BYTES) % has.length;
    if (has[unit] === 0) bytes.set(piece.bytes.subarray(at, at + UNIT_BYTES), unit * UNIT_BYTES);
    has[unit] = 1;
  }
  return { bytes, has };
}

/** The whole, or null while a unit is missing. */
export function joinUnits(units: Units): Uint8Array | null {
  return units.has.includes(0) ? null : units.bytes;
}
