// What the brain lets nobody have too much of: mailboxes, bytes, requests, connections, turns at the store; and the clock that
// all of it goes by.

import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { ready } from '../../crypto/sodium.js';
import { admissionHash, type Admission } from '../../relay/core/admission.js';
import { WINDOW_BYTES, WINDOW_ENVELOPES } from '../../relay/core/collections.js';
import { LIMITS, PASSING_SHARE, type Limits } from '../../relay/core/limits.js';
import { Relay, REQUESTS_MAX } from '../../relay/core/relay.js';
import { Clock } from '../../relay/clock.js';
import { FairQueue } from '../../relay/queue.js';
import { searchWork, workOf } from '../../relay/wire/work.js';
import { Bench, CHALLENGE, NOW } from './bench.js';
import { collect, newMailbox, put, random, type Body, type Mailbox } from './support.js';

beforeAll(ready);

const OPENED = { kind: 'opened', created: true, waiting: 0 } as const;
const UNKNOWN = { kind: 'refused', code: 'mailbox-unknown' } as const;
const STORED = { kind: 'stored', sequence: 1 } as const;
const PING: Body = { case: 'ping', value: {} };
const HERE = 7;

function benchWith(limits: Partial<Limits>, admission?: Admission): Bench {
  return new Bench(new Relay(3478, 0, { ...LIMITS, ...limits }, admission));
}

function showing(mailbox: Mailbox, admission: Uint8Array): Body {
  const body = collect(mailbox, CHALLENGE) as Extract<Body, { case: 'collect' }>;
  return { case: 'collect', value: { ...body.value, admission } };
}

/** The first of those that are made which fits. */
function firstOf<T>(make: (index: number) => T, fits: (one: T) => boolean): T {
  for (let index = 0; index < 1e6; index += 1) {
    const one = make(index);
    if (fits(one)) return one;
  }
  throw new Error('none of a million fits');
}

/** A proof of work of so many bits and no more. */
function proofOf({ mailbox }: Mailbox, bits: number): Uint8Array {
  return firstOf(nonceOf, (nonce) => workOf(CHALLENGE, mailbox, nonce) === bits);
}

function nonceOf(index: number): Uint8Array {
  return Uint8Array.of(0, 0, 0, 0, index >>> 24, index >>> 16, index >>> 8, index);
}

test('the limits that nobody has changed are those of PROTOCOL.md §11.5', () => {
  const MIB = 1_048_576;
  expect(LIMITS).toEqual({
    mailboxEnvelopes: 1_000, mailboxBytes: 16 * MIB, storeMailboxes: 1_000_000, storeBytes: 16_384 * MIB,
    envelopeSeconds: 2_592_000, passingSeconds: 300, mailboxSeconds: 15_552_000,
    sourceConnections: 1_000, sourceBurst: 20_000, sourceRequestsPerSecond: 1_000, sourceBytesPerHour: 1_024 * MIB, sourceMailboxesPerDay: 5_000,
  });
  expect([PASSING_SHARE, REQUESTS_MAX, WINDOW_ENVELOPES, WINDOW_BYTES]).toEqual([0.1, 256, 256, MIB]);
});

