// Strangers come by an address, in the virtual world: what the owner keeps, what leaves before approval, and what becomes of it.

import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { WEEK_MS, weekOf } from '../../../crypto/address.js';
import { FLIGHT_BYTES } from '../../../crypto/handshake.js';
import { ready } from '../../../crypto/sodium.js';
import { REQUEST_BYTES_MAX, REQUEST_TEXTS_MAX, REQUESTS_MAX } from '../../../client/core/requests.js';
import { FAIR } from '../../support/network.js';
import { World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';

beforeAll(ready);

const DAY = 86_400_000;
const BY_RELAY = { ...FAIR, direct: 0 };
const idOf = (client: VirtualClient): string => client.core.memory.id;
const waiting = (client: VirtualClient): string[] => [...client.core.memory.requests.values()].map(({ record }) => record.name);

function street(seed: number, weather = BY_RELAY): { world: World; alice: VirtualClient; link: string } {
  const world = new World(seed, weather);
  const alice = world.client('Alice');
  world.run(100);
  return { world, alice, link: alice.address() };
}

/** A stranger who has the link and writes. */
function stranger(world: World, name: string, link: string, ...texts: readonly string[]): { client: VirtualClient; at: string } {
  const client = world.client(name);
  const at = client.accept(link);
  for (const text of texts) client.send(at, text);
  return { client, at };
}

/** The first envelope that is put while `act` runs; the relay loses it. */
function swallowed(world: World, act: () => void): Uint8Array {
  const put = world.put.bind(world);
  const taken: Uint8Array[] = [];
  world.put = (_mailbox, _token, bytes) => {
    taken.push(bytes);
    return null;
  };
  act();
  world.run(1_000);
  world.put = put;
  return taken[0]!;
}

describe('an address', () => {
  it('is one link until it is replaced, with the cards of this week and of the next four at the relay', () => {
    const { world, alice, link } = street(1);
    world.run(1_000);
    expect(alice.address()).toBe(link);
    const current = weekOf(world.now);
    expect([...alice.core.memory.weeks.values()].map(({ week, published }) => [week, published])).toEqual([0, 1, 2, 3, 4].map((ahead) => [current + ahead, true]));
    alice.crash();
    world.run(5_000);
    expect([alice.address(), world.cards.size]).toEqual([link, 5]);
  });

  it('gets a card more with each week, and keeps secrets no longer than a flight may wait', () => {
    const { world, alice } = street(2);
    for (let week = 0; week < 12; week += 1) {
      world.run(WEEK_MS);
      const current = weekOf(world.now);
      const kept = [...alice.core.memory.weeks.values()];
      expect(Math.max(...kept.map(({ week: one }) => one))).toBe(current + 4);
      expect(kept.every(({ expiresAt }) => expiresAt + 30 * DAY > world.now - 3_600_000)).toBe(true);
      expect(kept.length).toBeLessThanOrEqual(10);
      expect(new Set(alice.disk.weeks.keys())).toEqual(new Set(alice.core.memory.weeks.keys()));
    }
    expect(alice.core.memory.weeks.size).toBeGreaterThanOrEqual(9);
  });

  it('that is replaced or closed serves nobody, and its mailbox is gone also if the relay was away', () => {
    const { world, alice, link } = street(3);
    const old = alice.core.memory.address!.mailbox.mailbox;
    const [one] = [world.client('One')];
    const at = one.accept(link);
    const next = alice.address('new');
    world.run(1_000);
    expect(next).not.toBe(link);
    expect(world.mailboxes.has(old)).toBe(false);
    expect(alice.core.memory.closing.size).toBe(0);
    one.send(at, 'too late');
    world.run(60_000);
    expect(one.states()).toEqual(['queued']);
    alice.input({ type: 'link', relay: 'https://relay.test', role: 'collect', online: false, rttMs: 0 });
    alice.input({ type: 'address', request: 500, change: 'close' });
    const { mailbox } = [...alice.core.memory.closing.values()][0]!;
    expect([alice.disk.weeks.size, alice.disk.flights.size, alice.disk.address]).toEqual([0, 0, null]);
    alice.crash();
    world.run(5_000);
    expect([world.mailboxes.has(mailbox), alice.disk.closing.size]).toEqual([false, 0]);
  });
});

describe('a stranger', () => {
  it('waits, and learns nothing before approval: the owner only saves, and acknowledges to their own relay', () => {
    const { world, alice, link } = street(4, FAIR);
    world.run(1_000);
    const said = new Set<string>();
    const { core } = alice;
    const handle = core.handle.bind(core);
    core.handle = (input, now) => {
      const outputs = handle(input, now);
      for (const { type } of outputs) said.add(type);
      return outputs;
    };
    const { client: bob, at } = stranger(world, 'Bob', link, 'It is Bob', 'from the fair');
    world.run(DAY);
    expect(waiting(alice)).toEqual(['Bob']);
    expect(said).toEqual(new Set(['wake', 'save', 'request', 'acknowledge']));
    expect([alice.core.memory.contacts.size, alice.shown(), alice.disk.messages.size]).toEqual([0, [], 0]);
    expect(bob.core.memory.contacts.get(at)!.record.heardAt).toBe(0);
    expect(bob.states()).toEqual(['accepted', 'accepted']);
  });

  it('who is approved has said everything once and in order, is answered at a mailbox of their own, and goes direct', () => {
    const { world, alice, link } = street(5, FAIR);
    const { client: bob, at } = stranger(world, 'Bob', link, 'one', 'two');
    world.run(5_000);
    alice.approve(idOf(bob));
    world.run(5_000);
    expect([alice.shown(), bob.states()]).toEqual([['one', 'two'], ['delivered', 'delivered']]);
    expect([...alice.disk.messages.values()].map(({ path }) => path)).toEqual(['relay', 'relay']);
    const contact = alice.core.memory.contacts.get(idOf(bob))!.record;
    expect(bob.core.memory.contacts.get(at)!.record.outbox.mailbox).toBe(contact.inbox.mailbox);
    expect(contact.inbox.mailbox).not.toBe(alice.core.memory.address!.mailbox.mailbox);
    expect(contact.helloOwed).toBe(false);
    expect([alice.path(idOf(bob)), bob.path(at)]).toEqual(['direct', 'direct']);
    alice.send(idOf(bob), 'hello');
    bob.send(at, 'three');
    world.run(5_000);
    expect([alice.shown(), bob.shown()]).toEqual([['one', 'two', 'three'], ['hello']]);
    expect(waiting(alice)).toEqual([]);
  });

  it('who is approved learns the new mailbox also if the relay loses the first answers', () => {
    const { world, alice, link } = street(21);
    const { client: bob, at } = stranger(world, 'Bob', link, 'one');
    world.run(5_000);
    const put = world.put.bind(world);
    world.put = (mailbox, token, bytes, ttlSeconds) => (world.mailboxes.get(mailbox)?.owner === bob ? null : put(mailbox, token, bytes, ttlSeconds));
    alice.approve(idOf(bob));
    world.run(1_000);
    bob.send(at, 'two');
    world.run(60_000);
    world.put = put;
    bob.send(at, 'three');
    world.run(600_000);
    bob.send(at, 'four');
    world.run(600_000);
    expect([alice.shown(), bob.states()]).toEqual([['one', 'two', 'three', 'four'], Array(4).fill('delivered')]);
  });

  it('who is refused is forgotten, and no repetition brings them back', () => {
    const { world, alice, link } = street(6);
    const before = world.seen.length;
    const { client: bob, at } = stranger(world, 'Bob', link, 'let me in');
    world.run(5_000);
    alice.refuse(idOf(bob));
    bob.send(at, 'please');
    const { mailbox } = alice.core.memory.address!.mailbox;
    for (const envelope of world.seen.slice(before)) alice.input({ type: 'delivery', mailbox, sequence: 900, envelope, ageMs: 0 });
    world.run(60_000);
    expect([waiting(alice), alice.core.memory.contacts.size, alice.disk.requests.size]).toEqual([[], 0, 0]);
    expect(JSON.stringify([...alice.disk.flights.values()])).not.toContain(idOf(bob));
    expect(bob.states()).toEqual(['accepted', 'accepted']);
    alice.crash();
    world.run(5_000);
    for (const envelope of world.seen.slice(before)) alice.input({ type: 'delivery', mailbox, sequence: 900, envelope, ageMs: 0 });
    expect(waiting(alice)).toEqual([]);
  });

  it('whose flight is repeated after approval, or from another session than theirs now, changes nothing', () => {
    const { world, alice, link } = street(7);
    const before = world.seen.length;
    const { client: bob, at } = stranger(world, 'Bob', link, 'once');
    world.run(5_000);
    alice.approve(idOf(bob));
    world.run(5_000);
    const { mailbox } = alice.core.memory.address!.mailbox;
    for (const envelope of world.seen.slice(before)) alice.input({ type: 'delivery', mailbox, sequence: 900, envelope, ageMs: 0 });
    bob.send(at, 'twice');
    world.run(60_000);
    expect([alice.shown(), waiting(alice), bob.states()]).toEqual([['once', 'twice'], [], ['delivered', 'delivered']]);
  });

  it('who writes 50 texts before approval loses none, though fewer are kept', () => {
    const { world, alice, link } = street(8);
    const texts = Array.from({ length: 50 }, (_, number) => `text ${number}`);
    const { client: bob } = stranger(world, 'Bob', link, ...texts);
    world.run(5_000);
    const { record } = alice.core.memory.requests.get(idOf(bob))!;
    expect([record.texts.length, record.lastNumber]).toEqual([REQUEST_TEXTS_MAX, 50]);
    alice.input({ type: 'approve', request: 600, id: idOf(bob) });
    expect(alice.core.memory.contacts.get(idOf(bob))!.record.lacking).toEqual(Array.from({ length: 30 }, (_, index) => 21 + index));
    world.run(600_000);
    expect(alice.shown()).toEqual(texts);
    expect(new Set(bob.states())).toEqual(new Set(['delivered']));
  });

  it('who writes much at once keeps little room', () => {
    const { world, alice, link } = street(9);
    const texts = Array.from({ length: 4 }, (_, number) => String(number).repeat(10_000));
    const { client: bob } = stranger(world, 'Bob', link, ...texts);
    world.run(5_000);
    const { record } = alice.core.memory.requests.get(idOf(bob))!;
    expect(record.texts.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(REQUEST_BYTES_MAX);
    expect(record.texts.length).toBe(1);
    alice.approve(idOf(bob));
    world.run(600_000);
    expect(alice.shown()).toEqual(texts);
  });

  it('is one of two who come at once, and each is decided alone', () => {
    const { world, alice, link } = street(10);
    const { client: bob, at } = stranger(world, 'Bob', link, 'I am Bob');
    const { client: eve } = stranger(world, 'Eve', link, 'I am Eve');
    world.run(5_000);
    expect(waiting(alice).toSorted()).toEqual(['Bob', 'Eve']);
    alice.refuse(idOf(eve));
    alice.approve(idOf(bob));
    world.run(5_000);
    bob.send(at, 'thanks');
    world.run(5_000);
    expect([alice.shown(), eve.shown(), eve.states()]).toEqual([['I am Bob', 'thanks'], [], ['accepted']]);
  });

  it('finds an owner who was away for three weeks, and one who comes back when the week has changed', () => {
    const { world, alice, link } = street(11);
    alice.crash(3 * WEEK_MS);
    world.run(20 * DAY);
    const { client: bob } = stranger(world, 'Bob', link, 'anybody here?');
    world.run(2 * DAY);
    expect(waiting(alice)).toEqual(['Bob']);
    alice.approve(idOf(bob));
    world.run(5_000);
    expect([alice.shown(), bob.states()]).toEqual([['anybody here?'], ['delivered']]);
  });

  it('who came in one week is understood in the next, and 29 days later too', () => {
    const { world, alice, link } = street(12);
    const one = stranger(world, 'One', link);
    alice.crash(29 * DAY);
    one.client.send(one.at, 'before the week changed');
    world.run(29 * DAY + 5_000);
    expect(waiting(alice)).toEqual(['One']);
    alice.approve(idOf(one.client));
    world.run(60_000);
    expect(alice.shown()).toEqual(['before the week changed']);
  });

  it('is told that the link has expired when the owner was away for longer than cards are made ahead', () => {
    const { world, alice, link } = street(13);
    alice.crash(60 * DAY);
    world.run(40 * DAY);
    expect(() => world.client('Bob').accept(link)).toThrow(/expired/);
  });

  it('who comes when too many wait is not kept, and may come again when there is room', () => {
    const { world, alice, link } = street(14);
    const flood = Array.from({ length: REQUESTS_MAX }, (_, number) => stranger(world, `Bot ${number}`, link));
    world.run(1_000);
    expect([alice.core.memory.requests.size, alice.notices.filter((notice) => notice === 'requests-full').length]).toEqual([REQUESTS_MAX, 1]);
    const { client: bob, at } = stranger(world, 'Bob', link, 'one');
    world.run(1_000);
    expect(waiting(alice)).not.toContain('Bob');
    alice.refuse(idOf(flood[0]!.client));
    bob.send(at, 'two');
    world.run(1_000);
    expect(waiting(alice)).toContain('Bob');
    alice.approve(idOf(bob));
    world.run(120_000);
    expect([alice.shown(), bob.states()]).toEqual([['one', 'two'], ['delivered', 'delivered']]);
  }, 120_000);

  it('who is approved although the address was replaced meanwhile loses nothing', () => {
    const { world, alice, link } = street(15);
    const { client: bob, at } = stranger(world, 'Bob', link, 'before');
    world.run(5_000);
    alice.address('new');
    world.run(1_000);
    bob.send(at, 'between');
    world.run(5_000);
    alice.approve(idOf(bob));
    world.run(600_000);
    expect([alice.shown(), bob.states()]).toEqual([['before', 'between'], ['delivered', 'delivered']]);
  });

  it('loses and doubles nothing through crashes of both sides at random moments', () => {
    fc.assert(fc.property(fc.integer(), (seed) => {
      const { world, alice, link } = street(seed);
      const { client: bob, at } = stranger(world, 'Bob', link);
      world.weather = { ...BY_RELAY, crash: 0.05 };
      for (let number = 0; number < 20; number += 1) world.later(number * 400, () => bob.send(at, `b${number}`));
      world.later(4_000, () => alice.input({ type: 'approve', request: 700, id: idOf(bob) }));
      world.run(30_000);
      world.weather = BY_RELAY;
      world.run(60_000);
      if (waiting(alice).length > 0) alice.approve(idOf(bob));
      world.run(3_600_000);
      const sent = [...bob.disk.messages.values()].toSorted((a, b) => a.number - b.number).map(({ text }) => text);
      expect(alice.shown()).toEqual(sent);
      expect(new Set(bob.states())).toEqual(new Set(sent.length > 0 ? ['delivered'] : []));
      expect([alice.disk.requests.size, alice.core.memory.contacts.size]).toEqual([0, 1]);
      expect([...alice.disk.outgoing.values(), ...bob.disk.outgoing.values()]).toEqual([]);
    }), { numRuns: 25 });
  });
});

describe('somebody who has asked', () => {
  it('is approved by accepting their own link, and no second session begins', () => {
    const { world, alice, link } = street(16);
    const { client: bob, at } = stranger(world, 'Bob', link, 'here I am');
    const toBob = bob.address();
    world.run(5_000);
    expect(alice.accept(toBob)).toBe(idOf(bob));
    world.run(5_000);
    expect([alice.shown(), bob.states(), bob.core.memory.contacts.get(at)!.record.flight]).toEqual([['here I am'], ['delivered'], null]);
  });

  it('and is asked at the same moment ends in one session, whoever has the lower id', () => {
    for (let seed = 40; seed < 52; seed += 1) {
      const { world, alice, link } = street(seed);
      const bob = world.client('Bob');
      world.run(100);
      const toBob = bob.address();
      world.run(1_000);
      alice.input({ type: 'accept', request: 800, link: toBob });
      bob.input({ type: 'accept', request: 800, link });
      world.run(10_000);
      expect([waiting(alice), waiting(bob)]).toEqual([[], []]);
      alice.send(idOf(bob), 'from Alice');
      bob.send(idOf(alice), 'from Bob');
      world.run(60_000);
      expect([alice.shown(), bob.shown(), alice.states(), bob.states()]).toEqual([['from Bob'], ['from Alice'], ['delivered'], ['delivered']]);
    }
  });

  it('and is a contact by an invitation meanwhile waits no longer', () => {
    const { world, alice, link } = street(17);
    const { client: bob, at } = stranger(world, 'Bob', link, 'here I am');
    world.run(1_000);
    bob.accept(alice.invite());
    world.run(60_000);
    expect([waiting(alice), alice.shown(), bob.states()]).toEqual([[], ['here I am'], ['delivered']]);
    bob.send(at, 'more');
    world.run(60_000);
    expect(alice.shown()).toEqual(['here I am', 'more']);
  });

  it('again, as a contact who has removed the owner, waits for approval, also once the owner has removed them too', () => {
    const { world, alice, link } = street(19);
    const { client: bob, at } = stranger(world, 'Bob', link, 'before');
    world.run(1_000);
    alice.approve(idOf(bob));
    world.run(5_000);
    bob.part('remove', at);
    world.run(5_000);
    bob.send(bob.accept(link), 'anew');
    bob.send(at, 'and more');
    world.run(60_000);
    expect([waiting(alice), alice.shown(), alice.notices]).toEqual([['Bob'], ['before'], []]);
    alice.part('remove', idOf(bob));
    bob.send(at, 'once more');
    world.run(5_000);
    alice.approve(idOf(bob));
    world.run(60_000);
    expect([alice.shown(), bob.states()]).toEqual([['anew', 'and more', 'once more'], ['delivered', 'delivered', 'delivered']]);
  });

  it('again, as a contact whose session works, waits too, and changes nothing', () => {
    const { world, alice, link } = street(18);
    const before = world.seen.length;
    const { client: bob, at } = stranger(world, 'Bob', link);
    world.run(1_000);
    alice.approve(idOf(bob));
    world.run(5_000);
    // Bob's home as it was before: the same identity comes by the address once more, with another flight.
    const twin = world.client('Bob');
    Object.assign(twin.disk, { self: bob.disk.self });
    twin.crash(1);
    world.run(1_000);
    twin.send(twin.accept(link), 'from the twin');
    world.run(5_000);
    expect([waiting(alice), alice.shown(), alice.notices]).toEqual([['Bob'], [], []]);
    bob.send(at, 'still here');
    world.run(60_000);
    expect([alice.shown(), bob.states()]).toEqual([['still here'], ['delivered']]);
    expect(world.seen.length).toBeGreaterThan(before);
  });
});

describe('the mailbox of an address', () => {
  it('takes whatever anybody puts there, and keeps nothing of it', () => {
    const { world, alice, link } = street(19);
    const genuine = swallowed(world, () => stranger(world, 'Bob', link));
    const { mailbox } = alice.core.memory.address!.mailbox;
    const disk = JSON.stringify(alice.disk.snapshot());
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 5_000 }),
      fc.nat(genuine.length - 1).map((length) => genuine.slice(0, length)),
      fc.nat(genuine.length * 8 - 1).map((bit) => genuine.with(bit >> 3, genuine[bit >> 3]! ^ (1 << (bit & 7)))),
    );
    fc.assert(fc.property(garbage, (envelope) => {
      const outputs = alice.core.handle({ type: 'delivery', mailbox, sequence: 1, envelope, ageMs: 0 }, world.now);
      expect(outputs.map(({ type }) => type).filter((type) => type !== 'wake')).toEqual(['acknowledge']);
    }), { numRuns: 60 });
    expect(JSON.stringify(alice.disk.snapshot())).toBe(disk);
    expect(genuine.length).toBeGreaterThan(FLIGHT_BYTES);
    alice.input({ type: 'delivery', mailbox, sequence: 1, envelope: genuine, ageMs: 0 });
    expect(waiting(alice)).toEqual(['Bob']);
  });

  it('of somebody who waits takes no forged word', () => {
    const { world, alice, link } = street(20);
    const before = world.seen.length;
    stranger(world, 'Bob', link, 'genuine');
    world.run(1_000);
    const genuine = world.seen[before]!;
    const { mailbox } = alice.core.memory.address!.mailbox;
    fc.assert(fc.property(fc.nat((genuine.length - 32) * 8 - 1), (bit) => {
      const at = 32 + (bit >> 3);
      const envelope = genuine.with(at, genuine[at]! ^ (1 << (bit & 7)));
      const outputs = alice.core.handle({ type: 'delivery', mailbox, sequence: 1, envelope, ageMs: 0 }, world.now);
      expect(outputs.filter(({ type }) => type === 'save')).toEqual([]);
    }), { numRuns: 60 });
  });
});
