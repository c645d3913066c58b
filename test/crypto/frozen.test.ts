// The frozen vectors of test/vectors against both implementations: what clients send today, later versions must still understand,
// and what they refuse must still be refused with the same code.

import { describe, expect, it } from 'vitest';
import { bundleHash, unpackBundle } from '../../crypto/bundle.js';
import { toHex } from '../../crypto/bytes.js';
import { hash } from '../../crypto/hash.js';
import { unpackSession } from '../../crypto/session.js';
import { ready } from '../../crypto/sodium.js';
import { envelopeId } from '../oracle/session.js';
import { type VectorFiles, vectorFiles } from '../vectors/cases.js';
import { seeded } from '../vectors/chance.js';
import { type Conversation, messageOf, run, type Step, takeTurns } from '../vectors/conversation.js';
import { load, refusal, withDraws } from '../vectors/files.js';
import { BOTH, type End, type Implementation } from './implementations.js';
import { codeOf, hex } from './support.js';

await ready();

const identityOf = (packed: string) => ({ ed: hex(packed).slice(0, 32), x: hex(packed).slice(32) });
const termsOf = ({ mailbox, token, ...terms }: VectorFiles['card']['cases'][number]['terms']) => ({ ...terms, mailbox: hex(mailbox), token: hex(token) });
const standingOf = ({ chain, next, key }: { readonly chain: number; readonly next: number; readonly key: string }) => ({ chain, next, key: hex(key) });

const CONVERSATIONS = (['handshake', 'ratchet', 'epoch', 'limits'] as const).map((name) => load(name).conversations);

describe('the frozen vectors', () => {
  it('are what the second implementation makes today', () => {
    for (const [name, content] of Object.entries(vectorFiles())) expect(load(name as keyof VectorFiles), name).toEqual(JSON.parse(JSON.stringify(content)));
  });

  it('have as many cases as they had, and refuse as many', () => {
    const [card, link, devices, address, handshake, reset, packed] = [load('card'), load('link'), load('devices'), load('address'), load('handshake'), load('reset'), load('packed')];
    const refusals = (conversations: readonly Conversation[]) => conversations.flatMap(({ steps }) => steps).filter(({ does }) => does === 'refuses' || does === 'cannot').length;
    const lengths = (...lists: readonly (readonly unknown[])[]) => lists.map(({ length }) => length);
    expect(lengths(load('safety-number').cases, card.cases, card.refused, link.cases, link.refused, devices.lists, devices.refused, devices.updates)).toEqual([4, 6, 58, 23, 28, 4, 19, 10]);
    expect(lengths(address.weeks, address.refused, handshake.repeated.cases, handshake.refusedFlights, handshake.refusedBundles)).toEqual([6, 5, 5, 16, 4]);
    expect(lengths(reset.standings, reset.refused, reset.refusedBundles, reset.copies, packed.refused, load('envelope').lengths)).toEqual([3, 16, 5, 10, 12, 29]);
    expect(CONVERSATIONS.map(refusals)).toEqual([4, 25, 18, 12]);
    expect(CONVERSATIONS.map((conversations) => conversations.map(({ steps }) => steps.length))).toEqual([[16], [91], [98, 26, 48, 28, 40, 14, 28], [16, 13, 26, 20]]);
  });
});

