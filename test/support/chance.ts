// Chance that can be had again: numbers from a seed, and a seed that is said before anything is drawn from it.

/** A small seeded generator (mulberry32): numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Other numbers in every run, or those of the seed in SOTTO_SEED. @param what of the test that draws them: it is printed with the seed */
export function chanceOf(what: string): () => number {
  const seed = Number(process.env['SOTTO_SEED'] ?? Date.now() % 1_000_000);
  process.stdout.write(`${what}: SOTTO_SEED=${seed}\n`);
  return seeded(seed);
}
