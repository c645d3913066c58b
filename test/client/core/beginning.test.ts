// People who have parted begin anew, by an invitation or an address: nothing is lost, nobody learns anything before they are let in, and
// only the newest beginning counts.

import { beforeAll, describe, expect, it } from 'vitest';
import { sessionId } from '../../../crypto/session.js';
import { ready } from '../../../crypto/sodium.js';
import { acquaint, type Couple } from './couple.js';

beforeAll(ready);

const DAY = 86_400_000;
const HOUR = 3_600_000;

describe('a new beginning', () => {
  const talk = ({ world, alice, bob, atAlice, atBob }: Couple, from: number): void => {
    for (let i = from; i < from + 4; i += 1) {
      alice.send(atAlice, `a${i}`);
      bob.send(atBob, `b${i}`);
      world.run(2_000);
    }
    world.run(HOUR);
  };

  it.each([['the one who removed accepts', false, 'alice'], ['both have removed, the first accepts', true, 'alice'], ['both have removed, the other accepts', true, 'bob']] as const)(
    'goes on with the numbers: %s, nothing is lost, and nobody is alarmed', (_, both, guest) => {
      const couple = acquaint(20);
      const { world, alice, bob, atAlice, atBob } = couple;
      talk(couple, 0);
      alice.part('remove', atAlice);
      if (both) bob.part('remove', atBob);
      else bob.send(atBob, 'waiting');
      world.run(5_000);
      for (const client of [alice, bob]) client.notices.length = 0;
      if (guest === 'alice') alice.accept(bob.invite());
      else bob.accept(alice.invite());
      world.run(5_000);
      talk(couple, 4);
      const [fromBob, fromAlice] = [['b4', 'b5', 'b6', 'b7'], ['a4', 'a5', 'a6', 'a7']];
      expect(alice.shown()).toEqual(both ? fromBob : ['waiting', ...fromBob]);
      expect(bob.shown().slice(-4)).toEqual(fromAlice);
      // Whoever has kept the other is told that a new session began.
      expect([alice.notices, bob.notices]).toEqual([[], both ? [] : ['session-replaced']]);
      expect([...alice.states(), ...bob.states()].filter((state) => state !== 'delivered')).toEqual([]);
    });

  it('by the address of a contact who still has us waits for them, and learns nothing before they approve', () => {
    for (const decision of ['approve', 'refuse'] as const) {
      const couple = acquaint(22);
      const { world, alice, bob, atAlice, atBob } = couple;
      talk(couple, 0);
      alice.part('remove', atAlice);
      bob.send(atBob, 'waiting');
      world.run(5_000);
      const link = bob.address();
      bob.notices.length = 0;
      const before = sessionId(bob.core.memory.contacts.get(atBob)!.session!);
      const puts = new Set<string>();
      const put = world.put.bind(world);
      world.put = (mailbox, ...rest) => {
        puts.add(mailbox);
        return put(mailbox, ...rest);
      };
      alice.accept(link);
      alice.send(atAlice, 'may I come back?');
      alice.send(atAlice, 'please');
      world.run(5_000);
      bob.crash();
      world.run(HOUR);
      const request = bob.core.memory.requests.get(atBob)!.record;
      expect([request.name, request.texts.map(({ text }) => text), bob.shown().at(-1)]).toEqual(['Alice', ['may I come back?', 'please'], 'a3']);
      expect(sessionId(bob.core.memory.contacts.get(atBob)!.session!)).toEqual(before);
      // Bob goes on trying where nobody collects any more; where Alice collects now nothing has come.
      expect([puts.has(alice.core.memory.contacts.get(atAlice)!.record.inbox.mailbox), alice.core.memory.contacts.get(atAlice)!.record.heardAt]).toEqual([false, 0]);
      if (decision === 'refuse') {
        bob.refuse(atBob);
        alice.send(atAlice, 'once more');
        world.run(HOUR);
        expect([bob.core.memory.requests.size, alice.shown(), alice.states()]).toEqual([0, [], ['accepted', 'accepted', 'accepted']]);
        continue;
      }
      bob.approve(atBob);
      world.run(5_000);
      talk(couple, 4);
      expect(alice.shown()).toEqual(['waiting', 'b4', 'b5', 'b6', 'b7']);
      expect(bob.shown().slice(4)).toEqual(['may I come back?', 'please', 'a4', 'a5', 'a6', 'a7']);
      expect([alice.notices, bob.notices]).toEqual([[], ['session-replaced']]);
      expect([...alice.states(), ...bob.states()].filter((state) => state !== 'delivered')).toEqual([]);
    }
  });

  it('is none by a flight that has crossed the session, or was held back until another had begun', () => {
    for (let seed = 60; seed < 66; seed += 1) {
      const { world, alice, bob, atAlice, atBob } = acquaint(seed);
      alice.part('remove', atAlice);
      bob.part('remove', atBob);
      world.run(5_000);
      const before = world.seen.length;
      const [toAlice, toBob] = [alice.address(), bob.address()];
      alice.input({ type: 'accept', request: 800, link: toBob });
      bob.input({ type: 'accept', request: 800, link: toAlice });
      world.run(HOUR);
      for (const client of [alice, bob]) {
        const { mailbox } = client.core.memory.address!.mailbox;
        for (const envelope of world.seen.slice(before)) client.input({ type: 'delivery', mailbox, sequence: 1e9, envelope, ageMs: 0 });
        expect(client.core.memory.requests.size).toBe(0);
      }
    }
    const { world, alice, bob, atAlice, atBob } = acquaint(66);
    alice.part('remove', atAlice);
    bob.part('remove', atBob);
    world.run(5_000);
    const link = bob.address();
    const put = world.put.bind(world);
    const held: Uint8Array[] = [];
    world.put = (_mailbox, _token, bytes) => {
      held.push(bytes);
      return null;
    };
    alice.accept(link);
    world.run(1_000);
    world.put = put;
    alice.part('remove', atAlice);
    alice.accept(link);
    world.run(1_000);
    bob.approve(atBob);
    world.run(5_000);
    const { mailbox } = bob.core.memory.address!.mailbox;
    for (const envelope of held) bob.input({ type: 'delivery', mailbox, sequence: 1e9, envelope, ageMs: 0 });
    expect([held.length > 0, bob.core.memory.requests.size]).toEqual([true, 0]);
    alice.send(atAlice, 'it works');
    world.run(HOUR);
    expect([bob.shown(), alice.states()]).toEqual([['it works'], ['delivered']]);
  });

  it('waits no longer once another session has begun: approved later, theirs would take its place', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(24);
    const copy = alice.disk.copy();
    const { resumption } = alice.core.memory.contacts.get(atAlice)!.session!;
    alice.part('remove', atAlice);
    alice.accept(bob.address());
    world.run(5_000);
    expect(bob.core.memory.requests.size).toBe(1);
    // A backup from before the removal.
    for (const record of copy.contacts.values()) copy.commit([{ kind: 'contact', record: { ...record, session: new Uint8Array(), resumptions: resumption } }]);
    alice.restore(copy);
    world.run(HOUR);
    expect([bob.core.memory.requests.size, bob.notices]).toEqual([0, ['restored']]);
    alice.send(atAlice, 'from the backup');
    bob.send(atBob, 'welcome back');
    world.run(HOUR);
    expect([bob.shown(), alice.shown(), alice.states(), bob.states()]).toEqual([['from the backup'], ['welcome back'], ['delivered'], ['delivered']]);
  });

  it('waits no longer once the person blocks them', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(23);
    alice.send(atAlice, 'heard');
    world.run(5_000);
    alice.part('remove', atAlice);
    alice.accept(bob.address());
    world.run(5_000);
    expect(bob.core.memory.requests.size).toBe(1);
    bob.part('block', atBob);
    alice.send(atAlice, 'unheard');
    world.run(HOUR);
    bob.crash();
    world.run(HOUR);
    expect([bob.core.memory.requests.size, bob.disk.requests.size]).toEqual([0, 0]);
  });

  it('gives what the contact wrote before and we never had, and claims for nothing else that it arrived', () => {
    const couple = acquaint(21);
    const { world, alice, bob, atAlice, atBob } = couple;
    talk(couple, 0);
    // A gap: the relay loses one text, the next is received and waits behind it.
    const put = world.put.bind(world);
    world.put = () => null;
    bob.send(atBob, 'lost on the way');
    world.run(100);
    world.put = put;
    bob.send(atBob, 'waits');
    world.run(1_000);
    alice.part('remove', atAlice);
    alice.accept(bob.invite());
    world.run(DAY);
    expect(alice.shown()).toEqual(['lost on the way']);
    expect(bob.states().at(-2)).toBe('delivered');
  });
});