describe.each(BOTH)('$name implementation', (implementation) => {
  it('has the safety numbers', () => {
    for (const { name, mine, theirs, number } of load('safety-number').cases) expect(implementation.safetyNumber(identityOf(mine), identityOf(theirs)), name).toBe(number);
  });

  it('reads the links', () => {
    for (const { name, text, kind, relay, linkKey, id } of load('link').cases) {
      const read = implementation.readLink(text, 0);
      expect({ kind: read.kind, relay: read.relay, linkKey: toHex(read.linkKey), id: toHex(read.idHash) }, name).toEqual({ kind, relay, linkKey, id });
    }
  });

  it.each(load('link').refused)('takes no link with $name', ({ text, code }) => {
    expect(refusal(() => implementation.readLink(text, 0))).toBe(code);
  });

  it('takes device lists, and in the place of others those that may follow', () => {
    const { identity, lists, updates } = load('devices');
    const owner = implementation.unpackIdentity(hex(identity));
    for (const { name, list, hash: listHash } of lists) {
      implementation.followDevices(hex(list), owner, null);
      expect(toHex(implementation.devicesHash(hex(list))), name).toBe(listHash);
    }
    for (const { name, known, list, code } of updates) {
      const follow = () => implementation.followDevices(hex(list), owner, known === null ? null : hex(known));
      if (code === null) follow();
      else expect(refusal(follow), name).toBe(code);
    }
  });

  it.each(load('devices').refused)('refuses a device list with $name', ({ list, code }) => {
    expect(refusal(() => implementation.followDevices(hex(list), implementation.unpackIdentity(hex(load('devices').identity)), null))).toBe(code);
  });

  it('makes the cards, and reads in them what was put in', () => {
    for (const { name, inviter, terms, draws, link, lookup, card, invitation, opened } of load('card').cases) {
      const host = implementation.unpackIdentity(hex(inviter));
      const made = withDraws(draws, (draw) => implementation.invite(host, termsOf(terms), draw));
      expect([made.link, toHex(made.lookup), toHex(made.card), toHex(implementation.packSecret(made.secret))], name).toEqual([link, lookup, card, invitation]);
      const read = implementation.openCard(link, hex(card), 0);
      expect(read).toMatchObject({ name: terms.name, relay: opened.relay, expiresAt: terms.expiresAt, identity: identityOf(opened.identity) });
      expect([read.spk, read.pq, read.psk, read.hash, read.mailbox, read.token].map(toHex)).toEqual([opened.spk, opened.pq, opened.psk, opened.bundleHash, terms.mailbox, terms.token]);
    }
  });

  it.each(load('card').refused)('refuses $name', ({ link, card, now, code }) => {
    expect(refusal(() => implementation.openCard(link, hex(card), now))).toBe(code);
  });

  it('makes the address and its card of a week, by which a stranger comes', () => {
    const { owner, relay, draws, link, weeks, card, flight, refusedFlight } = load('address');
    const me = implementation.unpackIdentity(hex(owner));
    const address = withDraws(draws, (draw) => implementation.makeAddress(me, relay, draw));
    expect(address.link).toBe(link);
    for (const { now, lookup, cardKey } of weeks) {
      const place = implementation.readLink(link, now);
      expect([place.lookup, place.cardKey].map(toHex), `at ${now}`).toEqual([lookup, cardKey]);
    }
    const made = withDraws(card.draws, (draw) => implementation.makeWeek(me, termsOf(card.terms), address.linkKey, card.week, draw));
    expect([made.lookup, made.card, implementation.packSecret(made.secret)].map(toHex)).toEqual([card.lookup, card.card, card.invitation]);
    const bundle = implementation.openCard(link, made.card, card.now);
    expect([bundle.spk, bundle.pq, bundle.psk, bundle.hash].map(toHex)).toEqual([card.opened.spk, card.opened.pq, card.opened.psk, card.opened.bundleHash]);
    const guest = implementation.unpackIdentity(hex(flight.guest));
    const begun = withDraws(flight.draws, (draw) => implementation.initiate(guest, bundle, draw, flight.addedAt));
    expect(toHex(begun.flight)).toBe(flight.flight);
    expect(toHex(implementation.respond(me, made.secret, begun.flight).end.id)).toBe(flight.session);
    expect(refusal(() => implementation.respond(me, implementation.unpackSecret(hex(refusedFlight.invitation)), begun.flight))).toBe(refusedFlight.code);
  });

  it.each(load('address').refused)('refuses at an address $name', ({ card, now, code }) => {
    expect(refusal(() => implementation.openCard(load('address').link, hex(card), now))).toBe(code);
  });

  it('makes a reset, and answers it by a flight', () => {
    const { maker, reader, resumption, reset } = load('reset');
    const [bea, ann] = [maker, reader].map((packed) => implementation.unpackIdentity(hex(packed)));
    const { reason, madeAt, first } = reset;
    const made = withDraws(reset.draws, (draw) => implementation.makeReset(bea!, termsOf(reset.terms), hex(resumption), { reason, madeAt, first }, draw));
    expect([made.envelope, implementation.packSecret(made.secret)].map(toHex)).toEqual([reset.envelope, reset.invitation]);
    expect(implementation.openSaid(hex(resumption), bea!, made.envelope)).toEqual({ kind: 0, reason, madeAt, first, bundle: hex(reset.bundle) });
    const bundle = implementation.openReset(hex(resumption), hex(reset.bundle), reset.now);
    const begun = withDraws(reset.flight.draws, (draw) => implementation.initiate(ann!, bundle, draw, reset.flight.addedAt));
    expect(toHex(begun.flight)).toBe(reset.flight.flight);
    expect(toHex(implementation.respond(bea!, made.secret, begun.flight).end.id)).toBe(reset.flight.session);
  });

  it('says where it stands, and knows an old copy by it', () => {
    const { maker, resumption, standings, copies } = load('reset');
    const bea = implementation.unpackIdentity(hex(maker));
    for (const { name, asks, draws, envelope, ...standing } of standings) {
      expect(toHex(withDraws(draws, (draw) => implementation.makeStanding(hex(resumption), bea, asks, standingOf(standing), draw))), name).toBe(envelope);
      expect(implementation.openSaid(hex(resumption), bea, hex(envelope)), name).toEqual({ kind: 1, asks, ...standingOf(standing) });
    }
    for (const { name, sent, received, isOldCopy } of copies) expect(implementation.isOldCopy(standingOf(sent), standingOf(received)), name).toBe(isOldCopy);
  });

  it.each(load('reset').refused)('believes nothing that is said past a session: $name', ({ envelope, code }) => {
    const { maker, resumption } = load('reset');
    expect(refusal(() => implementation.openSaid(hex(resumption), implementation.unpackIdentity(hex(maker)), hex(envelope)))).toBe(code);
  });

  it.each(load('reset').refusedBundles)('refuses in a reset a bundle with $name', ({ bundle, now, code }) => {
    expect(refusal(() => implementation.openReset(hex(load('reset').resumption), hex(bundle), now))).toBe(code);
  });

  it.each(CONVERSATIONS.flat())('has the conversation "$name", step by step', (conversation) => {
    const ends = meet(implementation, conversation);
    const runs = new Map<number, readonly Uint8Array[]>();
    for (const index of conversation.steps.keys()) act(conversation, ends, runs, index);
  });

  it.each(load('handshake').refusedFlights)('refuses a flight with $name', ({ inviter, invitation, flight, code }) => {
    const host = implementation.unpackIdentity(hex(inviter));
    expect(refusal(() => implementation.respond(host, implementation.unpackSecret(hex(invitation)), hex(flight)))).toBe(code);
  });

  it.each(load('handshake').refusedBundles)('refuses a bundle with $name', ({ guest, link, card, now, code }) => {
    const bundle = implementation.openCard(link, hex(card), now);
    expect(refusal(() => implementation.initiate(implementation.unpackIdentity(hex(guest)), bundle, seeded('refused')))).toBe(code);
  });

  it('takes nobody for the identity that they claim', () => {
    const { inviter, invitation, flight, peer, message, now, code } = load('handshake').claim;
    const host = implementation.unpackIdentity(hex(inviter));
    const responded = implementation.respond(host, implementation.unpackSecret(hex(invitation)), hex(flight));
    expect(responded.peer).toEqual(identityOf(peer));
    expect(refusal(() => responded.end.open(hex(message), seeded('refused'), now))).toBe(code);
  });

  it('has envelopes of these lengths', () => {
    const [{ guest, link, card }] = load('handshake').conversations as [Conversation];
    for (const { body, withFlight, now, envelope } of load('envelope').lengths) {
      const { end } = implementation.initiate(implementation.unpackIdentity(hex(guest)), implementation.openCard(link, hex(card), 0), seeded('length'));
      const seal = () => end.seal(new Uint8Array(body), seeded('length'), now, withFlight ? new Uint8Array(1264) : undefined).length;
      if (typeof envelope === 'number') expect(seal()).toBe(envelope);
      else expect(refusal(seal)).toBe(envelope);
    }
  });

  it('has the packed forms, and refuses what is none', () => {
    const { identity, invitation, refused } = load('packed');
    const person = implementation.unpackIdentity(hex(identity.packed));
    expect([person.edSeed, person.xSecret, person.ed, person.x, implementation.idOf(person), implementation.packIdentity(person)].map(toHex)).toEqual(
      [identity.edSeed, identity.xSecret, identity.ed, identity.x, identity.id, identity.packed],
    );
    const secret = implementation.unpackSecret(hex(invitation.packed));
    expect([secret.spkSecret, secret.pqSeed, secret.psk, secret.bundleHash, implementation.packSecret(secret)].map(toHex)).toEqual(
      [invitation.spkSecret, invitation.pqSeed, invitation.psk, invitation.bundleHash, invitation.packed],
    );
    for (const { form, name, packed, code } of refused) {
      const unpack = form === 'identity' ? implementation.unpackIdentity : implementation.unpackSecret;
      expect(refusal(() => unpack(hex(packed))), `${form}: ${name}`).toBe(code);
    }
  });
});

