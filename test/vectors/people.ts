// Who and what the vectors are about: two people, a time, an invitation, and how a refusal is written down.

import { type Identity, identity } from '../oracle/identity.js';
import { invite, parseLink, type Secret, type Terms } from '../oracle/invitation.js';
import { k, Refusal, unpad, unseal } from '../oracle/notation.js';
import { noting, seeded } from './chance.js';

export const NOW = 1_800_000_000_000;
export const DAY_MS = 86_400_000;
export const [ANN, BEA, MALLORY] = [identity(seeded('Ann')), identity(seeded('Bea')), identity(seeded('Mallory'))];
/** Points of low order: what X25519 gives with them is zero, and Ed25519 takes ONE as the neutral element. */
export const [ZERO, ONE] = [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))];

/** The code with which `action` is refused. */
export function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
  throw new Error('Nothing was refused.');
}

export interface Made {
  readonly terms: Terms;
  readonly linkKey: Uint8Array;
  readonly link: string;
  readonly card: Uint8Array;
  readonly secret: Secret;
  readonly bundle: Uint8Array;
  readonly draws: readonly string[];
}

/** An invitation of Bea's. */
export function make(terms: Terms, seed: string, inviter: Identity = BEA): Made {
  const draws: string[] = [];
  const made = invite(inviter, terms, noting(seeded(seed), draws));
  const { linkKey } = parseLink(made.link);
  const bundle = unpad(unseal(k(linkKey, 'card')[0], made.card.slice(0, 24), made.card.slice(24), made.lookup)!);
  return { ...made, terms, linkKey, bundle, draws };
}
