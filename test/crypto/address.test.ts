import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAddress, createWeekCard, isAddress, parseAnyLink, weekOf, WEEK_MS } from '../../crypto/address.js';
import { fromBase64url, toBase64url } from '../../crypto/bytes.js';
import { firstDevices } from '../../crypto/devices.js';
import { FLIGHT_BYTES, respond } from '../../crypto/handshake.js';
import { createIdentity, identityId } from '../../crypto/identity.js';
import { CARD_BYTES, openCard, parseLink } from '../../crypto/invitation.js';
import { ready } from '../../crypto/sodium.js';
import * as oracle from '../oracle/notation.js';
import { codeOf, hex, initiate, invite, seeded } from './support.js';

await ready();

const RELAY = 'https://relay.example';
const random = seeded('address');
const identity = createIdentity(random);
const { linkKey, link } = createAddress(RELAY, identity, random);
const terms = { identity, devices: firstDevices(identity, 0), name: 'Bea', relay: RELAY, mailbox: new Uint8Array(16).fill(1), token: new Uint8Array(16).fill(2), expiresAt: 3_000 * WEEK_MS };
const card = (week: number) => createWeekCard(terms, linkKey, week, random);
const at = (week: number) => parseAnyLink(link, week * WEEK_MS);

describe('the link of an address', () => {
  it('is as long as that of an invitation, and says the relay, the secret and whose it is', () => {
    expect(link).toHaveLength(invite(seeded('same length')).link.length);
    expect(link.startsWith(`${RELAY}/a#`)).toBe(true);
    expect(fromBase64url(link.split('#')[1]!)).toEqual(new Uint8Array([1, ...linkKey, ...identityId(identity)]));
    expect(at(0)).toMatchObject({ relay: RELAY, linkKey, idHash: identityId(identity), reusable: true });
  });

  it('is told from that of an invitation, and neither is read as the other', () => {
    const invitation = invite(seeded('kinds')).link;
    expect([isAddress(link), isAddress(invitation)]).toEqual([true, false]);
    expect(parseAnyLink(invitation, 5)).toEqual(parseLink(invitation));
    expect(codeOf(() => parseLink(link))).toBe('link-invalid');
    for (const wrong of [`${link}A`, link.slice(0, -1), link + link, `${link}/a#`, link.replace('/a#', '/a/i#'), `${RELAY}/a#${toBase64url(fromBase64url(link.split('#')[1]!).with(0, 2))}`]) {
      expect(codeOf(() => parseAnyLink(wrong, 0)), wrong).toBe('link-invalid');
    }
  });
});

describe('the card of a week', () => {
  it('has the name and the key that a second implementation derives, from the very first ms of the week to its last', () => {
    fc.assert(fc.property(fc.nat(14_000_000), (week) => {
      const number = Uint8Array.of(week >>> 24, week >>> 16, week >>> 8, week);
      for (const time of [week * WEEK_MS, (week + 1) * WEEK_MS - 1]) {
        const { lookup, cardKey } = parseAnyLink(link, time);
        expect(weekOf(time)).toBe(week);
        expect(lookup).toEqual(oracle.h32('address', linkKey, number).slice(0, 16));
        expect(cardKey).toEqual(oracle.k(linkKey, 'card', number)[0]);
      }
    }), { numRuns: 50 });
  });

  it('has the name and the key that were worked out once with another BLAKE2b', () => {
    const { lookup, cardKey } = parseAnyLink(`${RELAY}/a#${toBase64url(new Uint8Array([1, ...new Uint8Array(16).fill(7), ...new Uint8Array(32)]))}`, 2_900 * WEEK_MS);
    expect(lookup).toEqual(hex('f21c721dd5b5e062dd99c7d3acdf0f35'));
    expect(cardKey).toEqual(hex('659cd5a38dc4f08ec3bd26e891729edb51a01448b759f64f53f9f859b466f738'));
  });

  it('is of the length of every card, opens in its week for everybody, and in no other', () => {
    const { card: bytes, lookup } = card(2_900);
    expect(bytes).toHaveLength(CARD_BYTES);
    expect(lookup).toEqual(at(2_900).lookup);
    expect(openCard(at(2_900), bytes, 0)).toMatchObject({ name: 'Bea', reusable: true });
    for (const week of [2_899, 2_901]) expect(codeOf(() => openCard(at(week), bytes, 0))).toBe('card-invalid');
    expect(codeOf(() => openCard(at(2_900), bytes, terms.expiresAt))).toBe('invitation-expired');
  });

  it('has keys that no other week has, and a flight opens with those of its own week alone', () => {
    const [one, two] = [card(2_900), card(2_901)];
    expect(one.secret.pqSeed).not.toEqual(two.secret.pqSeed);
    expect(one.secret.spkSecret).not.toEqual(two.secret.spkSecret);
    const { flight } = initiate(createIdentity(random), openCard(at(2_900), one.card, 0), random);
    expect(flight).toHaveLength(FLIGHT_BYTES);
    expect(codeOf(() => respond(identity, two.secret, flight))).toBe('undecryptable');
    expect(respond(identity, one.secret, flight).flightKey).toEqual(flight.slice(0, 32));
  });

  it('that is marked for one guest alone is refused, and so is an invitation that is marked for many', () => {
    const oneTime = invite(random, { identity });
    const parsed = parseLink(oneTime.link);
    expect(openCard(parsed, oneTime.card, 0).reusable).toBe(false);
    expect(codeOf(() => openCard({ ...parsed, reusable: true }, oneTime.card, 0))).toBe('card-invalid');
    expect(codeOf(() => openCard({ ...at(2_900), reusable: false }, card(2_900).card, 0))).toBe('card-invalid');
  });
});
