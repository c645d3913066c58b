// The vectors of PROTOCOL.md §4: the first flight, and beginning anew.

import { initiate, isOfSession, respond } from '../oracle/handshake.js';
import { type Identity, packIdentity } from '../oracle/identity.js';
import { type Bundle, openCard, packSecret, parseLink, type Secret, sealCard } from '../oracle/invitation.js';
import { be, join, sign } from '../oracle/notation.js';
import { isOldCopy, makeReset, makeStanding, openReset, openSaid, sealSaid, type Standing } from '../oracle/reset.js';
import { noting, seeded } from './chance.js';
import { GUEST_ADDED_AT, hex, TERMS, utf8, Writer } from './conversation.js';
import { ANN, BEA, DAY_MS, make, MALLORY, NOW, ONE, refusal, ZERO } from './people.js';

/** Offsets in a bundle (§3.2). */
const AT = { spk: 66, pq: 98 };

export function handshakeVectors() {
  const talk = new Writer('a first flight', ANN, BEA);
  talk.stand();
  const [lost, first] = [talk.seals('guest', 'hello', true), talk.seals('guest', 'are you there?', true)];
  talk.refuses('inviter', talk.altered(first, -1), 'undecryptable', 'the message behind the flight was altered: the guest is not proven yet');
  talk.refuses('inviter', talk.ends.guest.forge(seeded('ahead'), { isAhead: true }), 'undecryptable', 'it begins a chain upon one that nobody has begun');
  talk.opens('inviter', first);
  talk.opens('inviter', lost);
  talk.refuses('inviter', first, 'duplicate', 'the first message comes again');
  talk.opens('guest', talk.seals('inviter', 'welcome'));
  talk.refuses('guest', talk.ends.inviter.forge(seeded('ahead'), { isAhead: true }), 'undecryptable', 'it begins a chain upon one that nobody has begun');
  talk.opens('inviter', talk.seals('guest', 'thank you'));
  talk.stand();
  return { conversations: [talk.finish()], repeated: repeated(), refusedFlights: wrongFlights(), refusedBundles: wrongBundles(), claim: claim() };
}

/** Rule 4: what is a message of the session that a flight has made. */
function repeated() {
  const { link, card } = make(TERMS, 'repeated');
  const { session, flight } = initiate(ANN, openCard(parseLink(link), card, NOW), seeded('repeats'), GUEST_ADDED_AT);
  const envelope = session.seal(utf8('again'), seeded('again'), NOW, flight);
  const known = flight.slice(0, 32);
  const cases: (readonly [string, Uint8Array])[] = [
    ['behind the flight', envelope], ['behind a flight that differs after EK', envelope.with(40, envelope[40]! ^ 1)], ['behind another EK', envelope.with(31, envelope[31]! ^ 1)],
    ['the flight alone, and nothing behind it', flight], ['shorter than a flight', envelope.slice(0, 512)],
  ];
  return { known: hex(known), cases: cases.map(([name, bytes]) => ({ name, envelope: hex(bytes), isOfSession: isOfSession(known, bytes) })) };
}

function wrongFlights() {
  const { link, card, secret } = make(TERMS, 'flights');
  const bundle = openCard(parseLink(link), card, NOW);
  const { flight } = initiate(ANN, bundle, seeded('flight'));
  const flip = (at: number): Uint8Array => flight.with(at, flight[at]! ^ 1);
  const other = make(TERMS, 'other flights').secret;
  const weak: Identity = { ...ANN, x: ZERO };
  const wrong: (readonly [string, Uint8Array, Secret?, Identity?])[] = [
    ['EK altered', flip(0)], ['the ML-KEM part of ct altered', flip(600)], ['the X25519 part of ct altered', flip(1130)], ['encId altered', flip(1160)], ['the tag altered', flip(1263)],
    ['a byte less', flight.slice(0, -1)], ['a byte more', join(flight, be(0, 1))], ['nothing', new Uint8Array(0)],
    ['EK of low order', join(ZERO, flight.slice(32))], ['EK of low order, not zero', join(ONE, flight.slice(32))], ['the X25519 part of ct of low order', join(flight.slice(0, 1120), ZERO, flight.slice(1152))],
    ['an identity of low order', initiate(weak, bundle, seeded('weak')).flight],
    ['another invitation', flight, other], ['the same invitation without its psk', flight, { ...secret, psk: ZERO }], ['another bundle', flight, { ...secret, bundleHash: ZERO }], ['another inviter', flight, secret, ANN],
  ];
  return wrong.map(([name, bytes, invitation = secret, inviter = BEA]) => ({
    name, inviter: hex(packIdentity(inviter)), invitation: hex(packSecret(invitation)), flight: hex(bytes), code: refusal(() => respond(inviter, invitation, bytes)),
  }));
}

