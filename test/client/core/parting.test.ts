// People part: one removes the other, or blocks them and takes them back. What the other can notice, and what is left.

import { beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../../crypto/bytes.js';
import { ready } from '../../../crypto/sodium.js';
import type { Output } from '../../../client/core/output.js';
import { FAIR } from '../../support/network.js';
import { RELAY, World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';
import { meetAs, opened } from './calls.js';
import { acquaint, type Couple } from './couple.js';
import { meet, puts, typesOf } from './support.js';
import type { Meeting } from './support.js';

beforeAll(ready);

const DAY = 86_400_000;
const HOUR = 3_600_000;

/** How many envelopes leave a client while something happens, by whichever path. */
function leaving({ world }: Couple, client: VirtualClient, act: () => void): number {
  let count = 0;
  world.observer = { committed: () => {}, shown: () => {}, left: (who) => void (count += who === client ? 1 : 0) };
  act();
  world.observer = null;
  return count;
}

/** Everything on a client's disk, as one text in which ids can be looked for. */
function onDisk({ disk }: VirtualClient): string {
  return JSON.stringify(disk.snapshot(), (_key, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value));
}

describe.each([0, 1] as const)('a blocked contact (direct path: %d)', (direct) => {
  it('is as if we were away: nothing is shown, nothing leaves, and what they wrote comes in order once they are taken back', () => {
    const couple = acquaint(1, direct);
    const { world, alice, bob, atAlice, atBob } = couple;
    bob.send(atBob, 'before');
    world.run(1_000);
    alice.part('block', atAlice);
    bob.notices.length = 0;
    const left = leaving(couple, alice, () => {
      for (const text of ['one', 'two', 'three']) bob.send(atBob, text);
      world.run(HOUR);
      world.restartRelay();
      world.run(HOUR);
    });
    expect([alice.shown(), left]).toEqual([['before'], 0]);
    expect([bob.states(), bob.notices, bob.path(atBob)]).toEqual([['delivered', 'accepted', 'accepted', 'accepted'], [], 'relay']);
    alice.part('unblock', atAlice);
    world.run(HOUR);
    expect(alice.shown()).toEqual(['before', 'one', 'two', 'three']);
    expect([bob.states(), bob.notices]).toEqual([['delivered', 'delivered', 'delivered', 'delivered'], []]);
    expect(alice.path(atAlice)).toBe(direct === 1 ? 'direct' : 'relay');
  });

  it('gets what was under way only after the block, and nothing can be written to them meanwhile', () => {
    const couple = acquaint(2, direct);
    const { world, alice, bob, atAlice } = couple;
    alice.send(atAlice, 'arrived');
    world.run(5_000);
    alice.disconnect();
    alice.cutDirect();
    alice.send(atAlice, 'queued');
    alice.part('block', atAlice);
    expect(alice.ask((request) => ({ type: 'send', request, contact: atAlice, text: 'refused' }))).toMatchObject({ code: 'contact-blocked', message: `You have blocked Bob; "sotto contacts unblock ${atAlice.slice(0, 8)}" takes them back.` });
    alice.crash();
    expect(leaving(couple, alice, () => world.run(DAY))).toBe(0);
    expect(bob.shown()).toEqual(['arrived']);
    alice.part('unblock', atAlice);
    world.run(HOUR);
    expect([bob.shown(), alice.states()]).toEqual([['arrived', 'queued'], ['delivered', 'delivered']]);
  });

  it('gets nothing of what was in flight at that moment before they are taken back, and all of it then', () => {
    const couple = acquaint(7, direct);
    const { world, alice, bob, atAlice, atBob } = couple;
    alice.send(atAlice, 'arrived');
    bob.send(atBob, 'arrived too');
    world.run(5_000);
    const put = world.put.bind(world);
    world.put = () => 'relay-failed';
    alice.send(atAlice, 'in flight');
    expect(leaving(couple, alice, () => {
      alice.part('block', atAlice);
      world.put = put;
      world.run(HOUR);
    })).toBe(0);
    alice.part('unblock', atAlice);
    world.run(HOUR);
    expect([bob.shown(), alice.states()]).toEqual([['arrived', 'in flight'], ['delivered', 'delivered']]);
  });

  it('who has lost their home and restored it begins anew when they are taken back', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(3, direct);
    bob.send(atBob, 'before');
    world.run(5_000);
    const copy = bob.disk.copy();
    for (let i = 0; i < 5; i += 1) bob.send(atBob, `lost ${i}`);
    world.run(5_000);
    alice.part('block', atAlice);
    copy.commit([...copy.contacts.values()].map((record) => ({ kind: 'contact', record: { ...record, session: new Uint8Array(), resumptions: bob.core.memory.contacts.get(atBob)!.record.resumptions } })));
    bob.restore(copy);
    world.run(HOUR);
    bob.send(atBob, 'after');
    world.run(HOUR);
    alice.part('unblock', atAlice);
    alice.send(atAlice, 'hello again');
    world.run(DAY);
    expect(alice.shown().at(0)).toBe('before');
    expect(bob.states().every((state) => state !== 'failed')).toBe(true);
  });
});

describe('a blocked contact', () => {
  it('gets nothing of a flood that was too much for the direct path, before they are taken back', () => {
    const couple = acquaint(8, 1);
    const { world, alice, bob, atAlice, atBob } = couple;
    bob.send(atBob, 'here');
    world.run(5_000);
    expect(alice.path(atAlice)).toBe('direct');
    for (let i = 0; i < 510; i += 1) alice.send(atAlice, `flood ${i}`);
    expect(leaving(couple, alice, () => {
      alice.part('block', atAlice);
      world.run(HOUR);
    })).toBe(0);
    alice.part('unblock', atAlice);
    world.run(HOUR);
    expect(bob.shown()).toHaveLength(510);
  });

  it('is told what we owe them when they are taken back, also by a command that ends soon', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(9, 0, false);
    bob.send(atBob, 'one');
    world.run(15);
    bob.send(atBob, 'two');
    world.run(25);
    expect([alice.shown(), alice.core.memory.contacts.get(atAlice)!.record.receiptOwed]).toEqual([['one', 'two'], true]);
    alice.part('block', atAlice);
    world.run(60_000);
    expect(bob.states()).toEqual(['delivered', 'accepted']);
    alice.part('unblock', atAlice);
    world.run(1_000);
    expect(bob.states()).toEqual(['delivered', 'delivered']);
  });

  it('gets what waits for them when they are taken back though our own relay is away', () => {
    const { world, alice, atAlice } = acquaint(9);
    const link = (role: 'collect' | 'deposit', online: boolean): void => void alice.core.handle({ type: 'link', relay: RELAY, role, online, rttMs: 0 }, world.now);
    link('deposit', false);
    alice.send(atAlice, 'waits');
    alice.part('block', atAlice);
    link('collect', false);
    link('deposit', true);
    const outputs = alice.core.handle({ type: 'unblock', request: 1, contact: atAlice }, world.now);
    const [waiting] = alice.core.memory.contacts.get(atAlice)!.outgoing.keys();
    expect(outputs).toContainEqual(expect.objectContaining({ type: 'put', envelope: waiting }));
  });

  it('has a direct path again soon after they are taken back, though nobody writes', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(15, 1);
    bob.send(atBob, 'here');
    world.run(5_000);
    alice.part('block', atAlice);
    world.run(DAY);
    expect(bob.path(atBob)).toBe('relay');
    alice.part('unblock', atAlice);
    world.run(5_000);
    expect([alice.path(atAlice), bob.path(atBob)]).toEqual(['direct', 'direct']);
  });

  it('has been heard before: who has not answered yet is only removed', () => {
    const world = new World(16, { ...FAIR, direct: 0 });
    const [alice, bob] = [world.client('Alice'), world.client('Bob')];
    const link = bob.invite();
    bob.crash(DAY);
    const atAlice = alice.accept(link);
    expect(alice.ask((request) => ({ type: 'block', request, contact: atAlice }))).toMatchObject({ code: 'option-invalid', message: expect.stringContaining(`"sotto contacts remove ${atAlice.slice(0, 8)}"`) as string });
    expect([alice.core.memory.contacts.size, alice.core.memory.blocked.size]).toEqual([1, 0]);
    alice.part('remove', atAlice);
    expect(alice.core.memory.contacts.size).toBe(0);
  });

  it('stays blocked over a restart, with a relay that was away, and however often it is said', () => {
    const couple = acquaint(4);
    const { world, alice, bob, atAlice, atBob } = couple;
    alice.disconnect();
    alice.part('block', atAlice);
    alice.part('block', atAlice);
    alice.crash();
    bob.send(atBob, 'unheard');
    expect(leaving(couple, alice, () => world.run(DAY))).toBe(0);
    expect([alice.shown(), alice.core.memory.contacts.size, alice.core.memory.blocked.size]).toEqual([[], 0, 1]);
    alice.part('unblock', atAlice);
    alice.part('unblock', atAlice);
    alice.crash();
    world.run(HOUR);
    expect(alice.shown()).toEqual(['unheard']);
  });

  it('does not come back by our address or by an invitation, which stays good for another', () => {
    const couple = acquaint(5);
    const { world, alice, bob, atAlice } = couple;
    alice.part('block', atAlice);
    const [address, invitation] = [alice.address(), alice.invite()];
    bob.part('remove', bob.core.memory.contacts.keys().next().value!);
    const left = leaving(couple, alice, () => {
      for (const link of [address, invitation]) {
        const at = bob.accept(link);
        bob.send(at, 'let me in');
        world.run(HOUR / 4);
        bob.part('remove', at);
      }
    });
    const { contacts, requests, blocked } = alice.core.memory;
    expect([left, contacts.size, requests.size, blocked.size, alice.shown()]).toEqual([0, 0, 0, 1, []]);
    expect(alice.core.memory.invitations.size).toBe(1);
    expect(alice.ask((request) => ({ type: 'accept', request, link: bob.invite() }))).toMatchObject({ code: 'contact-blocked' });
  });

  it('who has written more than an envelope lives is still heard when they are taken back: what expired is asked for', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(6);
    alice.part('block', atAlice);
    bob.send(atBob, 'first');
    world.run(31 * DAY);
    expect(bob.states()).toEqual(['failed']);
    bob.send(atBob, 'second');
    alice.part('unblock', atAlice);
    world.run(DAY);
    expect([alice.shown(), bob.states()]).toEqual([['first', 'second'], ['delivered', 'delivered']]);
  });
});

