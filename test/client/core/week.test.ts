// The cards of an address, week by week: when one is published, when the link is said, when secrets are erased.

import { beforeAll, describe, expect, it } from 'vitest';
import { WEEK_MS } from '../../../crypto/address.js';
import { SottoError } from '../../../crypto/error.js';
import { ready } from '../../../crypto/sodium.js';
import type { Input } from '../../../client/core/input.js';
import type { Output } from '../../../client/core/output.js';
import { World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';
import { dueIn, noticesOf } from './support.js';

beforeAll(ready);

describe('an address of ours', () => {
  function open(seed: number): { world: World; alice: VirtualClient; weeks(): [number, boolean][] } {
    const world = new World(seed);
    const alice = world.client('Alice');
    world.run(1_000);
    alice.core.handle({ type: 'address', request: 5, change: 'show' }, world.now);
    return { world, alice, weeks: () => [...alice.core.memory.weeks.values()].map(({ week, published }) => [week, published]) };
  }
  const answersOf = (outputs: readonly Output[]): unknown[] => outputs.filter((output) => output.type === 'answer').map(({ result }) => (result instanceof SottoError ? result.code : result.type));

  it('is said when its mailbox is there and the card of this week is published', () => {
    const { world, alice } = open(460);
    const { memory } = alice.core;
    const [now, next] = [...memory.weeks.keys()];
    expect([dueIn(memory, 'addressing'), dueIn(memory, 'address')! <= 3_600_000]).toEqual([15_000, true]);
    expect(answersOf(alice.core.handle({ type: 'published', lookup: next!, error: null }, world.now))).toEqual([]);
    const { mailbox } = memory.address!.mailbox;
    const publishes = alice.core.handle({ type: 'collected', mailbox, error: null }, world.now).filter(({ type }) => type === 'publish');
    expect(publishes.length).toBe(4);
    expect(answersOf(alice.core.handle({ type: 'published', lookup: now!, error: null }, world.now))).toEqual(['address']);
    expect(answersOf(alice.core.handle({ type: 'published', lookup: now!, error: null }, world.now))).toEqual([]);
  });

  it('is not said where its mailbox, or the card of this week, is refused; another card is no matter', () => {
    for (const [act, codes, notices] of [
      [(lookups: string[]): Input => ({ type: 'published', lookup: lookups[0]!, error: 'card-taken' }), ['card-taken'], ['address-lost']],
      [(lookups: string[]): Input => ({ type: 'published', lookup: lookups[0]!, error: 'relay-busy' }), ['relay-busy'], []],
      [(lookups: string[]): Input => ({ type: 'published', lookup: lookups[1]!, error: 'relay-busy' }), [], []],
      [(_lookups: string[], mailbox: string): Input => ({ type: 'collected', mailbox, error: 'mailbox-taken' }), ['mailbox-taken'], ['mailbox-lost']],
      [(_lookups: string[], mailbox: string): Input => ({ type: 'collected', mailbox, error: 'relay-unreachable' }), [], []],
    ] as const) {
      const { world, alice } = open(461);
      const { memory } = alice.core;
      const outputs = alice.core.handle(act([...memory.weeks.keys()], memory.address!.mailbox.mailbox), world.now);
      expect([answersOf(outputs), noticesOf(outputs)]).toEqual([codes, notices]);
      // Whoever was answered is not answered again.
      if (codes.length > 0) expect(answersOf(alice.core.handle({ type: 'collected', mailbox: memory.address!.mailbox.mailbox, error: 'mailbox-taken' }, world.now))).toEqual([]);
    }
  });

  it('gives the relay no card before the mailbox is there, and none whose time is over', () => {
    const { world, alice } = open(462);
    const { memory } = alice.core;
    const publishes = (now: number) => alice.core.handle({ type: 'address', request: 6, change: 'show' }, now).filter((output) => output.type === 'publish');
    expect(publishes(world.now)).toEqual([]);
    const { mailbox } = memory.address!.mailbox;
    const first = [...memory.weeks.values()][0]!;
    memory.collected.add(mailbox);
    // Each of them is for everybody who has the link.
    expect(publishes(world.now).map(({ reusable, ttlSeconds }) => [reusable, ttlSeconds])).toEqual(
      [...memory.weeks.values()].map(({ expiresAt }) => [true, Math.ceil((expiresAt - world.now) / 1_000)]));
    expect(publishes(first.expiresAt - 1).find(({ lookup }) => lookup === first.lookup)?.ttlSeconds).toBe(1);
    expect(publishes(first.expiresAt).some(({ lookup }) => lookup === first.lookup)).toBe(false);
  });

  it('gives the relay a card more when the week changes, though the link never broke', () => {
    const { world, alice } = open(465);
    const { memory } = alice.core;
    alice.core.handle({ type: 'collected', mailbox: memory.address!.mailbox.mailbox, error: null }, world.now);
    const known = [...memory.weeks.keys()];
    for (const lookup of known) alice.core.handle({ type: 'published', lookup, error: null }, world.now);
    const publishes = alice.core.handle({ type: 'wake' }, world.now + WEEK_MS).filter((output) => output.type === 'publish');
    expect(publishes.map(({ lookup }) => [lookup, known.includes(lookup)])).toEqual([[[...memory.weeks.keys()].at(-1), false]]);
    expect(dueIn(memory, 'address')).toBe(3_600_000);
  });

  it('keeps the secrets of a week until no flight can need them, with what they have opened', () => {
    const { alice } = open(463);
    const { memory } = alice.core;
    const [first, second] = [...memory.weeks.values()];
    memory.flights.set('aa', first!.lookup);
    memory.flights.set('bb', second!.lookup);
    const end = first!.expiresAt + 30 * 86_400_000;
    const kept = [end - 1, end].map((now) => {
      const outputs = alice.core.handle({ type: 'address', request: 6, change: 'show' }, now);
      expect(outputs.some((output) => output.type === 'save' && output.change.kind === 'flight-removed' && output.change.flight === 'aa')).toBe(now === end);
      return [memory.weeks.has(first!.lookup), memory.weeks.has(second!.lookup), memory.flights.has('aa'), memory.flights.has('bb')];
    });
    expect(kept).toEqual([[true, true, true, true], [false, true, false, true]]);
    expect([first, second].map((record) => record!.expiresAt - (record!.week + 1) * WEEK_MS)).toEqual([86_400_000, 86_400_000]);
  });

  it('that there is none of is closed already', () => {
    const world = new World(466);
    expect(answersOf(world.client('Alice').core.handle({ type: 'address', request: 6, change: 'close' }, world.now))).toEqual(['done']);
  });

  it('that is closed is looked after no more, and a card of it that is published is no news', () => {
    const { world, alice, weeks } = open(464);
    const lookup = [...alice.core.memory.weeks.keys()][0]!;
    alice.core.handle({ type: 'address', request: 6, change: 'close' }, world.now);
    alice.core.handle({ type: 'published', lookup, error: null }, world.now);
    alice.core.handle({ type: 'wake' }, world.now + WEEK_MS);
    expect(weeks()).toEqual([]);
  });
});
