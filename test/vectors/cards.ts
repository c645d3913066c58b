// The vectors of PROTOCOL.md §3: links, bundles, cards and addresses.

import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { initiate, flightId, respond } from '../oracle/handshake.js';
import { idOf, packIdentity, type Identity } from '../oracle/identity.js';
import { type Bundle, lookupOf, makeAddress, makeWeek, openCard, packSecret, parseLink, placeOf, sealCard, type Terms, weekOf } from '../oracle/invitation.js';
import { be, join, k, pad, seal, sign, unpad, unseal } from '../oracle/notation.js';
import { noting, seeded } from './chance.js';
import { GUEST_ADDED_AT, hex, TERMS, unhex, utf8 } from './conversation.js';
import { wrongLists } from './identities.js';
import { ANN, BEA, DAY_MS, make, MALLORY, NOW, ONE, refusal, ZERO } from './people.js';

const cards: readonly (readonly [string, Terms])[] = [
  ['an invitation', TERMS],
  ['the shortest name and relay', { ...TERMS, name: 'x', relay: 'http://h' }],
  ['the longest name, not in ASCII, and a relay by address', { ...TERMS, name: 'ü'.repeat(32), relay: 'http://[2001:db8::1]:8080' }],
  ['a name of joined characters', { ...TERMS, name: '\u{1F469}\u200D\u{1F4BB} Béa' }],
  ['a device that was added at a time', { ...TERMS, addedAt: 1_712_345_678_901 }],
  ['a relay that is not written as it is kept', { ...TERMS, relay: 'HTTPS://Relay.Example:443/' }],
];

/** Offsets in a bundle (§3.2); what stands behind a name has none. */
const AT = { suite: 0, flags: 1, ed: 2, x: 34, spk: 66, pq: 98, nameLength: 1352, name: 1353 };

const termsOf = ({ name, relay, mailbox, token, expiresAt, addedAt = 0 }: Terms) => ({ name, relay, mailbox: hex(mailbox), token: hex(token), expiresAt, addedAt });
const openedOf = ({ identity, spk, pq, psk, hash, relay }: Bundle) => ({ identity: hex(join(identity.ed, identity.x)), spk: hex(spk), pq: hex(pq), psk: hex(psk), bundleHash: hex(hash), relay });

export function cardVectors() {
  const cases = cards.map(([name, terms]) => {
    const made = make(terms, name);
    return {
      name, inviter: hex(packIdentity(BEA)), terms: termsOf(terms), draws: made.draws,
      link: made.link, lookup: hex(lookupOf(made.linkKey)), bundle: hex(made.bundle), card: hex(made.card), invitation: hex(packSecret(made.secret)),
      opened: openedOf(openCard(parseLink(made.link), made.card, NOW)),
    };
  });
  return { cases, refused: [...wrongCards(), cardOfNobody()] };
}

