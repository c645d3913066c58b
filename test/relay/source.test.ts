// What one source may take, in time: its buckets, and when it is forgotten. The brain's use of them is in limits.test.ts.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LIMITS } from '../../relay/core/limits.js';
import { Bucket, Sources, type Source } from '../../relay/core/source.js';
import { NOW } from './bench.js';

const HERE = 7;

test('a source has its requests again by the second, its bytes by the hour, its mailboxes by the day', () => {
  const limits = { ...LIMITS, sourceBurst: 5, sourceRequestsPerSecond: 5, sourceBytesPerHour: 1_000, sourceMailboxesPerDay: 2 };
  for (const [name, holds, periodMs] of [['requests', 5, 1_000], ['bytes', 1_000, 3_600_000], ['mailboxes', 2, 86_400_000]] as const) {
    const refused = [0, periodMs - 1, periodMs].map((after) => {
      const bucket = new Sources(limits).enter(HERE, NOW)![name];
      expect(bucket.take(holds, NOW)).toBe(0);
      return bucket.take(holds, NOW + after) > 0;
    });
    expect(refused, name).toEqual([true, true, false]);
  }
});

test('a source that is away and owes nothing is forgotten, once there are ten thousand and then twice as many', () => {
  const sources = new Sources(LIMITS);
  const come = (number: number): Source => sources.enter(number, NOW)!;
  const comeAndGo = (number: number): Source => {
    const source = come(number);
    source.connections -= 1;
    return source;
  };
  const isKnown = (number: number, source: Source): boolean => comeAndGo(number) === source;
  const owing = (['requests', 'bytes', 'mailboxes'] as const).map((name, index) => {
    const source = comeAndGo(index + 1);
    source[name].take(1, NOW);
    return source;
  });
  const here = come(4);
  const idle = comeAndGo(5);
  for (let number = 6; number <= 10_000; number += 1) come(number);
  expect(isKnown(5, idle)).toBe(false);
  expect([...owing, here].map((source, index) => isKnown(index + 1, source))).toEqual([true, true, true, true]);
  const later = comeAndGo(10_001);
  // Nobody but the idle one was forgotten, so that twice as many are 19,998.
  for (let number = 10_002; number <= 19_997; number += 1) come(number);
  expect(isKnown(10_001, later)).toBe(true);
  come(19_998);
  expect(isKnown(10_001, later)).toBe(false);
});

test('a few that are away are remembered, however many were forgotten before them', () => {
  const sources = new Sources(LIMITS);
  const comeAndGo = (number: number): Source => {
    const source = sources.enter(number, NOW)!;
    source.connections -= 1;
    return source;
  };
  for (let number = 1; number <= 10_000; number += 1) comeAndGo(number);
  const few = Array.from({ length: 100 }, (_, index) => comeAndGo(20_000 + index));
  expect(few.filter((source, index) => comeAndGo(20_000 + index) !== source)).toEqual([]);
});

test('a bucket that was left alone for long is full, and holds no more than ever', () => {
  const bucket = new Bucket(10, 100, 0);
  bucket.take(5, 0);
  expect([bucket.isFull(499), bucket.isFull(500)]).toEqual([false, true]);
  expect([bucket.take(10, 1e9), bucket.take(1, 1e9)]).toEqual([0, 100]);
});

test('a bucket gives what is larger than itself once it is full, and is owed the rest', () => {
  const bucket = new Bucket(10, 100, 0);
  expect([bucket.take(1, 0), bucket.take(15, 0), bucket.take(15, 100), bucket.take(1, 100)]).toEqual([0, 100, 0, 600]);
});

test('a bucket gets nothing from a clock that is set back', () => {
  const bucket = new Bucket(5, 1, 0);
  expect([bucket.take(5, 0), bucket.take(1, -100), bucket.take(1, -100), bucket.take(1, -99)]).toEqual([0, 1, 1, 0]);
});

test('a bucket takes back what was taken and no more, and holds no more than it did', () => {
  const bucket = new Bucket(5, 100, 0);
  bucket.take(4, 0);
  bucket.giveBack(1);
  expect([bucket.take(3, 0), bucket.take(2, 0), bucket.take(1, 0)]).toEqual([100, 0, 100]);
  bucket.giveBack(9);
  expect([bucket.isFull(0), bucket.take(6, 0), bucket.take(1, 0)]).toEqual([true, 0, 200]);
});

test('a bucket never gives more than it holds and what has flowed in since', () => {
  const steps = fc.array(fc.record({ pieces: fc.integer({ min: 1, max: 30 }), pauseMs: fc.integer({ min: -500, max: 2_000 }) }), { maxLength: 60 });
  fc.assert(fc.property(steps, (given) => {
    const bucket = new Bucket(30, 100, 0);
    let [now, taken, flowed] = [0, 0, 0];
    for (const { pieces, pauseMs } of given) {
      now += pauseMs;
      flowed += Math.max(0, pauseMs) / 100;
      if (bucket.take(pieces, now) === 0) taken += pieces;
      expect(taken).toBeLessThanOrEqual(30 + flowed + 1e-6);
    }
  }), { numRuns: 300 });
});
