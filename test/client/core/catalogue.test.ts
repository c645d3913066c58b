// Known attacks on messengers, one room each, as in test/crypto/catalogue.test.ts: here those on what a client does with the bytes
// that it is given.

import { beforeAll, describe, expect, it } from 'vitest';
import { ready } from '../../../crypto/sodium.js';
import { answerAnything, believesSignaling, HastyChain, PublicPool, ResettableMailbox, resetTo } from '../../support/naive.js';
import { FAIR } from '../../support/network.js';
import { type VirtualClient, World } from '../../support/world.js';
import { newMailbox, random, TestClient, testRelay } from '../../relay/support.js';

beforeAll(ready);

const BY_RELAY = { ...FAIR, direct: 0 };

function acquaint(seed: number): { world: World; alice: VirtualClient; bob: VirtualClient; atAlice: string; atBob: string } {
  const world = new World(seed, BY_RELAY);
  const [alice, bob] = [world.client('Alice'), world.client('Bob')];
  const atBob = bob.accept(alice.invite());
  world.run(5_000);
  return { world, alice, bob, atBob, atAlice: alice.core.memory.contacts.keys().next().value! };
}

/** Puts an envelope into every mailbox of a client, as a relay can. */
function deliver(client: VirtualClient, envelope: Uint8Array): void {
  for (const { mailbox } of Array.from(client.core.memory.mailboxes())) client.input({ type: 'delivery', mailbox, sequence: 1e9, envelope, ageMs: 0 });
}

describe('beginning a session anew without proof', () => {
  it('lets whoever knows the key of a naive mailbox read what is said next', () => {
    const mailboxKey = new Uint8Array(32).fill(1);
    const contact = new ResettableMailbox(new Uint8Array(32).fill(2));
    const mallorys = new Uint8Array(32).fill(3);
    contact.reset(mailboxKey, resetTo(mailboxKey, mallorys));
    const said = new HastyChain(contact.key).seal('for Bob alone');
    expect(Buffer.from(new HastyChain(mallorys).open(said)!).toString()).toBe('for Bob alone');
  });

  it('cannot be done with us: a flight in the mailbox of a contact moves nothing, and in another invitation it is another contact', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(1);
    const mallory = world.client('Mallory');
    mallory.accept(alice.invite());
    const flight = mallory.disk.outgoing.values().next().value!.bytes;
    // Into Bob's mailbox first: Alice must not take Mallory for Bob.
    alice.input({ type: 'wake' });
    const { session, inbox } = alice.core.memory.contacts.get(atAlice)!.record;
    alice.input({ type: 'delivery', mailbox: inbox.mailbox, sequence: 1e9, envelope: flight, ageMs: 0 });
    expect(alice.core.memory.contacts.get(atAlice)!.record.session).toEqual(session);
    world.run(5_000);
    expect(alice.core.memory.contacts.size).toBe(2);
    alice.send(atAlice, 'for Bob alone');
    bob.send(atBob, 'for Alice alone');
    world.run(60_000);
    expect([bob.shown(), alice.shown(), mallory.shown()]).toEqual([['for Bob alone'], ['for Alice alone'], []]);
    expect([...alice.notices, ...bob.notices]).not.toContain('session-replaced');
  });
});

describe('a first flight that comes again', () => {
  it('shows nothing twice and makes nobody of anybody, in whichever mailbox and after a crash, too', () => {
    const world = new World(2, BY_RELAY);
    const [alice, bob] = [world.client('Alice'), world.client('Bob')];
    const atBob = bob.accept(alice.invite());
    // Before Alice has answered, the text goes behind the flight as well.
    bob.send(atBob, 'pay 10');
    world.run(60_000);
    const flights = world.seen.filter((envelope) => envelope.length === 4096);
    expect(flights.length).toBeGreaterThan(0);
    alice.invite();
    for (let time = 0; time < 3; time++) {
      for (const flight of flights) deliver(alice, flight);
      alice.crash();
      world.run(60_000);
    }
    expect(alice.shown()).toEqual(['pay 10']);
    expect(alice.core.memory.contacts.size).toBe(1);
    bob.send(atBob, 'still the same session');
    world.run(60_000);
    expect(alice.shown()).toEqual(['pay 10', 'still the same session']);
  });
});

describe('a home that was put back to an old copy', () => {
  it('is told of it by the first receipt that knows more, and begins anew', () => {
    const { world, alice, bob, atBob } = acquaint(3);
    bob.send(atBob, 'one');
    const old = bob.disk.copy();
    bob.send(atBob, 'two');
    // Alice has both, and her receipt is on its way to somebody who knows of one.
    world.run(30);
    bob.restore(old);
    world.run(60_000);
    // Nothing of such a receipt is believed.
    expect([bob.notices.includes('rolled-back'), alice.shown()]).toEqual([true, ['one', 'two']]);
    // Under a number that is used it would be a duplicate, and show nothing.
    bob.send(atBob, 'another one');
    world.run(1_000);
    expect([alice.shown(), bob.states()]).toEqual([['one', 'two', 'another one'], ['delivered', 'delivered']]);
  });
});