function wrongCards() {
  const { link, card, bundle, linkKey } = make({ ...TERMS, name: 'Bea' }, 'refused');
  const signed = bundle.slice(0, -64);
  const nonce = seeded('forged')(24);
  const seals = (wrong: Uint8Array): Uint8Array => sealCard(linkKey, wrong, nonce);
  const resigned = (fields: Uint8Array, who = BEA): Uint8Array => seals(join(fields, sign(who.edSeed, 'bundle', fields)));
  const named = (name: Uint8Array): Uint8Array => resigned(join(signed.slice(0, AT.nameLength), be(name.length, 1), name, signed.slice(AT.name + 3)));
  const [relayEnd, listAt] = [signed.length - 2 - 179, signed.length - 179];
  const related = (relay: string): Uint8Array => resigned(join(signed.slice(0, AT.name + 3), be(relay.length, 1), utf8(relay), signed.slice(relayEnd)));
  const listing = (list: Uint8Array): Uint8Array => resigned(join(signed.slice(0, relayEnd), be(list.length, 2), list));
  const padded = (plain: Uint8Array): Uint8Array => join(nonce, seal(k(linkKey, 'card')[0], nonce, plain, lookupOf(linkKey)));
  const [right, end] = [pad(bundle, 2048), bundle.length];
  const wrong: (readonly [string, Uint8Array, number?])[] = [
    ['a changed bit in the nonce', card.with(0, card[0]! ^ 1)], ['a changed bit in the bundle', card.with(1000, card[1000]! ^ 0x80)], ['a changed bit in the tag', card.with(2087, card[2087]! ^ 1)],
    ['one byte less', card.slice(0, -1)], ['one byte more', join(card, be(0, 1))], ['nothing', new Uint8Array(0)],
    ['no padding', padded(new Uint8Array(2048))], ['a padding that begins with 0x81', padded(right.with(end, 0x81))], ['a padding that begins with 0x01', padded(right.with(end, 1))],
    ['a byte in the padding that is not zero', padded(right.with(2047, 1))], ['the beginning of a padding twice', padded(right.with(end + 1, 0x80))],
    ['another identity, signed by it', resigned(join(signed.slice(0, AT.ed), MALLORY.ed, MALLORY.x, signed.slice(AT.spk)), MALLORY)],
    ['the Ed25519 key of the inviter beside another X25519 key', resigned(signed.with(AT.x, signed[AT.x]! ^ 1))],
    ['a signature by another key', resigned(signed, MALLORY)], ['a signature for another purpose', seals(join(signed, sign(BEA.edSeed, 'collect', signed)))],
    ['a signature with S above the order', seals(join(signed, aboveOrder(bundle.slice(-64))))], ['a signature with R of low order', seals(join(signed, signedByNothing(BEA, signed)))],
    ['an exchanged one-time key under the old signature', seals(bundle.with(AT.spk, bundle[AT.spk]! ^ 1))],
    ['another suite', resigned(signed.with(AT.suite, 2))], ['the flag of an address', resigned(signed.with(AT.flags, 1))], ['a flag that is none', resigned(signed.with(AT.flags, 2))],
    ['a byte behind its fields', seals(join(bundle, be(0, 1)))], ['a field too short', seals(bundle.slice(0, 1000))],
    ['an empty name', named(new Uint8Array(0))], ['a name of 65 bytes', named(utf8('x'.repeat(65)))], ['a name that is not UTF-8', named(Uint8Array.of(0x41, 0xff))],
    ['a name with an escape character', named(utf8('a\u001bb'))], ['a name that cannot be seen', named(utf8('\u200b'))], ['a name with a space at its end', named(utf8('Bea '))],
    ['a name that turns the direction of writing', named(utf8('\u202eaeB'))], ['a name with a byte order mark', named(utf8('\ufeffBea'))], ['a name of joiners alone', named(utf8('\u200d'))],
    ['a relay with a path', related('https://relay.example/x')], ['a relay with a query', related('https://relay.example/?')], ['a relay of another scheme', related('ftp://relay.example')], ['no relay', related('')],
    ...wrongLists(BEA).map(([name, list]) => [`in its device list: ${name}`, listing(list)] as const), ['in its device list: an end behind that of the bundle', resigned(signed.with(listAt - 1, 180))],
    ['its time over', card, TERMS.expiresAt],
  ];
  return wrong.map(([name, bytes, now = NOW]) => ({ name, link, card: hex(bytes), now, code: refusal(() => openCard(parseLink(link), bytes, now)) }));
}

const little = (bytes: Uint8Array): bigint => BigInt(`0x${hex(bytes.toReversed())}`);
const fromLittle = (value: bigint): Uint8Array => unhex(value.toString(16).padStart(64, '0')).toReversed();
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The same signature for a verifier that does not look how large S is. */
function aboveOrder(signature: Uint8Array): Uint8Array {
  return join(signature.slice(0, 32), fromLittle(little(signature.slice(32)) + ORDER));
}

