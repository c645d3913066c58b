// The texts of one conversation, with nothing but the functions of the core between the two: numbers, order, gaps.

import { beforeAll, describe, expect, it } from 'vitest';
import { hash } from '../../../crypto/hash.js';
import { ready } from '../../../crypto/sodium.js';
import { LACKING_MAX, NUMBER_MAX } from '../../../client/core/body.js';
import { askAgain, giveUpGap, markRead, noteLast, onSettled, settleBelow } from '../../../client/core/conversation.js';
import type { Settled } from '../../../client/core/message_pb.js';
import type { Output } from '../../../client/core/output.js';
import { dueIn, hear, meet, noticesOf, puts, speech, textsOf, typesOf } from './support.js';
import type { Said } from './support.js';

beforeAll(ready);

/** The texts that are written to the disk, and the place that each has. */
const savedOf = (outputs: readonly Output[]) => outputs.flatMap((output) => (output.type === 'save' && output.change.kind === 'message' ? [[output.change.record.number, output.change.record.position]] : []));
const withoutChain = (said: Said): Said => ({ ...said, chain: new Uint8Array() });

describe('a text of a contact', () => {
  it('is shown once, however often it comes', () => {
    const { memory, bob } = meet(1);
    const [one, two] = speech(2) as [Said, Said];
    const shown = hear(memory, bob, one, one, two, one, two).flatMap((output) => (output.type === 'message' ? [output.message] : []));
    expect(shown.map(({ text, state, path }) => [text, state, path])).toEqual([['text 1', 'received', 'relay'], ['text 2', 'received', 'relay']]);
    expect([bob.record.receivedNumber, bob.record.readyNumber, bob.record.unread]).toEqual([2, 2, 2]);
  });

  it('waits until what came before it is here', () => {
    const { memory, bob } = meet(2);
    const [one, two, three, four] = speech(4) as [Said, Said, Said, Said];
    const waiting = hear(memory, bob, three, two);
    expect(new Set(typesOf(waiting))).toEqual(new Set(['save']));
    // The relay forgets them now: they are on our disk, without a place.
    expect(savedOf(waiting)).toEqual([[3, null], [2, null]]);
    expect([bob.record.receivedNumber, bob.record.lacking, bob.record.unread, bob.held.size]).toEqual([3, [1], 0, 2]);
    const { position } = memory.self;
    const shown = hear(memory, bob, one);
    expect([textsOf(shown), savedOf(shown)]).toEqual([['text 1', 'text 2', 'text 3'], [[1, position + 1], [2, position + 2], [3, position + 3]]]);
    expect(textsOf(hear(memory, bob, four))).toEqual(['text 4']);
    expect([bob.record.lacking, bob.differs, bob.held.size, noticesOf(memory.takeOutputs())]).toEqual([[], false, 0, []]);
  });

  it('that is so far ahead that the gap cannot be remembered is not taken', () => {
    const { memory, bob } = meet(3);
    const [one] = speech(1) as [Said];
    hear(memory, bob, one);
    expect(textsOf(hear(memory, bob, { ...withoutChain(one), id: new Uint8Array(16), number: LACKING_MAX + 3 }))).toEqual([]);
    expect([bob.record.receivedNumber, bob.record.lacking.length, bob.held.size]).toEqual([LACKING_MAX + 1, LACKING_MAX, 0]);
  });

  it('that is so far ahead that the gap can just be remembered waits', () => {
    const { memory, bob } = meet(4);
    hear(memory, bob, { id: new Uint8Array(16), number: LACKING_MAX + 1, chain: new Uint8Array(), text: 'far ahead' });
    expect([bob.record.receivedNumber, bob.record.lacking.length, bob.held.size]).toEqual([LACKING_MAX + 1, LACKING_MAX, 1]);
  });

  it('that comes after its gap was given up is shown late, as one that nobody has read', () => {
    const { memory, bob } = meet(5);
    const [one, two, three, four] = speech(4) as [Said, Said, Said, Said];
    hear(memory, bob, three, four);
    giveUpGap(memory, bob);
    const given = memory.takeOutputs();
    expect([textsOf(given), noticesOf(given), bob.record.lacking]).toEqual([['text 3', 'text 4'], ['gap'], [1, 2]]);
    markRead(memory, bob, 2);
    expect([bob.record.readNumber, bob.record.unread]).toEqual([2, 2]);
    expect(textsOf(hear(memory, bob, two))).toEqual(['text 2']);
    expect([bob.record.readNumber, bob.record.unread, bob.record.receivedNumber, bob.record.lacking]).toEqual([1, 3, 4, [1]]);
    expect(textsOf(hear(memory, bob, one, one))).toEqual(['text 1']);
    expect([bob.record.readNumber, bob.record.lacking]).toEqual([0, []]);
  });

  it('that comes late but after what was read leaves that as it is', () => {
    const { memory, bob } = meet(6);
    const [one, , three, four] = speech(4) as [Said, Said, Said, Said];
    hear(memory, bob, one, four);
    giveUpGap(memory, bob);
    markRead(memory, bob, 1);
    hear(memory, bob, three);
    expect(bob.record.readNumber).toBe(1);
  });

  it('that does not continue what is here is not taken, nor any after it; the person is told once', () => {
    const { memory, bob } = meet(7);
    const [one, two, three] = speech(3) as [Said, Said, Said];
    const outputs = hear(memory, bob, one, { ...two, text: 'another two' }, { ...two, text: 'yet another two' }, three);
    expect([textsOf(outputs), noticesOf(outputs)]).toEqual([['text 1'], ['history-differs']]);
    expect([bob.record.receivedNumber, bob.record.readyNumber]).toEqual([2, 1]);
    // With a new session the contact's own numbers are believed again.
    settleBelow(memory, bob, 3);
    expect(textsOf(hear(memory, bob, withoutChain(three)))).toEqual(['text 3']);
  });

  it('that was missing is shown also after others have ceased to continue what is here', () => {
    const { memory, bob } = meet(8);
    const [one, two, three, four] = speech(4) as [Said, Said, Said, Said];
    hear(memory, bob, two);
    giveUpGap(memory, bob);
    hear(memory, bob, three);
    expect(bob.record.readyChain).toEqual(three.chain);
    const outputs = hear(memory, bob, { ...four, text: 'another four' }, one);
    expect([textsOf(outputs), noticesOf(outputs)]).toEqual([['text 1'], ['history-differs']]);
  });

  it('that is sent again under another number is known by its id; one that goes on with the chain is not', () => {
    const { memory, bob } = meet(9);
    const [one, two] = speech(2) as [Said, Said];
    hear(memory, bob, one);
    expect(textsOf(hear(memory, bob, { ...withoutChain(one), number: 2 }))).toEqual([]);
    expect([bob.record.receivedNumber, bob.record.readyNumber, bob.record.lacking]).toEqual([2, 2, []]);
    expect(textsOf(hear(memory, bob, { ...two, number: 3, id: one.id, chain: hash('chain', bob.record.readyChain, one.id, hash('text', new TextEncoder().encode(two.text))).slice(0, 8) }))).toEqual(['text 2']);
  });

  it('is remembered by its id as long as it is one of the newest hundred', () => {
    const { memory, bob } = meet(10);
    hear(memory, bob, ...speech(100));
    expect([bob.recent.size, bob.recent.has(1)]).toEqual([100, true]);
    hear(memory, bob, withoutChain({ ...speech(101).at(-1)! }));
    expect([bob.recent.size, bob.recent.has(1), bob.recent.has(2)]).toEqual([100, false, true]);
  });
});

