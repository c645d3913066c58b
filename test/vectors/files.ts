// Reads the frozen files, for the tests that hold both implementations against them.

import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { VectorFiles } from './cases.js';
import { replaying } from './chance.js';

/** One file, as it lies here. */
export function load<Name extends keyof VectorFiles>(name: Name): VectorFiles[Name] {
  return JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), 'utf8')) as VectorFiles[Name];
}

/** Runs `use` with what was drawn, all of it. */
export function withDraws<T>(draws: readonly string[], use: (draw: (length: number) => Uint8Array) => T): T {
  const { draw, isUsedUp } = replaying(draws);
  const result = use(draw);
  expect(isUsedUp()).toBe(true);
  return result;
}

/** The code of what `action` throws. */
export function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'nothing was refused';
}
