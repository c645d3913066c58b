// Sessions that begin anew: old copies of a home, homes from a backup, and both at once.

import { beforeAll, describe, expect, it } from 'vitest';
import { equal } from '../../../crypto/bytes.js';
import { ready } from '../../../crypto/sodium.js';
import { FAIR, type Weather } from '../../support/network.js';
import { type VirtualClient, World } from '../../support/world.js';

beforeAll(ready);

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const BY_RELAY: Weather = { ...FAIR, direct: 0 };

interface Two {
  readonly world: World;
  readonly alice: VirtualClient;
  readonly bob: VirtualClient;
  readonly atAlice: string;
  readonly atBob: string;
}

/** Alice has invited Bob. */
function acquaint(seed: number, weather = BY_RELAY, live = true): Two {
  const world = new World(seed, weather);
  const [alice, bob] = [world.client('Alice', live), world.client('Bob', live)];
  const atBob = bob.accept(alice.invite());
  world.run(5_000);
  return { world, alice, bob, atAlice: bob.core.memory.id, atBob };
}

/** So many turns, each a text and its answer. */
function talk({ world, alice, bob, atAlice, atBob }: Two, turns: number, words: string): void {
  for (let turn = 0; turn < turns; turn += 1) {
    alice.send(atAlice, `${words} ${turn}`);
    world.run(1_000);
    bob.send(atBob, `re ${words} ${turn}`);
    world.run(1_000);
  }
}

const said = (words: string, turns: number): string[] => Array.from({ length: turns }, (_, turn) => `${words} ${turn}`);

/** Both write and both are read, exactly once, and know it; they have one session. */
function expectTalk(two: Two, toBob: readonly string[], toAlice: readonly string[]): void {
  const { world, alice, bob, atAlice, atBob } = two;
  alice.send(atAlice, 'are you there?');
  bob.send(atBob, 'I am');
  world.run(HOUR);
  expect(bob.shown()).toEqual([...toBob, 'are you there?']);
  expect(alice.shown()).toEqual([...toAlice, 'I am']);
  const transcript = (client: VirtualClient, contact: string) => client.core.memory.contacts.get(contact)!.session!.transcript;
  expect(equal(transcript(alice, atAlice), transcript(bob, atBob))).toBe(true);
  for (const client of [alice, bob]) {
    expect(client.states().filter((state) => state !== 'delivered' && state !== 'read')).toEqual([]);
    const [contact] = client.core.memory.contacts.values();
    expect([contact!.record.lacking, contact!.held.size, contact!.record.flight, contact!.record.reset]).toEqual([[], 0, null, null]);
  }
}

/** What a restore writes: everything but what a session is made of. */
function restore(client: VirtualClient, backup: VirtualClient['disk']): void {
  for (const [id, record] of backup.contacts) {
    const resumptions = new Uint8Array([...client.core.memory.contacts.get(id)!.session!.resumption, ...record.resumptions]);
    backup.contacts.set(id, { ...record, session: new Uint8Array(), resumptions, flight: null, flightKey: null, reset: null });
  }
  backup.invitations.clear();
  backup.outgoing.clear();
  client.restore(backup);
}

