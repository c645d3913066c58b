// The frozen vectors of test/vectors against both implementations: what clients send today, later versions must still understand,
// and what they refuse must still be refused with the same code.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bundleHash, unpackBundle } from '../../crypto/bundle.js';
import { toHex } from '../../crypto/bytes.js';
import { hash } from '../../crypto/hash.js';
import { unpackSession } from '../../crypto/session.js';
import { ready } from '../../crypto/sodium.js';
import { envelopeId } from '../oracle/session.js';
import type { VectorFiles } from '../vectors/cases.js';
import { vectorFiles } from '../vectors/cases.js';
import { replaying, seeded } from '../vectors/chance.js';
import { type Conversation, messageOf, type Step } from '../vectors/conversation.js';
import { BOTH, type End, type Implementation } from './implementations.js';
import { codeOf, hex } from './support.js';

await ready();

function load<Name extends keyof VectorFiles>(name: Name): VectorFiles[Name] {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8')) as VectorFiles[Name];
}

const identityOf = (packed: string) => ({ ed: hex(packed).slice(0, 32), x: hex(packed).slice(32) });

/** Runs `use` with what was drawn, all of it. */
function withDraws<T>(draws: readonly string[], use: (draw: (length: number) => Uint8Array) => T): T {
  const { draw, isUsedUp } = replaying(draws);
  const result = use(draw);
  expect(isUsedUp()).toBe(true);
  return result;
}

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'nothing was refused';
}

describe('the frozen vectors', () => {
  it('are what the second implementation makes today', () => {
    for (const [name, content] of Object.entries(vectorFiles())) expect(load(name as keyof VectorFiles), name).toEqual(JSON.parse(JSON.stringify(content)));
  });

  it('have as many cases as they had, and refuse as many', () => {
    const { card, handshake, ratchet, epoch, packed, envelope } = { card: load('card'), handshake: load('handshake'), ratchet: load('ratchet'), epoch: load('epoch'), packed: load('packed'), envelope: load('envelope') };
    const refusals = (conversations: readonly Conversation[]) => conversations.flatMap(({ steps }) => steps).filter(({ does }) => does === 'refuses').length;
    expect([load('safety-number').cases, card.cases, card.refused, handshake.refusedFlights, handshake.refusedBundles, packed.refused, envelope.lengths].map(({ length }) => length)).toEqual([4, 4, 41, 16, 4, 12, 25]);
    expect([handshake, ratchet, epoch].map(({ conversations }) => refusals(conversations))).toEqual([2, 25, 4]);
    expect(epoch.conversations.map(({ steps }) => steps.length)).toEqual([98, 22, 28]);
  });
});

describe.each(BOTH)('$name implementation', (implementation) => {
  it('has the safety numbers', () => {
    for (const { name, mine, theirs, number } of load('safety-number').cases) expect(implementation.safetyNumber(identityOf(mine), identityOf(theirs)), name).toBe(number);
  });

  it('makes the cards, and reads in them what was put in', () => {
    for (const { name, inviter, terms, draws, link, lookup, card, invitation, opened } of load('card').cases) {
      const host = implementation.unpackIdentity(hex(inviter));
      const made = withDraws(draws, (draw) => implementation.invite(host, { ...terms, mailbox: hex(terms.mailbox), token: hex(terms.token) }, draw));
      expect([made.link, toHex(made.lookup), toHex(made.card), toHex(implementation.packSecret(made.secret))], name).toEqual([link, lookup, card, invitation]);
      const read = implementation.openCard(link, hex(card), 0);
      expect(read).toMatchObject({ name: terms.name, relay: terms.relay, expiresAt: terms.expiresAt, identity: identityOf(opened.identity) });
      expect([read.spk, read.pq, read.psk, read.hash, read.mailbox, read.token].map(toHex)).toEqual([opened.spk, opened.pq, opened.psk, opened.bundleHash, terms.mailbox, terms.token]);
    }
  });

  it.each(load('card').refused)('refuses $name', ({ link, card, now, code }) => {
    expect(refusal(() => implementation.openCard(link, hex(card), now))).toBe(code);
  });

  it.each([...load('handshake').conversations, ...load('ratchet').conversations, ...load('epoch').conversations])('has the conversation "$name", step by step', (conversation) => {
    const ends = meet(implementation, conversation);
    for (const [index, step] of conversation.steps.entries()) act(conversation, ends, step, `step ${index}`);
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
      expect(unpackBundle(hex(bundle))).toMatchObject({ name: terms.name, relay: terms.relay });
      expect(toHex(bundleHash(hex(bundle)))).toBe(opened.bundleHash);
    }
  });

  it('take no other bytes for a packed session', () => {
    for (const { packed, code } of load('packed').refusedSessions) expect(codeOf(() => unpackSession(hex(packed)))).toBe(code);
  });
});

function meet(implementation: Implementation, { guest, inviter, link, card, invitation, initiate, session, resumption }: Conversation): Record<Step['who'], End> {
  const [ann, bea] = [guest, inviter].map((packed) => implementation.unpackIdentity(hex(packed)));
  const begun = withDraws(initiate.draws, (draw) => implementation.initiate(ann!, implementation.openCard(link, hex(card), 0), draw));
  expect(toHex(begun.flight)).toBe(initiate.flight);
  const { end, peer } = implementation.respond(bea!, implementation.unpackSecret(hex(invitation)), begun.flight);
  expect(peer).toEqual({ ed: ann!.ed, x: ann!.x });
  for (const { id, rs } of [begun.end, end]) expect([toHex(id), toHex(rs)]).toEqual([session, resumption]);
  return { guest: begun.end, inviter: end };
}

function act({ steps, initiate }: Conversation, ends: Record<Step['who'], End>, step: Step, name: string): void {
  const end = ends[step.who];
  switch (step.does) {
    case 'seals': {
      const flight = step.withFlight ? hex(initiate.flight) : undefined;
      expect(toHex(withDraws(step.draws, (draw) => end.seal(hex(step.body), draw, step.now, flight))), name).toBe(step.message);
      return;
    }
    case 'opens': {
      expect(toHex(withDraws(step.draws, (draw) => end.open(messageOf(steps, step.message), draw, step.now))), name).toBe(step.body);
      return;
    }
    case 'refuses': expect(refusal(() => end.open(messageOf(steps, step.message), seeded('refused'), step.now)), `${name}: ${step.why}`).toBe(step.code);
  }
}
