import { describe, expect, it } from 'vitest';
import { clock, dayName, duration, moment, stamp } from '../../../client/cli/time.js';

const now = new Date(2026, 2, 3, 14, 2).getTime();
const hours = (count: number) => count * 3_600_000;

describe('a time in words', () => {
  it('says how long ago it was as people say it', () => {
    expect(moment(now - 20_000, now)).toBe('just now');
    expect(moment(now - hours(1), now)).toBe('13:02');
    expect(moment(now - hours(24), now)).toBe('yesterday 14:02');
    expect(moment(now - hours(48), now)).toBe('Sun 1 Mar 14:02');
    expect(dayName(now - hours(24 * 365), now)).toBe('Mon 3 Mar 2025');
    expect(clock(new Date(2026, 2, 3, 4, 5).getTime())).toBe('04:05');
  });

  it('says when it was in words that stay true while they stand on a screen', () => {
    expect(stamp(now, now)).toBe('14:02');
    expect(stamp(now - hours(24), now)).toBe('Mon 2 Mar 14:02');
    expect(stamp(now - hours(24 * 365), now)).toBe('Mon 3 Mar 2025 14:02');
  });

  it('names a length of time in its largest whole unit', () => {
    expect(duration(7 * hours(24) - 200)).toBe('7 days');
    expect(duration(hours(1))).toBe('1 hour');
    expect(duration(12_000)).toBe('12 seconds');
    expect(duration(0)).toBe('0 seconds');
  });
});
