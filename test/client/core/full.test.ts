// A contact's mailbox is full: what is written waits here, the relay is asked again when it has said so and not sooner, and the
// person is told what is true.

import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ready } from '../../../crypto/sodium.js';
import { holdOf } from '../../../client/core/outbox.js';
import { FAIR } from '../../support/network.js';
import { World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';
import { acquaint } from './couple.js';

beforeAll(ready);

const HOUR_MS = 3_600_000;
const ROOM = 3;

/** Bob is away, and his mailbox has as many of Alice's texts as it takes; one more waits at Alice's. */
function filled(seed: number, adviceMs: number, downMs = 100 * HOUR_MS): { world: World; alice: VirtualClient; bob: VirtualClient; atAlice: string } {
  const world = new World(seed, { ...FAIR, direct: 0 });
  const [alice, bob] = [world.client('Alice'), world.client('Bob')];
  bob.accept(alice.invite());
  world.run(5_000);
  bob.crash(downMs);
  const atAlice = alice.core.memory.contacts.keys().next().value!;
  world.mailboxMax = ROOM;
  world.adviceMs = adviceMs;
  for (let number = 1; number <= ROOM + 1; number += 1) alice.send(atAlice, `text ${number}`);
  world.run(1_000);
  return { world, alice, bob, atAlice };
}

function hold(client: VirtualClient, contact: string) {
  return holdOf(client.core.memory.contacts.get(contact)!);
}

/** How often the relay has been asked to take what waits for the mailbox. */
function asked(world: World, alice: VirtualClient): number {
  const waiting = new Set([...alice.disk.outgoing.values()].filter(({ acceptedAt }) => acceptedAt === null).map(({ bytes }) => bytes));
  return world.seen.filter((bytes) => waiting.has(bytes)).length;
}

function reasons(client: VirtualClient): (string | null)[] {
  return [...client.disk.messages.values()].filter(({ direction }) => direction === 'out').toSorted((a, b) => a.number - b.number).map(({ state, reason }) => reason ?? state);
}

describe('a full mailbox', () => {
  it('is asked again when its relay has advised, and by one envelope alone', () => {
    const { world, alice, atAlice } = filled(1, HOUR_MS);
    for (let number = 1; number <= 20; number += 1) alice.send(atAlice, `more ${number}`);
    const { until } = hold(alice, atAlice)!;
    expect(until - world.now).toBeGreaterThan(0.99 * HOUR_MS);
    expect(until - world.now).toBeLessThanOrEqual(1.25 * HOUR_MS);
    const before = asked(world, alice);
    world.run(until - world.now - 1);
    expect(asked(world, alice) - before).toBe(0);
    world.run(1_000);
    expect(asked(world, alice) - before).toBe(1);
    expect(hold(alice, atAlice)!.until).toBeGreaterThan(world.now + HOUR_MS - 2_000);
  });

  it('is asked again with growing patience where there is no advice', () => {
    const { world, alice } = filled(2, 0);
    world.run(HOUR_MS);
    // 2 s, 4 s … 256 s are eight, then every 300 s, each up to a quarter longer.
    expect(asked(world, alice)).toBeGreaterThan(14);
    expect(asked(world, alice)).toBeLessThan(20);
  });

  it('is known again after a start, and asked at once', () => {
    const { world, alice, atAlice } = filled(9, HOUR_MS);
    const before = asked(world, alice);
    alice.crash(1_000);
    world.run(1_001);
    expect(hold(alice, atAlice)).toMatchObject({ code: 'mailbox-full' });
    world.run(5_000);
    expect(asked(world, alice) - before).toBe(1);
    expect(hold(alice, atAlice)!.until).toBeGreaterThan(world.now + HOUR_MS / 2);
  });

  it('is not asked again for longer than an hour, whatever a relay advises', () => {
    const { world, alice, atAlice } = filled(3, 1_000 * HOUR_MS);
    expect(hold(alice, atAlice)!.until - world.now).toBeLessThanOrEqual(1.25 * HOUR_MS);
  });

  it('is the reason of every text that waits for it, and is forgotten when it takes them', () => {
    const { world, alice, bob, atAlice } = filled(4, HOUR_MS, 3 * HOUR_MS);
    alice.send(atAlice, 'text 5');
    expect(reasons(alice)).toEqual(['accepted', 'accepted', 'accepted', 'mailbox-full', 'mailbox-full']);
    expect(hold(alice, atAlice)).toMatchObject({ code: 'mailbox-full' });
    world.run(4 * HOUR_MS);
    expect(bob.shown()).toEqual(['text 1', 'text 2', 'text 3', 'text 4', 'text 5']);
    expect(reasons(alice)).toEqual(['delivered', 'delivered', 'delivered', 'delivered', 'delivered']);
    expect(hold(alice, atAlice)).toBeNull();
  });

  it('is asked again at once when its owner is heard, long before the advice is over', () => {
    const { world, bob } = filled(5, HOUR_MS, 60_000);
    world.run(70_000);
    expect(bob.shown()).toEqual(['text 1', 'text 2', 'text 3', 'text 4']);
  });

  it('keeps its distance when the clock is set back', () => {
    const { world, alice, atAlice } = filled(6, HOUR_MS);
    const leftMs = () => hold(alice, atAlice)!.until - alice.core.memory.now;
    const before = leftMs();
    world.now -= 24 * HOUR_MS;
    alice.input({ type: 'wake' });
    expect(leftMs()).toBe(before);
  });

  it('is tried again soon after its owner collects again, also where a direct path swallows what they say', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(10, 1);
    expect([alice.path(atAlice), bob.path(atBob)]).toEqual(['direct', 'direct']);
    bob.lose('collect', 60_000);
    world.mailboxMax = 0;
    world.adviceMs = HOUR_MS;
    world.swallowing = true;
    alice.send(atAlice, 'swallowed');
    // Bob is heard directly until the relay has refused.
    const { contacts } = alice.core.memory;
    for (let ms = 0; ms < 4_000; ms += 500) world.later(ms, () => { contacts.get(atAlice)!.heardDirectAt = world.now; });
    world.run(10_000);
    expect([alice.path(atAlice), alice.states(), contacts.get(atAlice)!.hold?.code]).toEqual(['direct', ['queued'], 'mailbox-full']);
    world.mailboxMax = ROOM;
    world.run(60_000);
    expect([bob.shown(), alice.states()]).toEqual([['swallowed'], ['delivered']]);
  });

  it('keeps no text back for long once its owner collects, whatever relay, mailboxes and direct path did before, and loses and doubles none', () => {
    fc.assert(fc.property(fc.integer(), (seed) => {
      const { world, alice, bob, atAlice, atBob } = acquaint(seed, 1);
      const upTo = (most: number): number => Math.floor(world.chance() * most);
      world.adviceMs = HOUR_MS;
      for (let second = 0; second < 300; second += 1) world.later(second * 1_000, () => {
        const [who, to] = upTo(2) === 0 ? [alice, atAlice] as const : [bob, atBob] as const;
        const event = upTo(100);
        if (event < 5) world.swallowing = !world.swallowing;
        else if (event < 12) world.mailboxMax = upTo(3) === 0 ? Infinity : ROOM;
        else if (event < 15) who.lose('collect', upTo(40_000));
        else if (event < 17) who.lose('deposit', upTo(40_000));
        else if (event < 18) who.crash(upTo(20_000));
        else if (event < 20) who.cutDirect();
        else if (event < 50) who.send(to, `text ${second}`);
      });
      world.run(300_000);
      world.mailboxMax = Infinity;
      world.run(HOUR_MS / 2);
      const written = (client: VirtualClient): string[] => [...client.disk.messages.values()].filter(({ direction }) => direction === 'out').map(({ text }) => text);
      expect([bob.shown().toSorted(), alice.shown().toSorted()]).toEqual([written(alice).toSorted(), written(bob).toSorted()]);
      expect(new Set([...alice.states(), ...bob.states()])).toEqual(new Set(['delivered']));
      // The same worlds every time: in one of thousands two full mailboxes wait for each other for longer.
    }), { numRuns: 30, seed: 1 });
  });

  it('holds nothing back from a direct path', () => {
    const { world, alice, bob, atAlice } = filled(7, HOUR_MS, 10_000);
    world.mailboxMax = 1_000;
    world.weather = FAIR;
    world.run(60_000);
    expect(alice.path(atAlice)).toBe('direct');
    world.mailboxMax = 0;
    alice.send(atAlice, 'directly');
    world.run(1_000);
    expect(bob.shown().at(-1)).toBe('directly');
    expect(hold(alice, atAlice)).toBeNull();
  });
});
