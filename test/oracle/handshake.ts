// The second implementation, §4: the first flight, from both ends.

import { devicesHash, firstDevices, type Identity, type Public, unpackPublic } from './identity.js';
import type { Bundle, Secret } from './invitation.js';
import { be, decapsulate, dh, type Draw, encapsulate, h32, join, k, publicX, refuse, same, seal, unseal, ZERO_NONCE } from './notation.js';
import { Session } from './session.js';

const opening = (bundleHash: Uint8Array, ek: Uint8Array, ct: Uint8Array): Uint8Array => h32('th0', be(1, 1), bundleHash, ek, ct);
const transcript = (th0: Uint8Array, guest: Public, inviterList: Uint8Array, guestList: Uint8Array): Uint8Array => h32('th', th0, guest.ed, guest.x, inviterList, guestList);

/** Everything that (RK, x) = K(psk, "sk", …) leads to. */
function schedule(psk: Uint8Array, ss: Uint8Array, dh1: Uint8Array, dh2: Uint8Array, th: Uint8Array) {
  const [rk, x] = k(psk, 'sk', ss, dh1, dh2, th);
  const [[ckA, hkA], [hkB, rs], [nhkA]] = [k(x, 'a'), k(x, 'b'), k(x, 'c')];
  return { rk, ckA, hkA, hkB, rs, nhkA };
}

/** @param addedAt of the one device in the guest's list. */
export function initiate(me: Identity, bundle: Bundle, draw: Draw, addedAt = 0): { session: Session; flight: Uint8Array } {
  const ek = draw(32);
  const EK = publicX(ek);
  const { ct, ss } = encapsulate(bundle.pq, draw(64), 'card-invalid');
  const th0 = opening(bundle.hash, EK, ct);
  const dh1 = dh(ek, bundle.identity.x, 'card-invalid');
  const [k0] = k(bundle.psk, 'k0', ss, dh1, th0);
  const list = devicesHash(firstDevices(me, addedAt));
  const encId = seal(k0, ZERO_NONCE, join(me.ed, me.x, list), th0);
  const dh2 = dh(me.xSecret, bundle.spk, 'card-invalid');
  const th = transcript(th0, me, devicesHash(bundle.devices), list);
  const { rk, ckA, hkA, hkB, rs, nhkA } = schedule(bundle.psk, ss, dh1, dh2, th);
  const session = new Session({ th, rs, rk, hks: hkA, own: { dhs: ek, nhks: nhkA, cks: ckA, ns: 0 }, other: null, nhkr: hkB, braid: { step: 'idle' } });
  return { session, flight: join(EK, ct, encId) };
}

export function respond(me: Identity, secret: Secret, flight: Uint8Array): { session: Session; peer: Public } {
  if (flight.length !== 1264) refuse('undecryptable');
  const [EK, ct, encId] = [flight.slice(0, 32), flight.slice(32, 1152), flight.slice(1152)];
  const ss = decapsulate(ct, secret.pqSeed);
  const th0 = opening(secret.bundleHash, EK, ct);
  const dh1 = dh(me.xSecret, EK);
  const [k0] = k(secret.psk, 'k0', ss, dh1, th0);
  const claim = unseal(k0, ZERO_NONCE, encId, th0) ?? refuse('undecryptable');
  const peer = unpackPublic(claim.slice(0, 64));
  const dh2 = dh(secret.spkSecret, peer.x);
  const th = transcript(th0, peer, secret.devicesHash, claim.slice(64));
  const { rk, ckA, hkA, hkB, rs, nhkA } = schedule(secret.psk, ss, dh1, dh2, th);
  const other = { ordinal: 0, dh: EK, hk: hkA, ck: ckA, n: 0, epochs: 0 };
  return { session: new Session({ th, rs, rk, hks: hkB, own: null, other, nhkr: nhkA, braid: { step: 'collecting', units: new Map() } }), peer };
}

/** Rule 6: what is remembered of a flight to an address. */
export const flightId = (flight: Uint8Array): Uint8Array => h32('flight', flight.slice(0, 32)).slice(0, 16);

/** Rule 4: whether an envelope is a message of the session that a flight with this EK has made, behind such a flight. */
export const isOfSession = (known: Uint8Array, envelope: Uint8Array): boolean => envelope.length > 1264 && same(envelope.slice(0, 32), known);
