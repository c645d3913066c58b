import { describe, expect, it } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { devicesHash, firstDevices } from '../../crypto/devices.js';
import { FLIGHT_BYTES, respond } from '../../crypto/handshake.js';
import { createIdentity, type Identity } from '../../crypto/identity.js';
import { type Bundle, openCard, parseLink } from '../../crypto/invitation.js';
import { decrypt, encrypt, type Session, sessionId } from '../../crypto/session.js';
import { ready } from '../../crypto/sodium.js';
import * as oracle from './oracle.js';
import { bytes, codeOf, initiate, invite, seeded, string } from './support.js';

await ready();

const terms = { name: 'Bea', relay: 'https://relay.example', mailbox: new Uint8Array(16), token: new Uint8Array(16), expiresAt: 1_000 };

function open(invitation: { readonly link: string; readonly card: Uint8Array }): Bundle {
  return openCard(parseLink(invitation.link), invitation.card, 0);
}

/** Three messages a turn, the second lost until the next turn is over. */
function talk(start: Session, other: oracle.OracleSession, weBegin: boolean): void {
  const random = seeded('talk');
  let ours = start;
  let late: { mine: boolean; message: Uint8Array; text: string } | undefined;
  const arrive = (mine: boolean, message: Uint8Array, text: string) => {
    if (mine) {
      expect(string(other.decrypt(message, random, 0) as Uint8Array)).toBe(text);
      return;
    }
    const received = decrypt(ours, message, random, 0);
    ours = received.session;
    expect(string(received.body)).toBe(text);
  };
  for (let turn = 0; turn < 8; turn++) {
    const mine = weBegin === (turn % 2 === 0);
    const sent = [0, 1, 2].map((n) => {
      const text = `turn ${turn}, message ${n}`;
      if (!mine) return { mine, text, message: other.encrypt(bytes(text), random) };
      const sealed = encrypt(ours, bytes(text), random, 0);
      ours = sealed.session;
      return { mine, text, message: sealed.message };
    });
    for (const n of [2, 0]) arrive(mine, sent[n]!.message, sent[n]!.text);
    if (late) arrive(late.mine, late.message, late.text);
    late = sent[1];
  }
}

describe('the first flight', () => {
  const random = seeded('handshake');
  const host = invite(random);
  const alice = createIdentity(random);
  const { session: guest, flight } = initiate(alice, open(host), random);
  const first = encrypt(guest, bytes('hello'), random, 0, flight);

  it('makes one session of two sides, and tells who the guest is', () => {
    const { session, peer, peerDevices, flightKey } = respond(host.identity, host.secret, first.message.subarray(0, FLIGHT_BYTES), random);
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
    const { session } = respond(host.identity, host.secret, second.message.subarray(0, FLIGHT_BYTES), random);
    const received = decrypt(session, second.message.subarray(FLIGHT_BYTES), random, 0);
    expect(string(received.body)).toBe('are you there?');
    expect(string(decrypt(received.session, first.message.subarray(FLIGHT_BYTES), random, 0).body)).toBe('hello');
  });

  it('is refused when any part of it is changed, short, long, or of another invitation', () => {
    for (const at of [0, 31, 32, 600, 1119, 1151, 1152, 1200, 1231, 1263]) {
      const changed = flight.with(at, flight[at]! ^ 1);
      expect(codeOf(() => respond(host.identity, host.secret, changed, random)), `byte ${at}`).toBe('undecryptable');
    }
    expect(codeOf(() => respond(host.identity, host.secret, flight.subarray(1), random))).toBe('undecryptable');
    expect(codeOf(() => respond(host.identity, host.secret, first.message, random))).toBe('undecryptable');
    const other = initiate(alice, open(host), random).flight;
    const spliced = new Uint8Array([...flight.subarray(0, 32), ...other.subarray(32)]);
    expect(codeOf(() => respond(host.identity, host.secret, spliced, random))).toBe('undecryptable');
  });

  it('replayed after the one-time keys are erased finds nothing that opens it; before, it shows the same flight key', () => {
    const again = respond(host.identity, host.secret, flight, random);
    expect(toHex(again.flightKey)).toBe(toHex(flight.subarray(0, 32)));
    const next = invite(random, { identity: host.identity });
    expect(codeOf(() => respond(host.identity, next.secret, flight, random))).toBe('undecryptable');
  });

  it('for one identity does not open for another, nor without the secret of the link', () => {
    expect(codeOf(() => respond(createIdentity(random), host.secret, flight, random))).toBe('undecryptable');
    expect(codeOf(() => respond(host.identity, { ...host.secret, psk: new Uint8Array(32) }, flight, random))).toBe('undecryptable');
  });

  it('binds every byte of the bundle', () => {
    expect(codeOf(() => respond(host.identity, { ...host.secret, bundleHash: new Uint8Array(32) }, flight, random))).toBe('undecryptable');
  });

  it('binds the device list of the inviter: with another one the first message does not open', () => {
    const { session } = respond(host.identity, { ...host.secret, devicesHash: new Uint8Array(32) }, flight, random);
    expect(codeOf(() => decrypt(session, first.message.subarray(FLIGHT_BYTES), random, 0))).toBe('undecryptable');
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
    const claimed = respond(host.identity, host.secret, message.subarray(0, FLIGHT_BYTES), random);
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
    expect(codeOf(() => respond(host.identity, host.secret, new Uint8Array([...zero, ...flight.subarray(32)]), random))).toBe('undecryptable');
    const weak = initiate({ ...me, x: zero }, bundle, random).flight;
    expect(codeOf(() => respond(host.identity, host.secret, weak, random))).toBe('undecryptable');
  });
});

