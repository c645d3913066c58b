// Known attacks on messengers, one room each: first on the mistake that let them in (test/support/naive.ts), where they succeed, then on
// ours. Here those on the cryptography; those on the client are in test/client/core/catalogue.test.ts.

import sodium from 'libsodium-wrappers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { equal, toHex } from '../../crypto/bytes.js';
import { derive } from '../../crypto/hash.js';
import { firstDevices } from '../../crypto/devices.js';
import { FLIGHT_BYTES, respond } from '../../crypto/handshake.js';
import { createIdentity } from '../../crypto/identity.js';
import { createInvitation, openCard, parseLink } from '../../crypto/invitation.js';
import { decrypt, encrypt, packSession, unpackSession } from '../../crypto/session.js';
import { open, ready, readyOn, seal, x25519, x25519PublicKey, xwingDecapsulate, xwingEncapsulate, xwingPublicKey } from '../../crypto/sodium.js';
import { dhOfAnything, ForgivingChain, HastyChain, keyWithoutTranscript, sealPacked, sealUnsaved, TouchySessions } from '../support/naive.js';
import { identity as secondIdentity } from '../oracle/identity.js';
import { initiate as secondInitiate } from '../oracle/handshake.js';
import { openCard as secondOpenCard, parseLink as secondParseLink, sealCard } from '../oracle/invitation.js';
import { join, k, sign, unpad, unseal } from '../oracle/notation.js';
import { sides } from './side.js';
import { bytes, codeOf, initiate, invite, seeded, string } from './support.js';

await ready();

const CHAIN = new Uint8Array(32).fill(1);
const ZERO = new Uint8Array(32);

describe('a state that moves on before a message is known to be genuine', () => {
  it('lets one forged frame cut off a naive chain', () => {
    const [sender, receiver] = [new HastyChain(CHAIN), new HastyChain(CHAIN)];
    const genuine = sender.seal('genuine');
    expect(receiver.open({ n: 0, box: new Uint8Array(40) })).toBeNull();
    expect(receiver.open(genuine)).toBeNull();
  });

  it('is not ours: every forged frame leaves the session as it was, and the genuine one opens', () => {
    const { a, b } = sides('hasty');
    b.receive(a.send('x'));
    a.receive(b.send('so that a begins a chain'));
    a.send('passed over');
    const genuine = a.send('genuine');
    // The header is whole and the body is not: this comes as far as a forgery can.
    for (const at of [0, 30, 83, 84, 300, 511]) expect(b.refusal(genuine.with(at, genuine[at]! ^ 1))).toBe('undecryptable');
    expect(b.receive(genuine)).toBe('genuine');
  });
});

describe('a session that is thrown away for one bad frame', () => {
  it('lets a stranger end a naive conversation', () => {
    const [sender, receiver] = [new HastyChain(CHAIN), new TouchySessions()];
    receiver.sessions.set('Ann', new HastyChain(CHAIN));
    receiver.open('Ann', { n: 0, box: new Uint8Array(40) });
    expect(receiver.open('Ann', sender.seal('hello?'))).toBeNull();
    expect(receiver.sessions.size).toBe(0);
  });

  it('is not ours: it lives on after a thousand', () => {
    const { a, b } = sides('touchy');
    const noise = seeded('noise');
    const before = packSession(b.session);
    for (let frame = 0; frame < 1_000; frame++) expect(codeOf(() => decrypt(b.session, noise(512), b.random, 0))).toBe('undecryptable');
    expect(equal(packSession(b.session), before)).toBe(true);
    expect(b.receive(a.send('hello?'))).toBe('hello?');
  });
});

