import { describe, expect, it } from 'vitest';
import { random } from '../../client/random.js';

describe('random bytes', () => {
  it('have the length that was asked for, whatever is left of the last draw', () => {
    for (const length of [0, 1, 24, 4095, 4096, 4097, 70_000, 32, 4096]) expect(random(length)).toHaveLength(length);
  });

  it('are never given twice', () => {
    const seen = new Set(Array.from({ length: 2_000 }, () => Buffer.from(random(24)).toString('hex')));
    expect(seen.size).toBe(2_000);
  });

  it('are drawn everywhere, not only at the beginning', () => {
    const bytes = random(200_000);
    for (let at = 0; at < bytes.length; at += 1_000) expect(bytes.subarray(at, at + 1_000).some((byte) => byte !== 0)).toBe(true);
  });

  it('belong to whoever has asked', () => {
    const first = random(24);
    const copy = first.slice();
    random(24).fill(0);
    expect(first).toEqual(copy);
    expect(first.buffer.byteLength).toBe(24);
  });
});
