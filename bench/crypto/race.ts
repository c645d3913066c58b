// A race: two or more do the same work in short slices, in turn, so that a machine that is busy with something else is busy for
// all of them. What counts is CPU time, which it disturbs least. It knows nothing of what the work is.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { median } from '../figure.js';

/** One unit: a message, a session. */
export type Work = () => void | Promise<void>;

/** Makes ready whatever one slice needs, without being timed, and says what one unit of it is. */
export type Line = () => Work | Promise<Work>;

/** Many and short: what disturbs a shared machine lasts longer than a slice. */
const SLICES = 17;
const SLICE_MS = 40;
const WARM_UP_MS = 400;
/** Before each slice: new sessions leave their first steps behind. */
const SETTLE_MS = 10;
/** Units of a line's session, however fast: nobody may send 10,000 messages without an answer (CHAIN_MAX_MESSAGES). */
const SLICE_UNITS = 8_000;
const SETTLE_UNITS = 1_000;

setFlagsFromString('--expose-gc');
/** So that no line pays for what another has left behind. Only the young: a full collection would throw compiled code away. */
const collectYoung = runInNewContext('() => gc({ type: "minor" })') as () => void;

/** Brings lines up to their speed, as in a client that stays open: the engine compiles what runs often as it goes. */
export async function warmUp(lines: readonly Line[]): Promise<void> {
  for (const open of lines) await timed(await open(), WARM_UP_MS, SLICE_UNITS);
}

/** CPU time of the whole process for one unit of each line, in ms: medians over the slices, in the order of the lines. */
export async function race(lines: readonly Line[]): Promise<number[]> {
  const slices = lines.map(() => [] as number[]);
  for (let slice = 0; slice < SLICES; slice += 1) {
    for (const [index, open] of lines.entries()) {
      const work = await open();
      collectYoung();
      await timed(work, SETTLE_MS, SETTLE_UNITS);
      slices[index]!.push(await timed(work, SLICE_MS, SLICE_UNITS));
    }
  }
  return slices.map(median);
}

async function timed(work: Work, forMs: number, mostUnits: number): Promise<number> {
  const before = process.cpuUsage();
  const endAt = performance.now() + forMs;
  let units = 0;
  do {
    await work();
    units += 1;
  } while (performance.now() < endAt && units < mostUnits);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / units;
}
