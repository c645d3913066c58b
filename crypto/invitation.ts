// An invitation is a link, which people hand to each other, and a card, which the relay keeps: the card is the bundle sealed
// under a key that only the link has (PROTOCOL.md §3). The relay must never be able to read, forge or exchange it.

import { bundleHash, type BundleContents, packBundle, unpackBundle } from './bundle.js';
import { concat, equal, fromBase64url, Reader, toBase64url } from './bytes.js';
import { devicesHash } from './devices.js';
import { type ErrorCode, SottoError } from './error.js';
import { derive, hash } from './hash.js';
import { type Identity, identityId } from './identity.js';
import { relayOrigin } from './origin.js';
import { pad, unpad } from './padding.js';
import type { Random } from './random.js';
import { NONCE_BYTES, open, seal, TAG_BYTES, x25519PublicKey, xwingPublicKey } from './sodium.js';

const LINK_VERSION = 1;
const LINK_KEY_BYTES = 16;
const LOOKUP_BYTES = 16;
const PACK_VERSION = 2;

/** Room for the largest bundle of an identity with one device (1918 bytes); constant, so that a card tells nothing by its length. */
const BUNDLE_PADDED_BYTES = 2048;

/** Length of every card: nonce, padded bundle, tag. */
export const CARD_BYTES = NONCE_BYTES + BUNDLE_PADDED_BYTES + TAG_BYTES;

/** What the inviter keeps until somebody accepts: erased in the transaction that stores the session. */
export interface Invitation {
  /** One-time X25519 secret, 32 bytes. */
  readonly spkSecret: Uint8Array;
  /** Seed of the one-time X-Wing key, 32 bytes. */
  readonly pqSeed: Uint8Array;
  /** Secret that only those who have the link know, 32 bytes. */
  readonly psk: Uint8Array;
  /** Stands for the bundle in the handshake, 32 bytes. */
  readonly bundleHash: Uint8Array;
  /** Stands for our device list in the handshake, 32 bytes. */
  readonly devicesHash: Uint8Array;
}

/** What a link says. */
export interface InvitationLink {
  /** Origin of the relay that keeps the card. */
  readonly relay: string;
  /** Name of the card at the relay, 16 bytes. */
  readonly lookup: Uint8Array;
  /** 16 bytes. */
  readonly linkKey: Uint8Array;
  /** identityId of the inviter, 32 bytes. */
  readonly idHash: Uint8Array;
}

/** An opened card. */
export interface Bundle extends BundleContents {
  /** Secret that only those who have the link know, 32 bytes. */
  readonly psk: Uint8Array;
  /** Stands for the bundle in the handshake, 32 bytes. */
  readonly hash: Uint8Array;
}

/** What an invitation is made of; see BundleContents. */
export interface InvitationTerms extends Omit<BundleContents, 'identity' | 'spk' | 'pq'> {
  readonly identity: Identity;
}

/** A new invitation: the link for the guest, the card and its name for the relay, the secret for us. */
export interface NewInvitation {
  readonly link: string;
  /** 16 bytes. */
  readonly lookup: Uint8Array;
  /** CARD_BYTES long. */
  readonly card: Uint8Array;
  readonly secret: Invitation;
}

/**
 * Makes a one-time invitation. The link has 69 characters beside the relay's origin: 100 at most for an `https://` host of up to 23.
 * Draws 16 random bytes for the link, 32 and 32 for the one-time keys, 24 for the card's nonce.
 * Throws `name-invalid` or `relay-url-invalid`.
 */
export function createInvitation(terms: InvitationTerms, random: Random): NewInvitation {
  const linkKey = random(LINK_KEY_BYTES);
  const { bundle, secret } = createKeys(terms, pskOf(linkKey), random);
  const lookup = lookupOf(linkKey);
  const nonce = random(NONCE_BYTES);
  const card = concat(nonce, seal(cardKey(linkKey), nonce, pad(bundle, BUNDLE_PADDED_BYTES), lookup));
  const fragment = concat(Uint8Array.of(LINK_VERSION), linkKey, identityId(terms.identity));
  const link = `${relayOrigin(terms.relay)}/i#${toBase64url(fragment)}`;
  return { link, lookup, card, secret };
}

