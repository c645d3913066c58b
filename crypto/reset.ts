// What two people say to each other past a session that no longer carries: sealed under its resumption secret, which outlives it
// (PROTOCOL.md §4.1). A reset is an invitation that only this contact can read; a standing says how far a session has come, so
// that an old copy of a home finds out what it is. It must never know who keeps which secrets, or how bytes travel.

import { bundleHash, unpackBundle } from './bundle.js';
import { concat, equal, Reader, utf8, Writer } from './bytes.js';
import { SottoError } from './error.js';
import { derive } from './hash.js';
import { identityId } from './identity.js';
import { type Bundle, createKeys, type Invitation, type InvitationTerms, packInvitation, pskOf, unpackInvitation } from './invitation.js';
import { pad, unpad } from './padding.js';
import type { Random } from './random.js';
import type { Position } from './session.js';
import { NONCE_BYTES, open, seal, TAG_BYTES } from './sodium.js';

/** Length of every envelope made here: one bucket, so that a relay cannot tell it from others. */
export const RESUMPTION_BYTES = 4096;

/** Why somebody begins anew: their home comes from a backup, it is an old copy, or the session has used up its keys. */
export const RESET_REASONS = ['restored', 'rolled-back', 'session-exhausted'] as const;
export type ResetReason = (typeof RESET_REASONS)[number];

/** Asks the contact to begin a new session. */
export interface Reset {
  readonly type: 'reset';
  readonly reason: ResetReason;
  /** ms since 1970, by the clock of its maker. */
  readonly madeAt: number;
  /** The number from which its maker's texts go on: none below it will come. */
  readonly first: number;
  /** packBundle(…). */
  readonly bundle: Uint8Array;
}

/** Says what its maker has received in the session of this secret; null if that session is over for them. */
export interface Standing {
  readonly type: 'standing';
  /** Whether the other side is to say the same. */
  readonly asks: boolean;
  readonly received: Position | null;
}

const AD = utf8('sotto1/reset');
const PADDED_BYTES = RESUMPTION_BYTES - NONCE_BYTES - TAG_BYTES;
/** By their numbers. */
const KINDS = ['reset', 'standing'] as const;
const RESET_HEAD_BYTES = 1 + 1 + 6 + 4;
const KEY_BYTES = 32;
const STANDING_BYTES = 1 + 1 + 4 + 4 + KEY_BYTES;
/** Stands for the chain of a session that is over. */
const OVER = 0xffff_ffff;
/** Stands for the key of a chain that has none. */
const NO_KEY = new Uint8Array(KEY_BYTES);

/** A reset for the contact that has the resumption secret, and what must be kept until it is answered. Draws 32, 32 and 24 random bytes. */
export function createReset(
  terms: InvitationTerms,
  { resumption, ...said }: Pick<Reset, 'reason' | 'madeAt' | 'first'> & { readonly resumption: Uint8Array },
  random: Random,
): { readonly envelope: Uint8Array; readonly secret: Invitation } {
  const { bundle, secret } = createKeys({ ...terms, reusable: false }, pskOf(resumption), random);
  return { envelope: sealResumption(resumption, identityId(terms.identity), { type: 'reset', ...said, bundle }, random), secret };
}

/** The bundle of a reset, to be answered with initiate(). Throws `malformed` or `invitation-expired`. */
export function openReset({ bundle }: Reset, resumption: Uint8Array, now: number): Bundle {
  const contents = unpackBundle(bundle);
  if (contents.reusable) malformed();
  if (now >= contents.expiresAt) throw new SottoError('invitation-expired');
  return { ...contents, psk: pskOf(resumption), hash: bundleHash(bundle) };
}

/** nonce | Seal(K(resumption, "reset", maker).L, …): RESUMPTION_BYTES that look like any others. @param maker identityId(…) of who says it. */
export function sealResumption(resumption: Uint8Array, maker: Uint8Array, said: Reset | Standing, random: Random): Uint8Array {
  const nonce = random(NONCE_BYTES);
  return concat(nonce, seal(keyOf(resumption, maker), nonce, pad(pack(said), PADDED_BYTES), AD));
}

/**
 * What the maker has sealed, and under which of these secrets; null if under none of them: what we said ourselves does not open as the
 * other's, whoever brings it back. Throws `malformed`.
 */
export function openResumption(resumptions: readonly Uint8Array[], maker: Uint8Array, envelope: Uint8Array): { readonly said: Reset | Standing; readonly resumption: Uint8Array } | null {
  if (envelope.length !== RESUMPTION_BYTES) return null;
  for (const resumption of resumptions) {
    const padded = open(keyOf(resumption, maker), envelope.subarray(0, NONCE_BYTES), envelope.subarray(NONCE_BYTES), AD);
    if (padded) return { said: unpack(unpad(padded) ?? malformed()), resumption };
  }
  return null;
}

function pack(said: Reset | Standing): Uint8Array {
  if (said.type === 'reset') {
    const { reason, madeAt, first, bundle } = said;
    return new Writer(RESET_HEAD_BYTES + bundle.length).number(0, 1).number(RESET_REASONS.indexOf(reason), 1).number(madeAt, 6).number(first, 4).bytes(bundle).finish();
  }
  const { chain, next, key } = said.received ?? { chain: OVER, next: 0, key: null };
  return new Writer(STANDING_BYTES).number(1, 1).number(said.asks ? 1 : 0, 1).number(chain, 4).number(next, 4).bytes(key ?? NO_KEY).finish();
}

function unpack(packed: Uint8Array): Reset | Standing {
  const reader = new Reader(packed);
  const [kind, detail] = [reader.number(1), reader.number(1)];
  switch (KINDS[kind]) {
    case 'reset': {
      const reason = RESET_REASONS[detail] ?? malformed();
      const [madeAt, first] = [reader.number(6), reader.number(4)];
      return { type: 'reset', reason, madeAt, first, bundle: reader.rest() };
    }
    case 'standing': {
      const [chain, next, key] = [reader.number(4), reader.number(4), reader.bytes(KEY_BYTES)];
      reader.end();
      if (detail > 1) malformed();
      return { type: 'standing', asks: detail === 1, received: chain === OVER ? null : { chain, next, key: equal(key, NO_KEY) ? null : key } };
    }
    default: return malformed();
  }
}

/** A reset that waits for its answer. */
export interface PendingReset {
  readonly madeAt: number;
  readonly secret: Invitation;
  readonly envelope: Uint8Array;
}

/** madeAt u48 | packInvitation(…) 161 | envelope 4096, secret. */
export function packPendingReset({ madeAt, secret, envelope }: PendingReset): Uint8Array {
  const packed = packInvitation(secret);
  return new Writer(6 + packed.length + envelope.length).number(madeAt, 6).bytes(packed).bytes(envelope).finish();
}

/** Reads packPendingReset(…). Throws `malformed`. */
export function unpackPendingReset(packed: Uint8Array): PendingReset {
  const reader = new Reader(packed);
  const madeAt = reader.number(6);
  const rest = reader.rest();
  const at = rest.length - RESUMPTION_BYTES;
  return { madeAt, secret: unpackInvitation(rest.slice(0, at)), envelope: rest.slice(at) };
}

function keyOf(resumption: Uint8Array, maker: Uint8Array): Uint8Array {
  return derive(resumption, 'reset', maker).left;
}

function malformed(): never {
  throw new SottoError('malformed');
}