describe('an old copy of a home', () => {
  it('never shows `delivered` for a text that the contact has another one of, and heals by itself', () => {
    const two = acquaint(1, BY_RELAY, false);
    const { world, alice, bob, atAlice } = two;
    talk(two, 2, 'before');
    const copy = alice.disk.copy();
    // Bob has both, and nobody hears of it.
    const put = world.put.bind(world);
    world.put = (mailbox, ...rest) => (world.mailboxes.get(mailbox)?.owner === alice ? null : put(mailbox, ...rest));
    for (const text of ['lost 1', 'lost 2']) alice.send(atAlice, text);
    world.run(1_000);
    bob.crash(HOUR);
    world.run(1_000);
    world.put = put;
    alice.restore(copy);
    world.run(5_000);
    for (const text of ['new 1', 'new 2', 'new 3', 'new 4']) alice.send(atAlice, text);
    for (let waited = 0; waited < 2_000; waited += 1) {
      world.run(4_000);
      const shown = new Set(bob.shown());
      const claimed = [...alice.disk.messages.values()].filter(({ direction, state }) => direction === 'out' && state === 'delivered').map(({ text }) => text);
      expect(claimed.filter((text) => !shown.has(text))).toEqual([]);
    }
    expect(alice.notices).toEqual(['rolled-back']);
    expect(bob.notices).toContain('session-reset');
    expectTalk(two, [...said('before', 2), 'lost 1', 'lost 2', 'new 1', 'new 2', 'new 3', 'new 4'], said('re before', 2));
  });

  it.each([1, 3, 12])('heals when %i turns were said since it was made, whoever speaks first', (turns) => {
    for (const first of ['alice', 'bob'] as const) {
      const two = acquaint(10 + turns);
      const { world, alice, bob, atAlice, atBob } = two;
      talk(two, 2, 'before');
      const copy = alice.disk.copy();
      talk(two, turns, 'since');
      alice.restore(copy);
      world.run(2_000);
      if (first === 'alice') alice.send(atAlice, 'hello?');
      else bob.send(atBob, 'hello?');
      world.run(3 * HOUR);
      const toBob = [...said('before', 2), ...said('since', turns), ...(first === 'alice' ? ['hello?'] : [])];
      const toAlice = [...said('re before', 2), ...(first === 'bob' ? ['hello?'] : [])];
      expectTalk(two, toBob, toAlice);
      expect(alice.notices).toContain('rolled-back');
      expect(bob.notices).toContain('session-reset');
    }
  });

  it('heals although only receipts were said since, and shows nothing twice that was on its way', () => {
    const two = acquaint(30);
    const { world, alice, bob, atAlice } = two;
    talk(two, 1, 'before');
    bob.crash(60_000);
    world.run(100);
    alice.send(atAlice, 'on its way');
    world.run(1_000);
    const copy = alice.disk.copy();
    world.run(2 * HOUR);
    expect(bob.shown()).toContain('on its way');
    alice.restore(copy);
    world.run(3 * HOUR);
    expectTalk(two, ['before 0', 'on its way'], ['re before 0']);
  });

  it('is taken for one by nobody because bytes were repeated or made up', () => {
    const two = acquaint(31);
    const { world, alice, bob, atAlice, atBob } = two;
    talk(two, 10, 'x');
    const boxes = [[alice, atAlice], [bob, atBob]] as const;
    for (const envelope of [...world.seen, world.random(4_096), world.random(512)]) {
      for (const [client, contact] of boxes) {
        const { mailbox } = client.core.memory.contacts.get(contact)!.record.inbox;
        client.input({ type: 'delivery', mailbox, sequence: 1, envelope, ageMs: 0 });
      }
    }
    world.run(3 * HOUR);
    expect([...alice.notices, ...bob.notices].filter((notice) => notice !== 'undecryptable')).toEqual([]);
    expectTalk(two, said('x', 10), said('re x', 10));
  });
});

