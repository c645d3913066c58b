// What the frozen vectors say, made by the second implementation (test/oracle) alone, from seeded chance. README.md tells a reader
// of the JSON files what each field means.

import { initiate, respond } from '../oracle/handshake.js';
import { type Identity, identity, idOf, packIdentity, safetyNumber, unpackIdentity } from '../oracle/identity.js';
import { type Bundle, invite, lookupOf, openCard, packSecret, parseLink, sealCard, type Secret, type Terms, unpackSecret } from '../oracle/invitation.js';
import { be, h32, join, k, kemPublic, publicX, Refusal, seal, sign, unpad, unseal } from '../oracle/notation.js';
import { envelopeId } from '../oracle/session.js';
import { noting, seeded } from './chance.js';
import { hex, TERMS, utf8, Writer } from './conversation.js';

const NOW = 1_800_000_000_000;
const DAY_MS = 86_400_000;
const [ANN, BEA] = [identity(seeded('Ann')), identity(seeded('Bea'))];
const [ZERO, ONE] = [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))];

/** The code with which `action` is refused. */
function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
  throw new Error('Nothing was refused.');
}

function safetyNumbers() {
  const third = { ed: BEA.ed, x: ANN.x };
  const pairs: (readonly [string, Pick<Identity, 'ed' | 'x'>, Pick<Identity, 'ed' | 'x'>])[] = [
    ['two people', ANN, BEA], ['the same from the other side', BEA, ANN], ['the same Ed25519 key, another X25519 key', ANN, third], ['one person twice', ANN, ANN],
  ];
  return { cases: pairs.map(([name, a, b]) => ({ name, mine: hex(join(a.ed, a.x)), theirs: hex(join(b.ed, b.x)), number: safetyNumber(a, b) })) };
}

interface Made {
  readonly terms: Terms;
  readonly linkKey: Uint8Array;
  readonly link: string;
  readonly card: Uint8Array;
  readonly secret: Secret;
  readonly bundle: Uint8Array;
  readonly draws: readonly string[];
}

function make(terms: Terms, seed: string): Made {
  const draws: string[] = [];
  const made = invite(BEA, terms, noting(seeded(seed), draws));
  const { linkKey } = parseLink(made.link);
  const bundle = unpad(unseal(k(linkKey, 'card')[0], made.card.slice(0, 24), made.card.slice(24), made.lookup)!);
  return { ...made, terms, linkKey, bundle, draws };
}

const cards: readonly (readonly [string, Terms])[] = [
  ['an invitation', TERMS],
  ['the shortest name and relay', { ...TERMS, name: 'x', relay: 'http://h' }],
  ['the longest name, not in ASCII, and a relay by address', { ...TERMS, name: 'ü'.repeat(32), relay: 'http://[2001:db8::1]:8080' }],
  ['a name of joined characters', { ...TERMS, name: '\u{1F469}\u200D\u{1F4BB} Béa' }],
];

/** Offsets in a bundle (§3.2). */
const AT = { suite: 0, flags: 1, ed: 2, x: 34, spk: 66, pq: 98, nameLength: 1352, name: 1353 };

function cardVectors() {
  const cases = cards.map(([name, terms]) => {
    const made = make(terms, name);
    const opened = openCard(parseLink(made.link), made.card, NOW);
    const { relay, mailbox, token, expiresAt } = terms;
    return {
      name, inviter: hex(packIdentity(BEA)), terms: { name: terms.name, relay, mailbox: hex(mailbox), token: hex(token), expiresAt }, draws: made.draws,
      link: made.link, lookup: hex(lookupOf(made.linkKey)), bundle: hex(made.bundle), card: hex(made.card), invitation: hex(packSecret(made.secret)),
      opened: { identity: hex(join(opened.identity.ed, opened.identity.x)), spk: hex(opened.spk), pq: hex(opened.pq), psk: hex(opened.psk), bundleHash: hex(opened.hash) },
    };
  });
  return { cases, refused: [...wrongCards(), cardOfNobody(), ...wrongLinks()] };
}