/** A signature whose secret nonce is 0, and so R the neutral element: the equation is right, and R is of low order. */
function signedByNothing({ ed, edSeed }: Identity, message: Uint8Array): Uint8Array {
  const challenge = little(sha512(join(ONE, ed, utf8('sotto1/bundle'), message)));
  return join(ONE, fromLittle((challenge * ed25519.utils.getExtendedPublicKey(edSeed).scalar) % ORDER));
}

/** An Ed25519 key of low order: a lax verifier takes the same signature for every message. */
function cardOfNobody() {
  const { bundle, linkKey } = make(TERMS, 'nobody');
  const nobody = { ed: ONE, x: BEA.x };
  const card = sealCard(linkKey, join(bundle.slice(0, AT.ed), nobody.ed, bundle.slice(AT.x, -64), ONE, ZERO), seeded('of nobody')(24));
  const link = `${TERMS.relay}/i#${Buffer.from(join(be(1, 1), linkKey, idOf(nobody))).toString('base64url')}`;
  return { name: 'a key of low order, and the signature that it has for everything', link, card: hex(card), now: NOW, code: refusal(() => openCard(parseLink(link), card, NOW)) };
}

export function linkVectors() {
  const { link } = make(TERMS, 'links');
  const fragment = link.split('#')[1]!;
  const longest = `https://${'h'.repeat(247)}`;
  const origins: (readonly [string, string])[] = [
    ['as it is kept', 'https://relay.example'], ['upper case, and the port that the scheme has', 'HTTPS://RELAY.EXAMPLE:443'], ['the port of http', 'http://h:80'], ['the port of the other scheme', 'http://h:443'],
    ['an empty port', 'https://h:'], ['leading zeros in a port', 'https://h:0443'], ['a path of one slash', 'https://h/'], ['a path that comes to one slash', 'https://h/.'], ['an empty user', 'https://@h'],
    ['no slashes', 'https:h'], ['a slash too many', 'https:///h'], ['slashes that lean the other way', 'https:\\\\h'], ['a tab and a line feed inside', 'ht\ttps://re\nlay.example'], ['percent signs', 'https://%68'],
    ['a name that is not in ASCII', 'https://bücher.example'], ['an IPv4 address in hexadecimal', 'http://0x7f.1'], ['an IPv6 address', 'https://[2001:DB8:0:0::1]:8080'], ['the longest', longest],
  ];
  const around: (readonly [string, string])[] = [
    ['spaces, tabs and line feeds around it', ` \t${link}\r\n`], ['a no-break space before it, an ideographic space behind it', `\u00a0${link}\u3000`], ['a byte order mark before it', `\ufeff${link}`], ['a line separator behind it', `${link}\u2028`],
  ];
  const wrong: (readonly [string, string])[] = [
    ['nothing', ''], ['no relay', `/i#${fragment}`], ['a path', `https://relay.example/x/i#${fragment}`], ['a path of two slashes', `https://relay.example///i#${fragment}`], ['an empty query', `https://h?/i#${fragment}`], ['a query', `https://h/?q/i#${fragment}`],
    ['an empty fragment before', `https://h#/i#${fragment}`], ['a user', `https://me@relay.example/i#${fragment}`], ['a password', `https://:secret@h/i#${fragment}`], ['another scheme', `ftp://relay.example/i#${fragment}`], ['no scheme', `//h/i#${fragment}`],
    ['no host', `https:///i#${fragment}`], ['a port that is none', `https://h:65536/i#${fragment}`], ['a host that is none', `https://a b/i#${fragment}`], ['an origin of 256 bytes', `${longest}h/i#${fragment}`], ['an upper-case I', `https://h/I#${fragment}`],
    ['a character less', link.slice(0, -1)], ['a character more', `${link}A`], ['stray bits', link.slice(0, -1) + String.fromCodePoint(link.codePointAt(link.length - 1)! + 1)], ['two fragments', `${link}/i#${fragment}`],
    ['another version', `https://relay.example/i#A${'g'}${fragment.slice(2)}`], ['padding', `${link}==`], ['a character of base64 that base64url has not', `https://h/i#${fragment.slice(0, 20)}+${fragment.slice(21)}`],
    ['a space inside the fragment', `https://h/i#${fragment.slice(0, 20)} ${fragment.slice(20)}`], ['a next-line character before it, which is no white space here', `\u0085${link}`], ['a character that cannot be seen behind it', `${link}\u200b`],
    ['both kinds', `https://h/a#/i#${fragment}`], ['another kind', `https://h/b#${fragment}`],
  ];
  const texts = [...origins.map(([name, origin]) => [name, `${origin}/i#${fragment}`] as const), ...around, ['an address', `https://relay.example/a#${fragment}`] as const];
  return {
    cases: texts.map(([name, text]) => {
      const { relay, linkKey, idHash, week } = parseLink(text, NOW);
      return { name, text, kind: week === null ? 'invitation' : 'address', relay, linkKey: hex(linkKey), id: hex(idHash) };
    }),
    refused: wrong.map(([name, text]) => ({ name, text, code: refusal(() => parseLink(text)) })),
  };
}

