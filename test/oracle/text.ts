// The second implementation, §6 and §8: what stands in messages about texts and about the peer connection.

import { h32, k, utf8 } from './notation.js';

export const FIRST_CHAIN = new Uint8Array(8);

/** §6: the chain value of a text. */
export const chainAfter = (before: Uint8Array, id: Uint8Array, text: string): Uint8Array => h32('chain', before, id, h32('text', utf8(text))).slice(0, 8);

/** A description (§8); the fingerprint has 32 bytes. */
export interface Description {
  readonly ufrag: string;
  readonly pwd: string;
  readonly fingerprint: Uint8Array;
  readonly setup: string;
  readonly candidates: readonly string[];
}

/** §8: what an answer says of the offer that it answers. */
export function offerHash(call: Uint8Array, { ufrag, pwd, fingerprint, setup, candidates }: Description): Uint8Array {
  return h32('offer', call, utf8(ufrag), utf8(pwd), fingerprint, utf8(setup), utf8(candidates.join('\n')));
}

/** §8: the proof of `bind`. */
export function bindProof(sessionId: Uint8Array, call: Uint8Array, role: 'offerer' | 'answerer', own: Uint8Array, seen: Uint8Array): Uint8Array {
  return k(h32('bind', sessionId), 'bind', call, utf8(role), own, seen)[0];
}