function wrongCards() {
  const { link, card, bundle, linkKey } = make({ ...TERMS, name: 'Bea' }, 'refused');
  const signed = bundle.slice(0, -64);
  const nonce = seeded('forged')(24);
  const seals = (wrong: Uint8Array): Uint8Array => sealCard(linkKey, wrong, nonce);
  const resigned = (fields: Uint8Array, who = BEA): Uint8Array => seals(join(fields, sign(who.edSeed, 'bundle', fields)));
  const named = (name: Uint8Array): Uint8Array => resigned(join(signed.slice(0, AT.nameLength), be(name.length, 1), name, signed.slice(AT.name + 3)));
  const related = (relay: string): Uint8Array => resigned(join(signed.slice(0, AT.name + 3), be(relay.length, 1), utf8(relay)));
  const mallory = identity(seeded('Mallory'));
  const unpadded = join(nonce, seal(k(linkKey, 'card')[0], nonce, new Uint8Array(2048), lookupOf(linkKey)));
  const wrong: (readonly [string, Uint8Array, number?])[] = [
    ['a changed bit in the nonce', card.with(0, card[0]! ^ 1)], ['a changed bit in the bundle', card.with(1000, card[1000]! ^ 0x80)], ['a changed bit in the tag', card.with(2087, card[2087]! ^ 1)],
    ['one byte less', card.slice(0, -1)], ['one byte more', join(card, be(0, 1))], ['nothing', new Uint8Array(0)],
    ['no padding', unpadded],
    ['another identity, signed by it', resigned(join(signed.slice(0, AT.ed), mallory.ed, mallory.x, signed.slice(AT.spk)), mallory)],
    ['the Ed25519 key of the inviter beside another X25519 key', resigned(signed.with(AT.x, signed[AT.x]! ^ 1))],
    ['a signature by another key', resigned(signed, mallory)], ['a signature for another purpose', seals(join(signed, sign(BEA.edSeed, 'collect', signed)))],
    ['an exchanged one-time key under the old signature', seals(bundle.with(AT.spk, bundle[AT.spk]! ^ 1))],
    ['another suite', resigned(signed.with(AT.suite, 2))], ['a flag', resigned(signed.with(AT.flags, 1))],
    ['a byte behind its fields', seals(join(bundle, be(0, 1)))], ['a field too short', seals(bundle.slice(0, 1000))],
    ['an empty name', named(new Uint8Array(0))], ['a name of 65 bytes', named(utf8('x'.repeat(65)))], ['a name that is not UTF-8', named(Uint8Array.of(0x41, 0xff))],
    ['a name with an escape character', named(utf8('a\u001bb'))], ['a name that cannot be seen', named(utf8('\u200b'))], ['a name with a space at its end', named(utf8('Bea '))],
    ['a name that turns the direction of writing', named(utf8('\u202eaeB'))], ['a name with a byte order mark', named(utf8('\ufeffBea'))], ['a name of joiners alone', named(utf8('\u200d'))],
    ['a relay with a path', related('https://relay.example/x')], ['a relay of another scheme', related('ftp://relay.example')], ['no relay', related('')],
    ['its time over', card, TERMS.expiresAt],
  ];
  return wrong.map(([name, bytes, now = NOW]) => ({ name, link, card: hex(bytes), now, code: refusal(() => openCard(parseLink(link), bytes, now)) }));
}

/** An Ed25519 key of low order: a lax verifier takes the same signature for every message. */
function cardOfNobody() {
  const { bundle, linkKey } = make(TERMS, 'nobody');
  const nobody = { ed: ONE, x: BEA.x };
  const card = sealCard(linkKey, join(bundle.slice(0, AT.ed), nobody.ed, bundle.slice(AT.x, -64), ONE, ZERO), seeded('of nobody')(24));
  const link = `${TERMS.relay}/i#${Buffer.from(join(be(1, 1), linkKey, idOf(nobody))).toString('base64url')}`;
  return { name: 'a key of low order, and the signature that it has for everything', link, card: hex(card), now: NOW, code: refusal(() => openCard(parseLink(link), card, NOW)) };
}