export function addressVectors() {
  const draws: string[] = [];
  const { link, linkKey } = makeAddress(BEA, TERMS.relay, noting(seeded('an address'), draws));
  const week = weekOf(NOW);
  const expiresAt = (week + 1) * 7 * DAY_MS + DAY_MS;
  const begins = week * 7 * DAY_MS;
  const times = [0, begins - 1, begins, begins + 7 * DAY_MS - 1, begins + 7 * DAY_MS, 4_000_000_000_000];
  const weekDraws: string[] = [];
  const terms = { ...TERMS, expiresAt, addedAt: 1_700_000_000_000 };
  const { card, lookup, secret } = makeWeek(BEA, terms, linkKey, week, noting(seeded('a week'), weekDraws));
  const next = makeWeek(BEA, terms, linkKey, week + 1, seeded('the next week'));
  const at = (time: number) => parseLink(link, time);
  const opened = openCard(at(NOW), card, NOW);
  const flightDraws: string[] = [];
  const { flight, session } = initiate(ANN, opened, noting(seeded('to an address'), flightDraws), GUEST_ADDED_AT);
  const nonce = seeded('flags')(24);
  const bundle = unpad(unseal(placeOf(at(NOW)).cardKey, card.slice(0, 24), card.slice(24), lookup)!);
  const flagged = (flags: number) => {
    const signed = bundle.slice(0, -64).with(AT.flags, flags);
    return sealCard(linkKey, join(signed, sign(BEA.edSeed, 'bundle', signed)), nonce, week);
  };
  const wrong: (readonly [string, Uint8Array, number])[] = [
    ['the card of the next week', next.card, NOW], ['the card of the week before, in the next one', card, NOW + 7 * DAY_MS], ['a card for one guest', flagged(0), NOW], ['a flag that is none', flagged(2), NOW],
    ['a changed bit', card.with(100, card[100]! ^ 1), NOW],
  ];
  return {
    owner: hex(packIdentity(BEA)), relay: TERMS.relay, draws, link,
    weeks: times.map((now) => {
      const place = placeOf(at(now));
      return { now, week: weekOf(now), lookup: hex(place.lookup), cardKey: hex(place.cardKey) };
    }),
    card: { week, now: NOW, terms: termsOf(terms), draws: weekDraws, lookup: hex(lookup), card: hex(card), invitation: hex(packSecret(secret)), opened: openedOf(opened) },
    refused: wrong.map(([name, bytes, now]) => ({ name, card: hex(bytes), now, code: refusal(() => openCard(at(now), bytes, now)) })),
    flight: { guest: hex(packIdentity(ANN)), addedAt: GUEST_ADDED_AT, draws: flightDraws, flight: hex(flight), id: hex(flightId(flight)), session: hex(session.id) },
    refusedFlight: { invitation: hex(packSecret(next.secret)), code: refusal(() => respond(BEA, next.secret, flight)) },
  };
}
