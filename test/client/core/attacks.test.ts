// What somebody tried once, so that nobody succeeds with it again.

import { beforeAll, describe, expect, it } from 'vitest';
import { isName } from '../../../crypto/name.js';
import { ready } from '../../../crypto/sodium.js';
import { isThisMachine } from '../../../client/core/sdp.js';
import { FAIR } from '../../support/network.js';
import { World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';

beforeAll(ready);

const DAY = 86_400_000;
const BY_RELAY = { ...FAIR, direct: 0 };
const idOf = (client: VirtualClient): string => client.core.memory.id;

/** Two who have accepted each other's invitation at once; `low` has the lower identity id. */
function crossed(seed: number): { world: World; low: VirtualClient; high: VirtualClient; lowInvitation: string } {
  const world = new World(seed, BY_RELAY);
  const [one, other] = [world.client('One'), world.client('Other')];
  const [low, high] = idOf(one) < idOf(other) ? [one, other] : [other, one];
  const [toLow, toHigh] = [low.invite(), high.invite()];
  const lowInvitation = [...low.core.memory.invitations.values()][0]!.mailbox.mailbox;
  high.input({ type: 'accept', request: 900, link: toLow });
  low.input({ type: 'accept', request: 900, link: toHigh });
  return { world, low, high, lowInvitation };
}

function acquaint(seed: number): { world: World; alice: VirtualClient; bob: VirtualClient } {
  const world = new World(seed, BY_RELAY);
  const [alice, bob] = [world.client('Alice'), world.client('Bob')];
  bob.accept(alice.invite());
  world.run(5_000);
  return { world, alice, bob };
}

describe('crossing invitations', () => {
  it('lose and double nothing that was written before the sessions met', () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      const { world, low, high } = crossed(seed);
      for (let waited = 0; waited < 100 && high.core.memory.contacts.size === 0; waited += 1) world.run(1);
      for (const text of ['1', '2', '3']) high.send(idOf(low), text);
      world.run(10_000);
      high.send(idOf(low), '4');
      low.send(idOf(high), 'answer');
      world.run(DAY);
      expect(low.shown()).toEqual(['1', '2', '3', '4']);
      expect(high.shown()).toEqual(['answer']);
      expect(new Set([...high.states(), ...low.states()])).toEqual(new Set(['delivered']));
    }
  });

  it('keep the session that won when the losing flight comes late, or again', () => {
    const { world, low, high, lowInvitation } = crossed(2);
    world.run(5_000);
    const flights = world.seen.filter((envelope) => envelope.length === 4_096);
    for (const envelope of flights) low.input({ type: 'delivery', mailbox: lowInvitation, sequence: 99, envelope, ageMs: 0 });
    world.run(2_000);
    low.send(idOf(high), 'to the high one');
    high.send(idOf(low), 'to the low one');
    world.run(DAY);
    expect([low.shown(), high.shown()]).toEqual([['to the low one'], ['to the high one']]);
  });
});

describe('an invitation', () => {
  it('that was accepted in time loses nothing, although its maker comes back after it has expired', () => {
    const world = new World(5, BY_RELAY);
    const [alice, bob] = [world.client('Alice'), world.client('Bob')];
    const link = alice.invite();
    alice.crash(2 * 3_600_000);
    world.run(1_000);
    bob.send(bob.accept(link), 'hello');
    world.run(3 * 3_600_000);
    expect([alice.shown(), bob.states()]).toEqual([['hello'], ['delivered']]);
  });

  it('that is accepted twice destroys nothing', () => {
    const { world, alice, bob } = acquaint(6);
    const link = alice.invite();
    expect(() => bob.accept(link)).toThrow(/contact already/);
    alice.send(idOf(bob), 'still here');
    bob.send(idOf(alice), 'here too');
    world.run(60_000);
    expect([bob.shown(), alice.shown()]).toEqual([['still here'], ['here too']]);
  });

  it('that each has of the other, used one after the other, destroys nothing', () => {
    for (let seed = 20; seed < 40; seed += 1) {
      const world = new World(seed, BY_RELAY);
      const [alice, bob] = [world.client('Alice'), world.client('Bob')];
      const [toAlice, toBob] = [alice.invite(), bob.invite()];
      bob.accept(toAlice);
      world.run(60_000);
      expect(() => alice.accept(toBob)).toThrow(/contact already/);
      expect(() => bob.accept(toAlice)).toThrow(/contact already/);
      alice.send(idOf(bob), 'one');
      bob.send(idOf(alice), 'two');
      world.run(60_000);
      expect([bob.shown(), alice.shown()]).toEqual([['one'], ['two']]);
    }
  });
});