function wrongLinks() {
  const { link, card } = make(TERMS, 'refused');
  const fragment = link.split('#')[1]!;
  const wrong: (readonly [string, string])[] = [
    ['an empty link', ''], ['a link without a relay', `/i#${fragment}`], ['a link with a path', `https://relay.example/x/i#${fragment}`], ['a link with a user', `https://me@relay.example/i#${fragment}`],
    ['a link of another scheme', `ftp://relay.example/i#${fragment}`], ['a link a character short', link.slice(0, -1)], ['a link a character long', `${link}A`],
    ['a link with stray bits', link.slice(0, -1) + String.fromCodePoint(link.codePointAt(link.length - 1)! + 1)], ['a link with two fragments', `${link}/i#${fragment}`],
    ['a link of another version', `https://relay.example/i#A${'g'}${fragment.slice(2)}`], ['a link with padding', `${link}==`],
  ];
  return wrong.map(([name, text]) => ({ name, link: text, card: hex(card), now: NOW, code: refusal(() => openCard(parseLink(text), card, NOW)) }));
}

function handshakeVectors() {
  const talk = new Writer('a first flight', ANN, BEA);
  const [lost, first] = [talk.seals('guest', 'hello', true), talk.seals('guest', 'are you there?', true)];
  talk.refuses('inviter', talk.altered(first, -1), 'undecryptable', 'the message behind the flight was altered: the guest is not proven yet');
  talk.opens('inviter', first);
  talk.opens('inviter', lost);
  talk.refuses('inviter', first, 'duplicate', 'the first message comes again');
  talk.opens('guest', talk.seals('inviter', 'welcome'));
  talk.opens('inviter', talk.seals('guest', 'thank you'));
  return { conversations: [talk.finish()], refusedFlights: wrongFlights(), refusedBundles: wrongBundles(), claim: claim() };
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
  const mallory = { ...ANN, xSecret: identity(seeded('Mallory')).xSecret };
  const { session, flight } = initiate(mallory, openCard(parseLink(link), card, NOW), seeded('claims'));
  const message = session.seal(utf8('it is Ann'), seeded('message'), NOW);
  const { session: host, peer } = respond(BEA, secret, flight);
  const code = refusal(() => host.open(message, seeded('opens'), NOW));
  return { inviter: hex(packIdentity(BEA)), invitation: hex(packSecret(secret)), flight: hex(flight), peer: hex(join(peer.ed, peer.x)), message: hex(message), now: NOW, code };
}

function ratchetVectors() {
  const talk = new Writer('loss, delay, repetition and forgery', ANN, BEA);
  talk.opens('inviter', talk.seals('guest', 'hello', true));
  const late = talk.seals('guest', 'late');
  talk.seals('guest', 'lost');
  const ahead = talk.seals('guest', 'ahead');
  for (const [at, what] of [[0, 'nonce'], [24, 'header'], [83, "header's tag"], [84, 'plaintext'], [-1, "plaintext's tag"]] as const) {
    talk.refuses('inviter', talk.altered(ahead, at), 'undecryptable', `the ${what} was altered`);
  }
  talk.opens('inviter', ahead);
  talk.refuses('inviter', talk.altered(late, -1), 'undecryptable', 'a late message was altered; its key stays');
  talk.opens('inviter', late);
  talk.refuses('inviter', late, 'duplicate', 'a late message comes again');
  talk.refuses('guest', ahead, 'undecryptable', 'a message comes back to its sender');
  talk.refuses('inviter', new Uint8Array(99), 'undecryptable', 'it is shorter than any message');
  talk.refuses('inviter', new Uint8Array(65_537), 'undecryptable', 'it is longer than any message');
  forgeries(talk);
  const old = [0, 1, 2, 3, 4, 5, 6].map((turn) => {
    const left = talk.seals('guest', `left behind ${turn}`);
    talk.turn();
    return left;
  });
  talk.refuses('inviter', old[0]!, 'undecryptable', 'its chain is older than the five that are kept');
  for (const message of old.slice(2, 4)) talk.opens('inviter', message);
  talk.refuses('inviter', old[2]!, 'duplicate', 'its chain has ended and its number was used');
  talk.now += 30 * DAY_MS;
  talk.opens('inviter', old[4]!);
  talk.now += 1;
  talk.refuses('inviter', old[5]!, 'duplicate', 'its key is older than 30 days');
  talk.turn('on we go');
  return { conversations: [talk.finish()] };
}