describe('a source', () => {
  test('makes so many mailboxes in a day and no more, and opens those that are there all the same', () => {
    const bench = benchWith({ sourceMailboxesPerDay: 2 }).connect(1, 'collect', HERE).connect(2, 'collect', HERE).connect(3, 'collect', 8);
    for (const connection of [1, 2]) {
      bench.ask(connection, collect(newMailbox(), CHALLENGE));
      expect(bench.answer('open', OPENED)).toMatchObject({ create: true });
    }
    bench.ask(1, collect(newMailbox(), CHALLENGE));
    expect(bench.answer('open', UNKNOWN)).toMatchObject({ create: false });
    expect(bench.sent(1).at(-1)).toBe('3 refused relay-busy after 3600');
    bench.ask(2, collect(newMailbox(), CHALLENGE));
    bench.answer('open', { ...OPENED, created: false });
    expect(bench.sent(2).at(-1)).toBe('4 done');
    bench.ask(3, collect(newMailbox(), CHALLENGE));
    expect(bench.answer('open', OPENED)).toMatchObject({ create: true });
    bench.ask(1, collect(newMailbox(), CHALLENGE), NOW + 12 * 3_600_000);
    expect(bench.answer('open', OPENED)).toMatchObject({ create: true });
  });

  test('that has made its mailboxes gets none back by asking for more', () => {
    const bench = benchWith({ sourceMailboxesPerDay: 1 }).connect(1, 'collect', HERE);
    bench.ask(1, collect(newMailbox(), CHALLENGE));
    bench.answer('open', OPENED);
    for (let again = 0; again < 3; again += 1) {
      bench.ask(1, collect(newMailbox(), CHALLENGE));
      expect(bench.answer('open', UNKNOWN)).toMatchObject({ create: false });
    }
  });

  test('is charged for no mailbox that it was not admitted to make', () => {
    const token = random(20);
    const bench = benchWith({ sourceMailboxesPerDay: 1 }, { kind: 'token', tokenHash: admissionHash(token) }).connect(1, 'collect', HERE);
    for (const [shown, create] of [[random(20), false], [token, true]] as const) {
      bench.ask(1, showing(newMailbox(), shown));
      expect(bench.answer('open', create ? OPENED : UNKNOWN)).toMatchObject({ create });
    }
  });

  test('is charged for no mailbox that was there already', () => {
    const bench = benchWith({ sourceMailboxesPerDay: 1 }).connect(1, 'collect', HERE);
    for (let again = 0; again < 3; again += 1) {
      bench.ask(1, collect(newMailbox(), CHALLENGE));
      expect(bench.answer('open', { ...OPENED, created: false })).toMatchObject({ create: true });
    }
  });

  test('gets back for a mailbox that was there what it was charged, and no more', () => {
    const bench = benchWith({ sourceMailboxesPerDay: 2 }).connect(1, 'collect', HERE);
    for (const [answer, create] of [[OPENED, true], [{ ...OPENED, created: false }, true], [OPENED, true], [UNKNOWN, false]] as const) {
      bench.ask(1, collect(newMailbox(), CHALLENGE));
      expect(bench.answer('open', answer)).toMatchObject({ create });
    }
  });

  test('leaves so many bytes in an hour, on all its connections together', () => {
    const bench = benchWith({ sourceBytesPerHour: 1_000 }).connect(1, 'deposit', HERE).connect(2, 'deposit', HERE).connect(3, 'deposit');
    bench.ask(1, put(newMailbox(), random(900)));
    bench.ask(2, put(newMailbox(), random(200)));
    expect(bench.sent(2)).toEqual(['2 refused relay-busy after 360']);
    bench.ask(3, put(newMailbox(), random(900)));
    bench.ask(2, put(newMailbox(), random(200)), NOW + 360_000);
    expect(bench.asked.map(({ connection }) => connection)).toEqual([1, 3, 2]);
  });

  test('asks so much in a second, and is told when it may go on', () => {
    const bench = benchWith({ sourceBurst: 25, sourceRequestsPerSecond: 5 }).connect(1, 'collect', HERE).connect(2, 'deposit', HERE);
    for (let count = 0; count < 5; count += 1) bench.ask(2, PING);
    bench.ask(1, collect(newMailbox(), CHALLENGE));
    bench.ask(2, PING);
    expect(bench.sent(2).at(-1)).toBe('7 refused relay-busy after 1');
    bench.ask(2, PING, NOW + 1_000);
    expect(bench.sent(2)).toEqual(['8 done']);
  });

  test('is nobody where there is none: then nothing is counted', () => {
    const bench = benchWith({ sourceConnections: 1, sourceBurst: 1, sourceBytesPerHour: 1, sourceMailboxesPerDay: 1 }).connect(1, 'collect').connect(2, 'deposit');
    for (let count = 0; count < 3; count += 1) {
      bench.ask(2, put(newMailbox(), random(5)));
      bench.answer('put', STORED);
      bench.ask(1, collect(newMailbox(), CHALLENGE));
      expect(bench.answer('open', OPENED)).toMatchObject({ create: true });
    }
    expect([...bench.sent(2), ...bench.sent(1)]).toEqual(['1 done', '3 done', '5 done', '2 done', '4 done', '6 done']);
  });

  test('has so many connections at a time, and another one when one has gone', () => {
    const bench = benchWith({ sourceConnections: 2 }).connect(1, 'collect', HERE).connect(2, 'deposit', HERE);
    bench.input({ kind: 'opened', connection: 3, role: 'deposit', challenge: CHALLENGE, source: HERE });
    expect(bench.sent(3)).toEqual(['0 goodbye relay-busy']);
    expect(bench.goodbyes).toMatchObject([{ reconnectAfterMs: 60_000 }]);
    expect(bench.outputs.at(-1)).toEqual({ kind: 'close', connection: 3 });
    bench.input({ kind: 'closed', connection: 3 });
    bench.input({ kind: 'closed', connection: 2 });
    bench.input({ kind: 'opened', connection: 4, role: 'deposit', challenge: CHALLENGE, source: HERE });
    expect(bench.sent(4)).toEqual(['0 welcome']);
    bench.input({ kind: 'opened', connection: 5, role: 'deposit', challenge: CHALLENGE, source: HERE });
    expect(bench.sent(5)).toEqual(['0 goodbye relay-busy']);
  });

  test('does not get back its limits by going away and coming again', () => {
    const bench = benchWith({ sourceBytesPerHour: 1_000 }).connect(1, 'deposit', HERE);
    bench.ask(1, put(newMailbox(), random(1_000)));
    bench.input({ kind: 'closed', connection: 1 });
    bench.connect(2, 'deposit', HERE).ask(2, put(newMailbox(), random(1_000)));
    expect(bench.sent(2)).toEqual(['2 refused relay-busy after 3600']);
  });
});