describe('a removed contact', () => {
  it('leaves nothing: no message, no key, no envelope, no name, and no mailbox at the relay', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(10);
    bob.send(atBob, 'hello');
    alice.send(atAlice, 'hi');
    world.run(5_000);
    alice.disconnect();
    alice.send(atAlice, 'not out yet');
    const { mailbox } = alice.core.memory.contacts.get(atAlice)!.record.inbox;
    expect(onDisk(alice)).toContain(atAlice);
    alice.part('remove', atAlice);
    world.run(5_000);
    expect(world.mailboxes.has(mailbox)).toBe(false);
    const { contacts, messages, outgoing, closing } = alice.disk;
    expect([contacts.size, messages.size, outgoing.size, closing.size]).toEqual([0, 0, 0, 0]);
    for (const trace of [atAlice, mailbox, 'Bob', 'hello', 'not out yet']) expect(onDisk(alice)).not.toContain(trace);
    expect(bob.shown()).toEqual(['hi']);
  });

  it('is not written again by what else the same input has changed', () => {
    const { alice, atAlice } = acquaint(14);
    const { memory } = alice.core;
    const contact = memory.contacts.get(atAlice)!;
    memory.update(contact, { unread: 7 });
    memory.forget(contact);
    expect(memory.takeOutputs()).toEqual([{ type: 'save', change: { kind: 'contact-removed', id: atAlice } }]);
  });

  it('is told nothing: what they write is refused by the relay and stays queued', () => {
    const couple = acquaint(11, 1);
    const { world, alice, bob, atAlice, atBob } = couple;
    bob.notices.length = 0;
    expect(leaving(couple, alice, () => {
      alice.part('remove', atAlice);
      bob.send(atBob, 'are you there?');
      world.run(HOUR);
    })).toBe(0);
    expect([bob.states(), bob.notices, alice.notices, alice.shown()]).toEqual([['queued'], [], [], []]);
  });

  it('cannot reach in with what was on its way: envelopes, flights, receipts and answers of the relay move nothing', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(12);
    const seen: Uint8Array[] = [];
    const put = world.put.bind(world);
    world.put = (mailbox, token, bytes, ttlSeconds) => {
      seen.push(bytes);
      return put(mailbox, token, bytes, ttlSeconds);
    };
    bob.send(atBob, 'late');
    alice.send(atAlice, 'crossing');
    alice.part('remove', atAlice);
    const link = alice.address();
    const before = onDisk(alice);
    world.run(HOUR);
    for (const { mailbox } of Array.from(alice.core.memory.mailboxes())) {
      for (const envelope of [...seen, ...world.seen]) alice.input({ type: 'delivery', mailbox, sequence: 1e9, envelope, ageMs: 0 });
    }
    expect([alice.core.memory.contacts.size, alice.core.memory.requests.size, alice.shown(), alice.address() === link]).toEqual([0, 0, [], true]);
    expect(onDisk(alice)).toBe(before);
  });

  it.each(['invitation', 'address'] as const)('may be blocked before, and may ask again by %s afterwards once they have parted with us too', (way) => {
    const { world, alice, bob, atAlice, atBob } = acquaint(13);
    alice.part('block', atAlice);
    alice.part('remove', atAlice);
    bob.part('remove', atBob);
    const at = bob.accept(way === 'invitation' ? alice.invite() : alice.address());
    bob.send(at, 'again');
    world.run(5_000);
    if (way === 'address') alice.approve(atAlice);
    world.run(HOUR);
    expect([alice.shown(), bob.states()]).toEqual([['again'], ['delivered']]);
  });
});

