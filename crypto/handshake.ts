// One flight makes a session: the guest has the inviter's bundle, adds a fresh key, an X-Wing ciphertext and a sealed identity,
// and may write at once (PROTOCOL.md §4). Who answers from the other end is proven by the first message that decrypts.

import { SUITE } from './bundle.js';
import { concat } from './bytes.js';
import { devicesHash } from './devices.js';
import { SottoError } from './error.js';
import { derive, hash } from './hash.js';
import { type Identity, packPublicIdentity, PUBLIC_IDENTITY_BYTES, type PublicIdentity, unpackPublicIdentity } from './identity.js';
import type { Bundle, Invitation } from './invitation.js';
import type { Random } from './random.js';
import { GUEST_BRAID, INVITER_BRAID } from './ratchet/braid.js';
import type { ChainKey } from './ratchet/chain.js';
import type { HeaderKey } from './ratchet/header.js';
import type { RootKey } from './ratchet/root.js';
import { pack, type Session } from './ratchet/state.js';
import {
  NONCE_BYTES,
  open,
  seal,
  TAG_BYTES,
  x25519,
  x25519PublicKey,
  XWING_CIPHERTEXT_BYTES,
  XWING_RANDOM_BYTES,
  xwingDecapsulate,
  xwingEncapsulate,
} from './sodium.js';

const KEY_BYTES = 32;
const HASH_BYTES = 32;
const SEALED_IDENTITY_BYTES = PUBLIC_IDENTITY_BYTES + HASH_BYTES + TAG_BYTES;

/** Length of a first flight: EK 32 | X-Wing ciphertext 1120 | sealed identity and hash of its device list 112. */
export const FLIGHT_BYTES = KEY_BYTES + XWING_CIPHERTEXT_BYTES + SEALED_IDENTITY_BYTES;

/** The key that seals the identity is used once. */
const ZERO_NONCE = new Uint8Array(NONCE_BYTES);

/** The inviter's side of a new session. */
export interface Responded {
  readonly session: Session;
  /** Who the guest claims to be: proven when a message opens in the session. */
  readonly peer: PublicIdentity;
  /** devicesHash of the list that the guest must show, 32 bytes. */
  readonly peerDevices: Uint8Array;
  /** EK, 32 bytes: names the flight. */
  readonly flightKey: Uint8Array;
}

/**
 * The guest's side: a session that can send at once, and the flight that goes before every message until the inviter answers.
 * `devices` is the guest's own list, which its first messages must show.
 * Draws 32 random bytes for EK, then 64 for X-Wing. Throws `card-invalid` if the bundle's keys are no keys.
 */
export function initiate(identity: Identity, devices: Uint8Array, bundle: Bundle, random: Random): { session: Session; flight: Uint8Array } {
  const secret = random(KEY_BYTES);
  const flightKey = x25519PublicKey(secret);
  const kem = xwingEncapsulate(bundle.pq, random(XWING_RANDOM_BYTES));
  const dh1 = x25519(secret, bundle.identity.x);
  const dh2 = x25519(identity.xSecret, bundle.spk);
  if (kem === null || dh1 === null || dh2 === null) throw new SottoError('card-invalid');

  const opening = hashOpening(bundle.hash, flightKey, kem.ciphertext);
  const ownDevices = devicesHash(devices);
  const claim = concat(packPublicIdentity(identity), ownDevices);
  const sealed = seal(identityKey(bundle.psk, kem.sharedSecret, dh1, opening), ZERO_NONCE, claim, opening);
  const keys = schedule(bundle.psk, [kem.sharedSecret, dh1, dh2], hashTranscript(opening, identity, devicesHash(bundle.devices), ownDevices));
  const session = pack({
    transcript: keys.transcript,
    resumption: keys.resumption,
    root: keys.root,
    sending: {
      headerKey: keys.guestHeader,
      previous: 0,
      begun: { secret, dh: flightKey, nextHeaderKey: keys.guestNextHeader, chainKey: keys.guestChain, next: 0 },
    },
    receiving: null,
    nextHeaderKey: keys.hostHeader,
    past: [],
    skipped: [],
    braid: GUEST_BRAID,
  });
  return { session, flight: concat(flightKey, kem.ciphertext, sealed) };
}