describe('a state', () => {
  it('that failed is put right by a receipt that comes late', () => {
    const { world, alice, bob } = acquaint(7);
    bob.crash(20 * DAY);
    world.run(1_000);
    alice.send(idOf(bob), 'hello');
    world.run(1_000);
    alice.crash(31 * DAY);
    world.run(40 * DAY);
    expect([bob.shown(), alice.states()]).toEqual([['hello'], ['delivered']]);
  });

  it('is not put at `read` for a text that came after the person had read on', () => {
    const { world, alice, bob } = acquaint(8);
    const put = world.put.bind(world);
    const isText = (mailbox: string, ttlSeconds: number): boolean => ttlSeconds > 60 && world.mailboxes.get(mailbox)?.owner === bob;
    // The relay swallows the first text, lets the second through, and then every copy of the first.
    let texts = 0;
    let isHeld = true;
    world.put = (mailbox, token, bytes, ttlSeconds) => {
      if (isText(mailbox, ttlSeconds)) texts += 1;
      return isText(mailbox, ttlSeconds) && isHeld && texts !== 2 ? null : put(mailbox, token, bytes, ttlSeconds);
    };
    alice.send(idOf(bob), '1');
    alice.send(idOf(bob), '2');
    world.run(30_000);
    bob.input({ type: 'read', contact: idOf(alice), number: 2 });
    isHeld = false;
    world.run(DAY);
    expect(bob.shown()).toEqual(['2', '1']);
    expect(alice.states()[0]).toBe('delivered');
  });
});

describe('a clock', () => {
  it('that is set back stops no receipt', () => {
    const { world, alice, bob } = acquaint(9);
    let skewMs = 0;
    const { core } = bob;
    const handle = core.handle.bind(core);
    core.handle = (input, now) => handle(input, now + skewMs).map((output) => (output.type === 'wake' ? { ...output, at: output.at - skewMs } : output));
    alice.send(idOf(bob), 'before');
    world.run(5_000);
    skewMs = -3_600_000;
    alice.send(idOf(bob), 'after');
    world.run(60_000);
    expect(alice.states()).toEqual(['delivered', 'delivered']);
  });

  it('whose timer fires early is asked again', () => {
    const { world, alice } = acquaint(10);
    alice.core.handle({ type: 'wake' }, world.now);
    const at = alice.core.memory.timers.next()!;
    expect(alice.core.handle({ type: 'wake' }, at - 1)).toContainEqual({ type: 'wake', at });
  });
});

describe('a relay', () => {
  it('that confirms a text and loses it is found out, though both have been quiet for hours and stay connected', () => {
    const { world, alice, bob } = acquaint(13);
    const put = world.put.bind(world);
    // Nothing but texts and receipts is said where no direct path is wanted.
    for (const [one, other] of [[alice, bob], [bob, alice]] as const) one.input({ type: 'policy', contact: idOf(other), policy: 'relay-only' });
    world.run(5 * 3_600_000);
    world.put = () => null;
    alice.send(idOf(bob), 'lost');
    world.run(60_000);
    expect(alice.states()).toEqual(['accepted']);
    world.put = put;
    world.run(DAY);
    expect(bob.shown()).toEqual(['lost']);
    expect(alice.states()).toEqual(['delivered']);
  });

  it('that repeats an envelope without end makes us speak once a minute at most', () => {
    const { world, alice, bob } = acquaint(11);
    const { mailbox } = alice.core.memory.contacts.get(idOf(bob))!.record.inbox;
    const before = world.seen.length;
    bob.send(idOf(alice), 'once');
    world.run(5_000);
    const repeated = world.seen[before]!;
    const spoken = alice.core.memory.contacts.get(idOf(bob))!.session!.sending.begun!.next;
    bob.crash(DAY);
    for (let time = 0; time < 500; time += 1) {
      alice.input({ type: 'delivery', mailbox, sequence: 1, envelope: repeated, ageMs: 0 });
      world.run(100);
    }
    expect(alice.core.memory.contacts.get(idOf(bob))!.session!.sending.begun!.next - spoken).toBeLessThan(5);
  });
});

