// A race: two or more do the same work in short slices, in turn, so that a machine that is busy with something else is busy for
// all of them. It knows nothing of what the work is.

import { median } from '../figure.js';

/** One unit: a message, a session. */
export type Work = () => void | Promise<void>;

/** Makes ready whatever one slice needs, without being timed, and says what one unit of it is. */
export type Line = () => Work | Promise<Work>;

/** Medians over the slices of one line. */
export interface Pace {
  readonly perSecond: number;
  /** CPU time of the whole process for one unit, in ms. */
  readonly cpuMs: number;
}

const SLICES = 11;
const SLICE_MS = 80;
/** A slice begins warm, with this much untimed work behind it. */
const WARM_MS = 20;
/** Units of a slice, however fast: nobody may send 10,000 messages without an answer (CHAIN_MAX_MESSAGES), warm ones counted. */
const SLICE_UNITS = 8_000;
const WARM_UNITS = 1_000;

/** How fast each line is, in the order of the lines. */
export async function race(lines: readonly Line[]): Promise<readonly Pace[]> {
  const slices = lines.map(() => [] as Pace[]);
  for (let slice = 0; slice < SLICES; slice += 1) {
    for (const [index, open] of lines.entries()) {
      const work = await open();
      await timed(work, WARM_MS, WARM_UNITS);
      slices[index]!.push(await timed(work, SLICE_MS, SLICE_UNITS));
    }
  }
  return slices.map((of) => ({ perSecond: median(of.map(({ perSecond }) => perSecond)), cpuMs: median(of.map(({ cpuMs }) => cpuMs)) }));
}

async function timed(work: Work, forMs: number, mostUnits: number): Promise<Pace> {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  let units = 0;
  let passedMs = 0;
  do {
    await work();
    units += 1;
    passedMs = performance.now() - startedAt;
  } while (passedMs < forMs && units < mostUnits);
  const { user, system } = process.cpuUsage(cpuBefore);
  return { perSecond: (1_000 * units) / passedMs, cpuMs: (user + system) / 1_000 / units };
}
