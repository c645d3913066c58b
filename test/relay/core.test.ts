// The brain alone: frames in, outputs out, a store that is a list of questions. No socket, no clock.

import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../crypto/bytes.js';
import { ready } from '../../crypto/sodium.js';
import { WINDOW_BYTES, WINDOW_ENVELOPES } from '../../relay/core/collections.js';
import type { Answer } from '../../relay/core/operation.js';
import { Relay, REQUESTS_MAX, type Role } from '../../relay/core/relay.js';
import { decodeRelayFrame, encodeClientFrame } from '../../relay/wire/frame.js';
import { Bench, CHALLENGE, NOW } from './bench.js';
import { acknowledge, collect, newMailbox, put, random, type Body } from './support.js';

beforeAll(ready);

const DONE: Answer = { kind: 'done' };

function stored(sequence: number, bytes = 10): { sequence: number; storedAt: number; envelope: Uint8Array } {
  return { sequence, storedAt: NOW - 1_000, envelope: new Uint8Array(bytes).fill(1) };
}

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
  });
});

describe('collecting', () => {
  test('needs the owner’s signature over this connection’s challenge, the mailbox and the token hash', () => {
    const mailbox = newMailbox();
    const right = collect(mailbox, CHALLENGE).value as { signature: Uint8Array };
    const wrong: Body[] = [
      collect(mailbox, new Uint8Array(32).fill(8)),
      collect({ ...mailbox, seed: random(32) }, CHALLENGE),
      { case: 'collect', value: { ...mailbox, mailbox: random(16), signature: right.signature } },
      { case: 'collect', value: { ...mailbox, tokenHash: random(32), signature: right.signature } },
      { case: 'collect', value: { ...mailbox, owner: newMailbox().owner, signature: right.signature } },
    ];
    const bench = new Bench().connect(1, 'collect');
    for (const body of wrong) bench.ask(1, body);
    expect(bench.sent(1)).toEqual(wrong.map((_, index) => `${index + 1} refused signature-wrong after 0`));
    expect(bench.asked).toEqual([]);
    bench.ask(1, collect(mailbox, CHALLENGE));
    expect(bench.asked).toHaveLength(1);
  });

  test('delivers what waits, in order, with its age', () => {
    const bench = new Bench().connect(1, 'collect');
    const mailbox = newMailbox();
    bench.ask(1, collect(mailbox, CHALLENGE));
    bench.answer('open', { kind: 'opened', created: false, waiting: 3 });
    expect(bench.sent(1)).toEqual(['1 done']);
    expect(bench.answer('list', { kind: 'listed', envelopes: [stored(2), stored(3)], more: true })).toMatchObject({ after: 0, limit: WINDOW_ENVELOPES, maxBytes: WINDOW_BYTES });
    expect(bench.answer('list', { kind: 'listed', envelopes: [stored(5)], more: false })).toMatchObject({ after: 3, limit: WINDOW_ENVELOPES - 2 });
    expect(bench.sent(1)).toEqual(['0 delivery 2 age 1000', '0 delivery 3 age 1000', '0 delivery 5 age 1000']);
    expect(bench.asked).toEqual([]);
  });

  test('delivers an envelope once it is durable, without asking the store for it', () => {
    const mailbox = newMailbox();
    const bench = new Bench().collecting(1, mailbox).connect(2, 'deposit');
    bench.ask(2, put(mailbox, random(50)));
    expect(bench.sent(1)).toEqual([]);
    bench.answer('put', { kind: 'stored', sequence: 9 }, NOW + 3);
    expect(bench.sent(1)).toEqual(['0 delivery 9 age 3']);
    expect(bench.asked).toEqual([]);
  });

  test('an envelope that comes while older ones wait goes behind them', () => {
    const mailbox = newMailbox();
    const bench = new Bench().collecting(1, mailbox, 1).connect(2, 'deposit');
    bench.ask(2, put(mailbox, random(50)));
    const listing = bench.asked.shift()!;
    bench.answer('put', { kind: 'stored', sequence: 2 });
    expect(bench.sent(1)).toEqual([]);
    bench.input({ kind: 'answered', reference: listing.reference, answer: { kind: 'listed', envelopes: [stored(1)], more: false } });
    expect(bench.answer('list', { kind: 'listed', envelopes: [stored(2)], more: false })).toMatchObject({ after: 1 });
    expect(bench.sent(1)).toEqual(['0 delivery 1 age 1000', '0 delivery 2 age 1000']);
  });

  test('stops at the window of envelopes and goes on with each acknowledgement', () => {
    const mailbox = newMailbox();
    const bench = new Bench().collecting(1, mailbox, 1);
    const many = Array.from({ length: WINDOW_ENVELOPES }, (_, index) => stored(index + 1));
    bench.answer('list', { kind: 'listed', envelopes: many, more: true });
    expect(bench.sent(1)).toHaveLength(WINDOW_ENVELOPES);
    expect(bench.asked).toEqual([]);
    bench.ask(1, acknowledge(mailbox, 1, 2, 3, 3, 999_999));
    expect(bench.answer('acknowledge', DONE)).toMatchObject({ sequences: [1, 2, 3, 3, 999_999] });
    expect(bench.asked.shift()?.operation).toMatchObject({ kind: 'list', after: WINDOW_ENVELOPES, limit: 3 });
  });

  test('stops at the window of bytes, also for what becomes durable meanwhile', () => {
    const mailbox = newMailbox();
    const bench = new Bench().collecting(1, mailbox).connect(2, 'deposit');
    for (let count = 1; count <= 20; count += 1) {
      bench.ask(2, put(mailbox, random(65_536)));
      bench.answer('put', { kind: 'stored', sequence: count });
    }
    expect(bench.sent(1)).toHaveLength(WINDOW_BYTES / 65_536);
    bench.ask(1, acknowledge(mailbox, 1, 2));
    bench.answer('acknowledge', DONE);
    expect(bench.asked.shift()?.operation).toMatchObject({ kind: 'list', after: 16, maxBytes: 2 * 65_536 });
  });

  test('a mailbox that waits does not keep another from its turn', () => {
    const [first, second] = [newMailbox(), newMailbox()];
    const bench = new Bench().collecting(1, first, 500);
    bench.ask(1, collect(second, CHALLENGE));
    const listing = bench.asked.shift()!;
    bench.answer('open', { kind: 'opened', created: false, waiting: 1 });
    bench.input({ kind: 'answered', reference: listing.reference, answer: { kind: 'listed', envelopes: [stored(1)], more: true } });
    expect(bench.answer('list', { kind: 'listed', envelopes: [stored(1)], more: false })).toMatchObject({ mailbox: second.mailbox });
    expect(bench.asked.shift()?.operation).toMatchObject({ kind: 'list', mailbox: first.mailbox, after: 1 });
  });

  test('a later connection takes the mailbox over, and the earlier one gets nothing more of it', () => {
    const mailbox = newMailbox();
    const bench = new Bench().collecting(1, mailbox).collectingAgain(1, newMailbox()).collecting(2, mailbox).connect(3, 'deposit');
    bench.sent(1);
    bench.ask(3, put(mailbox, random(5)));
    bench.answer('put', { kind: 'stored', sequence: 1 });
    expect(bench.sent(1)).toEqual([]);
    expect(bench.sent(2)).toEqual(['0 delivery 1 age 0']);
    const request = bench.ask(1, acknowledge(mailbox, 1));
    expect(bench.sent(1)).toEqual([`${request} refused not-collecting after 0`]);
    expect(bench.asked).toEqual([]);
  });

  test('a list that was asked for before a takeover is delivered to nobody', () => {
    const mailbox = newMailbox();
    const bench = new Bench().collecting(1, mailbox, 1).connect(2, 'collect');
    bench.ask(2, collect(mailbox, CHALLENGE));
    const listing = bench.asked.shift()!;
    bench.answer('open', { kind: 'opened', created: false, waiting: 1 });
    bench.sent(2);
    expect(bench.sent(1)).toEqual(['0 goodbye replaced']);
    bench.input({ kind: 'answered', reference: listing.reference, answer: { kind: 'listed', envelopes: [stored(1)], more: false } });
    expect([...bench.sent(1), ...bench.sent(2)]).toEqual([]);
    bench.answer('list', { kind: 'listed', envelopes: [stored(1)], more: false });
    expect([...bench.sent(1), ...bench.sent(2)]).toEqual(['0 delivery 1 age 1000']);
  });

  test('a connection that ends while its Collect is being stored collects nothing', () => {
    const mailbox = newMailbox();
    const bench = new Bench().connect(1, 'collect').connect(2, 'deposit');
    bench.ask(1, collect(mailbox, CHALLENGE));
    bench.input({ kind: 'closed', connection: 1 });
    bench.answer('open', { kind: 'opened', created: false, waiting: 5 });
    bench.ask(2, put(mailbox, random(5)));
    bench.answer('put', { kind: 'stored', sequence: 1 });
    expect(bench.sent(1)).toEqual([]);
    expect(bench.asked).toEqual([]);
  });

  test('a connection that ends is read nothing more for, even if envelopes waited for its window', () => {
    const [first, second] = [newMailbox(), newMailbox()];
    const bench = new Bench().collecting(1, first, WINDOW_ENVELOPES);
    bench.answer('list', { kind: 'listed', envelopes: Array.from({ length: WINDOW_ENVELOPES }, (_, index) => stored(index + 1)), more: false });
    bench.ask(1, collect(second, CHALLENGE));
    bench.answer('open', { kind: 'opened', created: false, waiting: 1 });
    bench.input({ kind: 'closed', connection: 1 });
    expect(bench.asked).toEqual([]);
  });

  test('a closed mailbox is not collected any more', () => {
    const mailbox = newMailbox();
    const bench = new Bench().collecting(1, mailbox).connect(2, 'deposit');
    const request = bench.ask(1, { case: 'close', value: { mailbox: mailbox.mailbox } });
    bench.answer('close', DONE);
    expect(bench.sent(1)).toEqual([`${request} done`]);
    const second = bench.ask(1, { case: 'close', value: { mailbox: mailbox.mailbox } });
    expect(bench.sent(1)).toEqual([`${second} refused not-collecting after 0`]);
  });

  test('a store that cannot be read ends the connection instead of stopping in silence', () => {
    const bench = new Bench().collecting(1, newMailbox(), 1);
    bench.answer('list', { kind: 'refused', code: 'relay-failed' });
    expect(bench.sent(1)).toEqual(['0 goodbye relay-failed']);
    expect(bench.outputs.at(-1)).toEqual({ kind: 'close', connection: 1 });
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
    bench.answer('expire', { kind: 'expired', nextAt: NOW });
    bench.answer('expire', { kind: 'expired', nextAt: NOW + 5_000 });
    expect(bench.outputs.at(-1)).toEqual({ kind: 'wake', at: NOW + 5_000 });
    bench.input({ kind: 'wake' }, NOW + 5_000);
    bench.answer('expire', { kind: 'expired', nextAt: null }, NOW + 5_000);
    expect(bench.outputs.at(-1)?.kind).toBe('store');
    expect(bench.asked).toEqual([]);
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