describe('whoever parts', () => {
  const OLD = 'https://old.test';
  const part = ({ alice, memory, bob }: Meeting, type: 'remove' | 'block' | 'unblock', contact = bob.record.id): Output[] => alice.core.handle({ type, request: 7, contact }, memory.now);

  it.each(['remove', 'block'] as const)('to %s ends the open path at once, and is not seen any more at a relay where only that contact collects', (type) => {
    const meeting = meetAs('offerer');
    const { memory, bob } = meeting;
    const call = opened(meeting);
    memory.update(bob, { outbox: { ...bob.record.outbox, relay: OLD }, receivedNumber: 1 });
    memory.takeOutputs();
    const { record } = bob;
    const outputs = part(meeting, type);
    expect(memory.past.size).toBe(type === 'remove' ? 1 : 0);
    expect([memory.calls.size, bob.openCall, memory.collected.has(record.inbox.mailbox)]).toEqual([0, null, false]);
    expect(outputs).toContainEqual({ type: 'hang-up', call: call.id });
    expect(outputs).toContainEqual({ type: 'unlink', relay: OLD, role: 'deposit' });
    expect(outputs).toContainEqual({ type: 'answer', request: 7, result: { type: 'done' } });
    expect(outputs).toContainEqual(type === 'remove' ? { type: 'removed', contact: record } : { type: 'leave-mailbox', relay: RELAY });
    expect(typesOf(outputs).filter((other) => other === 'put' || other === 'peer-send')).toEqual([]);
  });

  it('asks for what the contact has written, and is seen by them, only from when they are taken back', () => {
    const meeting = meet(17);
    const { alice, memory, bob } = meeting;
    memory.update(bob, { outbox: { ...bob.record.outbox, relay: OLD } });
    expect(part(meeting, 'block')).toContainEqual({ type: 'notice', contact: bob.record.id, code: 'blocked' });
    expect(part(meeting, 'block')).toEqual([{ type: 'answer', request: 7, result: { type: 'done' } }]);
    const outputs = part(meeting, 'unblock');
    for (const output of [
      { type: 'link', relay: RELAY, role: 'collect' }, { type: 'link', relay: OLD, role: 'deposit' }, { type: 'collect', mailbox: bob.record.inbox },
      { type: 'path', contact: bob.record.id }, { type: 'notice', contact: bob.record.id, code: 'unblocked' },
    ]) expect(outputs).toContainEqual(output);
    expect([memory.blocked.size, memory.contacts.size]).toEqual([0, 1]);
    alice.core.handle({ type: 'link', relay: RELAY, role: 'collect', online: false, rttMs: 0 }, memory.now);
    expect(typesOf(part(meeting, 'block'))).not.toContain('leave-mailbox');
    expect(typesOf(part(meeting, 'unblock'))).not.toContain('collect');
    expect(typesOf(part(meeting, 'remove'))).not.toContain('close-mailbox');
  });

  it('sends what the relay has taken no second time, and waits no longer for room, when the contact is taken back', () => {
    const meeting = meet(18);
    const { alice, memory, bob } = meeting;
    alice.core.handle({ type: 'send', request: 8, contact: bob.record.id, text: 'accepted' }, memory.now);
    const [envelope] = bob.outgoing.keys();
    alice.core.handle({ type: 'put', contact: bob.record.id, envelope: envelope!, error: null, retryAfterMs: 0 }, memory.now);
    alice.core.handle({ type: 'link', relay: RELAY, role: 'deposit', online: false, rttMs: 0 }, memory.now);
    for (const text of ['waits', 'waits, too']) alice.core.handle({ type: 'send', request: 9, contact: bob.record.id, text }, memory.now);
    bob.hold = { code: 'mailbox-full', until: memory.now + HOUR };
    part(meeting, 'block');
    const outputs = part(meeting, 'unblock');
    expect([puts(outputs), bob.waiting.map(({ record }) => record.number), bob.inFlight, bob.hold]).toEqual([0, [2, 3], 0, null]);
  });

  it('greets the contact when they are taken back, and once', () => {
    const meeting = meet(20);
    part(meeting, 'block');
    expect([puts(part(meeting, 'unblock')), part(meeting, 'unblock')]).toEqual([1, [{ type: 'answer', request: 7, result: { type: 'done' } }]]);
  });

  it('from nobody is told so', () => {
    for (const type of ['remove', 'block', 'unblock'] as const) expect(part(meet(19), type, 'ff')).toMatchObject([{ type: 'answer', request: 7, result: { code: 'contact-unknown' } }]);
  });
});
