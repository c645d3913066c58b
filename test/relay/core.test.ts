// The brain alone: frames in, outputs out, a store that is a list of questions. No socket, no clock.

import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../crypto/bytes.js';
import { hash } from '../../crypto/hash.js';
import { ready } from '../../crypto/sodium.js';
import type { Answer } from '../../relay/core/operation.js';
import { Relay, REQUESTS_MAX, type Role } from '../../relay/core/relay.js';
import { decodeRelayFrame, encodeClientFrame } from '../../relay/wire/frame.js';
import { Bench, CHALLENGE, NOW } from './bench.js';
import { acknowledge, collect, newMailbox, put, random } from './support.js';

beforeAll(ready);

const DONE: Answer = { kind: 'done' };

describe('requests', () => {
  test('the first frame is a Welcome with version, challenge and STUN port, byte for byte', () => {
    const [output] = new Relay(3478).handle({ kind: 'opened', connection: 1, role: 'deposit', challenge: CHALLENGE, source: null }, NOW);
    // RelayFrame 2: Welcome { 1: version 1, 2: challenge, 3: stun_port 3478 }
    expect(output?.kind === 'send' && toHex(output.frame)).toBe(`1227${'0801'}${'1220'}${'07'.repeat(32)}${'18961b'}`);
  });

  test('Put is answered when the store calls it durable, and not before', () => {
    const bench = new Bench().connect(1, 'deposit');
    const mailbox = newMailbox();
    const request = bench.ask(1, put(mailbox, random(100), 60));
    expect(bench.sent(1)).toEqual([]);
    const operation = bench.answer('put', { kind: 'stored', sequence: 4 });
    expect(operation).toMatchObject({ mailbox: mailbox.mailbox, tokenHash: mailbox.tokenHash, expiresAt: NOW + 60_000 });
    expect(bench.sent(1)).toEqual([`${request} done`]);
  });

  test('an envelope is known to the store by the first half of its hash', () => {
    const bench = new Bench().connect(1, 'deposit');
    const envelope = random(100);
    bench.ask(1, put(newMailbox(), envelope));
    expect(bench.asked[0]!.operation).toMatchObject({ id: hash('envelope', envelope).subarray(0, 16), envelope });
  });

  test('a token goes no further than the brain', () => {
    const bench = new Bench().connect(1, 'deposit');
    const mailbox = newMailbox();
    bench.ask(1, put(mailbox, random(100)));
    const seen = Object.values(bench.asked[0]!.operation).filter((value) => value instanceof Uint8Array).map(toHex);
    expect(seen.some((bytes) => bytes.includes(toHex(mailbox.token)))).toBe(false);
  });

  test('the store’s refusals reach the client, with advice where waiting helps', () => {
    const bench = new Bench().connect(1, 'deposit');
    bench.ask(1, put(newMailbox(), random(100)));
    bench.answer('put', { kind: 'refused', code: 'mailbox-full', roomAt: NOW + 59_001 });
    const output = bench.outputs.findLast(({ kind }) => kind === 'send');
    expect(output?.kind === 'send' && decodeRelayFrame(output.frame).body.value).toMatchObject({ code: 'mailbox-full', retryAfterSeconds: 60 });
  });

  test('an envelope that waits already is told to be durable, and not delivered again', () => {
    const mailbox = newMailbox();
    const bench = new Bench().collecting(1, mailbox).connect(2, 'deposit');
    bench.ask(2, put(mailbox, random(100)));
    bench.answer('put', DONE);
    expect([bench.sent(2), bench.sent(1), bench.asked]).toEqual([['2 done'], [], []]);
  });

  test('a card is kept for its time, and given as the store has it', () => {
    const bench = new Bench().connect(1, 'collect').connect(2, 'deposit');
    const [lookup, claim, card] = [random(16), random(16), random(100)];
    bench.ask(1, { case: 'putCard', value: { lookup, card, ttlSeconds: 60, reusable: true } });
    expect(bench.sent(1)).toEqual([]);
    expect(bench.answer('put-card', DONE)).toEqual({ kind: 'put-card', lookup, card, reusable: true, expiresAt: NOW + 60_000 });
    expect(bench.outputs.at(-1)).toEqual({ kind: 'wake', at: NOW + 60_000 });
    bench.ask(2, { case: 'takeCard', value: { lookup, claim } });
    expect(bench.answer('take-card', { kind: 'card', card })).toEqual({ kind: 'take-card', lookup, claim });
    const output = bench.outputs.at(-1);
    expect(output?.kind === 'send' && decodeRelayFrame(output.frame)).toMatchObject({ request: 2, body: { case: 'card', value: { card } } });
    expect([bench.sent(1), bench.sent(2)]).toEqual([['1 done'], ['2 card']]);
  });

  test('an answer of the store is heard once', () => {
    const bench = new Bench().connect(1, 'deposit');
    bench.ask(1, put(newMailbox(), random(1)));
    const { reference } = bench.asked[0]!;
    for (let again = 0; again < 2; again += 1) bench.input({ kind: 'answered', reference, answer: DONE });
    expect(bench.sent(1)).toEqual(['1 done']);
  });

  test('each request is refused on the connection of the other role', () => {
    const mailbox = newMailbox();
    const bench = new Bench().connect(1, 'collect').connect(2, 'deposit');
    bench.ask(1, put(mailbox, random(1)));
    bench.ask(1, { case: 'takeCard', value: { lookup: random(16), claim: random(16) } });
    bench.ask(2, collect(mailbox, CHALLENGE));
    bench.ask(2, acknowledge(mailbox, 1));
    bench.ask(2, { case: 'close', value: { mailbox: mailbox.mailbox } });
    bench.ask(2, { case: 'putCard', value: { lookup: random(16), card: random(10), ttlSeconds: 5 } });
    expect([...bench.sent(1), ...bench.sent(2)]).toEqual([1, 2, 3, 4, 5, 6].map((request) => `${request} refused wrong-connection after 0`));
    expect(bench.asked).toEqual([]);
  });

  test('Ping is answered on both', () => {
    const bench = new Bench().connect(1, 'collect').connect(2, 'deposit');
    bench.ask(1, { case: 'ping', value: {} });
    bench.ask(2, { case: 'ping', value: {} });
    expect([...bench.sent(1), ...bench.sent(2)]).toEqual(['1 done', '2 done']);
  });

  test('a bad frame whose request number can be read is refused, and the connection goes on', () => {
    const bench = new Bench().connect(1, 'deposit');
    for (const hex of ['0809', '08092a00', '08092a041a022a00', '0809fa0600']) bench.input({ kind: 'frame', connection: 1, bytes: fromHex(hex) });
    expect(bench.sent(1)).toEqual(Array(4).fill('9 refused frame-malformed after 0'));
    bench.ask(1, { case: 'ping', value: {} });
    expect(bench.sent(1)).toEqual(['1 done']);
  });

  test('a frame without a request number ends the connection with Goodbye', () => {
    for (const hex of ['', '4200', 'ff', '08', '0800']) {
      const bench = new Bench().connect(1, 'deposit');
      bench.input({ kind: 'frame', connection: 1, bytes: fromHex(hex) });
      expect(bench.sent(1)).toEqual(['0 goodbye frame-malformed']);
      expect(bench.goodbyes).toMatchObject([{ reconnectAfterMs: 60_000, reconnectWithinMs: 0 }]);
      expect(bench.outputs.at(-1)).toEqual({ kind: 'close', connection: 1 });
      bench.ask(1, { case: 'ping', value: {} });
      expect(bench.sent(1)).toEqual([]);
    }
  });

  test('an envelope over the limit is refused by its own code', () => {
    const bench = new Bench().connect(1, 'deposit');
    bench.ask(1, put(newMailbox(), random(65_537)));
    bench.ask(1, put(newMailbox(), random(65_536)));
    expect(bench.sent(1)).toEqual(['1 refused envelope-too-large after 0']);
  });

  test('a client with too many unanswered requests is not read until half of them are answered', () => {
    const bench = new Bench().connect(1, 'deposit');
    const holds = () => bench.outputs.filter(({ kind }) => kind === 'hold');
    for (let count = 1; count < REQUESTS_MAX; count += 1) bench.ask(1, put(newMailbox(), random(1)));
    expect(holds()).toEqual([]);
    bench.ask(1, put(newMailbox(), random(1)));
    expect(holds()).toEqual([{ kind: 'hold', connection: 1, held: true }]);
    for (let count = 0; count < REQUESTS_MAX / 2; count += 1) bench.answer('put', DONE);
    expect(holds()).toHaveLength(1);
    bench.answer('put', DONE);
    expect(holds()).toEqual([{ kind: 'hold', connection: 1, held: true }, { kind: 'hold', connection: 1, held: false }]);
    // Of one that has gone there is nothing to read.
    for (let count = 0; count < REQUESTS_MAX; count += 1) bench.ask(1, put(newMailbox(), random(1)));
    expect(holds()).toHaveLength(3);
    bench.input({ kind: 'closed', connection: 1 });
    while (bench.asked.length > 0) bench.answer('put', DONE);
    expect(holds()).toHaveLength(3);
  });
});