describe('a counter that jumps', () => {
  afterEach(async () => {
    vi.restoreAllMocks();
    await readyOn('arena');
  });

  it('makes a naive chain step and store for as long as a stranger likes', () => {
    const receiver = new HastyChain(CHAIN);
    expect(receiver.open({ n: 50_000, box: new Uint8Array(40) })).toBeNull();
    expect(receiver.skipped.size).toBe(50_000);
  });

  it('costs us, of a stranger, seven short decryptions and nothing else', async () => {
    const { a, b } = sides('jump');
    for (let turn = 0; turn < 7; turn++) {
      b.receive(a.send('ping'));
      a.receive(b.send('pong'));
    }
    await readyOn('wrapper');
    const opens = vi.spyOn(sodium, 'crypto_aead_xchacha20poly1305_ietf_decrypt');
    const others = (['crypto_generichash', 'crypto_scalarmult', 'crypto_scalarmult_base', 'crypto_kem_xwing_dec'] as const).map((name) => vi.spyOn(sodium, name));
    const noise = seeded('noise');
    for (const length of [100, 512, 4_096, 65_536]) {
      opens.mockClear();
      b.refusal(noise(length));
      expect(opens.mock.calls.map(([, sealed]) => sealed.length)).toEqual(Array.from({ length: 7 }, () => 60));
    }
    for (const other of others) expect(other).not.toHaveBeenCalled();
  });

  it('costs us, of a contact, no more keys than the limit', () => {
    const { a, b } = sides('contact jump');
    let last = a.send('first');
    for (let n = 0; n < 3_000; n++) last = a.send('x');
    b.receive(last);
    expect(b.session.skipped).toHaveLength(1_000);
  });
});

describe('identities that are not in the key', () => {
  /** Bea's one-time keys, which Mallory has from an invitation of hers, in a card that says they are of Mallory. */
  function relabel() {
    const random = seeded('relabel');
    const [mallory, bea] = [secondIdentity(random), secondIdentity(random)];
    const host = createInvitation({ identity: bea, devices: firstDevices(bea, 0), name: 'Bea', relay: 'https://relay.example', mailbox: random(16), token: random(16), expiresAt: 1 }, random);
    const { linkKey } = secondParseLink(host.link);
    const bundle = unpad(unseal(k(linkKey, 'card')[0], host.card.slice(0, 24), host.card.slice(24), host.lookup)!);
    // Mallory's name and Ed25519 key beside Bea's X25519 key, which Mallory does not have to know.
    const stolen = { ed: mallory.ed, x: bea.x, edSeed: mallory.edSeed, xSecret: mallory.xSecret };
    const fields = join(bundle.slice(0, 2), stolen.ed, bundle.slice(34, -64 - 179), firstDevices(stolen, 0));
    const mallorys = createInvitation({ identity: stolen, devices: firstDevices(stolen, 0), name: 'Mallory', relay: 'https://relay.example', mailbox: random(16), token: random(16), expiresAt: 1 }, random);
    const link = secondParseLink(mallorys.link);
    const card = sealCard(link.linkKey, join(fields, sign(mallory.edSeed, 'bundle', fields)), random(24));
    return { random, bea, host, mallory, link: mallorys.link, card };
  }

  it('let a naive handshake be carried to somebody else: Bea reads as hers what Ann has said to Mallory', () => {
    const { random, bea, host, link, card } = relabel();
    const ann = createIdentity(random);
    const bundle = openCard(parseLink(link), card, 0);
    const [secret, seed] = [random(32), random(64)];
    const kem = xwingEncapsulate(bundle.pq, seed)!;
    const key = keyWithoutTranscript(x25519(secret, bundle.identity.x)!, x25519(ann.xSecret, bundle.spk)!, kem.sharedSecret);
    const box = seal(key, new Uint8Array(24), bytes('you fool, Mallory'), ZERO.slice(0, 0));
    const shared = xwingDecapsulate(kem.ciphertext, host.secret.pqSeed)!;
    const beas = keyWithoutTranscript(x25519(bea.xSecret, x25519PublicKey(secret))!, x25519(host.secret.spkSecret, ann.x)!, shared);
    expect(string(open(beas, new Uint8Array(24), box, ZERO.slice(0, 0))!)).toBe('you fool, Mallory');
  });

  it('are not ours: the bundle with all its names is in every key', () => {
    const { random, bea, host, link, card } = relabel();
    const bundle = openCard(parseLink(link), card, 0);
    expect(bundle.identity.x).toEqual(bea.x);
    const { flight } = initiate(createIdentity(random), bundle, random);
    // Even if Bea's invitation had the psk of Mallory's link.
    for (const psk of [host.secret.psk, bundle.psk]) expect(codeOf(() => respond(bea, { ...host.secret, psk }, flight))).toBe('undecryptable');
    expect(respond(bea, { ...host.secret, psk: bundle.psk, bundleHash: bundle.hash }, flight).peer.ed).toHaveLength(32);
  });

  it('are not ours on the guest’s side either: who claims to be another has no key that opens', () => {
    const random = seeded('claims');
    const { identity, link, card, secret } = invite(random);
    const [ann, mallory] = [secondIdentity(random), secondIdentity(random)];
    const { session, flight } = secondInitiate({ ...ann, xSecret: mallory.xSecret }, secondOpenCard(secondParseLink(link), card, 0), random);
    const claimed = respond(identity, secret, flight);
    expect(claimed.peer).toEqual({ ed: ann.ed, x: ann.x });
    expect(codeOf(() => decrypt(claimed.session, session.seal(bytes('it is Ann'), random, 0), random, 0))).toBe('undecryptable');
  });
});