test('a source that has to wait for a millisecond has to wait', () => {
  // A byte in 32 ms.
  const bench = benchWith({ sourceBurst: 5, sourceRequestsPerSecond: 1_000, sourceBytesPerHour: 112_500 }).connect(1, 'collect', HERE).connect(2, 'deposit', HERE).connect(3, 'deposit', 8);
  for (const length of [65_536, 46_964]) bench.ask(2, put(newMailbox(), random(length)));
  bench.ask(2, put(newMailbox(), random(1)), NOW + 31);
  bench.ask(1, { case: 'putCard', value: { lookup: random(16), card: random(1), ttlSeconds: 9 } }, NOW + 31);
  expect([...bench.sent(2), ...bench.sent(1)]).toEqual(['3 refused relay-busy after 1', '4 refused relay-busy after 1']);
  expect(bench.asked).toHaveLength(2);
  for (let count = 0; count < 6; count += 1) bench.ask(3, PING);
  expect(bench.sent(3).slice(4)).toEqual(['9 done', '10 refused relay-busy after 1']);
});

describe('admission', () => {
  test('by the operator’s token makes mailboxes for whoever shows it, and opens those that are there for everybody', () => {
    const token = random(20);
    const bench = benchWith({}, { kind: 'token', tokenHash: admissionHash(token) }).connect(1, 'collect');
    bench.ask(1, collect(newMailbox(), CHALLENGE));
    bench.answer('open', UNKNOWN);
    bench.ask(1, showing(newMailbox(), random(20)));
    bench.answer('open', UNKNOWN);
    bench.ask(1, showing(newMailbox(), token));
    expect(bench.answer('open', OPENED)).toMatchObject({ create: true });
    bench.ask(1, collect(newMailbox(), CHALLENGE));
    bench.answer('open', { ...OPENED, created: false });
    expect(bench.sent(1)).toEqual(['1 refused admission-required after 0', '2 refused admission-required after 0', '3 done', '4 done']);
  });

  test('by work takes a proof for this connection and this mailbox alone', () => {
    const bench = benchWith({}, { kind: 'work', bits: 8 });
    bench.input({ kind: 'opened', connection: 1, role: 'collect', challenge: CHALLENGE, source: null });
    expect(bench.sent(1)).toEqual(['0 welcome work 8']);
    const nothing = new Uint8Array(0);
    // What is shown here by mistake does for one mailbox in 256, by chance.
    const mailbox = firstOf(newMailbox, (one) => workOf(CHALLENGE, one.mailbox, nothing) < 8);
    const other = new Uint8Array(32).fill(9);
    const elsewhere = firstOf(nonceOf, (nonce) => workOf(other, mailbox.mailbox, nonce) >= 8 && workOf(CHALLENGE, mailbox.mailbox, nonce) < 8);
    const proof = searchWork(CHALLENGE, mailbox.mailbox, 8, 0, 1e6)!;
    for (const [shown, create] of [[elsewhere, false], [nothing, false], [proof, true]] as const) {
      bench.ask(1, showing(mailbox, shown));
      expect(bench.answer('open', create ? OPENED : UNKNOWN)).toMatchObject({ create });
    }
    expect(bench.sent(1)).toEqual(['1 refused work-required after 0', '2 refused work-required after 0', '3 done']);
  });

  test('by work takes exactly as much as was asked for, and not a bit less', () => {
    const bench = benchWith({}, { kind: 'work', bits: 8 }).connect(1, 'collect');
    const mailbox = newMailbox();
    for (const [bits, create] of [[7, false], [8, true]] as const) {
      bench.ask(1, showing(mailbox, proofOf(mailbox, bits)));
      expect(bench.answer('open', create ? OPENED : UNKNOWN)).toMatchObject({ create });
    }
  });
});

