// What a core does with its inputs, one by one: after a start, at a link, for mailboxes and cards, and with what goes wrong.

import { beforeAll, describe, expect, it } from 'vitest';
import { fromHex } from '../../../crypto/bytes.js';
import { encrypt } from '../../../crypto/session.js';
import { ready } from '../../../crypto/sodium.js';
import { encodeBody } from '../../../client/core/body.js';
import type { Content } from '../../../client/core/body.js';
import { Core } from '../../../client/core/core.js';
import type { Input } from '../../../client/core/input.js';
import { GIVEN_UP } from '../../../client/core/records.js';
import type { MessageRecord } from '../../../client/core/records.js';
import { RELAY, World } from '../../support/world.js';
import { dialed, meetAs, opened } from './calls.js';
import { dueIn, hear, meet, noticesOf, puts, speech, textsOf, typesOf } from './support.js';
import type { Meeting } from './support.js';

beforeAll(ready);

const ELSEWHERE = 'https://elsewhere.test';

/** The same home in a new process. */
function restarted({ alice, memory }: Meeting, isDirect = true): Core {
  return new Core(alice.disk.snapshot(), { random: memory.random, direct: isDirect }, memory.now);
}

const link = (role: 'collect' | 'deposit', online: boolean, relay = RELAY): Input => ({ type: 'link', relay, role, online, rttMs: 1 });

/** What the contact says, sealed in its session. */
function said({ guest, memory }: Meeting, content: Content | null): Uint8Array {
  const contact = guest.core.memory.contacts.get(memory.id)!;
  const { session, message } = encrypt(contact.session!, encodeBody(memory.now, content, null), memory.random, memory.now);
  contact.session = session;
  return message;
}

const delivery = ({ bob }: Meeting, envelope: Uint8Array, ageMs = 0): Input => ({ type: 'delivery', mailbox: bob.record.inbox.mailbox, sequence: 1, envelope, ageMs });

