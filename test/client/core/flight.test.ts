// First flights and cards as somebody may make them up: what becomes of a contact, a request or an invitation, and what does not.

import { beforeAll, describe, expect, it } from 'vitest';
import { parseAnyLink } from '../../../crypto/address.js';
import { fromHex, toHex } from '../../../crypto/bytes.js';
import { firstDevices, packDevices, unpackDevices } from '../../../crypto/devices.js';
import { FLIGHT_BYTES, initiate } from '../../../crypto/handshake.js';
import { hash } from '../../../crypto/hash.js';
import { createIdentity } from '../../../crypto/identity.js';
import type { Identity } from '../../../crypto/identity.js';
import { openCard } from '../../../crypto/invitation.js';
import { encrypt } from '../../../crypto/session.js';
import { ready } from '../../../crypto/sodium.js';
import { encodeBody } from '../../../client/core/body.js';
import type { Content } from '../../../client/core/body.js';
import { CLOCK_AHEAD_MS, contactId, isCrossing, onAnswered, peerMailbox } from '../../../client/core/contacts.js';
import { keepPast } from '../../../client/core/past.js';
import type { ContactRecord } from '../../../client/core/records.js';
import { REQUEST_BYTES_MAX, REQUEST_TEXTS_MAX, REQUESTS_MAX } from '../../../client/core/requests.js';
import { World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';
import { dueIn, meet, noticesOf, textsOf, typesOf } from './support.js';

beforeAll(ready);

const DAY = 86_400_000;
const REPLY = { relay: 'https://other.test', mailbox: new Uint8Array(16).fill(1), token: new Uint8Array(16) };
const text = (number: number, words: string): Content => ({ case: 'text', value: { id: new Uint8Array(16).fill(number), number, chain: new Uint8Array(), text: words } });

/** Somebody who has a link, and says by it whatever they like. */
class Guest {
  readonly identity: Identity;
  devices: Uint8Array;
  readonly #world: World;
  readonly #flight: Uint8Array;
  #session: ReturnType<typeof initiate>['session'];

  constructor(world: World, link: string, identity = createIdentity(world.random), devices = firstDevices(identity, 0)) {
    const parsed = parseAnyLink(link, world.now);
    const bundle = openCard(parsed, world.cards.get(toHex(parsed.lookup))!, world.now);
    this.#world = world;
    this.identity = identity;
    this.devices = devices;
    ({ session: this.#session, flight: this.#flight } = initiate(identity, devices, bundle, world.random));
  }

  get id(): string {
    return contactId(this.identity);
  }

  /** An envelope with this body behind the flight. */
  seal(body: Uint8Array): Uint8Array {
    const { session, message } = encrypt(this.#session, body, this.#world.random, this.#world.now, this.#flight);
    this.#session = session;
    return message;
  }

  /** An envelope that introduces this guest. */
  say(content: Content | null = null, hello: object = {}, sentAt = this.#world.now): Uint8Array {
    return this.seal(encodeBody(sentAt, content, { name: 'Guest', reply: REPLY, devices: this.devices, first: 1, ...hello }));
  }
}

function host(seed: number): { world: World; alice: VirtualClient; link: string; deliver(envelope: Uint8Array): ReturnType<VirtualClient['core']['handle']> } {
  const world = new World(seed);
  const alice = world.client('Alice');
  const link = alice.invite();
  const { mailbox } = [...alice.core.memory.invitations.values()][0]!.mailbox;
  return { world, alice, link, deliver: (envelope) => alice.core.handle({ type: 'delivery', mailbox, sequence: 1, envelope, ageMs: 0 }, world.now) };
}

describe('a first flight', () => {
  it.each<[string, (guest: Guest, world: World) => Uint8Array]>([
    ['nobody who says who they are', (guest, world) => guest.seal(encodeBody(world.now, text(1, 'hello'), null))],
    ['nowhere to answer', (guest) => guest.say(null, { reply: undefined })],
    ['another device list than is sealed in it', (guest) => guest.say(null, { devices: firstDevices(guest.identity, 1) })],
    ['nothing behind it', (guest) => guest.say().subarray(0, FLIGHT_BYTES)],
    ['nearly nothing behind it', (guest) => guest.say().subarray(0, FLIGHT_BYTES + 1)],
    ['no end', (guest) => guest.say().subarray(0, FLIGHT_BYTES - 1)],
  ])('with %s makes no contact, and leaves the invitation to whoever comes rightly', (_what, make) => {
    const { world, alice, link, deliver } = host(1);
    const outputs = deliver(make(new Guest(world, link), world));
    expect(typesOf(outputs)).toEqual(['notice', 'acknowledge']);
    expect(outputs[0]).toEqual({ type: 'notice', contact: null, code: 'undecryptable' });
    expect([alice.core.memory.contacts.size, alice.core.memory.invitations.size]).toEqual([0, 1]);
    const guest = new Guest(world, link);
    deliver(guest.say(text(1, 'hello')));
    expect([...alice.core.memory.contacts.keys()]).toEqual([guest.id]);
    expect(alice.core.memory.invitations.size).toBe(0);
  });

  it('with an answer to this machine is refused like them, but the person is told what is wrong', () => {
    const { world, alice, link, deliver } = host(1);
    const outputs = deliver(new Guest(world, link).say(null, { reply: { ...REPLY, relay: 'http://127.0.0.1:5432' } }));
    expect([typesOf(outputs), noticesOf(outputs)]).toEqual([['notice', 'acknowledge'], ['relay-elsewhere']]);
    expect([alice.core.memory.contacts.size, alice.core.memory.invitations.size]).toEqual([0, 1]);
  });

  it('that comes before each of several texts makes one contact, who says all of them, and is told nothing twice', () => {
    const { alice, link, deliver, world } = host(19);
    const guest = new Guest(world, link);
    const first = deliver(guest.say(text(1, 'one')));
    const outputs = deliver(guest.say(text(2, 'two')));
    expect(first.find((output) => output.type === 'message')!.message.path).toBe('relay');
    expect([textsOf(first), textsOf(outputs), alice.core.memory.contacts.size, alice.core.memory.contacts.get(guest.id)!.record.helloOwed]).toEqual([['one'], ['two'], 1, false]);
  });

  it('of somebody who was a contact before goes on with the numbers of both, asks for what is missing, and is answered', () => {
    const { alice, link, deliver, world } = host(26);
    const { memory } = alice.core;
    const guest = new Guest(world, link);
    const before = { ...meet(1).bob.record, id: guest.id, sentNumber: 4, receivedNumber: 3, readyNumber: 3, readyChain: new Uint8Array(8).fill(1), lacking: [1, 2], readNumber: 1 };
    keepPast(memory, before);
    expect([...memory.past.keys()]).toEqual([toHex(hash('past', memory.identity.edSeed, fromHex(guest.id))).slice(0, 32)]);
    const outputs = deliver(guest.say(null, { first: 2 }));
    expect(outputs).toContainEqual({ type: 'link', relay: REPLY.relay, role: 'deposit' });
    expect(typesOf(outputs)).toContain('contact');
    const contact = memory.contacts.get(guest.id)!;
    expect(contact.record).toMatchObject({ sentFirst: 5, sentNumber: 4, receivedNumber: 3, readyNumber: 3, readyChain: before.readyChain, lacking: [2], readNumber: 1 });
    // A receipt, and the question for what is missing if that does not help.
    expect([contact.outgoing.size, dueIn(memory, `gap:${guest.id}`), memory.past.size]).toEqual([1, 2_000, 0]);
  });

  it('says once where a contact is reached: afterwards nobody sends us from relay to relay', () => {
    const { alice, link, deliver, world } = host(25);
    const guest = new Guest(world, link);
    deliver(guest.say());
    const { outbox } = alice.core.memory.contacts.get(guest.id)!.record;
    deliver(guest.say(null, { reply: { ...REPLY, mailbox: new Uint8Array(16).fill(9) } }));
    expect(alice.core.memory.contacts.get(guest.id)!.record.outbox).toEqual(outbox);
  });

  it('may name a relay of this machine where ours is here, too', () => {
    const { world, alice, link, deliver } = host(2);
    const { memory } = alice.core;
    memory.self = { ...memory.self, relay: 'http://localhost:8080' };
    deliver(new Guest(world, link).say(null, { reply: { ...REPLY, relay: 'http://127.0.0.1:5432' } }));
    expect(memory.contacts.size).toBe(1);
  });

  it('from a clock far ahead is held to ours and a day', () => {
    for (const [aheadMs, heldMs] of [[DAY - 1, DAY - 1], [400 * DAY, DAY]] as const) {
      const { world, alice, link, deliver } = host(3);
      const guest = new Guest(world, link);
      deliver(guest.say(null, {}, world.now + aheadMs));
      expect(alice.core.memory.contacts.get(guest.id)!.record.begunAt).toBe(world.now + heldMs - 1);
    }
  });

  it('of a known contact is refused with an older device list than is known, and says so when it takes the place of a session', () => {
    const { world, alice, link, deliver } = host(4);
    const { memory } = alice.core;
    const guest = new Guest(world, link);
    deliver(guest.say());
    const contact = memory.contacts.get(guest.id)!;
    const first = contact.record.inbox.mailbox;
    const newer = packDevices(guest.identity, { ...unpackDevices(guest.devices, guest.identity), version: 3, previous: new Uint8Array(32).fill(1) });
    memory.update(contact, { devices: newer });
    const again = alice.invite();
    const { mailbox } = [...memory.invitations.values()][0]!.mailbox;
    const come = (devices: Uint8Array) => {
      const envelope = new Guest(world, again, guest.identity, devices).say(text(1, 'hello again'));
      return alice.core.handle({ type: 'delivery', mailbox, sequence: 1, envelope, ageMs: 0 }, world.now);
    };
    expect([noticesOf(come(guest.devices)), contact.record.inbox.mailbox]).toEqual([['undecryptable'], first]);
    const outputs = come(newer);
    expect([noticesOf(outputs), contact.record.inbox.mailbox, [...memory.closing.keys()]]).toEqual([['session-replaced'], mailbox, [first]]);
  });

  it('of a contact whose device list is not known yet brings one', () => {
    const { world, alice, link, deliver } = host(5);
    const { memory } = alice.core;
    const guest = new Guest(world, link);
    deliver(guest.say());
    const contact = memory.contacts.get(guest.id)!;
    memory.update(contact, { devices: new Uint8Array() });
    const again = alice.invite();
    const { mailbox } = [...memory.invitations.values()][0]!.mailbox;
    alice.core.handle({ type: 'delivery', mailbox, sequence: 1, envelope: new Guest(world, again, guest.identity).say(), ageMs: 0 }, world.now);
    expect(contact.record.devices).toEqual(guest.devices);
  });

  it('crosses ours only where ours is by the lower identity, unanswered by theirs, and not older than the keys of theirs', () => {
    const { memory, bob } = meet(6);
    const low = 'f'.repeat(64);
    const crosses = (patch: Partial<ContactRecord>, keysMadeAt = 5, session = bob.session): boolean =>
      isCrossing(memory, { ...bob, session, record: { ...bob.record, id: low, flightKey: null, createdAt: 5, ...patch } }, keysMadeAt);
    expect(crosses({})).toBe(true);
    expect([crosses({}, 5, null), crosses({ flightKey: new Uint8Array(32) }), crosses({ id: '0'.repeat(64) }), crosses({}, 6)]).toEqual([false, false, false, false]);
  });

  it('never makes an older beginning count again', () => {
    const { memory, bob, guest, alice } = meet(7);
    const begunAt = memory.now + 1_000;
    memory.update(bob, { begunAt, flight: new Uint8Array(FLIGHT_BYTES) });
    expect(alice.accept(guest.invite())).toBe(bob.record.id);
    expect([bob.record.begunAt, bob.record.flightKey]).toEqual([begunAt, null]);
  });
});

describe('where a contact is reached', () => {
  it.each(['http://localhost', 'http://127.0.0.1:8080', 'http://[::1]', 'http://[::ffff:127.0.0.1]', 'http://0.0.0.0'])('is not %s, unless our relay is on this machine', (relay) => {
    const { memory } = meet(8);
    expect(() => peerMailbox(memory, { ...REPLY, relay })).toThrow(expect.objectContaining({ code: 'relay-elsewhere' }));
    memory.self = { ...memory.self, relay: 'http://127.0.0.1:9000' };
    expect(peerMailbox(memory, { ...REPLY, relay }).mailbox).toBe('01'.repeat(16));
    expect(() => peerMailbox(memory, REPLY)).toThrow(expect.objectContaining({ code: 'relay-elsewhere' }));
  });

  it('is elsewhere when the contact says another mailbox, and nothing happens when it is the same', () => {
    const { memory, bob } = meet(9);
    const hold = { code: 'mailbox-full', until: memory.now + 1_000 } as const;
    bob.hold = hold;
    const { begunAt, outbox: { relay, mailbox, token } } = bob.record;
    const answer = (reply: object | undefined, sentAt: number) => onAnswered(memory, bob, { sentAt: BigInt(sentAt), hello: reply && { reply } } as never);
    answer({ relay, mailbox: Uint8Array.from(Buffer.from(mailbox, 'hex')), token }, begunAt + 1);
    answer(undefined, begunAt + 2);
    answer(undefined, begunAt - 2);
    expect([memory.takeOutputs().filter(({ type }) => type !== 'save'), bob.hold, bob.record.begunAt]).toEqual([[], hold, begunAt + 1]);
    answer(REPLY, Number.MAX_SAFE_INTEGER);
    expect([bob.record.outbox.relay, bob.hold, bob.record.begunAt]).toEqual(['https://other.test', null, memory.now + CLOCK_AHEAD_MS - 1]);
  });
});

describe('a link', () => {
  it('of a contact takes no card: that is left for others', () => {
    const { world, alice, guest } = meet(14);
    const link = guest.invite();
    const outputs = alice.core.handle({ type: 'accept', request: 5, link }, world.now);
    expect(typesOf(outputs)).toEqual(['answer']);
    expect(outputs[0]).toMatchObject({ result: { code: 'contact-exists', message: expect.stringContaining(`"sotto chat ${guest.core.memory.id.slice(0, 8)}"`) as string } });
  });

  it('that was accepted and not yet answered makes no second session by the same card', () => {
    const { world, alice, link } = host(15);
    const bob = world.client('Bob');
    alice.crash(86_400_000);
    const at = bob.accept(link);
    const { session } = bob.core.memory.contacts.get(at)!;
    expect(() => bob.accept(link)).toThrow(/contact already/);
    expect(bob.core.memory.contacts.get(at)!.session).toBe(session);
  });

  it('whose owner comes to us while we wait for the card is their approval', () => {
    const { world, alice } = host(16);
    const bob = world.client('Bob');
    world.run(1_000);
    const [toAlice, toBob] = [alice.address(), bob.address()];
    const outputs = alice.core.handle({ type: 'accept', request: 5, link: toBob }, world.now);
    const { lookup } = outputs.find((output) => output.type === 'take')!;
    bob.accept(toAlice);
    world.run(1_000);
    expect(alice.core.memory.requests.size).toBe(1);
    const card = world.cards.get(toHex(lookup))!;
    const answers = alice.core.handle({ type: 'card', request: 5, card, error: null }, world.now);
    expect(answers.find((output) => output.type === 'answer')).toMatchObject({ result: { type: 'accepted' } });
    const { record } = alice.core.memory.contacts.get(bob.core.memory.id)!;
    expect([record.flight, record.flightKey === null, alice.core.memory.requests.size]).toEqual([null, false, 0]);
  });

  it('of somebody who waits is their approval, and takes no card', () => {
    const { world, alice } = host(17);
    const bob = world.client('Bob');
    world.run(1_000);
    const [toAlice, toBob] = [alice.address(), bob.address()];
    bob.accept(toAlice);
    world.run(1_000);
    const outputs = alice.core.handle({ type: 'accept', request: 5, link: toBob }, world.now);
    expect([typesOf(outputs).includes('take'), alice.core.memory.contacts.has(bob.core.memory.id)]).toEqual([false, true]);
  });

  it('whose card comes when nobody waits for it leads to nothing', () => {
    const { world, alice } = host(18);
    for (const card of [null, new Uint8Array(3)]) {
      expect(alice.core.handle({ type: 'card', request: 5, card, error: null }, world.now)).toEqual([]);
    }
  });
});

describe('somebody at our address', () => {
  function door(seed: number): { world: World; alice: VirtualClient; guest: Guest; deliver(envelope: Uint8Array): string[]; texts(): number[] } {
    const { world, alice } = host(seed);
    const guest = new Guest(world, alice.address());
    world.run(1_000);
    const { mailbox } = alice.core.memory.address!.mailbox;
    return {
      world, alice, guest,
      deliver: (envelope) => typesOf(alice.core.handle({ type: 'delivery', mailbox, sequence: 1, envelope, ageMs: 0 }, world.now)),
      texts: () => alice.core.memory.requests.get(guest.id)!.record.texts.map(({ number }) => number),
    };
  }

  it('is news when they come and when they first say something, and not again', () => {
    const { guest, deliver, texts } = door(20);
    const news = [guest.say(), guest.say(), guest.say(text(1, 'one')), guest.say(text(2, 'two'))].map((envelope) => deliver(envelope).filter((type) => type === 'request').length);
    expect([news, texts()]).toEqual([[1, 0, 1, 0], [1, 2]]);
  });

  it('is remembered by the highest number they have said, whatever comes last', () => {
    const { alice, guest, deliver, texts } = door(21);
    for (const content of [text(3, 'three'), text(1, 'one'), null]) deliver(guest.say(content));
    expect([texts(), alice.core.memory.requests.get(guest.id)!.record.lastNumber]).toEqual([[1, 3], 3]);
    expect(deliver(guest.say(text(1, 'one, otherwise')))).toContain('save');
    expect(texts()).toEqual([1, 3]);
  });

  it('may come again by another flight while they wait, though there is no room for anybody else', () => {
    const { world, alice, guest, deliver } = door(26);
    const { requests } = alice.core.memory;
    expect([REQUESTS_MAX, REQUEST_TEXTS_MAX, REQUEST_BYTES_MAX]).toEqual([100, 20, 16_384]);
    deliver(guest.say());
    const waiting = requests.get(guest.id)!;
    for (let n = 1; n < REQUESTS_MAX; n += 1) requests.set(String(n), { ...waiting, record: { ...waiting.record, id: String(n), flightKey: new Uint8Array(32) } });
    const link = alice.address();
    expect(deliver(new Guest(world, link).say(text(1, 'hello')))).toEqual(['acknowledge']);
    const again = deliver(new Guest(world, link, guest.identity).say(text(1, 'me again')));
    expect(again.filter((type) => type !== 'save')).toEqual(['request', 'acknowledge']);
  });

  it('who comes again by another flight has said all that they said before, and waits since then', () => {
    const { world, alice, guest, deliver, texts } = door(27);
    const envelope = guest.say(text(1, 'one'));
    deliver(envelope);
    expect([...alice.core.memory.flights.keys()]).toEqual([toHex(hash('flight', envelope.subarray(0, 32))).slice(0, 32)]);
    const createdAt = world.now;
    world.run(1_000);
    deliver(new Guest(world, alice.address(), guest.identity).say(text(2, 'two')));
    expect(texts()).toEqual([1, 2]);
    expect(alice.core.memory.requests.get(guest.id)!.record).toMatchObject({ createdAt, begunAt: world.now - 1, heardAt: world.now });
  });

  it('who is approved counts as heard when they were, and is owed an answer though they have said nothing', () => {
    const { world, alice, guest, deliver } = door(28);
    const heardAt = world.now;
    deliver(guest.say());
    world.run(1_000);
    const outputs = alice.core.handle({ type: 'approve', request: 1, id: guest.id }, world.now);
    const contact = alice.core.memory.contacts.get(guest.id)!;
    expect([contact.record.heardAt, contact.record.begunAt, contact.outgoing.size]).toEqual([heardAt, heardAt - 1, 1]);
    // Until they know of a mailbox of their own they write to that of the address, which is no direct path.
    expect([deliver(guest.say(text(1, 'hello'))).includes('message'), contact.heardDirectAt]).toEqual([true, 0]);
    expect(outputs).toContainEqual({ type: 'answer', request: 1, result: { type: 'accepted', contact: guest.id, isBack: false } });
    for (const type of ['approve', 'refuse'] as const) expect(alice.core.handle({ type, request: 2, id: guest.id }, world.now)).toMatchObject([{ type: 'answer', result: { code: 'request-unknown' } }]);
  });

  it('has room for so many bytes, and not for one more', () => {
    const { guest, deliver, texts } = door(22);
    deliver(guest.say(text(1, 'ß'.repeat(REQUEST_BYTES_MAX / 2))));
    deliver(guest.say(text(2, 'x')));
    expect(texts()).toEqual([1]);
  });

  it('who is a contact already is not heard by a flight that was cut short', () => {
    const { alice, guest, deliver } = door(24);
    const flight = guest.say();
    deliver(flight);
    alice.core.handle({ type: 'approve', request: 1, id: guest.id }, alice.core.memory.now);
    const { session } = alice.core.memory.contacts.get(guest.id)!;
    for (const length of [31, 32, FLIGHT_BYTES]) expect(deliver(flight.subarray(0, length)).filter((type) => type !== 'wake')).toEqual(['acknowledge']);
    expect(deliver(flight.subarray(0, FLIGHT_BYTES + 1)).filter((type) => type !== 'wake')).toEqual(['notice', 'acknowledge']);
    expect(alice.core.memory.contacts.get(guest.id)!.session).toBe(session);
  });

  it.each<[string, (guest: Guest, world: World) => Uint8Array]>([
    ['nobody who says who they are', (guest, world) => guest.seal(encodeBody(world.now, text(1, 'hello'), null))],
    ['nothing behind it', (guest) => guest.say().subarray(0, FLIGHT_BYTES)],
    ['no end', (guest) => guest.say().subarray(0, FLIGHT_BYTES - 1)],
  ])('who comes by a flight with %s is nobody, and may come again', (_what, make) => {
    const { world, alice, guest, deliver } = door(23);
    expect(deliver(make(guest, world))).toEqual(['acknowledge']);
    expect(alice.core.memory.requests.size).toBe(0);
    deliver(guest.say());
    expect(alice.core.memory.requests.size).toBe(1);
  });

  it('who is a contact whose session works already waits, where they have written after it began; one whom we have asked is approved by that, where theirs is the lower identity', () => {
    for (const isLower of [true, false]) {
      for (const [flight, aheadMs] of [[null, -2], [null, -1], [null, 1], [new Uint8Array(FLIGHT_BYTES), -2]] as const) {
        let seed = 100;
        while (guestIsLower(seed) !== isLower) seed += 1;
        const { world, alice, guest, deliver } = door(seed);
        const { memory } = alice.core;
        const { bob } = meet(1);
        memory.addContact({ ...bob.record, id: guest.id, flight, begunAt: world.now + aheadMs, devices: new Uint8Array(), reset: new Uint8Array(1), unanswered: 9, outbox: { ...bob.record.outbox, relay: 'https://old.test' } }, bob.session);
        const isAsked = flight !== null && isLower;
        const types = deliver(guest.say(text(1, 'hello')));
        expect([types.includes('message'), types.includes('unlink'), types.includes('notice')]).toEqual([isAsked, isAsked, false]);
        // Our mailbox for them stays, and nothing of before counts any more.
        if (isAsked) expect([memory.closing.size, memory.flights.size, memory.contacts.get(guest.id)!.record]).toMatchObject([0, 1, { begunAt: memory.now - 1, heardAt: memory.now, reset: null, unanswered: 1 }]);
        const { session } = memory.contacts.get(guest.id)!;
        expect(session === bob.session).toBe(flight === null || !isLower);
        expect([...memory.requests.values()].map(({ record }) => [record.name, record.devices])).toEqual(flight === null && aheadMs === -2 ? [['Bob', guest.devices]] : []);
      }
    }
    function guestIsLower(seed: number): boolean {
      const { alice, guest } = door(seed);
      return guest.id < alice.core.memory.id;
    }
  });
});
