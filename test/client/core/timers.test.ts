// The table of timers: which is set, started, hastened or moved, and which is due.

import { describe, expect, it } from 'vitest';
import { Timers } from '../../../client/core/timers.js';

describe('a timer', () => {
  it('that is set is moved, that is started stays where it is, and that is hastened comes no later, if it runs at all', () => {
    const timers = new Timers();
    timers.hasten('a', 5);
    expect(timers.next()).toBeNull();
    timers.start('a', 9);
    timers.start('a', 3);
    expect(timers.next()).toBe(9);
    timers.hasten('a', 12);
    expect(timers.next()).toBe(9);
    timers.hasten('a', 7);
    expect(timers.next()).toBe(7);
    timers.set('a', 20);
    expect(timers.next()).toBe(20);
    timers.clear('a');
    expect(timers.next()).toBeNull();
  });

  it('is taken when it is due, once, and the earliest is the next', () => {
    const timers = new Timers();
    for (const [name, at] of [['a', 3], ['b', 1], ['c', 2]] as const) timers.set(name, at);
    expect([timers.next(), timers.take(0), timers.take(2), timers.take(2), timers.next()]).toEqual([1, [], ['b', 'c'], [], 3]);
  });

  it('keeps its distance when the clock is set back', () => {
    const timers = new Timers();
    timers.set('a', 10);
    timers.set('b', 20);
    timers.shift(4);
    expect([timers.take(5), timers.take(6), timers.next()]).toEqual([[], ['a'], 16]);
  });
});