describe('an exchange to which one side gives nothing', () => {
  const points = [ZERO, Uint8Array.of(1, ...ZERO.slice(1)), new Uint8Array(Buffer.from('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'hex'))];

  it('lets everybody know the key of a naive one', () => {
    const random = seeded('nothing');
    const keys = points.map((point) => toHex(derive(CHAIN, 'rk', dhOfAnything(random(32), point)).left));
    expect(new Set(keys)).toEqual(new Set([toHex(derive(CHAIN, 'rk', ZERO).left)]));
  });

  it.each(points)('is refused wherever a point comes from outside (%#)', (point) => {
    const random = seeded('points');
    expect(x25519(random(32), point)).toBeNull();
    const { identity, link, card, secret } = invite(random);
    const bundle = openCard(parseLink(link), card, 0);
    const me = createIdentity(random);
    for (const wrong of [{ ...bundle, spk: point }, { ...bundle, identity: { ...bundle.identity, x: point } }, { ...bundle, pq: join(xwingPublicKey(random(32)).slice(0, 1184), point) }]) {
      expect(codeOf(() => initiate(me, wrong, random))).toBe('card-invalid');
    }
    const { flight } = initiate(me, bundle, random);
    for (const at of [0, 32 + 1088]) {
      const weak = join(flight.slice(0, at), point, flight.slice(at + 32));
      expect(codeOf(() => respond(identity, secret, weak))).toBe('undecryptable');
    }
  });

  it.each(points)('is refused as a ratchet key of a contact (%#)', (point) => {
    const random = seeded('ratchet points');
    const guest = secondIdentity(random);
    const { identity, link, card, secret } = invite(random);
    const { session, flight } = secondInitiate(guest, secondOpenCard(secondParseLink(link), card, 0), random);
    const host = respond(identity, secret, flight).session;
    const { session: heard } = decrypt(host, session.seal(bytes('hello'), random, 0), random, 0);
    const { session: spoken, message } = encrypt(heard, bytes('answer'), random, 0);
    session.open(message, random, 0);
    expect(codeOf(() => decrypt(spoken, session.forge(random, { dh: point }), random, 0))).toBe('undecryptable');
    expect(string(decrypt(spoken, session.seal(bytes('true'), random, 0), random, 0).body)).toBe('true');
  });
});

describe('a key that is used twice after a crash', () => {
  const texts = ['attack at dawn!', 'retreat at once'] as const;
  const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, at) => byte ^ b[at]!);

  it('gives away both texts of a naive sender', () => {
    const [one, two] = texts.map((text) => sealUnsaved(CHAIN, text).slice(0, 15));
    expect(xor(one!, two!)).toEqual(xor(bytes(texts[0]), bytes(texts[1])));
  });

  it('gives away nothing of ours, even if both were let out: the nonce is another', () => {
    const { a } = sides('crash');
    const stored = packSession(a.session);
    const [one, two] = texts.map((text) => encrypt(unpackSession(stored), bytes(text), a.random, 0).message);
    expect(equal(one!.subarray(0, 24), two!.subarray(0, 24))).toBe(false);
    const [sealedOne, sealedTwo] = [one!.subarray(88, 103), two!.subarray(88, 103)];
    expect(xor(sealedOne, sealedTwo)).not.toEqual(xor(bytes(texts[0]), bytes(texts[1])));
  });
});

describe('a sender that was put back to an old state', () => {
  it('is not noticed by a naive receiver, who takes the number once more', () => {
    const [receiver, sender, clone] = [new ForgivingChain(CHAIN), new HastyChain(CHAIN), new HastyChain(CHAIN)];
    expect(string(receiver.open(sender.seal('mine'))!)).toBe('mine');
    expect(string(receiver.open(clone.seal('of the thief'))!)).toBe('of the thief');
  });

  it('is noticed by us: what it says is a duplicate, and changes nothing', () => {
    const { a, b } = sides('clone');
    const old = a.session;
    b.receive(a.send('mine'));
    a.session = old;
    expect(b.refusal(a.send('of the thief'))).toBe('duplicate');
  });
});

describe('packing before sealing', () => {
  const [secret, guesses] = ['token=qX7vT2', ['token=aaaaaa', 'token=bbbbbb', 'token=qX7vT2'] as const];

  it('tells by the length of a naive message which guess is right', () => {
    const lengths = guesses.map((guess) => sealPacked(CHAIN, seeded('packed'), secret, guess).length);
    expect(lengths.indexOf(Math.min(...lengths))).toBe(2);
    expect(new Set(lengths.slice(0, 2)).size).toBe(1);
  });

  it('is not done by us: the length says nothing of what is said', () => {
    const { a } = sides('unpacked');
    const lengths = [...guesses, ''].map((guess) => encrypt(a.session, bytes(`${secret}\n${guess}`), a.random, 0).message.length);
    expect(new Set(lengths)).toEqual(new Set([512]));
    const long = ['a', 'b'].map((letter) => encrypt(a.session, bytes(letter.repeat(5_000)), a.random, 0).message.length);
    expect(new Set(long).size).toBe(1);
  });
});

describe('a first flight that comes again', () => {
  it('makes a second session for whoever keeps the keys and forgets what has come', () => {
    const random = seeded('kept');
    const { identity, link, card, secret } = invite(random);
    const { session, flight } = initiate(createIdentity(random), openCard(parseLink(link), card, 0), random);
    const { message } = encrypt(session, bytes('pay 10'), random, 0, flight);
    const texts = [1, 2].map(() => {
      const { session: begun } = respond(identity, secret, message.subarray(0, FLIGHT_BYTES));
      return string(decrypt(begun, message.subarray(FLIGHT_BYTES), random, 0).body);
    });
    expect(texts).toEqual(['pay 10', 'pay 10']);
  });

  it('shows itself to us by its key, opens in no other invitation, and in its session it is a duplicate', () => {
    const random = seeded('shown');
    const { identity, link, card, secret } = invite(random);
    const { session, flight } = initiate(createIdentity(random), openCard(parseLink(link), card, 0), random);
    const { message } = encrypt(session, bytes('pay 10'), random, 0, flight);
    const first = respond(identity, secret, flight);
    expect(equal(first.flightKey, message.subarray(0, 32))).toBe(true);
    const { session: heard } = decrypt(first.session, message.subarray(FLIGHT_BYTES), random, 0);
    expect(codeOf(() => decrypt(heard, message.subarray(FLIGHT_BYTES), random, 0))).toBe('duplicate');
    expect(codeOf(() => respond(identity, invite(random, { identity }).secret, flight))).toBe('undecryptable');
  });
});