/** What only somebody who has the keys of the guest can send; then the guest goes on. */
function forgeries(talk: Writer): void {
  talk.turn();
  talk.opens('guest', talk.seals('inviter', 'so that the guest begins a chain'));
  const lie = (wrong: Parameters<typeof talk.ends.guest.forge>[1], why: string): void => {
    talk.refuses('inviter', talk.ends.guest.forge(seeded(why), wrong), 'undecryptable', why);
  };
  lie({ dh: ZERO }, 'the ratchet key is zero');
  lie({ dh: ONE }, 'the ratchet key is of low order');
  lie({ flags: 1 }, 'the header has a flag');
  lie({ epochs: 3 }, 'the header names an epoch that is not there');
  lie({ n: 10_001 }, 'the number is above the longest chain');
  lie({ previous: 10_001 }, 'the length of the chain before is above the longest chain');
  lie({ plaintext: new Uint8Array(3) }, 'the plaintext is shorter than its head');
  lie({ plaintext: Uint8Array.of(0, 1, 0, 0) }, 'the body is longer than the plaintext');
  lie({ plaintext: Uint8Array.of(0, 0, 0, 1, 7) }, 'the piece is longer than the plaintext');
  lie({ plaintext: Uint8Array.of(0, 0, 0, 0, 1) }, 'behind the piece is a byte that is not zero');
  talk.opens('inviter', talk.seals('guest', 'true'));
  lie({ dh: new Uint8Array(32).fill(9) }, 'the ratchet key is another than that of its chain');
  lie({ epochs: 1 }, 'the epoch is another than that of its chain');
  talk.turn('still true');
}

/** The first flight, an answer, and a message with room for the whole key of the first epoch: the inviter has it. */
function begins(talk: Writer): void {
  talk.opens('inviter', talk.seals('guest', 'hello', true));
  talk.opens('guest', talk.seals('inviter', 'welcome'));
  talk.opens('inviter', talk.seals('guest', 'x'.repeat(2_000)));
}

function epochVectors() {
  const turns = new Writer('three epochs, turn by turn', ANN, BEA);
  turns.opens('inviter', turns.seals('guest', 'hello', true));
  while (turns.ends.guest.epochs < 3 || turns.ends.inviter.epochs < 3) turns.turn('text'.repeat(20));

  const overdue = new Writer('an epoch that is overdue takes larger envelopes', ANN, BEA);
  begins(overdue);
  const long = 'x'.repeat(400);
  overdue.turn(long);
  overdue.now += DAY_MS;
  for (let turn = 0; turn < 3; turn++) overdue.turn(long);

  const lies = new Writer('epochs and keys that are none', ANN, BEA);
  begins(lies);
  lies.opens('guest', lies.seals('inviter', 'answering'));
  lies.refuses('inviter', lies.ends.guest.forge(seeded('early'), { epochs: 1 }), 'undecryptable', 'it says too early that the ciphertext was understood');
  const whole = (units: number, bytes: Uint8Array): Uint8Array => join(be(0, 2), be(0, 1), be(units, 1), bytes);
  lies.refuses('guest', lies.ends.inviter.forge(seeded('zero'), { plaintext: whole(70, new Uint8Array(1120)) }), 'undecryptable', 'the ciphertext that it completes has an X25519 part of low order');
  while (lies.ends.inviter.epochs < 1) lies.turn();
  const key = kemPublic(seeded('key')(32));
  lies.refuses('guest', lies.ends.inviter.forge(seeded('modulus'), { plaintext: whole(76, new Uint8Array(1216).fill(0xff)) }), 'undecryptable', 'the key that it completes is above the modulus');
  lies.refuses('guest', lies.ends.inviter.forge(seeded('order'), { plaintext: whole(76, join(key.slice(0, 1184), ZERO)) }), 'undecryptable', 'the key that it completes has an X25519 part of low order');
  lies.turn('true');
  return { conversations: [turns.finish(), overdue.finish(), lies.finish()] };
}