describe('a home from a backup', () => {
  it('begins anew with its contacts, who are told; nothing is lost that was written since, and nothing doubled', () => {
    const two = acquaint(40);
    const { world, alice, bob, atAlice, atBob } = two;
    talk(two, 2, 'before');
    const backup = alice.disk.copy();
    talk(two, 9, 'since');
    alice.crash(DAY);
    bob.send(atBob, 'not yet collected');
    world.run(1_000);
    restore(alice, backup);
    world.run(60_000);
    expect(bob.notices).toEqual(['restored']);
    expect(alice.core.memory.contacts.get(atAlice)!.session).not.toBeNull();
    expectTalk(two, [...said('before', 2), ...said('since', 9)], [...said('re before', 2), 'not yet collected']);
    expect(bob.core.memory.contacts.get(atBob)!.record.unread).toBe(12);
  });

  it('finds a contact who was away, with what was written meanwhile', () => {
    const two = acquaint(41);
    const { world, alice, bob, atAlice } = two;
    talk(two, 2, 'before');
    const backup = alice.disk.copy();
    talk(two, 1, 'since');
    bob.crash(2 * DAY);
    world.run(100);
    alice.send(atAlice, 'in the mailbox');
    world.run(100);
    restore(alice, backup);
    world.run(HOUR);
    alice.send(atAlice, 'typed at once');
    expect(alice.states().at(-1)).toBe('queued');
    world.run(3 * DAY);
    expect(bob.notices).toContain('restored');
    expectTalk(two, [...said('before', 2), ...said('since', 1), 'in the mailbox', 'typed at once'], said('re before', 2));
  });

  it('makes another reset when nobody has answered the first for a week', () => {
    const two = acquaint(42);
    const { world, alice, bob } = two;
    talk(two, 2, 'before');
    const backup = alice.disk.copy();
    bob.crash(12 * DAY);
    restore(alice, backup);
    world.run(14 * DAY);
    expectTalk(two, said('before', 2), said('re before', 2));
  });

  it('begins anew also when the contact has had another reset meanwhile', () => {
    const two = acquaint(43);
    const { world, alice } = two;
    talk(two, 2, 'before');
    const [old, copy] = [alice.disk.copy(), alice.disk.copy()];
    restore(alice, copy);
    world.run(2 * HOUR);
    talk(two, 3, 'between');
    // The archive of the first backup again: its secrets are those of the session before the last.
    for (const [id, record] of old.contacts) {
      const older = alice.core.memory.contacts.get(id)!.record.resumptions.slice(0, 32);
      old.contacts.set(id, { ...record, session: new Uint8Array(), resumptions: older, reset: null });
    }
    old.outgoing.clear();
    alice.restore(old);
    world.run(2 * HOUR);
    expectTalk(two, [...said('before', 2), ...said('between', 3)], said('re before', 2));
  });

  it('says so where the mailbox of a contact is gone', () => {
    const two = acquaint(44);
    const { world, alice, bob, atAlice } = two;
    talk(two, 1, 'before');
    bob.crash(30 * DAY);
    world.run(100);
    world.mailboxes.delete(alice.core.memory.contacts.get(atAlice)!.record.outbox.mailbox);
    restore(alice, alice.disk.copy());
    world.run(DAY);
    expect(alice.notices.filter((notice) => notice === 'reset-impossible')).toHaveLength(1);
    expect(alice.core.memory.contacts.has(atAlice)).toBe(true);
  });
});