describe('a start', () => {
  it('owes what the last process owed: receipts, questions, what was not accepted, in the order of sending', () => {
    const meeting = meet(401);
    const { world, alice, memory, bob } = meeting;
    const { id } = bob.record;
    const none = restarted(meeting);
    none.start(memory.now);
    expect([dueIn(none.memory, 'expiry'), dueIn(none.memory, 'invitations')]).toEqual([600_000, 60_000]);
    expect([`receipt:${id}`, `ask:${id}`, `doubt:${id}`, `gap:${id}`].map((name) => dueIn(none.memory, name))).toEqual([undefined, undefined, undefined, undefined]);
    world.put = () => 'relay-unreachable';
    for (const text of ['one', 'two']) alice.send(id, text);
    world.run(1_000);
    memory.update(bob, { receiptOwed: true, receivedNumber: 1, lacking: [1] });
    alice.input({ type: 'wake' });
    alice.disk.contacts.set(id, { ...bob.record, receiptOwed: true });
    const core = restarted(meeting);
    const outputs = core.start(memory.now);
    const contact = core.memory.contacts.get(id)!;
    expect([dueIn(core.memory, `ask:${id}`), dueIn(core.memory, `doubt:${id}`), dueIn(core.memory, `gap:${id}`), contact.record.receiptOwed]).toEqual([600_000, 20_000, 2_000, false]);
    expect(contact.waiting.map(({ record }) => record.number)).toEqual([1, 2, null]);
    expect([core.memory.order, contact.session === null]).toEqual([Math.max(...[...contact.outgoing.values()].map(({ record }) => record.order)), false]);
    expect(typesOf(outputs)).not.toContain('notice');
  });

  it('knows what it has read of the disk in its own order, and by which ids the newest texts of a contact are known', () => {
    const meeting = meet(408);
    const { alice, world, memory, bob } = meeting;
    world.put = () => 'relay-unreachable';
    for (const text of ['one', 'two', 'three']) alice.send(bob.record.id, text);
    hear(memory, bob, ...speech(2));
    const snapshot = alice.disk.snapshot();
    const recent = [...bob.recent].map(([number, id]) => ({ contact: bob.record.id, number, id }));
    const core = new Core({ ...snapshot, outgoing: snapshot.outgoing.toReversed(), pending: snapshot.pending.toReversed(), recent }, { random: memory.random, direct: true }, memory.now);
    const contact = core.memory.contacts.get(bob.record.id)!;
    expect([contact.waiting.map(({ record }) => record.number), [...contact.undelivered.keys()], contact.pathSince]).toEqual([[1, 2, 3], [1, 2, 3], memory.now]);
    expect([contact.recent.size, contact.recent]).toEqual([2, bob.recent]);
  });

  it('asks for every relay where something of ours lies or goes', () => {
    const meeting = meet(409);
    const { alice, memory, bob } = meeting;
    alice.disk.contacts.set(bob.record.id, { ...bob.record, outbox: { ...bob.record.outbox, relay: ELSEWHERE } });
    const snapshot = { ...alice.disk.snapshot(), closing: [{ ...bob.record.inbox, relay: 'https://old.test', mailbox: 'cc' }] };
    const core = new Core(snapshot, { random: memory.random, direct: true }, 0);
    const links = core.start(memory.now).filter((output) => output.type === 'link').map(({ role, relay }) => `${role} ${relay}`);
    expect(links.toSorted()).toEqual([`collect ${RELAY}`, 'collect https://old.test', `deposit ${RELAY}`, `deposit ${ELSEWHERE}`].toSorted());
    expect(core.memory.now).toBe(memory.now);
  });

  it('puts once what was not accepted, and keeps what was until its receipt', () => {
    const meeting = meet(402);
    const { alice, world, memory, bob } = meeting;
    meeting.guest.crash(86_400_000);
    world.run(10);
    alice.send(bob.record.id, 'accepted');
    world.run(1_000);
    const core = restarted(meeting);
    core.start(memory.now);
    const contact = core.memory.contacts.get(bob.record.id)!;
    expect([contact.outgoing.size, contact.waiting, [...contact.undelivered.keys()], dueIn(core.memory, `ask:${bob.record.id}`)]).toEqual([1, [], [1], 600_000]);
  });

  it('knows each text of ours by what may still become of it, and none that is given up or of nobody', () => {
    const meeting = meet(403);
    const { alice, bob, memory } = meeting;
    const { id } = bob.record;
    const record: MessageRecord = {
      id: '', contact: id, direction: 'out', number: 0, text: 'x', state: 'queued', path: null, reason: null,
      sentAt: 0, receivedAt: null, acceptedAt: null, deliveredAt: null, readAt: null, position: 1,
    };
    const states: Partial<MessageRecord>[] = [{ state: 'queued' }, { state: 'accepted' }, { state: 'delivered' }, { state: 'failed', reason: 'expired' }, { state: 'failed', reason: GIVEN_UP }, { contact: 'ff' }];
    for (const [index, state] of states.entries()) alice.disk.messages.set(`out ${index}`, { ...record, id: `0${index}`, number: index + 1, ...state });
    const held: MessageRecord = { ...record, id: 'aa', direction: 'in', state: 'received', position: null, number: 9 };
    alice.disk.messages.set('in aa', held);
    alice.disk.messages.set('in bb', { ...held, contact: 'ff' });
    alice.disk.outgoing.set('ee', { envelope: 'ee', contact: 'ff', order: 90, bytes: new Uint8Array(), number: null, createdAt: 0, expiresAt: 0, acceptedAt: null });
    const contact = new Core(alice.disk.snapshot(), { random: memory.random, direct: true }, memory.now).memory.contacts.get(id)!;
    expect([contact.undelivered, contact.unread, contact.failed, contact.held].map((texts) => [...texts.keys()])).toEqual([[1, 2], [3], [4], [9]]);
    expect([[...contact.recent], contact.outgoing.size]).toEqual([[[9, 'aa']], 0]);
  });

  it('remembers a thousand delivered texts that may still be read', () => {
    const meeting = meet(404);
    const { alice, bob } = meeting;
    for (let number = 1; number <= 1_001; number += 1) {
      alice.disk.messages.set(`out ${number}`, {
        id: `${number}`, contact: bob.record.id, direction: 'out', number, text: 'x', state: 'delivered', path: null, reason: null,
        sentAt: 0, receivedAt: null, acceptedAt: null, deliveredAt: null, readAt: null, position: number,
      });
    }
    const { unread } = restarted(meeting).memory.contacts.get(bob.record.id)!;
    expect([unread.size, unread.has(1), unread.has(2)]).toEqual([1_000, false, true]);
  });

  it('of a home that is older than device lists has one, and of a newer home the one that it has', () => {
    const meeting = meet(405);
    const { alice, memory } = meeting;
    expect(restarted(meeting).memory.self.devices).toEqual(memory.self.devices);
    const own = alice.disk.self;
    alice.disk.self = { ...own, devices: new Uint8Array() };
    expect(restarted(meeting).memory.self.devices).toEqual(memory.self.devices);
    alice.disk.self = { ...own, devices: Uint8Array.of(1) };
    expect(restarted(meeting).memory.self.devices).toEqual(Uint8Array.of(1));
  });

  it('says why a conversation goes by the relay: nobody is there, or nobody stays', () => {
    const meeting = meet(406);
    expect([true, false].map((isDirect) => restarted(meeting, isDirect).memory.contacts.get(meeting.bob.record.id)!.why)).toEqual(['away', 'short-lived']);
  });

  it('begins anew with a contact that was restored, and only once', () => {
    const meeting = meet(407);
    const { alice, bob, memory } = meeting;
    const { id } = bob.record;
    alice.disk.contacts.set(id, { ...bob.record, session: new Uint8Array(), resumptions: new Uint8Array(32), reset: null });
    const first = restarted(meeting).start(memory.now);
    expect(noticesOf(first)).toEqual(['session-reset']);
    alice.disk.commit(first.filter((output) => output.type === 'save').map(({ change }) => change));
    expect(noticesOf(restarted(meeting).start(memory.now))).toEqual([]);
  });
});