describe('a machine short of disk or memory', () => {
  test('takes nothing new, does all that was begun, and goes on when there is room', () => {
    const mailbox = newMailbox();
    const bench = new Bench().collecting(1, mailbox).connect(2, 'deposit');
    bench.ask(2, put(mailbox, random(5)));
    bench.input({ kind: 'pressure', pressed: true });
    bench.answer('put', STORED);
    expect([...bench.sent(2), ...bench.sent(1)]).toEqual(['2 done', '0 delivery 1 age 0']);
    bench.ask(2, put(mailbox, random(5)));
    bench.ask(1, { case: 'putCard', value: { lookup: random(16), card: random(9), ttlSeconds: 9 } });
    expect([...bench.sent(2), ...bench.sent(1)]).toEqual(['3 refused relay-busy after 60', '4 refused relay-busy after 60']);
    bench.ask(1, { case: 'acknowledge', value: { mailbox: mailbox.mailbox, sequences: [1n] } });
    bench.answer('acknowledge', { kind: 'done' });
    bench.ask(1, collect(newMailbox(), CHALLENGE));
    expect(bench.answer('open', UNKNOWN)).toMatchObject({ create: false });
    expect(bench.sent(1)).toEqual(['5 done', '6 refused relay-busy after 60']);
    bench.input({ kind: 'pressure', pressed: false });
    bench.ask(2, put(mailbox, random(5)));
    expect(bench.asked.map(({ operation }) => operation.kind)).toEqual(['put']);
  });
});

describe('advice', () => {
  const full = (roomAt: number) => ({ kind: 'refused', code: 'mailbox-full', roomAt }) as const;

  test('a sender to a full mailbox is told when time makes room, an hour at most, or soon where its owner is there', () => {
    const mailbox = newMailbox();
    const bench = new Bench().connect(2, 'deposit');
    for (const roomAt of [NOW + 300_000, NOW + 90_000_000, NOW - 5]) {
      bench.ask(2, put(mailbox, random(5)));
      bench.answer('put', full(roomAt));
    }
    expect(bench.sent(2)).toEqual(['1 refused mailbox-full after 300', '2 refused mailbox-full after 3600', '3 refused mailbox-full after 1']);
    bench.collecting(1, mailbox).ask(2, put(mailbox, random(5)));
    bench.answer('put', full(NOW + 300_000));
    expect(bench.sent(2)).toEqual(['5 refused mailbox-full after 5']);
  });

  test('is general where nothing better is known, and there is none where waiting does not help', () => {
    const bench = new Bench().connect(1, 'deposit');
    for (const code of ['mailbox-full', 'relay-busy', 'relay-failed', 'token-wrong', 'mailbox-unknown'] as const) {
      bench.ask(1, put(newMailbox(), random(5)));
      bench.answer('put', { kind: 'refused', code });
    }
    expect(bench.sent(1).map((line) => line.slice(10))).toEqual(['mailbox-full after 60', 'relay-busy after 60', 'relay-failed after 5', 'token-wrong after 0', 'mailbox-unknown after 0']);
  });

  test('everybody is told to come back at another moment within the time that so many need', () => {
    const bench = new Bench();
    for (let connection = 1; connection <= 3_000; connection += 1) bench.connect(connection, 'deposit');
    bench.input({ kind: 'closing' });
    expect(bench.goodbyes.length).toBe(3_000);
    expect(new Set(bench.goodbyes.map(({ reconnectAfterMs, reconnectWithinMs }) => `${reconnectAfterMs} ${reconnectWithinMs}`))).toEqual(new Set(['250 3000']));
  });
});

describe('an envelope', () => {
  test('lives no longer than the operator lets it', () => {
    const bench = benchWith({ envelopeSeconds: 100 }).connect(1, 'deposit');
    for (const ttl of [60, 100, 5_000]) bench.ask(1, put(newMailbox(), random(1), ttl));
    expect(bench.asked.map(({ operation }) => operation.kind === 'put' && operation.expiresAt - NOW)).toEqual([60_000, 100_000, 100_000]);
  });
});