function envelopeVectors() {
  const lengthOf = (body: number, withFlight: boolean): number | string => {
    const talk = new Writer('lengths', ANN, BEA);
    try {
      return talk.ends.guest.seal(new Uint8Array(body), seeded('length'), NOW, withFlight ? new Uint8Array(1264) : undefined).length;
    } catch (error) {
      if (error instanceof Refusal) return error.code;
      throw error;
    }
  };
  const bodies = [0, 1, 408, 409, 920, 921, 1944, 1945, 3992, 3993, 8088, 8089, 16_280, 16_281, 32_664, 32_665, 64_168, 64_169];
  const behind = [0, 2760, 2761, 6856, 6857, 64_168, 64_169];
  const envelopes = [512, 4096].map((length) => seeded(`envelope ${length}`)(length));
  return {
    lengths: [...bodies.map((body) => ({ body, withFlight: false, now: NOW, envelope: lengthOf(body, false) })), ...behind.map((body) => ({ body, withFlight: true, now: NOW, envelope: lengthOf(body, true) }))],
    ids: envelopes.map((envelope) => ({ envelope: hex(envelope), id: hex(envelopeId(envelope)) })),
  };
}

function packedVectors() {
  const { secret } = make(TERMS, 'packed');
  const forms = { identity: packIdentity(ANN), invitation: packSecret(secret) };
  const unpack = { identity: unpackIdentity, invitation: unpackSecret };
  const wrong = (form: 'identity' | 'invitation') => {
    const right = forms[form];
    const bytes: (readonly [string, Uint8Array])[] = [
      ['nothing', new Uint8Array(0)], ['the version alone', right.slice(0, 1)], ['one byte less', right.slice(0, -1)], ['one byte more', join(right, be(0, 1))], ['version 0', right.with(0, 0)], ['version 3', right.with(0, 3)],
    ];
    return bytes.map(([name, packed]) => ({ form, name, packed: hex(packed), code: refusal(() => unpack[form](packed)) }));
  };
  return {
    identity: { edSeed: hex(ANN.edSeed), xSecret: hex(ANN.xSecret), ed: hex(ANN.ed), x: hex(ANN.x), id: hex(idOf(ANN)), packed: hex(forms.identity) },
    invitation: { spkSecret: hex(secret.spkSecret), pqSeed: hex(secret.pqSeed), psk: hex(secret.psk), bundleHash: hex(secret.bundleHash), devicesHash: hex(secret.devicesHash), spk: hex(publicX(secret.spkSecret)), packed: hex(forms.invitation) },
    refused: [...wrong('identity'), ...wrong('invitation')],
    // How a session is packed is each implementation's own; what it must refuse is not.
    refusedSessions: ['', '00', 'ff', 'ff'.repeat(312), '00'.repeat(600), hex(h32('nothing'))].map((packed) => ({ packed, code: 'malformed' })),
  };
}

/** Every file by its name. */
export function vectorFiles() {
  return {
    'card': cardVectors(),
    'envelope': envelopeVectors(),
    'epoch': epochVectors(),
    'handshake': handshakeVectors(),
    'packed': packedVectors(),
    'ratchet': ratchetVectors(),
    'safety-number': safetyNumbers(),
  };
}

export type VectorFiles = ReturnType<typeof vectorFiles>;