describe('an input', () => {
  it('that cannot be done answers the request that wanted it, and nobody else', () => {
    const { alice, world } = meet(410);
    const outputs = alice.core.handle({ type: 'send', request: 7, contact: 'ff', text: 'x' }, world.now);
    expect(outputs.filter(({ type }) => type !== 'wake')).toMatchObject([{ type: 'answer', request: 7, result: { code: 'contact-unknown' } }]);
    const without = alice.core.handle({ type: 'read', contact: 'ff', number: 1 }, world.now);
    expect(without.filter(({ type }) => type !== 'wake')).toEqual([{ type: 'notice', contact: null, code: 'contact-unknown' }]);
  });

  it('that meets a mistake of ours fails loudly', () => {
    const { alice, world, memory, bob } = meet(411);
    const broken = (): never => { throw new RangeError('ours'); };
    memory.nextPosition = broken;
    expect(() => alice.core.handle({ type: 'send', request: 7, contact: bob.record.id, text: 'x' }, world.now)).toThrow(RangeError);
  });

  it('that meets a mistake of ours while an envelope is opened fails loudly, too', () => {
    const meeting = meet(414);
    const { alice, world, memory } = meeting;
    const broken = (): never => { throw new RangeError('ours'); };
    alice.address();
    const before = world.seen.length;
    world.client('Carol').accept(alice.address());
    world.run(1_000);
    const flight = world.seen.slice(before).find((envelope) => envelope.length === 4_096)!;
    memory.nextPosition = broken;
    memory.requests.set = broken;
    memory.flights.clear();
    memory.requests.clear();
    const hello = said(meeting, { case: 'text', value: { id: new Uint8Array(16), number: 1, chain: new Uint8Array(), text: 'hello' } });
    expect(() => alice.core.handle(delivery(meeting, hello), memory.now)).toThrow(RangeError);
    expect(() => alice.core.handle({ type: 'delivery', mailbox: memory.address!.mailbox.mailbox, sequence: 1, envelope: flight, ageMs: 0 }, memory.now)).toThrow(RangeError);
  });

  it('that asks for what cannot be said leaves the session as it is', () => {
    const { alice, world, bob } = meet(415);
    const { session } = bob;
    const outputs = alice.core.handle({ type: 'send', request: 7, contact: bob.record.id, text: '' }, world.now);
    expect(outputs.find((output) => output.type === 'answer')).toMatchObject({ result: { code: 'message-empty' } });
    expect(bob.session).toBe(session);
  });

  it('that comes after the clock was set back finds everything as far away as before', () => {
    const { alice, memory, bob } = meet(416);
    const times = ['lastReceiptAt', 'lastAgainAt', 'lastRepeatedAt', 'heardDirectAt', 'askedDirectAt', 'nextCallAt', 'nextGreetAt', 'nextOfferAt', 'nextTellAt', 'nextOldAt'] as const;
    const { now } = memory;
    for (const [index, time] of times.entries()) bob[time] = now + index;
    bob.hold = { code: 'mailbox-full', until: now + 10 };
    alice.core.handle({ type: 'send', request: 7, contact: bob.record.id, text: 'x' }, now);
    const [outgoing] = bob.outgoing.values();
    outgoing!.sentAt = now + 11;
    memory.timers.set('far', now + 86_400_000);
    const all = (): number[] => [...times.map((time) => bob[time]), bob.hold!.until, outgoing!.sentAt];
    const before = all();
    alice.core.handle({ type: 'wake' }, now - 5_000);
    expect([all(), bob.hold.code, dueIn(memory, 'far')]).toEqual([before.map((time) => time - 5_000), 'mailbox-full', 86_400_000]);
  });

  it('asks to be woken once for the same time', () => {
    const { alice, world } = meet(412);
    const wakes = (): number => alice.core.handle({ type: 'read', contact: 'ff', number: 1 }, world.now).filter(({ type }) => type === 'wake').length;
    alice.core.handle({ type: 'wake' }, world.now);
    expect([wakes(), wakes()]).toEqual([0, 0]);
  });

  it('that repeats the policy changes nothing', () => {
    const { alice, world, bob } = meet(413);
    expect(typesOf(alice.core.handle({ type: 'policy', contact: bob.record.id, policy: 'direct' }, world.now))).toEqual([]);
  });
});

