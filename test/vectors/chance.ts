// Chance that can be had again: from a seed, written down while it is drawn, and handed out as it was written down.

import { blake2b } from '@noble/hashes/blake2.js';

export type Draw = (length: number) => Uint8Array;

/** The same bytes for the same seed, however they are drawn: BLAKE2b-512 of "seed/0", "seed/1" …, one after the other. */
export function seeded(seed: string): Draw {
  let drawn = 0;
  const stream: number[] = [];
  return (length) => {
    while (stream.length < length) stream.push(...blake2b(new TextEncoder().encode(`${seed}/${drawn++}`)));
    return Uint8Array.from(stream.splice(0, length));
  };
}

/** The i-th draw, from 0, is the beginning of BLAKE2b-512 of "seed/i": what a third implementation needs for a run. */
export function numbered(seed: string): Draw {
  let drawn = 0;
  return (length) => blake2b(new TextEncoder().encode(`${seed}/${drawn++}`)).slice(0, length);
}

/** A source that notes in `draws` what it gives. */
export function noting(source: Draw, draws: string[]): Draw {
  return (length) => {
    const drawn = source(length);
    draws.push(Buffer.from(drawn).toString('hex'));
    return drawn;
  };
}

/** Gives what was noted, in that order. Throws where something else is asked for. */
export function replaying(draws: readonly string[]): { readonly draw: Draw; readonly isUsedUp: () => boolean } {
  const left = draws.map((hex) => new Uint8Array(Buffer.from(hex, 'hex')));
  const draw = (length: number): Uint8Array => {
    const next = left.shift();
    if (next?.length !== length) throw new RangeError(`${length} bytes are drawn where the vector has ${next?.length ?? 'nothing'}.`);
    return next;
  };
  return { draw, isUsedUp: () => left.length === 0 };
}