/** One-time keys: the bundle that shows them, and what is kept. Draws 32 and 32 random bytes. Throws `name-invalid` or `relay-url-invalid`. */
export function createKeys(terms: InvitationTerms, psk: Uint8Array, random: Random): { readonly bundle: Uint8Array; readonly secret: Invitation } {
  const spkSecret = random(32);
  const pqSeed = random(32);
  const bundle = packBundle({ ...terms, spk: x25519PublicKey(spkSecret), pq: xwingPublicKey(pqSeed) });
  return { bundle, secret: { spkSecret, pqSeed, psk, bundleHash: bundleHash(bundle), devicesHash: devicesHash(terms.devices) } };
}

/** Reads a link as people paste it. Throws `link-invalid`. */
export function parseLink(link: string): InvitationLink {
  const [relay, fragment, ...more] = link.trim().split('/i#');
  if (relay === undefined || fragment === undefined || more.length > 0) throw new SottoError('link-invalid');
  return refusedAs('link-invalid', () => {
    const reader = new Reader(fromBase64url(fragment));
    reader.expect(LINK_VERSION);
    const linkKey = reader.bytes(LINK_KEY_BYTES);
    const idHash = reader.bytes(32);
    reader.end();
    return { relay: relayOrigin(relay), lookup: lookupOf(linkKey), linkKey, idHash };
  });
}

/** Opens the card that a relay gave for a link. Throws `card-invalid`, or `invitation-expired` from `expiresAt` (ms) on. */
export function openCard(link: InvitationLink, card: Uint8Array, now: number): Bundle {
  const packed = unsealCard(link, card);
  if (packed === null) throw new SottoError('card-invalid');
  const contents = refusedAs('card-invalid', () => unpackBundle(packed));
  // Whoever else knows the link key could seal a card of their own: the link names whose it must be.
  if (!equal(identityId(contents.identity), link.idHash)) throw new SottoError('card-invalid');
  if (now >= contents.expiresAt) throw new SottoError('invitation-expired');
  return { ...contents, psk: pskOf(link.linkKey), hash: bundleHash(packed) };
}

function unsealCard(link: InvitationLink, card: Uint8Array): Uint8Array | null {
  if (card.length !== CARD_BYTES) return null;
  const padded = open(cardKey(link.linkKey), card.subarray(0, NONCE_BYTES), card.subarray(NONCE_BYTES), link.lookup);
  return padded && unpad(padded);
}

/** version 2 | spk secret 32 | pq seed 32 | psk 32 | bundle hash 32 | devices hash 32: 161 bytes. */
export function packInvitation(invitation: Invitation): Uint8Array {
  const { spkSecret, pqSeed, psk, bundleHash: bundle, devicesHash: devices } = invitation;
  return concat(Uint8Array.of(PACK_VERSION), spkSecret, pqSeed, psk, bundle, devices);
}

/** Reads packInvitation(…). Throws `malformed`. */
export function unpackInvitation(packed: Uint8Array): Invitation {
  const reader = new Reader(packed);
  reader.expect(PACK_VERSION);
  const [spkSecret, pqSeed, psk, bundle, devices] = [reader.bytes(32), reader.bytes(32), reader.bytes(32), reader.bytes(32), reader.bytes(32)];
  reader.end();
  return { spkSecret, pqSeed, psk, bundleHash: bundle, devicesHash: devices };
}

function lookupOf(linkKey: Uint8Array): Uint8Array {
  return hash('lookup', linkKey).slice(0, LOOKUP_BYTES);
}

function cardKey(linkKey: Uint8Array): Uint8Array {
  return derive(linkKey, 'card').left;
}

function pskOf(linkKey: Uint8Array): Uint8Array {
  return derive(linkKey, 'psk').left;
}

function refusedAs<T>(code: ErrorCode, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new SottoError(code, undefined, cause);
  }
}
