// An invitation is a link, which people hand to each other, and a card, which the relay keeps: the card is the bundle sealed
// under a key that only the link has (PROTOCOL.md §3). The relay must never be able to read, forge or exchange it.

import { bundleHash, type BundleContents, packBundle, unpackBundle } from './bundle.js';
import { concat, equal, fromBase64url, Reader, toBase64url } from './bytes.js';
import { devicesHash } from './devices.js';
import { type ErrorCode, SottoError } from './error.js';
import { derive, hash } from './hash.js';
import { type Identity, identityId, type PublicIdentity } from './identity.js';
import { relayOrigin } from './origin.js';
import { pad, unpad } from './padding.js';
import type { Random } from './random.js';
import { NONCE_BYTES, open, seal, TAG_BYTES, x25519PublicKey, xwingPublicKey } from './sodium.js';

const LINK_VERSION = 1;
/** Length of the secret in a link. */
export const LINK_KEY_BYTES = 16;
/** Length of a card's name at the relay. */
export const LOOKUP_BYTES = 16;
const PACK_VERSION = 2;

/** Room for the largest bundle of an identity with one device (1918 bytes); constant, so that a card tells nothing by its length. */
const BUNDLE_PADDED_BYTES = 2048;

/** Length of every card: nonce, padded bundle, tag. */
export const CARD_BYTES = NONCE_BYTES + BUNDLE_PADDED_BYTES + TAG_BYTES;

/** The path of a link says of which kind it is. */
type LinkPath = 'i' | 'a';

/** The secrets of one card. Those of an invitation are erased in the transaction that stores the session that they made. */
export interface Invitation {
  /** X25519 secret, 32 bytes. */
  readonly spkSecret: Uint8Array;
  /** Seed of the X-Wing key, 32 bytes. */
  readonly pqSeed: Uint8Array;
  /** Secret of the link or, in a reset, of an earlier session: pskOf(…), 32 bytes. */
  readonly psk: Uint8Array;
  /** Stands for the bundle in the handshake, 32 bytes. */
  readonly bundleHash: Uint8Array;
  /** Stands for our device list in the handshake, 32 bytes. */
  readonly devicesHash: Uint8Array;
}

/** How a card is found, sealed and used: all of it follows from the link. */
export interface CardKeys {
  /** 16 bytes. */
  readonly linkKey: Uint8Array;
  /** Name of the card at the relay, 16 bytes. */
  readonly lookup: Uint8Array;
  /** Key of its seal, 32 bytes. */
  readonly cardKey: Uint8Array;
  /** Whether everybody who has the link may use the card (crypto/address.ts). */
  readonly reusable: boolean;
}

/** What a link says. */
export interface InvitationLink extends CardKeys {
  /** Origin of the relay that keeps the card. */
  readonly relay: string;
  /** identityId of the inviter, 32 bytes. */
  readonly idHash: Uint8Array;
}

/** An opened card. */
export interface Bundle extends BundleContents {
  /** Secret of the link or, in a reset, of an earlier session: pskOf(…), 32 bytes. */
  readonly psk: Uint8Array;
  /** Stands for the bundle in the handshake, 32 bytes. */
  readonly hash: Uint8Array;
}

/** What an invitation is made of; see BundleContents. */
export interface InvitationTerms extends Omit<BundleContents, 'identity' | 'reusable' | 'spk' | 'pq'> {
  readonly identity: Identity;
}

/** A new card: what the relay keeps, under which name, and the secret for us. */
export interface NewCard {
  /** 16 bytes. */
  readonly lookup: Uint8Array;
  /** CARD_BYTES long. */
  readonly card: Uint8Array;
  readonly secret: Invitation;
}

/** A new invitation: the link for the guest, and its card. */
export interface NewInvitation extends NewCard {
  readonly link: string;
}

/**
 * Makes a one-time invitation. The link has 69 characters beside the relay's origin: 100 at most for an `https://` host of up to 23.
 * Draws 16 random bytes for the link, then as createCard.
 * Throws `name-invalid` or `relay-url-invalid`.
 */
export function createInvitation(terms: InvitationTerms, random: Random): NewInvitation {
  const keys = invitationKeys(random(LINK_KEY_BYTES));
  const card = createCard(terms, keys, random);
  return { ...card, link: writeLink('i', terms.relay, keys.linkKey, terms.identity) };
}