/**
 * The inviter's side. `flight` is the first FLIGHT_BYTES of what came; the ratchet message follows it. The peer is only claimed
 * until that message decrypts in this session: keep the invitation until then, and erase it in the transaction that stores the
 * session. The same flight gives the same flightKey (EK, 32 bytes), so a repeated one is known by it.
 * Throws `undecryptable` for anything wrong.
 */
export function respond(identity: Identity, invitation: Invitation, flight: Uint8Array): Responded {
  if (flight.length !== FLIGHT_BYTES) refuse();
  const flightKey = flight.slice(0, KEY_BYTES);
  const ciphertext = flight.subarray(KEY_BYTES, KEY_BYTES + XWING_CIPHERTEXT_BYTES);
  const shared = xwingDecapsulate(ciphertext, invitation.pqSeed) ?? refuse();
  const dh1 = x25519(identity.xSecret, flightKey) ?? refuse();

  const opening = hashOpening(invitation.bundleHash, flightKey, ciphertext);
  const sealed = flight.subarray(KEY_BYTES + XWING_CIPHERTEXT_BYTES);
  const claim = open(identityKey(invitation.psk, shared, dh1, opening), ZERO_NONCE, sealed, opening) ?? refuse();
  const peer = unpackPublicIdentity(claim.subarray(0, PUBLIC_IDENTITY_BYTES));
  const peerDevices = claim.slice(PUBLIC_IDENTITY_BYTES);
  const dh2 = x25519(invitation.spkSecret, peer.x) ?? refuse();

  const keys = schedule(invitation.psk, [shared, dh1, dh2], hashTranscript(opening, peer, invitation.devicesHash, peerDevices));
  const session = pack({
    transcript: keys.transcript,
    resumption: keys.resumption,
    root: keys.root,
    sending: { headerKey: keys.hostHeader, previous: 0, begun: null },
    receiving: { ordinal: 0, dh: flightKey, headerKey: keys.guestHeader, chainKey: keys.guestChain, epoch: 0, next: 0 },
    nextHeaderKey: keys.guestNextHeader,
    past: [],
    skipped: [],
    braid: INVITER_BRAID,
  });
  return { session, peer, peerDevices, flightKey };
}

/** th0: what both know before the guest's identity is. */
function hashOpening(bundleHash: Uint8Array, flightKey: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return hash('th0', Uint8Array.of(SUITE), bundleHash, flightKey, ciphertext);
}

/** th: adds the guest, and the hashes of both device lists. */
function hashTranscript(opening: Uint8Array, guest: PublicIdentity, hostDevices: Uint8Array, guestDevices: Uint8Array): Uint8Array {
  return hash('th', opening, guest.ed, guest.x, hostDevices, guestDevices);
}

/** k0, under which the guest's identity is sealed. */
function identityKey(psk: Uint8Array, shared: Uint8Array, dh1: Uint8Array, opening: Uint8Array): Uint8Array {
  return derive(psk, 'k0', shared, dh1, opening).left;
}

interface Schedule {
  readonly transcript: Uint8Array;
  readonly resumption: Uint8Array;
  readonly root: RootKey;
  readonly guestChain: ChainKey;
  readonly guestHeader: HeaderKey;
  readonly guestNextHeader: HeaderKey;
  readonly hostHeader: HeaderKey;
}

/** All keys that a session begins with. Erases the secrets. */
function schedule(psk: Uint8Array, secrets: readonly Uint8Array[], transcript: Uint8Array): Schedule {
  const { left: root, right: rest } = derive(psk, 'sk', ...secrets, transcript);
  const guest = derive(rest, 'a');
  const host = derive(rest, 'b');
  const guestNextHeader = derive(rest, 'c').left;
  for (const secret of [...secrets, rest]) secret.fill(0);
  return {
    transcript,
    resumption: host.right,
    root,
    guestChain: guest.left,
    guestHeader: guest.right,
    guestNextHeader,
    hostHeader: host.left,
  };
}

function refuse(): never {
  throw new SottoError('undecryptable');
}
