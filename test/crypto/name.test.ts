import { describe, expect, it } from 'vitest';
import { isName, NAME_MAX_BYTES } from '../../crypto/name.js';

describe('a name', () => {
  it('has 64 bytes at most, however few characters these are', () => {
    expect([isName('a'.repeat(NAME_MAX_BYTES)), isName('a'.repeat(NAME_MAX_BYTES + 1))]).toEqual([true, false]);
    expect([isName('ß'.repeat(NAME_MAX_BYTES / 2)), isName(`${'ß'.repeat(NAME_MAX_BYTES / 2)}a`)]).toEqual([true, false]);
  });

  it.each(['', ' Bob', 'Bob ', '\u00a0Bob'])('is not %j: nothing to be seen, or space around it', (name) => {
    expect(isName(name)).toBe(false);
  });

  it('shows something beside the signs that only join others', () => {
    expect(isName('\u200d\ufe0f')).toBe(false);
  });
});
