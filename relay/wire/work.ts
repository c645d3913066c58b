// The proof of work that a relay may ask for before it makes a mailbox (PROTOCOL.md §11.3): a nonce whose hash with this
// connection's challenge begins with many zero bits. It can be neither made beforehand nor used twice.

import { hash } from '../../crypto/hash.js';

/** Length of a nonce. */
export const NONCE_BYTES = 8;

/** Leading zero bits of the proof's hash. */
export function workOf(challenge: Uint8Array, mailbox: Uint8Array, nonce: Uint8Array): number {
  const proof = hash('work', challenge, mailbox, nonce);
  const at = proof.findIndex((byte) => byte !== 0);
  return at === -1 ? 8 * proof.length : 8 * at + Math.clz32(proof[at]!) - 24;
}

/**
 * Tries nonces from `from` on, at most `tries` of them, so that a caller may do other things between.
 * @returns the nonce, or null if none of them has enough bits.
 */
export function searchWork(challenge: Uint8Array, mailbox: Uint8Array, bits: number, from: number, tries: number): Uint8Array | null {
  const nonce = new Uint8Array(NONCE_BYTES);
  const view = new DataView(nonce.buffer);
  for (let count = from; count < from + tries; count += 1) {
    view.setBigUint64(0, BigInt(count));
    if (workOf(challenge, mailbox, nonce) >= bits) return nonce;
  }
  return null;
}
