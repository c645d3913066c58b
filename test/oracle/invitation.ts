// The second implementation, §3: links, bundles and cards, and addresses.

import { checkDevices, firstDevices, type Identity, idOf, type Public, unpackPublic } from './identity.js';
import { be, type Draw, Fields, h32, join, k, kemPublic, orRefuse, pad, publicX, refuse, same, seal, sign, unpad, unseal, utf8, verifies } from './notation.js';

export interface Terms {
  readonly name: string;
  readonly relay: string;
  readonly mailbox: Uint8Array;
  readonly token: Uint8Array;
  readonly expiresAt: number;
  /** Since when the one device of the list is there; 0 where nothing is said. */
  readonly addedAt?: number;
}

/** A week makes it the link of an address; null, of an invitation. */
export interface Link {
  readonly relay: string;
  readonly linkKey: Uint8Array;
  readonly idHash: Uint8Array;
  readonly week: number | null;
}

/** Where a card is, and under which key. */
export interface CardPlace {
  readonly lookup: Uint8Array;
  readonly cardKey: Uint8Array;
}

export interface Secret {
  readonly spkSecret: Uint8Array;
  readonly pqSeed: Uint8Array;
  readonly psk: Uint8Array;
  readonly bundleHash: Uint8Array;
  readonly devicesHash: Uint8Array;
}

export interface Bundle extends Terms {
  readonly identity: Public;
  readonly devices: Uint8Array;
  readonly spk: Uint8Array;
  readonly pq: Uint8Array;
  readonly reusable: boolean;
  readonly psk: Uint8Array;
  readonly hash: Uint8Array;
}

export const lookupOf = (linkKey: Uint8Array): Uint8Array => h32('lookup', linkKey).slice(0, 16);
const pskOf = (linkKey: Uint8Array): Uint8Array => k(linkKey, 'psk')[0];

export const weekOf = (now: number): number => Math.floor(now / 604_800_000);

export function placeOf({ linkKey, week }: Pick<Link, 'linkKey' | 'week'>): CardPlace {
  if (week === null) return { lookup: lookupOf(linkKey), cardKey: k(linkKey, 'card')[0] };
  return { lookup: h32('address', linkKey, be(week, 4)).slice(0, 16), cardKey: k(linkKey, 'card', be(week, 4))[0] };
}