/** Cards that open, and whose keys are no keys. */
function wrongBundles() {
  const { link, bundle, linkKey } = make(TERMS, 'bundles');
  const fields = bundle.slice(0, -64);
  const withKey = (at: number, key: Uint8Array): Uint8Array => join(fields.slice(0, at), key, fields.slice(at + key.length));
  const wrong: (readonly [string, Uint8Array])[] = [
    ['spk zero', withKey(AT.spk, ZERO)], ['spk of low order', withKey(AT.spk, ONE)],
    ['the X25519 part of pq of low order', withKey(AT.pq + 1184, ZERO)], ['the ML-KEM part of pq above the modulus', withKey(AT.pq, new Uint8Array(384).fill(0xff))],
  ];
  return wrong.map(([name, changed]) => {
    const card = sealCard(linkKey, join(changed, sign(BEA.edSeed, 'bundle', changed)), seeded('bundle')(24));
    const opened: Bundle = openCard(parseLink(link), card, NOW);
    return { name, guest: hex(packIdentity(ANN)), link, card: hex(card), now: NOW, code: refusal(() => initiate(ANN, opened, seeded('initiate'))) };
  });
}

/** Mallory claims to be Ann: the flight says so, and no message behind it opens. */
function claim() {
  const { link, card, secret } = make(TERMS, 'claim');
  const impostor = { ...ANN, xSecret: MALLORY.xSecret };
  const { session, flight } = initiate(impostor, openCard(parseLink(link), card, NOW), seeded('claims'));
  const message = session.seal(utf8('it is Ann'), seeded('message'), NOW);
  const { session: host, peer } = respond(BEA, secret, flight);
  const code = refusal(() => host.open(message, seeded('opens'), NOW));
  return { inviter: hex(packIdentity(BEA)), invitation: hex(packSecret(secret)), flight: hex(flight), peer: hex(join(peer.ed, peer.x)), message: hex(message), now: NOW, code };
}

/** What the maker of a reset says of it. */
const SAID = { reason: 1, madeAt: NOW - 1_000, first: 1_048_583 };

export function resetVectors() {
  const rs = seeded('a resumption secret')(32);
  const draws: string[] = [];
  const terms = { ...TERMS, expiresAt: NOW + 7 * DAY_MS, addedAt: 1_700_000_000_000 };
  const { envelope, secret } = makeReset(BEA, terms, rs, SAID, noting(seeded('a reset'), draws));
  const said = openSaid(rs, BEA, envelope);
  const bundle = said.kind === 0 ? said.bundle : refuseToGo();
  const flightDraws: string[] = [];
  const { flight, session } = initiate(ANN, openReset(rs, bundle, NOW), noting(seeded('answers'), flightDraws), GUEST_ADDED_AT);
  const { name, relay, expiresAt, addedAt } = terms;
  return {
    maker: hex(packIdentity(BEA)), reader: hex(packIdentity(ANN)), resumption: hex(rs),
    reset: {
      terms: { name, relay, mailbox: hex(terms.mailbox), token: hex(terms.token), expiresAt, addedAt }, ...SAID, now: NOW, draws, envelope: hex(envelope), bundle: hex(bundle), invitation: hex(packSecret(secret)),
      flight: { addedAt: GUEST_ADDED_AT, draws: flightDraws, flight: hex(flight), session: hex(session.id) },
    },
    standings: standings(rs), refused: wrongSaid(rs, envelope, bundle), refusedBundles: wrongResets(rs, bundle), copies: copies(),
  };
}

function refuseToGo(): never {
  throw new Error('A reset says something else.');
}

const NOT_BEGUN = { chain: 0, next: 0, key: ZERO };
const OVER = { chain: 0xffff_ffff, next: 0, key: ZERO };