/**
 * Makes a card with keys of its own. Draws 32 and 32 random bytes for them, 24 for the card's nonce.
 * Throws `name-invalid` or `relay-url-invalid`.
 */
export function createCard(terms: InvitationTerms, { linkKey, lookup, cardKey, reusable }: CardKeys, random: Random): NewCard {
  const { bundle, secret } = createKeys({ ...terms, reusable }, pskOf(linkKey), random);
  const nonce = random(NONCE_BYTES);
  const card = concat(nonce, seal(cardKey, nonce, pad(bundle, BUNDLE_PADDED_BYTES), lookup));
  return { lookup, card, secret };
}

/** Keys of a bundle: what shows them, and what is kept. Draws 32 and 32 random bytes. Throws `name-invalid` or `relay-url-invalid`. */
export function createKeys(terms: InvitationTerms & { readonly reusable: boolean }, psk: Uint8Array, random: Random): { readonly bundle: Uint8Array; readonly secret: Invitation } {
  const spkSecret = random(32);
  const pqSeed = random(32);
  const bundle = packBundle({ ...terms, spk: x25519PublicKey(spkSecret), pq: xwingPublicKey(pqSeed) });
  return { bundle, secret: { spkSecret, pqSeed, psk, bundleHash: bundleHash(bundle), devicesHash: devicesHash(terms.devices) } };
}

/** The link of an invitation (path `i`) or of an address (path `a`). Throws `relay-url-invalid`. */
export function writeLink(path: LinkPath, relay: string, linkKey: Uint8Array, owner: PublicIdentity): string {
  const fragment = concat(Uint8Array.of(LINK_VERSION), linkKey, identityId(owner));
  return `${relayOrigin(relay)}/${path}#${toBase64url(fragment)}`;
}

/** Reads an invitation's link as people paste it. Throws `link-invalid`. */
export function parseLink(link: string): InvitationLink {
  const { linkKey, ...rest } = readLink('i', link);
  return { ...rest, ...invitationKeys(linkKey) };
}

/** Reads a link of one kind. Throws `link-invalid`. */
export function readLink(path: LinkPath, link: string): Pick<InvitationLink, 'relay' | 'linkKey' | 'idHash'> {
  const [relay, fragment, ...more] = link.trim().split(`/${path}#`);
  if (relay === undefined || fragment === undefined || more.length > 0) throw new SottoError('link-invalid');
  return refusedAs('link-invalid', () => {
    const reader = new Reader(fromBase64url(fragment));
    reader.expect(LINK_VERSION);
    const linkKey = reader.bytes(LINK_KEY_BYTES);
    const idHash = reader.bytes(32);
    reader.end();
    return { relay: relayOrigin(relay), linkKey, idHash };
  });
}

/** Opens the card that a relay gave for a link. Throws `card-invalid`, or `invitation-expired` from `expiresAt` (ms) on. */
export function openCard(link: InvitationLink, card: Uint8Array, now: number): Bundle {
  const packed = unsealCard(link, card);
  if (packed === null) throw new SottoError('card-invalid');
  const contents = refusedAs('card-invalid', () => unpackBundle(packed));
  // Whoever else knows the link key could seal a card of their own: the link names whose it must be.
  if (!equal(identityId(contents.identity), link.idHash)) throw new SottoError('card-invalid');
  // What was made for one guest must not be used by many, nor the other way round.
  if (contents.reusable !== link.reusable) throw new SottoError('card-invalid');
  if (now >= contents.expiresAt) throw new SottoError('invitation-expired');
  return { ...contents, psk: pskOf(link.linkKey), hash: bundleHash(packed) };
}

function unsealCard(link: InvitationLink, card: Uint8Array): Uint8Array | null {
  if (card.length !== CARD_BYTES) return null;
  const padded = open(link.cardKey, card.subarray(0, NONCE_BYTES), card.subarray(NONCE_BYTES), link.lookup);
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

function invitationKeys(linkKey: Uint8Array): CardKeys {
  return { linkKey, lookup: hash('lookup', linkKey).slice(0, LOOKUP_BYTES), cardKey: derive(linkKey, 'card').left, reusable: false };
}

/** The secret that goes into the handshake (PROTOCOL.md §3.1, §4.1), 32 bytes. @param shared what both have had before: the key in a link, or RS. */
export function pskOf(shared: Uint8Array): Uint8Array {
  return derive(shared, 'psk').left;
}

function refusedAs<T>(code: ErrorCode, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new SottoError(code, undefined, cause);
  }
}