describe('a link', () => {
  it('that comes or goes again and again is news once', () => {
    const { alice, world } = meet(420);
    for (const role of ['collect', 'deposit'] as const) {
      expect(alice.core.handle(link(role, true), world.now).filter(({ type }) => type !== 'wake')).toEqual([]);
      alice.core.handle(link(role, false), world.now);
      expect(alice.core.handle(link(role, false), world.now).filter(({ type }) => type !== 'wake')).toEqual([]);
    }
  });

  it('to a relay concerns the mailboxes, cards and contacts that are there, and no others', () => {
    const { alice, world, memory, bob } = meet(421);
    const { mailbox } = bob.record.inbox;
    const open = alice.core.handle(link('collect', true, ELSEWHERE), world.now);
    expect([open.filter(({ type }) => type !== 'wake'), memory.collected.has(mailbox)]).toEqual([[], true]);
    expect(puts(alice.core.handle(link('deposit', true, ELSEWHERE), world.now))).toBe(0);
    memory.closing.set('cc', { ...bob.record.inbox, mailbox: 'cc' });
    const closed = alice.core.handle(link('collect', false), world.now);
    expect([closed.filter(({ type }) => type !== 'wake'), memory.collected.has(mailbox)]).toEqual([[], false]);
    const again = alice.core.handle(link('collect', true), world.now);
    expect(again.filter(({ type }) => type !== 'wake')).toEqual([
      { type: 'collect', mailbox: bob.record.inbox },
      { type: 'close-mailbox', mailbox: { ...bob.record.inbox, mailbox: 'cc' } },
    ]);
  });

  it('brings a card that is not published yet to its relay, once nobody is waiting for it already', () => {
    const { alice, world, memory } = meet(422);
    alice.core.handle({ type: 'invite', request: 5, lifetimeMs: 60_000 }, world.now);
    const { lookup } = [...memory.invitations.values()].at(-1)!;
    const published = (relay = RELAY): number => {
      alice.core.handle(link('collect', false, relay), world.now);
      return alice.core.handle(link('collect', true, relay), world.now).filter(({ type }) => type === 'publish').length;
    };
    expect(published()).toBe(0);
    memory.inviting.delete(lookup);
    expect([published(ELSEWHERE), published()]).toEqual([0, 1]);
    alice.core.handle({ type: 'published', lookup, error: null }, world.now);
    expect(published()).toBe(0);
  });
});