describe('receipts to strangers', () => {
  it('tell whoever writes to a naive client that it is there', () => {
    expect(answerAnything(random(512)).length).toBeGreaterThan(0);
  });

  it('are not sent by us: what nobody has proven to have written is answered with nothing at all', () => {
    const { world, alice, atAlice } = acquaint(4);
    const mallory = world.client('Mallory');
    const link = alice.invite();
    world.run(60_000);
    const left: Uint8Array[] = [];
    world.observer = {
      left: (client, envelope) => void (client === alice && left.push(envelope)),
      committed() {},
      shown() {},
    };
    const own = world.seen.filter((envelope) => envelope.length === 4096);
    for (let time = 0; time < 50; time++) deliver(alice, world.random(time % 2 === 0 ? 512 : 4096));
    // A flight that opens with a message that does not: Mallory has the link, and proves nothing.
    mallory.core.handle({ type: 'accept', request: 1, link }, world.now);
    const card = world.cards.get(Buffer.from(mallory.core.memory.accepting.get(1)!.lookup).toString('hex'))!;
    mallory.core.handle({ type: 'card', request: 1, card, error: null }, world.now);
    const flight = [...mallory.core.memory.contacts.values()][0]!.outgoing.values().next().value!.record.bytes;
    expect(flight).toHaveLength(4096);
    deliver(alice, flight.with(4095, flight[4095]! ^ 1));
    for (const envelope of own) deliver(alice, envelope.with(1300, envelope[1300]! ^ 1));
    // Beside what Alice says on her own to a contact who is there.
    world.run(40);
    expect(left).toEqual([]);
    expect([...alice.core.memory.contacts.keys()]).toEqual([atAlice]);
  });
});

describe('signaling that somebody has changed on its way', () => {
  it('lets a naive client talk to whoever stands between', () => {
    const mallorys = new Uint8Array(32).fill(66);
    // The relay has put Mallory's fingerprint into the description, and Mallory is who answers.
    expect(believesSignaling(mallorys, mallorys)).toBe(true);
  });

  it('is nothing to us: a changed offer does not open, and a certificate that it did not name ends the call', () => {
    const { world, alice, bob, atAlice } = acquaint(5);
    const dialer = alice.core.memory.id < bob.core.memory.id ? alice : bob;
    const answerer = dialer === alice ? bob : alice;
    const seen = world.seen.length;
    world.weather = FAIR;
    // The relay holds everything, and gives it on with a bit turned.
    const put = world.put.bind(world);
    world.put = (mailbox, token, bytes, ttlSeconds) => put(mailbox, token, bytes.with(300, bytes[300]! ^ 1), ttlSeconds);
    dialer.input({ type: 'network-changed' });
    world.restartRelay();
    world.run(30_000);
    expect(world.seen.length).toBeGreaterThan(seen);
    expect([alice.path(atAlice), answerer.core.memory.calls.size]).toEqual(['relay', 0]);
    world.put = put;
    world.restartRelay();
    for (let waited = 0; waited < 5_000 && ![...dialer.core.memory.calls.values()].some(({ remote }) => remote !== null); waited++) world.run(1);
    const call = [...dialer.core.memory.calls.values()].find(({ remote }) => remote !== null)!;
    dialer.input({ type: 'peer-open', call: call.id, local: new Uint8Array(32), remote: new Uint8Array(32).fill(66) });
    expect(dialer.notices).toContain('fingerprint-mismatch');
    expect(dialer.core.memory.calls.has(call.id)).toBe(false);
  });
});

describe('one-time keys that anybody may take', () => {
  it('are gone from a naive server after as many questions, and everybody gets the same last one', () => {
    const pool = new PublicPool([random(32), random(32), random(32)], new Uint8Array(32).fill(9));
    for (let question = 0; question < 3; question++) pool.take();
    expect([pool.take(), pool.take()]).toEqual([new Uint8Array(32).fill(9), new Uint8Array(32).fill(9)]);
  });

  it('cannot be taken from us: without the link there is nothing to ask for, and a link is good for one', async () => {
    const { port } = await testRelay();
    const [owner, stranger] = [await TestClient.connect(port, 'collect'), await TestClient.connect(port, 'deposit')];
    expect(await owner.collect(newMailbox())).toBe('done');
    const [lookup, claim] = [random(16), random(16)];
    expect(await owner.try({ case: 'putCard', value: { lookup, card: random(2_088), ttlSeconds: 60 } })).toBe('done');
    for (let question = 0; question < 100; question++) expect(await stranger.try({ case: 'takeCard', value: { lookup: random(16), claim: random(16) } })).toBe('card-unknown');
    const guest = await TestClient.connect(port, 'deposit');
    expect(await guest.try({ case: 'takeCard', value: { lookup, claim } })).toBe('card');
    expect(await stranger.try({ case: 'takeCard', value: { lookup, claim: random(16) } })).toBe('card-taken');
    expect(await guest.try({ case: 'takeCard', value: { lookup, claim } })).toBe('card');
  });
});
