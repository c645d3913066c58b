// An address is a link that everybody may use, for as long as its owner wants: each week has a card of its own, with new keys
// and a name at the relay that only the link tells (PROTOCOL.md §3.5). The relay must never see that two cards are one address's.

import { Writer } from './bytes.js';
import { derive, hash } from './hash.js';
import { type CardKeys, createCard, type InvitationLink, type InvitationTerms, LINK_KEY_BYTES, LOOKUP_BYTES, type NewCard, parseLink, readLink, writeLink } from './invitation.js';
import type { PublicIdentity } from './identity.js';
import type { Random } from './random.js';

/** Time is cut into weeks, counted from 1970. */
export const WEEK_MS = 604_800_000;

/** The week of a time in ms since 1970. */
export function weekOf(time: number): number {
  return Math.floor(time / WEEK_MS);
}

/** A new address: its secret of 16 random bytes, and the link that says it. Throws `relay-url-invalid`. */
export function createAddress(relay: string, owner: PublicIdentity, random: Random): { readonly linkKey: Uint8Array; readonly link: string } {
  const linkKey = random(LINK_KEY_BYTES);
  return { linkKey, link: writeLink('a', relay, linkKey, owner) };
}

/** The card of one week. Draws and throws as createCard. */
export function createWeekCard(terms: InvitationTerms, linkKey: Uint8Array, week: number, random: Random): NewCard {
  return createCard(terms, weekKeys(linkKey, week), random);
}

/** Whether a text looks like the link of an address, and not of an invitation. */
export function isAddress(link: string): boolean {
  return link.includes('/a#');
}

/** Reads the link of an invitation, or of an address for the card of the week of `now` (ms). Throws `link-invalid`. */
export function parseAnyLink(link: string, now: number): InvitationLink {
  if (!isAddress(link)) return parseLink(link);
  const { linkKey, ...rest } = readLink('a', link);
  return { ...rest, ...weekKeys(linkKey, weekOf(now)) };
}

function weekKeys(linkKey: Uint8Array, week: number): CardKeys {
  const number = new Writer(4).number(week, 4).finish();
  return { linkKey, lookup: hash('address', linkKey, number).slice(0, LOOKUP_BYTES), cardKey: derive(linkKey, 'card', number).left, reusable: true };
}
