// The second implementation, §11.3: what the owner of a mailbox shows to a relay.

import { h32, join, sign, verifies } from './notation.js';

export const tokenHash = (token: Uint8Array): Uint8Array => h32('token', token);

const signed = (challenge: Uint8Array, mailbox: Uint8Array, hash: Uint8Array): Uint8Array => join(challenge, mailbox, hash);

export const signCollect = (ownerSeed: Uint8Array, challenge: Uint8Array, mailbox: Uint8Array, hash: Uint8Array): Uint8Array => sign(ownerSeed, 'collect', signed(challenge, mailbox, hash));

export const mayCollect = (owner: Uint8Array, challenge: Uint8Array, mailbox: Uint8Array, hash: Uint8Array, signature: Uint8Array): boolean =>
  verifies(owner, 'collect', signed(challenge, mailbox, hash), signature);

/** With how many zero bits the hash of a nonce begins. */
export function workBits(challenge: Uint8Array, mailbox: Uint8Array, nonce: Uint8Array): number {
  const bits = Array.from(h32('work', challenge, mailbox, nonce), (byte) => byte.toString(2).padStart(8, '0')).join('');
  return bits.length - bits.replace(/^0+/, '').length;
}
