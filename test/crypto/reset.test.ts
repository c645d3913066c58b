import { describe, expect, it } from 'vitest';
import { concat, toHex } from '../../crypto/bytes.js';
import { firstDevices } from '../../crypto/devices.js';
import { FLIGHT_BYTES, respond } from '../../crypto/handshake.js';
import { derive } from '../../crypto/hash.js';
import { createIdentity, identityId } from '../../crypto/identity.js';
import { pad } from '../../crypto/padding.js';
import { createKeys } from '../../crypto/invitation.js';
import { createReset, openReset, openResumption, packPendingReset, type Reset, RESUMPTION_BYTES, sealResumption, unpackPendingReset } from '../../crypto/reset.js';
import { decrypt, encrypt, isBehind, receivedPosition, resumptionOf, sentPosition } from '../../crypto/session.js';
import { ready, seal } from '../../crypto/sodium.js';
import { identity } from '../oracle/identity.js';
import { makeReset } from '../oracle/reset.js';
import { sides } from './side.js';
import { bytes, codeOf, initiate, pair, seeded, string } from './support.js';

await ready();

const host = createIdentity(seeded('host'));
const address = { name: 'Bea', relay: 'https://relay.example', mailbox: new Uint8Array(16).fill(1), token: new Uint8Array(16).fill(2), expiresAt: 1_000 };
const terms = { ...address, identity: host, devices: firstDevices(host, 0) };
const [secret, other] = [new Uint8Array(32).fill(3), new Uint8Array(32).fill(4)];
const [maker, reader] = [identityId(host), identityId(createIdentity(seeded('guest')))];
const said = { reason: 'rolled-back', madeAt: 500, first: 7 } as const;

describe('a reset', () => {
  const made = createReset(terms, { ...said, resumption: secret }, seeded('reset'));
  const opened = openResumption([other, secret], maker, made.envelope)!;
  const reset = opened.said as Reset;

  it('is byte for byte what a second implementation makes', () => {
    const theirs = makeReset(identity(seeded('host')), address, secret, { reason: 1, madeAt: 500, first: 7 }, seeded('reset'));
    expect(toHex(made.envelope)).toBe(toHex(theirs.envelope));
    expect(made.secret).toEqual(theirs.secret);
  });

  it('opens with its secret alone and says what was put in', () => {
    expect(made.envelope).toHaveLength(RESUMPTION_BYTES);
    expect(reset).toMatchObject({ type: 'reset', ...said });
    expect(opened.resumption).toBe(secret);
    expect(openResumption([other], maker, made.envelope)).toBeNull();
    expect(openResumption([secret], reader, made.envelope)).toBeNull();
    expect(openResumption([secret], maker, made.envelope.subarray(1))).toBeNull();
    for (let at = 0; at < RESUMPTION_BYTES; at += 61) expect(openResumption([secret], maker, made.envelope.with(at, made.envelope[at]! ^ 1))).toBeNull();
    expect(codeOf(() => openReset(reset, secret, 1_000))).toBe('invitation-expired');
    const forAll = createKeys({ ...terms, reusable: true }, new Uint8Array(32), seeded('for all')).bundle;
    expect(codeOf(() => openReset({ ...reset, bundle: forAll }, secret, 0))).toBe('malformed');
  });

  it('makes a session by an ordinary flight, to which its secret is necessary', () => {
    const guest = createIdentity(seeded('guest'));
    const random = seeded('flight');
    const first = initiate(guest, openReset(reset, secret, 0), random);
    const { message } = encrypt(first.session, bytes('again'), random, 0, first.flight);
    const answered = respond(host, made.secret, message.subarray(0, FLIGHT_BYTES));
    expect(answered.peer).toEqual({ ed: guest.ed, x: guest.x });
    expect(string(decrypt(answered.session, message.subarray(FLIGHT_BYTES), random, 0).body)).toBe('again');
    const wrong = initiate(guest, openReset(reset, other, 0), random);
    expect(codeOf(() => respond(host, made.secret, wrong.flight))).toBe('undecryptable');
  });

  it('comes back from its packed form while it waits', () => {
    const pending = { madeAt: 500, ...made };
    expect(unpackPendingReset(packPendingReset(pending))).toEqual(pending);
    expect(codeOf(() => unpackPendingReset(packPendingReset(pending).subarray(1)))).toBe('malformed');
  });
});