function standings(rs: Uint8Array) {
  const cases: (readonly [string, number, Standing])[] = [
    ['asks, in the middle of a session', 1, { chain: 3, next: 9, key: seeded('a ratchet key')(32) }], ['answers, before anything came', 0, NOT_BEGUN], ['answers, and has left the session', 0, OVER],
  ];
  return cases.map(([name, asks, { chain, next, key }]) => {
    const draws: string[] = [];
    return { name, asks, chain, next, key: hex(key), draws, envelope: hex(makeStanding(rs, BEA, asks, { chain, next, key }, noting(seeded(name), draws))) };
  });
}

/** Envelopes as the reader of the reset has them. */
function wrongSaid(rs: Uint8Array, reset: Uint8Array, bundle: Uint8Array) {
  const draw = seeded('said');
  const seals = (said: Uint8Array): Uint8Array => sealSaid(rs, BEA, said, draw);
  const standing = (asks: number): Uint8Array => join(be(1, 1), be(asks, 1), be(3, 4), be(9, 4), ONE);
  const head = (kind: number, detail: number): Uint8Array => join(be(kind, 1), be(detail, 1), be(NOW, 6), be(7, 4), bundle);
  const wrong: (readonly [string, Uint8Array])[] = [
    ["what the reader has said comes back as the other's: a standing", sealSaid(rs, ANN, standing(1), draw)], ["what the reader has said comes back as the other's: a reset", makeReset(ANN, TERMS, rs, SAID, draw).envelope],
    ['by somebody else who has the secret', sealSaid(rs, MALLORY, standing(0), draw)], ['by another secret', sealSaid(ZERO, BEA, standing(0), draw)],
    ['a changed bit in the nonce', reset.with(0, reset[0]! ^ 1)], ['a changed bit inside', reset.with(2_000, reset[2_000]! ^ 1)], ['a changed bit in the tag', reset.with(4_095, reset[4_095]! ^ 1)], ['a byte less', reset.slice(0, -1)], ['a byte more', join(reset, be(0, 1))],
    ['another kind', seals(head(2, 0))], ['another reason', seals(head(0, 3))], ['another way of asking', seals(standing(2))], ['a standing with a byte behind it', seals(join(standing(1), be(0, 1)))], ['a standing that ends too soon', seals(standing(1).slice(0, -1))],
    ['a reset that ends in its head', seals(head(0, 0).slice(0, 11))], ['nothing', seals(new Uint8Array(0))],
  ];
  return wrong.map(([name, envelope]) => ({ name, envelope: hex(envelope), code: refusal(() => openSaid(rs, BEA, envelope)) }));
}

/** Bundles inside of resets. */
function wrongResets(rs: Uint8Array, bundle: Uint8Array) {
  const signed = bundle.slice(0, -64);
  const resigned = (fields: Uint8Array): Uint8Array => join(fields, sign(BEA.edSeed, 'bundle', fields));
  const wrong: (readonly [string, Uint8Array, number?])[] = [
    ['a changed key under the old signature', bundle.with(AT.spk, bundle[AT.spk]! ^ 1)], ['the flag of an address', resigned(signed.with(1, 1))], ['a byte behind it', join(bundle, be(0, 1))], ['no bundle', new Uint8Array(0)],
    ['its time over', bundle, NOW + 7 * DAY_MS],
  ];
  return wrong.map(([name, bytes, now = NOW]) => ({ name, bundle: hex(bytes), now, code: refusal(() => openReset(rs, bytes, now)) }));
}

/** Whether a home that has sent so far is an old copy, where the contact has received so much. */
function copies() {
  const [mine, another] = [seeded('my ratchet key')(32), seeded('the key of a copy')(32)];
  const at = (chain: number, next: number, key = mine): Standing => ({ chain, next, key });
  const cases: (readonly [string, Standing, Standing])[] = [
    ['as much', at(2, 5), at(2, 5)], ['less', at(2, 5), at(2, 4)], ['an earlier chain, in which there was more', at(2, 5), at(1, 40, another)], ['nothing yet', at(0, 3), NOT_BEGUN], ['nothing yet of this chain, whose key is known', at(0, 0), at(0, 0)],
    ['a higher number', at(2, 5), at(2, 6)], ['a later chain', at(2, 5), at(3, 1, another)], ['as much under another key', at(2, 5), at(2, 5, another)], ['less under another key', at(2, 5), at(2, 1, another)],
    ['the session is over', at(2, 5), OVER],
  ];
  const plain = ({ chain, next, key }: Standing) => ({ chain, next, key: hex(key) });
  return cases.map(([name, sent, received]) => ({ name, sent: plain(sent), received: plain(received), isOldCopy: isOldCopy(sent, received) }));
}
