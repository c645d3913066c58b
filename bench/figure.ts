// What a bench says: numbers of ours, each beside what a bare peer reached in the same run. Medians and percentiles are made
// here, so that every bench means the same by them. It knows nothing of what is measured.

export interface Figure {
  readonly figure: string;
  readonly unit: string;
  readonly ours: number;
  /** Null where there is none to measure. */
  readonly peer: number | null;
  /** What the peer is and does; why there is none, where it is null. */
  readonly peerName: string;
  /** ours / peer. */
  readonly ratio: number | null;
  /** Which way is good, for `ours` and `ratio` alike. */
  readonly better: 'higher' | 'lower';
}

export interface Bench {
  /** One word: the argument of `npm run bench`. */
  readonly name: string;
  /** What it measures, for the list of benches. */
  readonly sentence: string;
  /** Measures, in a few minutes at most. It reaches 127.0.0.1 alone, and leaves no process and no file behind. */
  run(): Promise<readonly Figure[]>;
}

/** Digits that a run on a shared machine can vouch for. */
const DIGITS = 3;

/** A figure, with its numbers rounded and its ratio taken before that. */
export function figure(named: Omit<Figure, 'ratio'>): Figure {
  const { ours, peer } = named;
  return { ...named, ours: round(ours), peer: peer && round(peer), ratio: peer && round(ours / peer) };
}

function round(value: number): number {
  return Number(value.toPrecision(DIGITS));
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The smallest of the values that at least `percent` of them do not exceed (nearest rank). */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}
