import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ready } from '../../../crypto/sodium.js';
import { FAIR } from '../../support/network.js';
import { World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';

beforeAll(ready);

function acquaint(world: World): { alice: VirtualClient; bob: VirtualClient; atAlice: string; atBob: string } {
  const alice = world.client('Alice');
  const bob = world.client('Bob');
  const atBob = bob.accept(alice.invite());
  world.run(2_000);
  const atAlice = [...alice.core.memory.contacts.keys()][0]!;
  return { alice, bob, atAlice, atBob };
}

/** Bob is away, and what Alice has written to him is gone from the relay. */
function losing(seed: number, text: string): { world: World; alice: VirtualClient; bob: VirtualClient; atAlice: string } {
  const world = new World(seed, { ...FAIR, direct: 0 });
  const { alice, bob, atAlice } = acquaint(world);
  bob.crash(60_000);
  world.run(1_000);
  alice.send(atAlice, text);
  world.run(1_000);
  for (const box of world.mailboxes.values()) box.envelopes.clear();
  return { world, alice, bob, atAlice };
}

describe('two clients', () => {
  it('become contacts by a link and talk both ways', () => {
    const world = new World(1);
    const { alice, bob, atAlice, atBob } = acquaint(world);
    alice.send(atAlice, 'hello Bob');
    bob.send(atBob, 'hello Alice');
    world.run(1_000);
    expect(bob.shown()).toEqual(['hello Bob']);
    expect(alice.shown()).toEqual(['hello Alice']);
    expect(alice.states()).toEqual(['delivered']);
    expect(bob.states()).toEqual(['delivered']);
  });

  it('go direct by themselves and say so', () => {
    const world = new World(2);
    const { alice, bob, atAlice, atBob } = acquaint(world);
    world.run(5_000);
    expect([alice.path(atAlice), bob.path(atBob)]).toEqual(['direct', 'direct']);
    const before = world.seen.length;
    alice.send(atAlice, 'by the direct path');
    world.run(1_000);
    expect(bob.shown()).toEqual(['by the direct path']);
    expect(world.seen.length).toBe(before);
  });

  it('never go direct with a contact that may not see our address', () => {
    const world = new World(3, { ...FAIR, direct: 0 });
    const { alice, bob, atAlice, atBob } = acquaint(world);
    bob.input({ type: 'policy', contact: atBob, policy: 'relay-only' });
    world.weather = FAIR;
    world.run(600_000);
    expect([alice.path(atAlice), bob.path(atBob)]).toEqual(['relay', 'relay']);
    expect(bob.calls.size).toBe(0);
  });

  it('deliver to somebody who is away, and learn it when they are back', () => {
    const world = new World(4, { ...FAIR, direct: 0 });
    const { alice, bob, atAlice } = acquaint(world);
    bob.crash(86_400_000);
    world.run(1_000);
    alice.send(atAlice, 'for later');
    world.run(1_000);
    expect(alice.states()).toEqual(['accepted']);
    world.run(86_400_000);
    expect(bob.shown()).toEqual(['for later']);
    expect(alice.states()).toEqual(['delivered']);
  });

  it('tell read only when the person has seen it', () => {
    const world = new World(5);
    const { alice, bob, atAlice, atBob } = acquaint(world);
    alice.send(atAlice, 'one');
    alice.send(atAlice, 'two');
    world.run(1_000);
    bob.input({ type: 'read', contact: atBob, number: 1 });
    world.run(1_000);
    expect(alice.states()).toEqual(['read', 'delivered']);
  });

  it('keep the order and lose nothing when the direct path is cut in the middle of 1,000 messages', () => {
    const world = new World(6);
    const { alice, bob, atAlice } = acquaint(world);
    world.run(5_000);
    expect(alice.path(atAlice)).toBe('direct');
    for (let number = 0; number < 1_000; number += 1) world.later(number, () => alice.send(atAlice, String(number)));
    world.later(500, () => alice.cutDirect());
    world.run(60_000);
    expect(bob.shown()).toEqual(Array.from({ length: 1_000 }, (_, number) => String(number)));
    expect(new Set(alice.states())).toEqual(new Set(['delivered']));
  });

  it('agree on one session when their invitations cross', () => {
    for (const seed of [7, 8, 9]) {
      const world = new World(seed, { ...FAIR, direct: 0 });
      const alice = world.client('Alice');
      const bob = world.client('Bob');
      const [toAlice, toBob] = [alice.invite(), bob.invite()];
      alice.input({ type: 'accept', request: 900, link: toBob });
      bob.input({ type: 'accept', request: 900, link: toAlice });
      world.run(10_000);
      const [atAlice, atBob] = [[...alice.core.memory.contacts.keys()][0]!, [...bob.core.memory.contacts.keys()][0]!];
      alice.send(atAlice, 'from Alice');
      bob.send(atBob, 'from Bob');
      world.run(60_000);
      expect(bob.shown()).toEqual(['from Alice']);
      expect(alice.shown()).toEqual(['from Bob']);
    }
  });

  it('ask again for what the relay has lost', () => {
    const { world, alice, bob, atAlice } = losing(10, 'lost by the relay');
    alice.send(atAlice, 'kept');
    world.run(200_000);
    expect(bob.shown()).toEqual(['lost by the relay', 'kept']);
    expect(alice.states()).toEqual(['delivered', 'delivered']);
  });

  it('notice a lost last message when they meet again', () => {
    const { world, alice, bob } = losing(11, 'the last word');
    world.run(300_000);
    expect(bob.shown()).toEqual(['the last word']);
    expect(alice.states()).toEqual(['delivered']);
  });

  it('notice what the relay has lost although a direct path is open that swallows every question about it', () => {
    const { world, alice, bob, atAlice } = losing(13, 'lost by the relay');
    world.weather = FAIR;
    for (let ms = 0; alice.path(atAlice) !== 'direct' && ms < 100_000; ms += 10) world.run(10);
    world.swallowing = true;
    world.run(1_000_000);
    expect(bob.shown()).toEqual(['lost by the relay']);
    expect(alice.states()).toEqual(['delivered']);
  });

  it('lose nothing, double nothing and keep the order through crashes, cuts and relay restarts at random moments', () => {
    fc.assert(fc.property(fc.integer(), (seed) => {
      const world = new World(seed);
      const { alice, bob, atAlice, atBob } = acquaint(world);
      world.weather = { delayMs: 30, crash: 0.01, cut: 0.01, direct: 0.7 };
      const sent: Record<'alice' | 'bob', string[]> = { alice: [], bob: [] };
      for (let number = 0; number < 60; number += 1) {
        world.later(number * 700, () => {
          alice.send(atAlice, `a${number}`);
          bob.send(atBob, `b${number}`);
        });
      }
      for (let number = 0; number < 4; number += 1) world.later(number * 9_000 + 100, () => world.restartRelay());
      world.run(60_000);
      world.weather = FAIR;
      world.run(3_600_000);
      // A send that was killed before its commit was never promised; what is on the disk was.
      for (const [name, client] of [['alice', alice], ['bob', bob]] as const) {
        sent[name] = [...client.disk.messages.values()].filter(({ direction }) => direction === 'out').toSorted((a, b) => a.number - b.number).map(({ text }) => text);
      }
      expect(bob.shown()).toEqual(sent.alice);
      expect(alice.shown()).toEqual(sent.bob);
      expect(new Set([...alice.states(), ...bob.states()])).toEqual(new Set(['delivered']));
      expect([...alice.disk.outgoing.values(), ...bob.disk.outgoing.values()]).toEqual([]);
    }), { numRuns: 30 });
  });

  it('show the relay nothing that is readable', () => {
    const world = new World(12, { ...FAIR, direct: 0 });
    const { alice, atAlice } = acquaint(world);
    alice.send(atAlice, 'a plain secret');
    world.run(1_000);
    const everything = Buffer.concat([...world.seen, ...world.cards.values()]);
    expect(['a plain secret', 'Alice', 'relay.test'].filter((secret) => everything.includes(secret))).toEqual([]);
    expect(everything.includes(Buffer.from(alice.core.memory.identity.ed))).toBe(false);
  });
});