describe('a standing', () => {
  it('says where somebody is, or that the session is over', () => {
    for (const [received, asks] of [[{ chain: 3, next: 9, key: seeded('key')(32) }, true], [{ chain: 0, next: 0, key: null }, false], [null, true]] as const) {
      const envelope = sealResumption(secret, maker, { type: 'standing', asks, received }, seeded('standing'));
      expect(envelope).toHaveLength(RESUMPTION_BYTES);
      expect(openResumption([secret], reader, envelope)).toBeNull();
      expect(openResumption([secret], maker, envelope)!.said).toEqual({ type: 'standing', asks, received });
    }
  });

  it('is never ahead of what the other side has sent, and is once that side is an old copy', () => {
    const { a, b } = sides('standing');
    const isGuest = { a: true, b: false };
    const copies = [];
    for (let turn = 0; turn < 6; turn += 1) {
      copies.push({ a: a.session, b: b.session });
      for (const [from, to, name] of [[a, b, 'a'], [b, a, 'b']] as const) {
        for (let n = 0; n <= turn % 2; n += 1) to.receive(from.send('x'));
        expect(isBehind(sentPosition(from.session, isGuest[name]), receivedPosition(to.session))).toBe(false);
        for (const copy of copies) expect(isBehind(sentPosition(copy[name], isGuest[name]), receivedPosition(to.session))).toBe(true);
      }
    }
    expect(resumptionOf(pair('same').guest)).toEqual(resumptionOf(pair('same').inviter));
  });

  it('is refused where it says more, less or something else than a standing does', () => {
    const sealed = (fields: readonly Uint8Array[], length: number) => {
      const nonce = new Uint8Array(24);
      return concat(nonce, seal(derive(secret, 'reset', maker).left, nonce, pad(concat(...fields), length), bytes('sotto1/reset')));
    };
    const written = (...fields: readonly Uint8Array[]) => sealed(fields, 4056);
    const standing = [Uint8Array.of(1, 1), new Uint8Array(8), new Uint8Array(32)] as const;
    expect(openResumption([secret], maker, sealed(standing, 4055))).toBeNull();
    expect(openResumption([secret], maker, written(...standing))!.said).toMatchObject({ type: 'standing' });
    for (const fields of [[...standing, Uint8Array.of(0)], standing.slice(0, 2), [Uint8Array.of(2, 1), ...standing.slice(1)], [Uint8Array.of(1, 2), ...standing.slice(1)], [Uint8Array.of(0, 3), new Uint8Array(2_000)]]) {
      expect(codeOf(() => openResumption([secret], maker, written(...fields)))).toBe('malformed');
    }
  });

  it('shows who is behind: by chain, by number, and by the key of the chain', () => {
    const [one, two] = [seeded('one')(32), seeded('two')(32)];
    const sent = { chain: 3, next: 5, key: one };
    const behind = [{ chain: 4, next: 0, key: two }, { chain: 3, next: 6, key: one }, { chain: 3, next: 5, key: two }, { chain: 3, next: 1, key: two }];
    const not = [{ chain: 2, next: 9, key: two }, { chain: 3, next: 5, key: one }, { chain: 3, next: 1, key: one }, { chain: 3, next: 0, key: null }];
    for (const received of behind) expect(isBehind(sent, received)).toBe(true);
    for (const received of not) expect(isBehind(sent, received)).toBe(false);
    expect(isBehind({ chain: 0, next: 0, key: null }, { chain: 0, next: 0, key: one })).toBe(false);
    expect(isBehind({ chain: 0, next: 0, key: null }, { chain: 0, next: 1, key: one })).toBe(true);
    const { guest, inviter } = pair('positions');
    expect(receivedPosition(guest)).toEqual({ chain: 0, next: 0, key: null });
    expect(isBehind(sentPosition(inviter, false), receivedPosition(guest))).toBe(false);
  });

  it('shows an old copy what it is, though it has written as much as the newer one', () => {
    const { a, b } = sides('as much');
    b.receive(a.send('x'));
    a.receive(b.send('y'));
    const copy = a.session;
    b.receive(a.send('z'));
    const written = encrypt(copy, bytes('other'), seeded('copy'), 0).session;
    expect(sentPosition(written, true)).toMatchObject({ chain: receivedPosition(b.session).chain, next: receivedPosition(b.session).next });
    expect(isBehind(sentPosition(written, true), receivedPosition(b.session))).toBe(true);
    expect(isBehind(sentPosition(a.session, true), receivedPosition(b.session))).toBe(false);
  });
});