describe('resets that cross', () => {
  it('end in one session, whoever made theirs first', () => {
    for (let seed = 50; seed < 60; seed += 1) {
      const two = acquaint(seed);
      const { world, alice, bob } = two;
      talk(two, 2, 'before');
      const backups = [alice.disk.copy(), bob.disk.copy()] as const;
      talk(two, 3, 'since');
      restore(alice, backups[0]);
      world.run(seed % 5 * 300);
      restore(bob, backups[1]);
      world.run(3 * HOUR);
      expectTalk(two, said('before', 2), said('re before', 2));
    }
  });

  it('are void once their maker has written the flight of a newer session', () => {
    const two = acquaint(59);
    const { world, alice, bob, atAlice } = two;
    talk(two, 2, 'before');
    const backups = [alice.disk.copy(), bob.disk.copy()] as const;
    const { mailbox: toBob } = alice.core.memory.contacts.get(atAlice)!.record.outbox;
    const put = world.put.bind(world);
    const late: (() => void)[] = [];
    world.put = (mailbox, ...rest) => {
      if (mailbox !== toBob) return put(mailbox, ...rest);
      late.push(() => put(mailbox, ...rest));
      return null;
    };
    restore(alice, backups[0]);
    world.run(10_000);
    world.put = put;
    restore(bob, backups[1]);
    world.run(2 * HOUR);
    for (const act of late) act();
    world.run(2 * HOUR);
    expect(late.length).toBeGreaterThan(0);
    expect([...alice.notices, ...bob.notices].filter((notice) => notice === 'rolled-back')).toEqual([]);
    expectTalk(two, said('before', 2), said('re before', 2));
  });

  it('with the flight of a second invitation end in one session, whichever comes last', () => {
    for (let seed = 60; seed < 70; seed += 1) {
      const world = new World(seed, BY_RELAY);
      const [alice, bob] = [world.client('Alice'), world.client('Bob')];
      const [first, second] = [alice.invite(), alice.invite()];
      const put = world.put.bind(world);
      // Alice's answers are lost, so that Bob may use another link.
      world.put = (mailbox, ...rest) => (world.mailboxes.get(mailbox)?.owner === bob ? null : put(mailbox, ...rest));
      const atBob = bob.accept(first);
      world.run(10_000);
      const atAlice = bob.core.memory.id;
      const backup = alice.disk.copy();
      const invitations = new Map(backup.invitations);
      restore(alice, backup);
      for (const [lookup, record] of invitations) alice.disk.invitations.set(lookup, record);
      // Bob's answer to the reset comes late: in every second case only after that by the link, which he wrote later.
      const { mailbox: inbox } = alice.core.memory.contacts.get(atAlice)!.record.inbox;
      const late: (() => void)[] = [];
      world.put = (mailbox, ...rest) => {
        if (mailbox !== inbox) return put(mailbox, ...rest);
        late.push(() => put(mailbox, ...rest));
        return null;
      };
      world.run(60_000);
      expect(bob.notices).toEqual(['restored']);
      if (seed % 2 === 0) for (const act of late.splice(0)) world.later(40, act);
      expect(bob.accept(second)).toBe(atBob);
      world.run(HOUR);
      world.put = put;
      for (const act of late) act();
      world.run(HOUR);
      expectTalk({ world, alice, bob, atAlice, atBob }, [], []);
    }
  });
});

describe('a reset', () => {
  it('that is repeated, or older than the session, changes nothing', () => {
    const two = acquaint(70);
    const { world, alice, bob, atAlice, atBob } = two;
    talk(two, 2, 'before');
    restore(alice, alice.disk.copy());
    world.run(2 * HOUR);
    talk(two, 2, 'after');
    const transcript = bob.core.memory.contacts.get(atBob)!.session!.transcript;
    const { mailbox } = bob.core.memory.contacts.get(atBob)!.record.inbox;
    for (const envelope of world.seen) bob.input({ type: 'delivery', mailbox, sequence: 1, envelope, ageMs: 0 });
    world.run(3 * HOUR);
    expect(equal(bob.core.memory.contacts.get(atBob)!.session!.transcript, transcript)).toBe(true);
    expect(bob.notices.filter((notice) => notice === 'restored')).toHaveLength(1);
    expect(atAlice).not.toBe('');
    expectTalk(two, [...said('before', 2), ...said('after', 2)], [...said('re before', 2), ...said('re after', 2)]);
  });

  it('is taken once an hour at most', () => {
    const two = acquaint(71);
    const { world, alice, bob } = two;
    talk(two, 2, 'before');
    for (let time = 0; time < 5; time += 1) {
      restore(alice, alice.disk.copy());
      world.run(60_000);
      if (alice.core.memory.contacts.values().next().value!.session === null) break;
    }
    expect(bob.notices).toEqual(['restored']);
    world.run(3 * HOUR);
    expectTalk(two, said('before', 2), said('re before', 2));
  });
});

describe('a session that has used up its keys', () => {
  it('is followed by another, and no text is refused', () => {
    const two = acquaint(80);
    const { world, alice, bob, atAlice } = two;
    talk(two, 1, 'before');
    bob.crash(HOUR);
    world.run(100);
    const contact = alice.core.memory.contacts.get(atAlice)!;
    const { sending } = contact.session!;
    contact.session = contact.session!.with({ sending: { ...sending, begun: { ...sending.begun!, next: 10_000 } } });
    alice.send(atAlice, 'one more');
    world.run(4 * HOUR);
    expectTalk(two, ['before 0', 'one more'], ['re before 0']);
    expect(alice.notices).toContain('session-reset');
    expect(bob.notices).toContain('session-reset');
  });
});