describe('somebody who is away', () => {
  it('finds no mailbox full of questions for what is missing', () => {
    const { world, alice, bob } = acquaint(12);
    const put = world.put.bind(world);
    let lost = 0;
    world.put = (mailbox, token, bytes, ttlSeconds) => {
      if (ttlSeconds > 60 && world.mailboxes.get(mailbox)?.owner === bob && lost === 0) {
        lost += 1;
        return null;
      }
      return put(mailbox, token, bytes, ttlSeconds);
    };
    alice.send(idOf(bob), '1');
    alice.send(idOf(bob), '2');
    world.run(50);
    alice.crash(300 * DAY);
    world.run(30 * DAY);
    const { mailbox } = bob.core.memory.contacts.get(idOf(alice))!.record.outbox;
    expect(world.mailboxes.get(mailbox)!.envelopes.size).toBeLessThan(40);
  });
});

describe('a contact', () => {
  it.each(['\u200b', '\u3164', 'Bob\u200b', 'Bob\u2060', '\u00ad', 'B\u{e0041}', ' ', '\u202eboB', 'a\nb'])('cannot be called %j', (name) => {
    expect(isName(name)).toBe(false);
  });

  it.each(['Bob', 'Zoë', 'علی‌رضا', '👨‍👩‍👧', '李', 'O\u2019Hara', '🏳️‍🌈'])('can be called %s', (name) => {
    expect(isName(name)).toBe(true);
  });

  it.each(['localhost', 'LOCALHOST.', 'x.localhost', '127.0.0.1', '127.1.2.3', '0.0.0.0', '::', '::1', '::ffff:7f00:1'])('cannot hide this machine behind %s', (host) => {
    expect(isThisMachine(host)).toBe(true);
  });
});

describe('a receipt', () => {
  it('that the relay has lost is asked for, while both are there', () => {
    const { world, alice, bob } = acquaint(13);
    const put = world.put.bind(world);
    let isLosing = true;
    world.put = (mailbox, token, bytes, ttlSeconds) => (isLosing && world.mailboxes.get(mailbox)?.owner === alice ? null : put(mailbox, token, bytes, ttlSeconds));
    alice.send(idOf(bob), 'hello');
    world.run(60_000);
    isLosing = false;
    expect([bob.shown(), alice.states()]).toEqual([['hello'], ['accepted']]);
    world.run(3_600_000);
    expect(alice.states()).toEqual(['delivered']);
  });
});

describe('a text', () => {
  it('that the relay has lost is asked about soon when somebody who was silent for days is heard again, though the first half hour is lost, too', () => {
    const { world, alice, bob } = acquaint(14);
    const put = world.put.bind(world);
    let isLosing = true;
    world.put = (mailbox, token, bytes, ttlSeconds) => (isLosing && world.mailboxes.get(mailbox)?.owner === bob ? null : put(mailbox, token, bytes, ttlSeconds));
    bob.crash(3 * DAY);
    world.run(1_000);
    alice.send(idOf(bob), 'lost by the relay');
    world.run(3 * DAY);
    bob.send(idOf(alice), 'back');
    world.run(1_800_000);
    isLosing = false;
    expect([bob.shown(), alice.states()]).toEqual([[], ['accepted']]);
    world.run(900_000);
    expect([bob.shown(), alice.states()]).toEqual([['lost by the relay'], ['delivered']]);
  });
});

describe('a standing', () => {
  it('that the relay gives back to its maker makes nobody an old copy', () => {
    const { world, alice, bob } = acquaint(15);
    for (const client of [alice, bob]) {
      client.send(idOf(client === alice ? bob : alice), 'before');
      world.run(5_000);
    }
    for (const [one, other] of [[alice, bob], [bob, alice]] as const) {
      other.crash(DAY);
      world.run(1_000);
      const before = world.seen.length;
      one.send(idOf(other), 'no receipt comes for this');
      world.run(120_000);
      const standings = world.seen.slice(before).filter((envelope) => envelope.length === 4_096);
      expect(standings.length).toBeGreaterThan(0);
      const { mailbox } = one.core.memory.contacts.get(idOf(other))!.record.inbox;
      for (const envelope of standings) one.input({ type: 'delivery', mailbox, sequence: 99, envelope, ageMs: 0 });
      world.run(1_000);
      expect(one.core.memory.contacts.get(idOf(other))!.session).not.toBeNull();
      world.run(2 * DAY);
      expect([...one.notices, ...other.notices]).not.toContain('rolled-back');
    }
  });
});