function origin(relay: string): string {
  const url = orRefuse('relay-url-invalid', () => new URL(relay));
  if (!/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/` || url.origin.length > 255) refuse('relay-url-invalid');
  return url.origin;
}

/** §3.2: what somebody may be called. */
function isName(name: string): boolean {
  const [length, joiners] = [utf8(name).length, /\u200C|\u200D|\uFE0E|\uFE0F/gu];
  return length >= 1 && length <= 64 && name === name.trim() && /[\p{L}\p{N}\p{P}\p{S}]/u.test(name)
    && !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(name) && !/\p{Default_Ignorable_Code_Point}/u.test(name.replaceAll(joiners, ''));
}

export function sealCard(linkKey: Uint8Array, bundle: Uint8Array, nonce: Uint8Array, week: number | null = null): Uint8Array {
  const { lookup, cardKey } = placeOf({ linkKey, week });
  return join(nonce, seal(cardKey, nonce, pad(bundle, 2048), lookup));
}

function writeLink(kind: 'i' | 'a', relay: string, linkKey: Uint8Array, owner: Public): string {
  return `${origin(relay)}/${kind}#${Buffer.from(join(be(1, 1), linkKey, idOf(owner))).toString('base64url')}`;
}

export function invite(host: Identity, terms: Terms, draw: Draw): { link: string; lookup: Uint8Array; card: Uint8Array; secret: Secret } {
  const linkKey = draw(16);
  const { bundle, secret } = makeKeys(host, terms, pskOf(linkKey), draw);
  return { link: writeLink('i', terms.relay, linkKey, host), lookup: lookupOf(linkKey), card: sealCard(linkKey, bundle, draw(24)), secret };
}

/** §3.5. */
export function makeAddress(owner: Public, relay: string, draw: Draw): { link: string; linkKey: Uint8Array } {
  const linkKey = draw(16);
  return { link: writeLink('a', relay, linkKey, owner), linkKey };
}

/** The card of one week of an address. */
export function makeWeek(owner: Identity, terms: Terms, linkKey: Uint8Array, week: number, draw: Draw): { lookup: Uint8Array; card: Uint8Array; secret: Secret } {
  const { bundle, secret } = makeKeys(owner, terms, pskOf(linkKey), draw, 1);
  return { lookup: placeOf({ linkKey, week }).lookup, card: sealCard(linkKey, bundle, draw(24), week), secret };
}

/** The keys of a card, the bundle that shows them, and what is kept. */
export function makeKeys(host: Identity, terms: Terms, psk: Uint8Array, draw: Draw, flags = 0): { bundle: Uint8Array; secret: Secret } {
  const [spkSecret, pqSeed] = [draw(32), draw(32)];
  if (!isName(terms.name)) refuse('name-invalid');
  const [name, relay] = [utf8(terms.name), utf8(origin(terms.relay))];
  const list = firstDevices(host, terms.addedAt ?? 0);
  const signed = join(
    be(1, 1), be(flags, 1), host.ed, host.x, publicX(spkSecret), kemPublic(pqSeed), be(terms.expiresAt, 6), terms.mailbox, terms.token,
    be(name.length, 1), name, be(relay.length, 1), relay, be(list.length, 2), list,
  );
  const bundle = join(signed, sign(host.edSeed, 'bundle', signed));
  return { bundle, secret: { spkSecret, pqSeed, psk, bundleHash: h32('bundle', bundle), devicesHash: h32('devices', list) } };
}

/** A link of either kind; that of an address leads to the card of the week of `now`. */
export function parseLink(text: string, now = 0): Link {
  return orRefuse('link-invalid', () => {
    const kind = text.includes('/a#') ? 'a' : 'i';
    const [relay = '', fragment = '', ...more] = text.trim().split(`/${kind}#`);
    const bytes = Buffer.from(fragment, 'base64url');
    // Buffer passes over what is no base64url: only what it would have written itself is right.
    if (more.length > 0 || bytes.toString('base64url') !== fragment) refuse('link-invalid');
    const fields = new Fields(new Uint8Array(bytes));
    fields.must(1);
    const link = { relay: origin(relay), linkKey: fields.take(16), idHash: fields.take(32), week: kind === 'a' ? weekOf(now) : null };
    fields.done();
    return link;
  });
}

/** A bundle whose flags are these. */
export function readBundle(bundle: Uint8Array, psk: Uint8Array, flags: number): Bundle {
  const fields = new Fields(bundle);
  fields.must(1);
  fields.must(flags);
  const text = (): string => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(fields.take(fields.number(1)));
  const [identity, spk, pq, expiresAt] = [unpackPublic(fields.take(64)), fields.take(32), fields.take(1216), fields.number(6)];
  const read = { identity, spk, pq, expiresAt, mailbox: fields.take(16), token: fields.take(16), name: text(), relay: origin(text()), devices: fields.take(fields.number(2)) };
  const signature = fields.take(64);
  fields.done();
  if (!isName(read.name) || !verifies(identity.ed, 'bundle', bundle.slice(0, -64), signature)) refuse('malformed');
  checkDevices(read.devices, identity);
  return { ...read, reusable: flags === 1, psk, hash: h32('bundle', bundle) };
}

export function openCard(link: Link, card: Uint8Array, now: number): Bundle {
  const { lookup, cardKey } = placeOf(link);
  const bundle = orRefuse('card-invalid', () => {
    if (card.length !== 2088) refuse('card-invalid');
    return unpad(unseal(cardKey, card.slice(0, 24), card.slice(24), lookup) ?? refuse('card-invalid'));
  });
  const read = orRefuse('card-invalid', () => readBundle(bundle, pskOf(link.linkKey), link.week === null ? 0 : 1));
  if (!same(idOf(read.identity), link.idHash)) refuse('card-invalid');
  if (now >= read.expiresAt) refuse('invitation-expired');
  return read;
}

export const packSecret = ({ spkSecret, pqSeed, psk, bundleHash, devicesHash }: Secret): Uint8Array => join(be(2, 1), spkSecret, pqSeed, psk, bundleHash, devicesHash);

export function unpackSecret(packed: Uint8Array): Secret {
  const fields = new Fields(packed);
  fields.must(2);
  const secret = { spkSecret: fields.take(32), pqSeed: fields.take(32), psk: fields.take(32), bundleHash: fields.take(32), devicesHash: fields.take(32) };
  fields.done();
  return secret;
}