describe('our own forms', () => {
  it('agree on the ids of envelopes', () => {
    for (const { envelope, id } of load('envelope').ids) {
      expect(toHex(hash('envelope', hex(envelope)).slice(0, 16))).toBe(id);
      expect(toHex(envelopeId(hex(envelope)))).toBe(id);
    }
  });

  it('agree on the bundles inside the cards', () => {
    for (const { bundle, terms, opened } of load('card').cases) {
      expect(unpackBundle(hex(bundle))).toMatchObject({ name: terms.name, relay: opened.relay });
      expect(toHex(bundleHash(hex(bundle)))).toBe(opened.bundleHash);
    }
  });

  it('take no other bytes for a packed session', () => {
    for (const { packed, code } of load('packed').refusedSessions) expect(codeOf(() => unpackSession(hex(packed)))).toBe(code);
  });
});

function meet(implementation: Implementation, { guest, inviter, link, card, invitation, initiate, session, resumption }: Conversation): Record<Step['who'], End> {
  const [ann, bea] = [guest, inviter].map((packed) => implementation.unpackIdentity(hex(packed)));
  const begun = withDraws(initiate.draws, (draw) => implementation.initiate(ann!, implementation.openCard(link, hex(card), 0), draw, initiate.addedAt));
  expect(toHex(begun.flight)).toBe(initiate.flight);
  const { end, peer } = implementation.respond(bea!, implementation.unpackSecret(hex(invitation)), begun.flight);
  expect(peer).toEqual({ ed: ann!.ed, x: ann!.x });
  for (const { id, rs } of [begun.end, end]) expect([toHex(id), toHex(rs)]).toEqual([session, resumption]);
  return { guest: begun.end, inviter: end };
}