describe('a handshake with a second implementation', () => {
  it('is byte for byte the same as guest', () => {
    const host = oracle.invitation(oracle.identity(seeded('host')), terms, seeded('invitation'));
    const ours = initiate(createIdentity(seeded('guest')), open(host), seeded('both'));
    const theirs = oracle.initiate(oracle.identity(seeded('guest')), oracle.openInvitation(host.link, host.card), seeded('both'));
    expect(toHex(ours.flight)).toBe(toHex(theirs.flight));
    const [a, b] = [seeded('message'), seeded('message')];
    expect(encrypt(ours.session, bytes('x'), a, 0, ours.flight).message).toEqual(theirs.session.encrypt(bytes('x'), b, theirs.flight));
  });

  it('is byte for byte the same as inviter', () => {
    const host = invite(seeded('invitation'), { identity: createIdentity(seeded('host')) });
    const { flight } = oracle.initiate(oracle.identity(seeded('guest')), oracle.openInvitation(host.link, host.card), seeded('flight'));
    const ours = respond(host.identity, host.secret, flight, seeded('both'));
    const theirs = oracle.respond(oracle.identity(seeded('host')), host.secret, flight, seeded('both'));
    expect(ours.peer).toEqual(theirs.peer);
    const [a, b] = [seeded('message'), seeded('message')];
    expect(encrypt(ours.session, bytes('x'), a, 0).message).toEqual(theirs.session.encrypt(bytes('x'), b));
  });

  it('carries a conversation when we are the guest', () => {
    const random = seeded('guest talks');
    const me = createIdentity(random);
    const them = oracle.identity(random);
    const host = oracle.invitation(them, terms, random);
    const { session, flight } = initiate(me, open(host), random);
    const { session: other, peer } = oracle.respond(them, host.secret, flight, random);
    expect(peer).toEqual({ ed: me.ed, x: me.x });
    talk(session, other, true);
  });

  it('carries a conversation when we are the inviter', () => {
    const random = seeded('inviter talks');
    const me: Identity = createIdentity(random);
    const host = invite(random, { identity: me });
    const { session: other, flight } = oracle.initiate(oracle.identity(random), oracle.openInvitation(host.link, host.card), random);
    talk(respond(me, host.secret, flight, random).session, other, false);
  });
});
