import { describe, expect, it } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { devicesHash, firstDevices } from '../../crypto/devices.js';
import { FLIGHT_BYTES, respond } from '../../crypto/handshake.js';
import { createIdentity } from '../../crypto/identity.js';
import { type Bundle, openCard, parseLink } from '../../crypto/invitation.js';
import { decrypt, encrypt, sessionId } from '../../crypto/session.js';
import { ready } from '../../crypto/sodium.js';
import { dh, encapsulate, h32, join, k, publicX, seal } from '../oracle/notation.js';
import { bytes, codeOf, initiate, invite, seeded, string } from './support.js';

await ready();

function open(invitation: { readonly link: string; readonly card: Uint8Array }): Bundle {
  return openCard(parseLink(invitation.link), invitation.card, 0);
}

describe('the first flight', () => {
  const random = seeded('handshake');
  const host = invite(random);
  const alice = createIdentity(random);
  const { session: guest, flight } = initiate(alice, open(host), random);
  const first = encrypt(guest, bytes('hello'), random, 0, flight);

  it('makes one session of two sides, and tells who the guest is', () => {
    const { session, peer, peerDevices, flightKey } = respond(host.identity, host.secret, first.message.subarray(0, FLIGHT_BYTES));
    expect(peer).toEqual({ ed: alice.ed, x: alice.x });
    expect(peerDevices).toEqual(devicesHash(firstDevices(alice, 0)));
    expect(flightKey).toEqual(flight.slice(0, 32));
    expect(sessionId(session)).toEqual(sessionId(guest));
    const received = decrypt(session, first.message.subarray(FLIGHT_BYTES), random, 0);
    expect(string(received.body)).toBe('hello');
    const answer = encrypt(received.session, bytes('welcome'), random, 0);
    expect(string(decrypt(first.session, answer.message, random, 0).body)).toBe('welcome');
  });

  it('goes before a message in an envelope of 4096 bytes at least, and of a bucket always', () => {
    expect(flight).toHaveLength(1264);
    expect(first.message).toHaveLength(4096);
    expect(first.message.subarray(0, FLIGHT_BYTES)).toEqual(flight);
    expect(encrypt(guest, new Uint8Array(2728), random, 0, flight).message).toHaveLength(4096);
    expect(encrypt(guest, new Uint8Array(2729), random, 0, flight).message).toHaveLength(8192);
  });

  it('opens with any of the messages behind it, if the first is lost', () => {
    const second = encrypt(first.session, bytes('are you there?'), random, 0, flight);
    const { session } = respond(host.identity, host.secret, second.message.subarray(0, FLIGHT_BYTES));
    const received = decrypt(session, second.message.subarray(FLIGHT_BYTES), random, 0);
    expect(string(received.body)).toBe('are you there?');
    expect(string(decrypt(received.session, first.message.subarray(FLIGHT_BYTES), random, 0).body)).toBe('hello');
  });

  it('is refused when any part of it is changed, short, long, or of another invitation', () => {
    for (const at of [0, 31, 32, 600, 1119, 1151, 1152, 1200, 1231, 1263]) {
      const changed = flight.with(at, flight[at]! ^ 1);
      expect(codeOf(() => respond(host.identity, host.secret, changed)), `byte ${at}`).toBe('undecryptable');
    }
    expect(codeOf(() => respond(host.identity, host.secret, flight.subarray(1)))).toBe('undecryptable');
    expect(codeOf(() => respond(host.identity, host.secret, first.message))).toBe('undecryptable');
    const other = initiate(alice, open(host), random).flight;
    const spliced = new Uint8Array([...flight.subarray(0, 32), ...other.subarray(32)]);
    expect(codeOf(() => respond(host.identity, host.secret, spliced))).toBe('undecryptable');
  });

  it('binds the device list of the inviter: with another one the first message does not open', () => {
    const { session } = respond(host.identity, { ...host.secret, devicesHash: new Uint8Array(32) }, flight);
    expect(codeOf(() => decrypt(session, first.message.subarray(FLIGHT_BYTES), random, 0))).toBe('undecryptable');
  });

  it('replayed after the one-time keys are erased finds nothing that opens it; before, it shows the same flight key', () => {
    const again = respond(host.identity, host.secret, flight);
    expect(toHex(again.flightKey)).toBe(toHex(flight.subarray(0, 32)));
    const next = invite(random, { identity: host.identity });
    expect(codeOf(() => respond(host.identity, next.secret, flight))).toBe('undecryptable');
  });

  it('for one identity does not open for another, nor without the secret of the link', () => {
    expect(codeOf(() => respond(createIdentity(random), host.secret, flight))).toBe('undecryptable');
    expect(codeOf(() => respond(host.identity, { ...host.secret, psk: new Uint8Array(32) }, flight))).toBe('undecryptable');
  });

  it('binds every byte of the bundle', () => {
    expect(codeOf(() => respond(host.identity, { ...host.secret, bundleHash: new Uint8Array(32) }, flight))).toBe('undecryptable');
  });
});