describe('a gap', () => {
  it('is closed by what cannot be given, and what waited is shown', () => {
    const { memory, bob } = meet(11);
    const [, two, , four, five] = speech(5) as [Said, Said, Said, Said, Said];
    hear(memory, bob, two, four);
    onSettled(memory, bob, { numbers: [1, 7] } as unknown as Settled);
    expect([textsOf(memory.takeOutputs()), bob.record.lacking, bob.record.readyNumber]).toEqual([['text 2'], [3], 2]);
    onSettled(memory, bob, { numbers: [3] } as unknown as Settled);
    expect([textsOf(memory.takeOutputs()), bob.record.readyNumber]).toEqual([['text 4'], 4]);
    expect(textsOf(hear(memory, bob, { ...five, text: 'anything goes on after a gap' }))).toEqual(['anything goes on after a gap']);
  });

  it('is told of by the last number that exists, as far as it can be remembered', () => {
    const { memory, bob } = meet(12);
    noteLast(memory, bob, 3);
    noteLast(memory, bob, 3);
    noteLast(memory, bob, 2);
    expect([bob.record.receivedNumber, bob.record.lacking]).toEqual([3, [1, 2, 3]]);
    noteLast(memory, bob, 5 * LACKING_MAX);
    expect([bob.record.receivedNumber, bob.record.lacking.length]).toEqual([LACKING_MAX, LACKING_MAX]);
  });

  it('below a new beginning is waited for no longer: what is here of it is shown in order, what comes after it waits', () => {
    const { memory, bob } = meet(13);
    const [, two, , four, , six] = speech(6) as [Said, Said, Said, Said, Said, Said];
    hear(memory, bob, four, two, six);
    settleBelow(memory, bob, 5);
    expect([textsOf(memory.takeOutputs()), bob.record.lacking, bob.record.readyNumber, [...bob.held.keys()]]).toEqual([['text 2', 'text 4'], [5], 4, [6]]);
    expect([dueIn(memory, `gap:${bob.record.id}`), dueIn(memory, `hold:${bob.record.id}`)]).toEqual([2_000, 20_000]);
    settleBelow(memory, bob, 6);
    expect([textsOf(memory.takeOutputs()), bob.record.lacking, bob.record.readyNumber]).toEqual([['text 6'], [], 6]);
    expect([dueIn(memory, `gap:${bob.record.id}`), dueIn(memory, `hold:${bob.record.id}`)]).toEqual([undefined, undefined]);
    settleBelow(memory, bob, 10);
    expect([bob.record.receivedNumber, bob.record.readyNumber, bob.record.lacking]).toEqual([9, 9, []]);
    settleBelow(memory, bob, 2);
    expect([bob.record.receivedNumber, bob.record.readyNumber]).toEqual([9, 9]);
    settleBelow(memory, bob, NUMBER_MAX);
    expect(bob.record.readyNumber).toBe(NUMBER_MAX - 1);
  });

  it('that is none leaves the chain as it is', () => {
    const { memory, bob } = meet(22);
    const [one] = speech(1) as [Said];
    hear(memory, bob, one);
    settleBelow(memory, bob, 2);
    noteLast(memory, bob, 1);
    expect([bob.record.readyChain, typesOf(memory.takeOutputs())]).toEqual([one.chain, ['save']]);
    noteLast(memory, bob, 1);
    expect(memory.takeOutputs()).toEqual([]);
  });

  it('in the middle of what is here leaves nothing to compare', () => {
    const { memory, bob } = meet(23);
    const [, two, three, , five, six] = speech(6) as [Said, Said, Said, Said, Said, Said];
    hear(memory, bob, two);
    giveUpGap(memory, bob);
    hear(memory, bob, five);
    onSettled(memory, bob, { numbers: [4] } as unknown as Settled);
    const outputs = hear(memory, bob, three, six);
    expect([textsOf(outputs), noticesOf(outputs)]).toEqual([['text 3', 'text 5', 'text 6'], []]);
  });

  it('is asked about ever more patiently, and not at all where nobody answers', () => {
    const { memory, bob } = meet(14);
    noteLast(memory, bob, 1);
    const waits: (number | undefined)[] = [];
    for (let time = 0; time < 7; time += 1) {
      askAgain(memory, bob);
      waits.push(dueIn(memory, `gap:${bob.record.id}`));
    }
    expect(waits).toEqual([8_000, 32_000, 128_000, 512_000, 600_000, 600_000, 600_000]);
    expect(puts(memory.takeOutputs())).toBe(7);
    memory.update(bob, { unanswered: 19 });
    askAgain(memory, bob);
    expect(puts(memory.takeOutputs())).toBe(1);
    expect(bob.record.unanswered).toBe(20);
    askAgain(memory, bob);
    expect(puts(memory.takeOutputs())).toBe(0);
  });

  it('keeps its two timers as long as there is one, and no longer', () => {
    const { memory, bob } = meet(15);
    const [one, two] = speech(2) as [Said, Said];
    hear(memory, bob, two);
    expect([dueIn(memory, `gap:${bob.record.id}`), dueIn(memory, `hold:${bob.record.id}`)]).toEqual([2_000, 20_000]);
    giveUpGap(memory, bob);
    expect([dueIn(memory, `gap:${bob.record.id}`), dueIn(memory, `hold:${bob.record.id}`)]).toEqual([2_000, undefined]);
    bob.gapAsked = 3;
    hear(memory, bob, one);
    expect([dueIn(memory, `gap:${bob.record.id}`), bob.gapAsked]).toEqual([undefined, 0]);
  });
});