describe('a mailbox of ours', () => {
  it.each(['mailbox-taken', 'signature-wrong'] as const)('that the relay says is %s is lost, and the person is told', (error) => {
    const { alice, world, memory, bob } = meet(430);
    const { mailbox } = bob.record.inbox;
    expect(alice.core.handle({ type: 'collected', mailbox, error }, world.now)).toContainEqual({ type: 'notice', contact: bob.record.id, code: 'mailbox-lost' });
    expect(dueIn(memory, `collect:${mailbox}`)).toBeUndefined();
  });

  it('that the relay has no time for is collected again later, while the link is there', () => {
    const { alice, world, memory, bob } = meet(431);
    const { mailbox } = bob.record.inbox;
    const collects = (now: number) => alice.core.handle({ type: 'wake' }, now).filter(({ type }) => type === 'collect');
    alice.core.handle({ type: 'collected', mailbox, error: 'relay-unreachable' }, world.now);
    expect(dueIn(memory, `collect:${mailbox}`)).toBeUndefined();
    alice.core.handle({ type: 'invite', request: 5, lifetimeMs: 60_000 }, world.now);
    const outputs = alice.core.handle({ type: 'collected', mailbox, error: 'relay-busy' }, world.now);
    expect([noticesOf(outputs), dueIn(memory, `collect:${mailbox}`)]).toEqual([[], 5_000]);
    expect(collects(world.now + 5_000)).toEqual([{ type: 'collect', mailbox: bob.record.inbox }]);
    alice.core.handle({ type: 'collected', mailbox, error: 'relay-busy' }, world.now + 5_000);
    alice.core.handle(link('collect', false), world.now + 5_000);
    expect(collects(world.now + 10_000)).toEqual([]);
  });

  it('that is there at last lets a contact know of it who does not yet', () => {
    const { alice, world, memory, bob } = meet(433);
    const { mailbox } = bob.record.inbox;
    const greetings = [true, false].map((helloOwed) => {
      memory.update(bob, { helloOwed });
      return puts(alice.core.handle({ type: 'collected', mailbox, error: null }, world.now));
    });
    expect(greetings).toEqual([1, 0]);
  });

  it('that is given up is forgotten when its relay has closed it, or somebody else has it, and not before', () => {
    for (const [error, left] of [['relay-unreachable', 1], ['relay-busy', 1], ['mailbox-taken', 0], [null, 0]] as const) {
      const world = new World(432);
      const alice = world.client('Alice');
      world.run(1_000);
      alice.address();
      alice.core.handle({ type: 'address', request: 5, change: 'close' }, world.now);
      const [mailbox] = [...alice.core.memory.closing.keys()];
      alice.core.handle({ type: 'closed', mailbox: mailbox!, error }, world.now);
      expect(alice.core.memory.closing.size).toBe(left);
    }
  });
});