describe('a guest who claims the identity of another', () => {
  it('gets as far as the claim: no message of theirs opens', () => {
    const random = seeded('mallory');
    const host = invite(random);
    const alice = createIdentity(random);
    const mallory = createIdentity(random);
    const { session, flight } = initiate({ ...alice, xSecret: mallory.xSecret }, open(host), random);
    const { message } = encrypt(session, bytes('it is Alice'), random, 0, flight);
    const claimed = respond(host.identity, host.secret, message.subarray(0, FLIGHT_BYTES));
    expect(claimed.peer).toEqual({ ed: alice.ed, x: alice.x });
    expect(codeOf(() => decrypt(claimed.session, message.subarray(FLIGHT_BYTES), random, 0))).toBe('undecryptable');
  });
});

describe('points of low order', () => {
  const random = seeded('low order');
  const host = invite(random);
  const bundle = open(host);
  const zero = new Uint8Array(32);
  const one = Uint8Array.of(1, ...new Uint8Array(31));

  it.each([['zero', zero], ['one', one]])('are refused in a bundle (%s)', (_, point) => {
    const me = createIdentity(random);
    expect(codeOf(() => initiate(me, { ...bundle, spk: point }, random))).toBe('card-invalid');
    expect(codeOf(() => initiate(me, { ...bundle, identity: { ...bundle.identity, x: point } }, random))).toBe('card-invalid');
    expect(codeOf(() => initiate(me, { ...bundle, pq: new Uint8Array([...bundle.pq.subarray(0, 1184), ...point]) }, random))).toBe('card-invalid');
  });

  it('are refused as the key of a flight and as the identity in it', () => {
    const me = createIdentity(random);
    const { flight } = initiate(me, bundle, random);
    expect(codeOf(() => respond(host.identity, host.secret, new Uint8Array([...zero, ...flight.subarray(32)])))).toBe('undecryptable');
    const weak = initiate({ ...me, x: zero }, bundle, random).flight;
    expect(codeOf(() => respond(host.identity, host.secret, weak))).toBe('undecryptable');
  });
});

describe('a flight whose maker counts on a failure being taken for zeros', () => {
  const random = seeded('zeros');
  const host = invite(random);
  const bundle = open(host);
  const zero = new Uint8Array(32);
  const me = createIdentity(random);
  const secret = random(32);
  const { ct, ss } = encapsulate(bundle.pq, random(64));

  /** A flight with the right seal, whatever the secrets are said to be. */
  function flightOf({ ek = publicX(secret), kem = ct, shared = ss, dh1 = dh(secret, bundle.identity.x), claim = join(me.ed, me.x, devicesHash(firstDevices(me, 0))) }): Uint8Array {
    const th0 = h32('th0', Uint8Array.of(1), bundle.hash, ek, kem);
    return join(ek, kem, seal(k(bundle.psk, 'k0', shared, dh1, th0)[0], new Uint8Array(24), claim, th0));
  }

  const refusal = (flight: Uint8Array) => codeOf(() => respond(host.identity, host.secret, flight));

  it('is refused', () => {
    expect(respond(host.identity, host.secret, flightOf({})).peer).toEqual({ ed: me.ed, x: me.x });
    expect(refusal(flightOf({ ek: zero, dh1: zero }))).toBe('undecryptable');
    expect(refusal(flightOf({ kem: join(ct.slice(0, 1088), zero), shared: zero }))).toBe('undecryptable');
    expect(refusal(flightOf({ claim: join(me.ed, zero, zero) }))).toBe('undecryptable');
  });

  it('is refused alike with an identity that is too long or too short, although the seal is right', () => {
    for (const claim of [join(me.ed, me.x, zero, zero), join(me.ed, me.x, zero).slice(0, 95), join(me.ed, me.x), new Uint8Array(0)]) expect(refusal(flightOf({ claim }))).toBe('undecryptable');
  });
});