describe('time', () => {
  test('asks to be woken when the first thing is due, and not for later ones', () => {
    const bench = new Bench().connect(1, 'deposit');
    for (const ttl of [60, 30, 90, 30]) {
      bench.ask(1, put(newMailbox(), random(1), ttl));
      bench.answer('put', { kind: 'stored', sequence: 1 });
    }
    expect(bench.outputs.filter(({ kind }) => kind === 'wake')).toEqual([{ kind: 'wake', at: NOW + 60_000 }, { kind: 'wake', at: NOW + 30_000 }]);
  });

  test('expires until nothing is due, then sleeps until the next is, and for ever if there is none', () => {
    const bench = new Bench();
    bench.input({ kind: 'wake' });
    expect(bench.asked).toMatchObject([{ connection: 0, operation: { limit: 500 } }]);
    bench.answer('expire', { kind: 'expired', nextAt: NOW });
    bench.answer('expire', { kind: 'expired', nextAt: NOW + 5_000 });
    expect(bench.outputs.at(-1)).toEqual({ kind: 'wake', at: NOW + 5_000 });
    bench.input({ kind: 'wake' }, NOW + 5_000);
    bench.answer('expire', { kind: 'expired', nextAt: null }, NOW + 5_000);
    expect(bench.outputs.at(-1)?.kind).toBe('store');
    expect(bench.asked).toEqual([]);
  });

  test('is woken for what comes after that for which it was woken', () => {
    const bench = new Bench().connect(1, 'deposit');
    bench.ask(1, put(newMailbox(), random(1), 60));
    bench.answer('put', { kind: 'stored', sequence: 1 });
    bench.input({ kind: 'wake' }, NOW + 60_000);
    bench.answer('expire', { kind: 'expired', nextAt: NOW + 90_000 }, NOW + 60_000);
    expect(bench.outputs.at(-1)).toEqual({ kind: 'wake', at: NOW + 90_000 });
  });

  test('looks once in a second at most', () => {
    const bench = new Bench();
    bench.input({ kind: 'wake' });
    bench.answer('expire', { kind: 'expired', nextAt: NOW + 1 });
    expect(bench.outputs.at(-1)).toEqual({ kind: 'wake', at: NOW + 1_000 });
  });

  test('looks again later when the store cannot expire', () => {
    const bench = new Bench();
    bench.input({ kind: 'wake' });
    bench.answer('expire', { kind: 'refused', code: 'relay-failed' });
    expect(bench.outputs.at(-1)).toEqual({ kind: 'wake', at: NOW + 60_000 });
  });
});

test('a relay that closes says goodbye to everybody', () => {
  const bench = new Bench().connect(1, 'collect').connect(2, 'deposit');
  bench.input({ kind: 'closing' });
  expect([...bench.sent(1), ...bench.sent(2)]).toEqual(Array(2).fill('0 goodbye relay-closing'));
  expect(bench.outputs.filter(({ kind }) => kind === 'close')).toHaveLength(2);
});

test('no bytes make the brain throw, and it answers or closes every time', () => {
  const seeds = [collect(newMailbox(), CHALLENGE), put(newMailbox(), random(40)), acknowledge(newMailbox(), 1, 2)];
  const flipped = fc.tuple(fc.constantFrom(...seeds), fc.nat(), fc.integer({ min: 1, max: 255 })).map(([body, at, mask]) => {
    const bytes = encodeClientFrame(1, body);
    bytes[at % bytes.length]! ^= mask;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), flipped), fc.constantFrom<Role>('collect', 'deposit'), (bytes, role) => {
      const bench = new Bench().connect(1, role);
      bench.input({ kind: 'frame', connection: 1, bytes });
      expect(bench.outputs.length).toBeGreaterThan(1);
    }),
    { numRuns: 500 },
  );
});
