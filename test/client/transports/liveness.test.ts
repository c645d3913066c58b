import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Liveness } from '../../../client/transports/liveness.js';

const PING_NUMBER_1 = [0, 0, 0, 0, 1];

let written: number[][] = [];
let frames: number[][] = [];
let silent = 0;
let liveness: Liveness;

/** Answers every ping that has been written since the last call. */
function answer(): void {
  for (const [type, ...number] of written.splice(0)) if (type === 0) liveness.receive(Uint8Array.from([1, ...number]));
}

/** Milliseconds until `done`, in steps of one. */
function until(done: () => boolean): number {
  let ms = 0;
  for (; !done() && ms < 60_000; ms += 1) vi.advanceTimersByTime(1);
  return ms;
}

beforeEach(() => {
  vi.useFakeTimers();
  written = [];
  frames = [];
  silent = 0;
  liveness = new Liveness({
    timing: { busyMs: 1_000, idleMs: 5_000 },
    write: (message) => written.push([...message]) > 0,
    onFrame: (frame) => frames.push([...frame]),
    onSilent: () => (silent += 1),
  });
});

afterEach(() => {
  liveness.stop();
  vi.useRealTimers();
});

test('it asks at once and measures the round trip', () => {
  expect(written).toEqual([PING_NUMBER_1]);
  expect(liveness.rttMs).toBeNull();
  vi.advanceTimersByTime(40);
  answer();
  expect(liveness.rttMs).toBe(40);
});

test('it answers a ping with its number, and ignores what is neither ping, pong nor envelope', () => {
  written = [];
  liveness.receive(Uint8Array.of(0, 9, 8, 7, 6));
  for (const odd of [[], [0], [1, 0, 0], [0, 1, 2, 3, 4, 5], [7, 1, 2, 3, 4]]) liveness.receive(Uint8Array.from(odd));
  expect(written).toEqual([[1, 9, 8, 7, 6]]);
  expect(frames).toEqual([]);
});

test('a pong with another number measures nothing', () => {
  liveness.receive(Uint8Array.of(1, 0, 0, 0, 2));
  expect(liveness.rttMs).toBeNull();
});

test('an envelope is framed by one byte, both ways, and an empty one is one', () => {
  written = [];
  expect(liveness.send(Uint8Array.of(5, 6))).toBe(true);
  expect(written).toEqual([[2, 5, 6]]);
  liveness.receive(Uint8Array.of(2, 7));
  liveness.receive(Uint8Array.of(2));
  expect(frames).toEqual([[7], []]);
});

/** Answers until the next ping is written, and tells how long that took. */
function gap(): number {
  answer();
  return until(() => written.length > 0);
}

test('it asks every five seconds when idle, and every second while frames pass', () => {
  gap();
  expect(gap()).toBe(5_000);
  answer();
  for (let second = 0; second < 4; second += 1) {
    liveness.receive(Uint8Array.of(2, 1));
    vi.advanceTimersByTime(1_000);
    expect(written).toHaveLength(1);
    answer();
  }
  gap();
  expect(gap()).toBe(5_000);
});

test('a path that dies while frames pass is silent within four seconds, once', () => {
  answer();
  liveness.send(Uint8Array.of(1));
  expect(until(() => silent > 0)).toBeLessThanOrEqual(4_000);
  vi.advanceTimersByTime(60_000);
  expect(silent).toBe(1);
});

test('a path that died while idle is silent within three seconds of the next frame', () => {
  gap();
  gap();
  answer();
  vi.advanceTimersByTime(2_000);
  liveness.send(Uint8Array.of(1));
  expect(until(() => silent > 0)).toBe(3_000);
});

test('a path that dies while idle is silent within eight seconds', () => {
  gap();
  gap();
  answer();
  expect(until(() => silent > 0)).toBeLessThanOrEqual(8_000);
});

test('anything that comes counts as life, even if our pings go unanswered', () => {
  for (let second = 0; second < 100; second += 1) {
    vi.advanceTimersByTime(1_000);
    liveness.receive(Uint8Array.of(0, 0, 0, 0, second));
  }
  expect(silent).toBe(0);
});
