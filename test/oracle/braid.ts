// The second implementation, §5.8: one side of the post-quantum ratchet, as the table of steps says.

import { be, decapsulate, type Draw, encapsulate, h32, join, kemPublic } from './notation.js';

type Units = ReadonlyMap<number, Uint8Array>;

/** What an epoch gives to the root: SS and H32("pq", u24 e, ek, ct). */
interface Agreement {
  readonly ss: Uint8Array;
  readonly hash: Uint8Array;
}

export type Braid =
  | { readonly step: 'idle' }
  | { readonly step: 'offering'; readonly seed: Uint8Array; readonly sends: Uint8Array; readonly at: number }
  | { readonly step: 'waiting'; readonly seed: Uint8Array; readonly units: Units }
  | ({ readonly step: 'agreed' } & Agreement)
  | { readonly step: 'collecting'; readonly units: Units }
  | ({ readonly step: 'answering'; readonly sends: Uint8Array; readonly at: number } & Agreement);

export interface Piece {
  readonly first: number;
  readonly units: number;
  readonly bytes: Uint8Array;
}

/** Whoever sends a message draws a seed where it is their turn to. */
export function begin(braid: Braid, epochs: number, draw: Draw): Braid {
  if (braid.step !== 'idle' || epochs === 2 ** 24 - 1) return braid;
  const seed = draw(32);
  return { step: 'offering', seed, sends: kemPublic(seed), at: 0 };
}

/** How many bytes there are to be sent. */
export function sendsOf(braid: Braid): number {
  return 'sends' in braid ? braid.sends.length : 0;
}

/** A piece for so much room, and the braid after it. */
export function cut(braid: Braid, room: number): { piece: Piece; braid: Braid } {
  if (!('sends' in braid)) return { piece: { first: 0, units: 0, bytes: new Uint8Array(0) }, braid };
  const { sends, at: first } = braid;
  const total = sends.length / 16;
  const units = Math.min(Math.floor(room / 16), total);
  const twice = join(sends, sends);
  return { piece: { first, units, bytes: twice.slice(first * 16, (first + units) * 16) }, braid: { ...braid, at: (first + units) % total } };
}

/** The braid of epoch e after a piece that came under the right pqEpoch. */
export function take(braid: Braid, e: number, { first, bytes }: Piece, draw: Draw): Braid {
  if (bytes.length === 0 || braid.step === 'idle' || braid.step === 'agreed' || braid.step === 'answering') return braid;
  const total = braid.step === 'collecting' ? 76 : 70;
  const units = new Map('units' in braid ? braid.units : []);
  for (let i = 0; i < bytes.length / 16; i++) {
    const unit = (first + i) % total;
    if (!units.has(unit)) units.set(unit, bytes.slice(i * 16, i * 16 + 16));
  }
  if (units.size < total) return braid.step === 'collecting' ? { step: 'collecting', units } : { step: 'waiting', seed: braid.seed, units };
  const whole = join(...Array.from({ length: total }, (_, unit) => units.get(unit)!));
  const bind = (ek: Uint8Array, ct: Uint8Array): Uint8Array => h32('pq', be(e, 3), ek, ct);
  if (braid.step !== 'collecting') return { step: 'agreed', ss: decapsulate(whole, braid.seed), hash: bind(kemPublic(braid.seed), whole) };
  const { ct, ss } = encapsulate(whole, draw(64));
  return { step: 'answering', sends: ct, at: 0, ss, hash: bind(whole, ct) };
}