describe('an envelope', () => {
  it('in a mailbox of nobody is not acknowledged', () => {
    const { alice, world } = meet(440);
    expect(alice.core.handle({ type: 'delivery', mailbox: 'ff', sequence: 1, envelope: new Uint8Array(512), ageMs: 0 }, world.now)).toEqual([]);
  });

  it.each([[20_000, 1], [20_001, 0]])('that is %i ms old makes us dial %i times', (ageMs, dials) => {
    const meeting = meetAs('offerer');
    const { alice, memory } = meeting;
    const outputs = alice.core.handle(delivery(meeting, said(meeting, null), ageMs), memory.now);
    expect(outputs.filter(({ type }) => type === 'dial').length).toBe(dials);
  });

  it('with an old presence tells how far the contact has written, and greets nobody', () => {
    const meeting = meetAs('answerer');
    const { alice, memory, bob } = meeting;
    const outputs = alice.core.handle(delivery(meeting, said(meeting, { case: 'presence', value: { answer: false, last: 2 } }), 20_001), memory.now);
    expect([bob.record.lacking, puts(outputs)]).toEqual([[1, 2], 0]);
    expect(puts(alice.core.handle(delivery(meeting, said(meeting, { case: 'presence', value: { answer: false, last: 2 } })), memory.now + 1_000))).toBeGreaterThan(0);
  });

  it('with an old offer opens no call', () => {
    const meeting = meetAs('answerer');
    const { alice, memory } = meeting;
    const content: Content = { case: 'offer', value: { call: new Uint8Array(16), description: { ufrag: 'abcd', pwd: 'x'.repeat(22), fingerprint: new Uint8Array(32), setup: 'actpass', candidates: [] } } };
    alice.core.handle(delivery(meeting, said(meeting, content), 20_001), memory.now);
    expect(memory.calls.size).toBe(0);
    alice.core.handle(delivery(meeting, said(meeting, content)), memory.now);
    expect(memory.calls.size).toBe(1);
  });

  it('that opens and says what cannot be is rejected, and the session goes on', () => {
    const meeting = meet(441);
    const { guest, alice, memory, bob } = meeting;
    const contact = guest.core.memory.contacts.get(memory.id)!;
    const { session, message } = encrypt(contact.session!, Uint8Array.of(0xff), memory.random, memory.now);
    contact.session = session;
    const rejected = alice.core.handle(delivery(meeting, message), memory.now);
    expect(rejected.filter(({ type }) => type === 'notice')).toEqual([{ type: 'notice', contact: bob.record.id, code: 'undecryptable' }]);
    expect(bob.record.unanswered).toBe(0);
    const outputs = alice.core.handle(delivery(meeting, said(meeting, { case: 'text', value: { id: new Uint8Array(16), number: 1, chain: new Uint8Array(), text: 'hello' } })), memory.now);
    expect(textsOf(outputs)).toEqual(['hello']);
  });

  it('that comes again is answered by a receipt; by a peer connection it shows that the path works', () => {
    const meeting = meetAs('offerer');
    const { alice, memory, bob } = meeting;
    const call = opened(meeting);
    const frame = said(meeting, null);
    memory.now += 60_000;
    alice.core.handle({ type: 'peer-frame', call: call.id, frame }, memory.now);
    expect(bob.heardDirectAt).toBe(memory.now);
    memory.update(bob, { receiptOwed: false });
    memory.now += 60_000;
    memory.timers.clear(`receipt:${bob.record.id}`);
    const outputs = alice.core.handle(delivery(meeting, frame), memory.now);
    expect([noticesOf(outputs), typesOf(outputs).includes('peer-send')]).toEqual([[], true]);
    expect(bob.heardDirectAt).toBe(memory.now - 60_000);
  });

  it('that comes by a path is the reason to go on believing in it', () => {
    for (const isHeard of [true, false]) {
      const meeting = meetAs('offerer');
      const { alice, memory, bob } = meeting;
      opened(meeting);
      alice.core.handle({ type: 'send', request: 7, contact: bob.record.id, text: 'hello' }, memory.now);
      const now = memory.now + 3_000;
      bob.heardDirectAt = isHeard ? now : 0;
      alice.core.handle({ type: 'wake' }, now);
      expect(bob.openCall !== null).toBe(isHeard);
    }
  });

  it('with candidates brings them to the call that they are of, and ours go to the contact', () => {
    const meeting = meetAs('offerer');
    const { alice, memory } = meeting;
    const call = dialed(meeting);
    memory.takeOutputs();
    const outputs = alice.core.handle(delivery(meeting, said(meeting, { case: 'candidates', value: { call: fromHex(call.id), candidates: ['x'] } })), memory.now);
    expect(outputs).toContainEqual({ type: 'peer-candidates', call: call.id, candidates: ['x'] });
    expect(puts(alice.core.handle({ type: 'peer-candidates', call: call.id, candidates: ['y'] }, memory.now))).toBe(1);
  });

  it('that asks for a receipt by a peer connection is never too old to be answered', () => {
    const meeting = meetAs('offerer');
    const { alice, memory, bob } = meeting;
    const call = opened(meeting);
    memory.update(bob, { receiptOwed: false });
    memory.timers.clear(`receipt:${bob.record.id}`);
    memory.now += 60_000;
    const outputs = alice.core.handle({ type: 'peer-frame', call: call.id, frame: said(meeting, { case: 'presence', value: { answer: false, last: 0 } }) }, memory.now);
    expect(typesOf(outputs)).toContain('peer-send');
  });

  it('goes by way of a TURN server when the connection says so, and a direct path is tried later', () => {
    const meeting = meetAs('offerer');
    const { alice, memory, bob } = meeting;
    const call = opened(meeting);
    alice.core.handle({ type: 'peer-pair', call: call.id, relayed: true }, memory.now);
    expect(memory.pathOf(bob)).toBe('turn');
    expect(typesOf(alice.core.handle({ type: 'wake' }, memory.now + 600_000))).toContain('dial');
  });

  it('that opens nothing says so while there is a session, and nothing while there is none', () => {
    const meeting = meet(442);
    const { alice, memory, bob } = meeting;
    const nonsense = new Uint8Array(512);
    expect(noticesOf(alice.core.handle(delivery(meeting, nonsense), memory.now))).toEqual(['undecryptable']);
    bob.session = null;
    expect(noticesOf(alice.core.handle(delivery(meeting, nonsense), memory.now))).toEqual([]);
  });

  it('asks for what is missing soon after a long silence', () => {
    const meeting = meet(443);
    const { alice, memory, bob } = meeting;
    memory.timers.set(`ask:${bob.record.id}`, memory.now + 86_400_000);
    alice.core.handle(delivery(meeting, said(meeting, null)), memory.now);
    expect(dueIn(memory, `ask:${bob.record.id}`)).toBe(600_000);
  });
});

describe('a receipt by an old copy', () => {
  it('is not believed, and ends the session', () => {
    const meeting = meet(450);
    const { alice, memory, bob } = meeting;
    const outputs = alice.core.handle(delivery(meeting, said(meeting, { case: 'receipt', value: { delivered: 9, lacking: [], read: 0, again: false, last: 0, lastId: new Uint8Array() } })), memory.now);
    expect([noticesOf(outputs), bob.session]).toEqual([['rolled-back'], null]);
  });
});
