// What a connection gets of the mailboxes that it collects, and when: the brain alone, with a store that is a list of questions.

import { beforeAll, describe, expect, test } from 'vitest';
import { ready } from '../../crypto/sodium.js';
import { WINDOW_BYTES, WINDOW_ENVELOPES } from '../../relay/core/collections.js';
import type { Answer } from '../../relay/core/operation.js';
import { Bench, CHALLENGE, NOW } from './bench.js';
import { acknowledge, collect, newMailbox, put, random, type Body } from './support.js';

beforeAll(ready);

const DONE: Answer = { kind: 'done' };

function stored(sequence: number, bytes = 10): { sequence: number; storedAt: number; envelope: Uint8Array } {
  return { sequence, storedAt: NOW - 1_000, envelope: new Uint8Array(bytes).fill(1) };
}

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

  test('is refused as the store refuses it, and then nothing of the mailbox comes', () => {
    const mailbox = newMailbox();
    const bench = new Bench().connect(1, 'collect').connect(2, 'deposit');
    for (const code of ['mailbox-taken', 'relay-busy', 'relay-failed'] as const) {
      bench.ask(1, collect(mailbox, CHALLENGE));
      bench.answer('open', { kind: 'refused', code });
    }
    expect(bench.sent(1)).toEqual(['1 refused mailbox-taken after 0', '2 refused relay-busy after 60', '3 refused relay-failed after 5']);
    bench.ask(2, put(mailbox, random(5)));
    bench.answer('put', { kind: 'stored', sequence: 1 });
    expect([bench.sent(1), bench.asked]).toEqual([[], []]);
    const request = bench.ask(1, acknowledge(mailbox, 1));
    expect(bench.sent(1)).toEqual([`${request} refused not-collecting after 0`]);
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

  test('an envelope that comes while older ones wait for another mailbox to be listed goes behind them', () => {
    const [first, second] = [newMailbox(), newMailbox()];
    const bench = new Bench().collecting(1, first, 1).connect(2, 'deposit');
    const listing = bench.asked.shift()!;
    bench.collectingAgain(1, second, 1);
    bench.sent(1);
    bench.ask(2, put(second, random(50)));
    bench.answer('put', { kind: 'stored', sequence: 2 });
    expect(bench.sent(1)).toEqual([]);
    bench.input({ kind: 'answered', reference: listing.reference, answer: { kind: 'listed', envelopes: [stored(1)], more: false } });
    expect(bench.answer('list', { kind: 'listed', envelopes: [stored(1), stored(2)], more: false })).toMatchObject({ mailbox: second.mailbox, after: 0 });
    expect(bench.sent(1)).toEqual(['0 delivery 1 age 1000', '0 delivery 1 age 1000', '0 delivery 2 age 1000']);
  });

  test('an envelope has no age where the clock was set back since it came', () => {
    const bench = new Bench().collecting(1, newMailbox(), 1);
    bench.answer('list', { kind: 'listed', envelopes: [stored(1)], more: false }, NOW - 5_000);
    expect(bench.sent(1)).toEqual(['0 delivery 1 age 0']);
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

  test('a mailbox that is taken over leaves its part of the window to the others, and is read no more', () => {
    const [first, second, third] = [newMailbox(), newMailbox(), newMailbox()];
    const bench = new Bench().collecting(1, first, 1);
    bench.answer('list', { kind: 'listed', envelopes: Array.from({ length: WINDOW_ENVELOPES }, (_, index) => stored(index + 1)), more: true });
    for (const mailbox of [second, third]) bench.collectingAgain(1, mailbox, 1);
    bench.sent(1);
    expect(bench.asked).toEqual([]);
    bench.collecting(2, second);
    expect(bench.asked).toEqual([]);
    bench.collecting(2, first);
    expect(bench.answer('list', { kind: 'listed', envelopes: [stored(1)], more: false })).toMatchObject({ mailbox: third.mailbox, limit: WINDOW_ENVELOPES, maxBytes: WINDOW_BYTES });
    expect(bench.asked).toEqual([]);
    expect(bench.sent(1)).toEqual(['0 delivery 1 age 1000']);
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

  test('a connection that ends is sent nothing more, and its mailbox counts as collected no longer', () => {
    const mailbox = newMailbox();
    const bench = new Bench().collecting(1, mailbox).connect(2, 'deposit');
    bench.input({ kind: 'closed', connection: 1 });
    bench.ask(2, put(mailbox, random(5)));
    bench.answer('put', { kind: 'stored', sequence: 1 });
    bench.ask(2, put(mailbox, random(5)));
    bench.answer('put', { kind: 'refused', code: 'mailbox-full', roomAt: NOW + 300_000 });
    expect(bench.sent(2)).toEqual(['2 done', '3 refused mailbox-full after 300']);
    expect([bench.sent(1), bench.asked]).toEqual([[], []]);
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
    // Whoever knows its address may have made it anew.
    bench.ask(2, put(mailbox, random(5)));
    bench.answer('put', { kind: 'stored', sequence: 1 });
    expect(bench.sent(1)).toEqual([]);
  });

  test('a mailbox is closed also where its connection ends meanwhile', () => {
    const mailbox = newMailbox();
    const bench = new Bench().collecting(1, mailbox);
    bench.ask(1, { case: 'close', value: { mailbox: mailbox.mailbox } });
    bench.input({ kind: 'closed', connection: 1 });
    bench.answer('close', DONE);
    expect(bench.sent(1)).toEqual([]);
  });

  test('a store that cannot be read ends the connection instead of stopping in silence', () => {
    const bench = new Bench().collecting(1, newMailbox(), 1);
    bench.answer('list', { kind: 'refused', code: 'relay-failed' });
    expect(bench.sent(1)).toEqual(['0 goodbye relay-failed']);
    expect(bench.goodbyes).toMatchObject([{ reconnectAfterMs: 1_000 }]);
    expect(bench.outputs.at(-1)).toEqual({ kind: 'close', connection: 1 });
  });
});