describe('a mailbox', () => {
  test('that stays collected for days is said to be so, once a day, by its client’s pings', () => {
    const bench = new Bench().collecting(1, newMailbox());
    const day = 24 * 3_600_000;
    const touches = [1, day - 1, day, day + 1, 2 * day - 1, 2 * day].map((at) => {
      bench.ask(1, PING, NOW + at);
      return bench.asked.splice(0).map(({ operation }) => operation.kind);
    });
    expect(touches).toEqual([[], [], ['touch'], [], [], ['touch']]);
  });

  test('a connection that has lost its last mailbox to another is sent away, and not before', () => {
    const [first, second] = [newMailbox(), newMailbox()];
    const bench = new Bench().collecting(1, first);
    bench.ask(1, collect(second, CHALLENGE));
    bench.answer('open', OPENED);
    bench.sent(1);
    bench.collecting(2, first);
    expect(bench.sent(1)).toEqual([]);
    bench.ask(2, collect(second, CHALLENGE));
    bench.answer('open', OPENED);
    expect(bench.sent(1)).toEqual(['0 goodbye replaced']);
    expect(bench.goodbyes).toMatchObject([{ reconnectAfterMs: 60_000 }]);
    expect(bench.outputs).toContainEqual({ kind: 'close', connection: 1 });
  });

  test('a client that collects its mailbox again on the same connection stays', () => {
    const mailbox = newMailbox();
    const bench = new Bench().collecting(1, mailbox).collectingAgain(1, mailbox);
    expect(bench.sent(1)).toEqual(['2 done']);
  });
});

test('a client that takes nothing of what is sent is told so and closed', () => {
  const bench = new Bench().connect(1, 'deposit');
  bench.input({ kind: 'stalled', connection: 1 });
  bench.input({ kind: 'stalled', connection: 1 });
  expect(bench.sent(1)).toEqual(['0 goodbye too-slow']);
  expect(bench.goodbyes).toMatchObject([{ reconnectAfterMs: 1_000 }]);
});

describe('turns at the store', () => {
  test('whoever asks for one thing waits for one thing of everybody else', () => {
    const queue = new FairQueue<string>();
    for (let count = 0; count < 1_000; count += 1) queue.push(1, `greedy ${count}`);
    queue.push(2, 'modest');
    queue.push(3, 'a');
    queue.push(3, 'b');
    expect(queue.take(5)).toEqual(['greedy 0', 'modest', 'a', 'greedy 1', 'b']);
    expect(queue.take(2)).toEqual(['greedy 2', 'greedy 3']);
    queue.push(2, 'again');
    expect(queue.take(2)).toEqual(['greedy 4', 'again']);
    expect(queue.take(10_000)).toHaveLength(995);
    expect(queue.size).toBe(0);
  });

  test('everything pushed is taken once, and each owner’s in its order', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(4), fc.nat(3))), (given) => {
      const queue = new FairQueue<{ owner: number; index: number }>();
      const taken: { owner: number; index: number }[] = [];
      for (const [index, [owner, take]] of given.entries()) {
        queue.push(owner, { owner, index });
        taken.push(...queue.take(take));
      }
      taken.push(...queue.take(Infinity));
      expect(taken).toHaveLength(given.length);
      for (const owner of [0, 1, 2, 3, 4]) {
        const indexes = taken.filter((item) => item.owner === owner).map(({ index }) => index);
        expect(indexes).toEqual(indexes.toSorted((a, b) => a - b));
      }
    }));
  });
});

describe('the clock', () => {
  function clockAt(): { clock: Clock; set: (wall: number, steady: number) => number; jumps: number[] } {
    let [wallNow, steadyNow] = [NOW, 1_000];
    const jumps: number[] = [];
    const clock = new Clock({ wall: () => wallNow, steady: () => steadyNow, onJump: (byMs) => jumps.push(byMs) });
    return { clock, jumps, set: (wall, steady) => { [wallNow, steadyNow] = [NOW + wall, 1_000 + steady]; return clock.now() - NOW; } };
  }
  const HOUR = 3_600_000;
  const YEAR = 365 * 24 * HOUR;

  test('goes with the machine’s as long as that goes with time, and follows small corrections', () => {
    const { set, jumps } = clockAt();
    expect([set(5, 5), set(60_000, 10), set(59_000, 20), set(HOUR, HOUR - 50_000)]).toEqual([5, 60_000, 59_000, HOUR]);
    expect(jumps).toEqual([]);
  });

  test('takes no part in a jump that is taken back, in either direction', () => {
    for (const jump of [YEAR, -YEAR]) {
      const { set, jumps } = clockAt();
      expect([set(jump, 0), set(jump + HOUR - 1, HOUR - 1), set(HOUR, HOUR), set(jump + 2 * HOUR, 2 * HOUR)]).toEqual([0, HOUR - 1, HOUR, 2 * HOUR]);
      expect(jumps).toEqual([jump, jump]);
    }
  });

  test('believes a jump that has stood for an hour', () => {
    const { set } = clockAt();
    expect([set(YEAR, 0), set(YEAR + HOUR - 1, HOUR - 1), set(YEAR + HOUR, HOUR)]).toEqual([0, HOUR - 1, YEAR + HOUR]);
  });
});