function act({ steps, initiate }: Conversation, ends: Record<Step['who'], End>, runs: Map<number, readonly Uint8Array[]>, index: number): void {
  const step = steps[index]!;
  const [end, name] = [ends[step.who], `step ${index}`];
  switch (step.does) {
    case 'seals': {
      const flight = step.withFlight ? hex(initiate.flight) : undefined;
      expect(toHex(withDraws(step.draws, (draw) => end.seal(hex(step.body), draw, step.now, flight))), name).toBe(step.message);
      return;
    }
    case 'opens': {
      expect(toHex(withDraws(step.draws, (draw) => end.open(messageOf(steps, runs, step.message), draw, step.now))), name).toBe(step.body);
      return;
    }
    case 'runs': {
      runs.set(index, run(end, step));
      expect(toHex(runs.get(index)!.at(-1)!), name).toBe(step.last);
      return;
    }
    case 'turns': expect(toHex(takeTurns(ends, step)), name).toBe(step.last); return;
    case 'stands': expect(end.standing, name).toEqual(standingOf(step)); return;
    case 'cannot': expect(refusal(() => end.seal(hex(step.body), seeded('refused'), step.now)), name).toBe(step.code); return;
    case 'refuses': expect(refusal(() => end.open(messageOf(steps, runs, step.message), seeded('refused'), step.now)), `${name}: ${step.why}`).toBe(step.code);
  }
}
