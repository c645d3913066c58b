// What is said past a session, with nothing but the functions of the core: which resets and standings count, and what is answered.

import { beforeAll, describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../crypto/bytes.js';
import { firstDevices } from '../../../crypto/devices.js';
import { initiate } from '../../../crypto/handshake.js';
import { hash } from '../../../crypto/hash.js';
import { createIdentity, identityId } from '../../../crypto/identity.js';
import { createReset, openReset, openResumption, sealResumption } from '../../../crypto/reset.js';
import type { Reset, Standing } from '../../../crypto/reset.js';
import { encrypt, receivedPosition, sentPosition } from '../../../crypto/session.js';
import { ready } from '../../../crypto/sodium.js';
import { encodeBody, NUMBER_MAX } from '../../../client/core/body.js';
import type { Content } from '../../../client/core/body.js';
import { sendText } from '../../../client/core/conversation.js';
import { resumptionsAfter, resumptionsOf } from '../../../client/core/memory.js';
import type { Contact, Memory } from '../../../client/core/memory.js';
import type { Output } from '../../../client/core/output.js';
import * as reset from '../../../client/core/reset.js';
import { NUMBERS_APART } from '../../../client/core/reset.js';
import { meetAs, opened } from './calls.js';
import { dueIn, meet, noticesOf, puts, textsOf, typesOf } from './support.js';
import type { Meeting } from './support.js';

beforeAll(ready);

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const EARLIER = new Uint8Array(32).fill(9);

const putOf = (outputs: readonly Output[]) => outputs.find((output) => output.type === 'put');

/** A contact who tells where they stand, under a secret. */
function stand({ world, memory, bob }: Meeting, fields: Partial<Standing>, secret = resumptionsOf(bob)[0]!): Output[] {
  reset.onSealed(memory, bob, sealResumption(secret, fromHex(bob.record.id), { type: 'standing', asks: false, received: null, ...fields }, world.random));
  return memory.takeOutputs();
}

/** How the contact, or somebody in their place, answers our reset. */
function answerTo({ world, guest, memory, bob }: Meeting, envelope: Uint8Array, content: Content | null = null, identity = guest.core.memory.identity, devices = guest.core.memory.self.devices): Uint8Array {
  const { said, resumption } = openResumption(resumptionsOf(bob), fromHex(memory.id), envelope)!;
  const { session, flight } = initiate(identity, devices, openReset(said as Reset, resumption, memory.now), world.random);
  const { mailbox, token } = guest.core.memory.contacts.get(memory.id)!.record.inbox;
  const body = encodeBody(memory.now, content, { name: 'Bob', devices, first: 1, reply: { relay: 'https://other.test', mailbox: fromHex(mailbox), token } });
  return encrypt(session, body, world.random, memory.now, flight).message;
}

/** A contact whose session is over, by us. */
function begun(seed: number): Meeting {
  const meeting = meet(seed);
  reset.begin(meeting.memory, meeting.bob, 'restored');
  return meeting;
}

describe('a standing', () => {
  const NOTHING = { chain: 0, next: 0, key: null };
  const ahead = (meeting: Meeting, chains: number, messages: number, key?: Uint8Array): Output[] => {
    const { bob } = meeting;
    const sent = sentPosition(bob.session!, bob.record.flightKey === null);
    return stand(meeting, { received: { chain: sent.chain + chains, next: sent.next + messages, key: key ?? sent.key } });
  };

  it.each([
    ['as much as we have sent', 0, 0, false],
    ['less', 0, -1, false],
    ['more of an older chain', -1, 1, false],
    ['more', 0, 1, true],
    ['a newer chain', 1, -1, true],
    ['a chain of another copy', 0, 0, true, EARLIER],
  ] as const)('of who has received %s of this session tells whether this home is an old copy', (_what, chains, messages, isOld, key?: Uint8Array) => {
    const meeting = meet(1);
    // So far that both its chain and its number can be less.
    for (let turn = 0; turn < 2; turn += 1) {
      meeting.alice.send(meeting.bob.record.id, 'ping');
      meeting.world.run(1_000);
      meeting.guest.send(meeting.memory.id, 'pong');
      meeting.world.run(1_000);
    }
    sendText(meeting.memory, meeting.bob, 1, 'one more');
    meeting.memory.takeOutputs();
    expect(noticesOf(ahead(meeting, chains, messages, key))).toEqual(isOld ? ['rolled-back'] : []);
    expect(meeting.bob.session === null).toBe(isOld);
  });

  it('of who has left this session says that this home is an old copy; of an earlier session, or before the contact has answered, it does not', () => {
    const meeting = meet(2);
    const { memory, bob } = meeting;
    memory.update(bob, { resumptions: EARLIER });
    expect(noticesOf(stand(meeting, {}, EARLIER))).toEqual([]);
    memory.update(bob, { flight: new Uint8Array(1) });
    expect(noticesOf(stand(meeting, {}))).toEqual([]);
    memory.update(bob, { flight: null });
    expect(noticesOf(stand(meeting, {}))).toEqual(['rolled-back']);
  });

  it('that asks is answered once a minute, with what is true of the session that it is of', () => {
    const meeting = meet(3);
    const { memory, bob } = meeting;
    memory.update(bob, { resumptions: EARLIER });
    const { session } = bob;
    const received = NOTHING;
    expect(puts(stand(meeting, { received }))).toBe(0);
    const answer = putOf(stand(meeting, { asks: true, received }))!;
    expect(answer.ttlSeconds).toBe(3_600);
    expect(openResumption(resumptionsOf(bob), fromHex(memory.id), answer.bytes)!.said).toEqual({ type: 'standing', asks: false, received: receivedPosition(session!) });
    memory.now += 59_999;
    expect(puts(stand(meeting, { asks: true, received }))).toBe(0);
    memory.now += 1;
    const other = putOf(stand(meeting, { asks: true, received }, EARLIER))!;
    expect(openResumption(resumptionsOf(bob), fromHex(memory.id), other.bytes)).toEqual({ said: { type: 'standing', asks: false, received: null }, resumption: EARLIER });
  });

  it('that says so over and over is believed once an hour, and never until our numbers are used up', () => {
    const meeting = meet(6);
    const { memory, bob } = meeting;
    const session = bob.session!;
    const again = (): string[] => {
      memory.advance(bob, session, { reset: null });
      return noticesOf(stand(meeting, {}));
    };
    expect([again(), again()]).toEqual([['rolled-back'], []]);
    memory.now += HOUR - 1;
    expect(again()).toEqual([]);
    memory.now += 1;
    expect(again()).toEqual(['rolled-back']);
    memory.update(bob, { sentNumber: NUMBER_MAX - 2 * NUMBERS_APART });
    for (const believed of [['rolled-back'], [], []]) {
      memory.now += HOUR;
      expect(again()).toEqual(believed);
    }
    expect(bob.record.sentNumber).toBeLessThan(NUMBER_MAX);
  });

  it('shows nobody that the contact is there now: it may be given back by a relay', () => {
    const meeting = meetAs('offerer');
    const { world, alice, memory, bob } = meeting;
    const envelope = sealResumption(resumptionsOf(bob)[0]!, fromHex(bob.record.id), { type: 'standing', asks: false, received: NOTHING }, world.random);
    const outputs = alice.core.handle({ type: 'delivery', mailbox: bob.record.inbox.mailbox, sequence: 1, envelope, ageMs: 0 }, memory.now);
    expect(typesOf(outputs).filter((type) => type !== 'wake')).toEqual(['acknowledge']);
  });

  it('is not told where there is no link, or no session', () => {
    const meeting = meet(4);
    const { memory, bob } = meeting;
    const link = `deposit ${bob.record.outbox.relay}`;
    memory.links.set(link, { online: false, rttMs: 0 });
    expect(puts(stand(meeting, { asks: true, received: NOTHING }))).toBe(0);
    memory.links.set(link, { online: true, rttMs: 0 });
    memory.update(bob, { resumptions: EARLIER });
    bob.session = null;
    memory.now += HOUR;
    expect(puts(stand(meeting, { asks: true }, EARLIER))).toBe(0);
  });

  it('is asked for while a text has no receipt, once an hour, and not of a contact who has not answered', () => {
    const { memory, bob } = meet(5);
    const timer = `doubt:${bob.record.id}`;
    const doubt = (): [number, number | undefined] => {
      memory.timers.clear(timer);
      reset.doubt(memory, bob);
      const outputs = memory.takeOutputs();
      for (const { bytes } of outputs.filter((output) => output.type === 'put')) expect(openResumption(resumptionsOf(bob), fromHex(memory.id), bytes)!.said).toMatchObject({ asks: true });
      return [puts(outputs), dueIn(memory, timer)];
    };
    expect(doubt()).toEqual([0, undefined]);
    bob.undelivered.set(1, {} as never);
    expect(doubt()).toEqual([1, HOUR]);
    memory.update(bob, { flight: new Uint8Array(1) });
    expect(doubt()).toEqual([0, HOUR]);
    bob.session = null;
    expect(doubt()).toEqual([0, undefined]);
  });
});

describe('a reset of a contact', () => {
  /** The envelope of a reset, and what comes of it. */
  function come({ world, guest, memory, bob }: Meeting, fields: Partial<Pick<Reset, 'madeAt' | 'first' | 'reason'>> = {}, terms: object = {}): { envelope: Uint8Array; outputs: Output[] } {
    const { identity, self } = guest.core.memory;
    const said = { reason: 'restored', madeAt: memory.now, first: 1, ...fields } as const;
    const { envelope } = createReset(
      { identity, devices: self.devices, name: 'Bob', relay: self.relay, mailbox: new Uint8Array(16).fill(4), token: new Uint8Array(16), expiresAt: memory.now + DAY, ...terms },
      { ...said, resumption: resumptionsOf(bob)[0]! }, world.random);
    reset.onSealed(memory, bob, envelope);
    return { envelope, outputs: memory.takeOutputs() };
  }

  it('is taken when it is newer than the session, not of tomorrow, and not the second within an hour', () => {
    const taken = (change: (meeting: Meeting) => number): boolean => {
      const meeting = meet(6);
      const { session } = meeting.bob;
      meeting.memory.update(meeting.bob, { begunAt: meeting.memory.now - 1_000 });
      const madeAt = change(meeting);
      come(meeting, { madeAt }, { expiresAt: meeting.memory.now + 3 * DAY });
      return meeting.bob.session !== session;
    };
    expect(taken(({ memory }) => memory.now)).toBe(true);
    expect(taken(({ memory }) => memory.now - 999)).toBe(true);
    expect(taken(({ memory }) => memory.now - 1_000)).toBe(false);
    expect(taken(({ memory }) => memory.now + DAY)).toBe(true);
    expect(taken(({ memory }) => memory.now + DAY + 1)).toBe(false);
    expect(taken(({ memory, bob }) => {
      memory.update(bob, { resetTakenAt: memory.now - HOUR + 1 });
      return memory.now;
    })).toBe(false);
    expect(taken(({ memory, bob }) => {
      memory.update(bob, { resetTakenAt: memory.now - HOUR });
      return memory.now;
    })).toBe(true);
  });

  it.each<[string, (memory: Memory) => object]>([
    ['of no device list', () => ({ devices: new Uint8Array(179) })],
    ['whose time is over', ({ now }) => ({ expiresAt: now })],
    ['that sends us to this machine', () => ({ relay: 'http://127.0.0.1:25' })],
  ])('%s changes nothing, though it is sealed with our secret', (_what, terms) => {
    const meeting = meet(7);
    const { memory, bob } = meeting;
    const before = bob.record;
    const { session } = bob;
    expect(come(meeting, {}, terms(memory)).outputs).toEqual([]);
    expect([bob.session === session, bob.record]).toEqual([true, before]);
  });

  it('makes a session by which all is told, where the contact is reached from now on', () => {
    const meeting = meetAs('offerer');
    const { guest, memory, bob } = meeting;
    sendText(memory, bob, 1, 'not delivered yet');
    opened(meeting);
    bob.hold = { code: 'mailbox-full', until: memory.now + DAY };
    memory.update(bob, { devices: new Uint8Array(), receiptOwed: false, flightKey: new Uint8Array(32), helloOwed: true, unanswered: 9, createdAt: 0, outbox: { ...bob.record.outbox, relay: 'https://old.test' } });
    memory.takeOutputs();
    const { outputs } = come(meeting, { reason: 'rolled-back' }, { relay: 'https://other.test' });
    expect(outputs).toContainEqual({ type: 'link', relay: 'https://other.test', role: 'deposit' });
    expect(bob.record).toMatchObject({
      devices: guest.core.memory.self.devices, flightKey: null, helloOwed: false, begunAt: memory.now, resetTakenAt: memory.now, receiptOwed: true,
      outbox: { relay: 'https://other.test', mailbox: '04'.repeat(16) }, createdAt: memory.now, unanswered: 2,
    });
    expect(outputs).toContainEqual({ type: 'unlink', relay: 'https://old.test', role: 'deposit' });
    expect([memory.calls.size, bob.openCall, bob.hold]).toEqual([0, null, null]);
    // Our text, and the answer to the reset: both wait for the link.
    expect([noticesOf(outputs), bob.waiting.map(({ record }) => record.number)]).toEqual([['session-reset'], [1, null]]);
  });

  it('that meets a mistake of ours fails loudly', () => {
    const meeting = meet(12);
    const { memory } = meeting;
    Object.assign(memory, { random: () => { throw new RangeError('ours'); } });
    expect(() => come(meeting)).toThrow(RangeError);
  });

  it('that asks for a session with another identity changes nothing', () => {
    const meeting = meet(10);
    const { memory, bob, world } = meeting;
    const identity = createIdentity(world.random);
    const { envelope } = come(meeting, {}, { identity, devices: firstDevices(identity, 0) });
    const { said, resumption } = openResumption(resumptionsOf(bob), identityId(identity), envelope)!;
    const { session } = bob;
    reset.onSealed(memory, bob, sealResumption(resumption, fromHex(bob.record.id), said, world.random));
    expect([bob.session === session, memory.takeOutputs()]).toEqual([true, []]);
  });

  it('that is repeated is answered once a minute until the contact has answered, and then no more', () => {
    const meeting = meet(8);
    const { memory, bob } = meeting;
    const { envelope, outputs } = come(meeting);
    expect([noticesOf(outputs), bob.record.flight === null]).toEqual([['restored'], false]);
    const again = (): number => {
      const before = bob.session;
      reset.onSealed(memory, bob, envelope);
      memory.takeOutputs();
      return bob.session === before ? 0 : 1;
    };
    const told = [again(), again()];
    memory.now += 60_000;
    told.push(again());
    memory.now += 60_000;
    memory.update(bob, { flight: null });
    told.push(again());
    // Nor when another reset would be taken.
    memory.now += HOUR;
    told.push(again());
    expect(told).toEqual([1, 0, 1, 0, 0]);
  });

  it('that is older than ours is no repetition of it', () => {
    const meeting = meet(9);
    const { memory, bob } = meeting;
    const { envelope } = come(meeting);
    memory.update(bob, { begunAt: bob.record.begunAt + 1 });
    const { session } = bob;
    reset.onSealed(memory, bob, envelope);
    expect(bob.session).toBe(session);
  });
});

describe('a reset of ours', () => {
  it('is put when the link and the mailbox for its answer are there, again and again, for as long as it lives', () => {
    const { memory, bob } = begun(20);
    const { id, inbox, outbox: { relay } } = bob.record;
    const first = putOf(memory.takeOutputs())!;
    expect(first.envelope).toBe(toHex(hash('envelope', first.bytes)).slice(0, 32));
    expect([first.ttlSeconds, dueIn(memory, `reset:${id}`)]).toEqual([7 * DAY / 1000, 600_000]);
    const repeated = (): Output[] => {
      reset.repeat(memory, bob);
      return memory.takeOutputs();
    };
    memory.now += DAY + 1;
    expect(putOf(repeated())).toEqual({ ...first, ttlSeconds: 6 * DAY / 1000 });
    memory.links.set(`deposit ${relay}`, { online: false, rttMs: 0 });
    expect(puts(repeated())).toBe(0);
    memory.links.set(`deposit ${relay}`, { online: true, rttMs: 0 });
    memory.collected.delete(inbox.mailbox);
    expect(puts(repeated())).toBe(0);
    memory.collected.add(inbox.mailbox);
    memory.now -= 60 * DAY;
    expect(putOf(repeated())!.ttlSeconds).toBe(30 * DAY / 1000);
    memory.now += 66 * DAY - 2;
    expect(putOf(repeated())!.bytes).toEqual(first.bytes);
    memory.now += 1;
    const other = putOf(repeated())!;
    expect([other.ttlSeconds, Buffer.compare(other.bytes, first.bytes) === 0]).toEqual([7 * DAY / 1000, false]);
  });

  it('is not put once there is a session, or when there is none to put', () => {
    const { memory, bob } = begun(21);
    memory.takeOutputs();
    const { reset: pending } = bob.record;
    memory.update(bob, { reset: null });
    reset.repeat(memory, bob);
    expect(puts(memory.takeOutputs())).toBe(0);
    memory.update(bob, { reset: pending });
    bob.session = meet(22).bob.session;
    reset.repeat(memory, bob);
    expect(puts(memory.takeOutputs())).toBe(0);
  });

  it('is impossible, and the person told once, where its mailbox is gone, or no secret is left', () => {
    const { memory, bob } = begun(23);
    const { envelope } = putOf(memory.takeOutputs())!;
    const impossible = (id: string, error: 'mailbox-unknown' | 'token-wrong' | 'mailbox-full' | null): string[] => {
      reset.onPut(memory, bob, id, error);
      return noticesOf(memory.takeOutputs());
    };
    expect([impossible('ff', 'mailbox-unknown'), impossible(envelope, 'mailbox-full'), impossible(envelope, null)]).toEqual([[], [], []]);
    expect([impossible(envelope, 'token-wrong'), impossible(envelope, 'mailbox-unknown')]).toEqual([['reset-impossible'], []]);
    bob.resetFailed = false;
    bob.session = meet(24).bob.session;
    expect(impossible(envelope, 'mailbox-unknown')).toEqual([]);
    bob.session = null;
    memory.update(bob, { reset: null });
    expect(impossible(envelope, 'mailbox-unknown')).toEqual([]);
    memory.update(bob, { resumptions: new Uint8Array() });
    reset.begin(memory, bob, 'restored');
    const outputs = memory.takeOutputs();
    expect([noticesOf(outputs), puts(outputs), bob.record.reset]).toEqual([['session-reset', 'reset-impossible'], 0, null]);
  });

  it('takes back what was on its way, and gives our texts new numbers in their order', () => {
    const { memory, bob } = meet(26);
    for (const text of ['one', 'two']) sendText(memory, bob, 1, text);
    bob.failed.set(9, bob.undelivered.get(1)!);
    memory.update(bob, { flightKey: new Uint8Array(32), unanswered: 5, helloOwed: true });
    memory.takeOutputs();
    reset.begin(memory, bob, 'session-exhausted');
    const outputs = memory.takeOutputs();
    const first = 2 + 2 ** 20;
    const numbers = outputs.flatMap((output) => (output.type === 'save' && output.change.kind === 'renumbered' ? [[output.change.from, output.change.to]] : []));
    expect([numbers, [...bob.undelivered.values()].map(({ number, text }) => [number, text])]).toEqual([[[1, first], [2, first + 1]], [[first, 'one'], [first + 1, 'two']]]);
    expect([bob.outgoing.size, bob.byNumber.size, bob.waiting, bob.inFlight, bob.failed.size]).toEqual([0, 0, [], 0, 0]);
    expect(outputs.filter((output) => output.type === 'save' && output.change.kind === 'outgoing-removed').length).toBe(2);
    expect(bob.record).toMatchObject({ flight: null, flightKey: null, helloOwed: false, unanswered: 0, resetReason: 'session-exhausted', sentFirst: first, sentNumber: first + 1 });
    expect(typesOf(outputs)).toContain('path');
  });

  it('is answered by the contact alone, who says where to reach them from now on', () => {
    const meeting = begun(25);
    const { world, memory, bob } = meeting;
    const { bytes } = putOf(memory.takeOutputs())!;
    const mallory = createIdentity(world.random);
    expect(reset.onFlight(memory, bob, answerTo(meeting, bytes, null, mallory, firstDevices(mallory, 0)))).toBeNull();
    expect([bob.session, typesOf(memory.takeOutputs())]).toEqual([null, []]);
    memory.update(bob, { devices: new Uint8Array() });
    const answer = answerTo(meeting, bytes);
    expect(reset.onFlight(memory, bob, answer)).not.toBeNull();
    expect(bob.record).toMatchObject({ reset: null, flight: null, helloOwed: false, devices: meeting.guest.core.memory.self.devices, flightKey: answer.subarray(0, 32), begunAt: memory.now - 1, heardAt: memory.now, receiptOwed: true, outbox: { relay: 'https://other.test' } });
    expect([bob.session === null, dueIn(memory, `reset:${bob.record.id}`)]).toEqual([false, undefined]);
    expect(memory.takeOutputs()).toContainEqual({ type: 'link', relay: 'https://other.test', role: 'deposit' });
    expect(reset.onFlight(memory, bob, answerTo(meeting, bytes))).toBeNull();
  });

  it('is answered together with what the contact has to say, and shows that they are there', () => {
    const meeting = meetAs('offerer');
    const { alice, memory, bob } = meeting;
    // The path was proven in the session that is over.
    opened(meeting);
    reset.begin(memory, bob, 'restored');
    expect([memory.calls.size, bob.openCall]).toEqual([0, null]);
    const { bytes } = putOf(memory.takeOutputs())!;
    const envelope = answerTo(meeting, bytes, { case: 'text', value: { id: new Uint8Array(16), number: 1, chain: new Uint8Array(), text: 'at once' } });
    const outputs = alice.core.handle({ type: 'delivery', mailbox: bob.record.inbox.mailbox, sequence: 1, envelope, ageMs: 0 }, memory.now);
    expect([textsOf(outputs), typesOf(outputs).includes('dial')]).toEqual([['at once'], true]);
  });
});

describe('the secrets of earlier sessions', () => {
  const secret = (n: number): Uint8Array => new Uint8Array(32).fill(n);
  const secrets = (...of: readonly number[]): Uint8Array => Uint8Array.from(of.flatMap((n) => [...secret(n)]));
  const after = (contact: Contact): number[] => Array.from({ length: resumptionsAfter(contact).length / 32 }, (_, index) => resumptionsAfter(contact)[index * 32]!);

  it('are four at most, the newest first', () => {
    const { memory, bob } = meet(30);
    const [current] = resumptionsOf(bob);
    memory.update(bob, { resumptions: secrets(1, 2, 3, 4) });
    expect(after(bob)).toEqual([current![0], 1, 2, 3]);
    bob.session = null;
    expect(after(bob)).toEqual([1, 2, 3, 4]);
    memory.update(bob, { resumptions: new Uint8Array() });
    expect(after(bob)).toEqual([]);
  });

  it('do without one that the contact may never have had, if there is another', () => {
    const { memory, bob } = meet(31);
    const [current] = resumptionsOf(bob);
    memory.update(bob, { resumptions: secrets(1), flight: new Uint8Array(1) });
    expect(after(bob)).toEqual([1]);
    memory.update(bob, { flight: null });
    expect(after(bob)).toEqual([current![0], 1]);
    memory.update(bob, { resumptions: new Uint8Array(), flight: new Uint8Array(1) });
    expect(after(bob)).toEqual([current![0]]);
    memory.update(bob, { resumptions: secrets(1, 2) });
    bob.session = null;
    expect(after(bob)).toEqual([1, 2]);
  });
});
