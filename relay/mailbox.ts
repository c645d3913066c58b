// A mailbox as somebody has it who looks at a relay or tries it: its keys, and the requests for it. It is nobody's conversation, and
// is kept nowhere.

import { randomBytes } from 'node:crypto';
import { concat } from '../crypto/bytes.js';
import { hash } from '../crypto/hash.js';
import { publicKeyOf, sign } from '../crypto/signature.js';
import type { encodeClientFrame } from './wire/frame.js';
import { COLLECT_LABEL } from './wire/limits.js';

type Request = Parameters<typeof encodeClientFrame>[1];

export interface Mailbox {
  readonly mailbox: Uint8Array;
  /** Of its owner's key. */
  readonly seed: Uint8Array;
  readonly token: Uint8Array;
}

export function newMailbox(): Mailbox {
  return { mailbox: randomBytes(16), seed: randomBytes(32), token: randomBytes(16) };
}

/** @param challenge of the connection's Welcome */
export function collectRequest({ mailbox, seed, token }: Mailbox, challenge: Uint8Array): Request {
  const tokenHash = hash('token', token);
  const signature = sign(seed, COLLECT_LABEL, concat(challenge, mailbox, tokenHash));
  return { case: 'collect', value: { mailbox, owner: publicKeyOf(seed), tokenHash, signature } };
}

export function putRequest({ mailbox, token }: Mailbox, envelope: Uint8Array, ttlSeconds: number): Request {
  return { case: 'put', value: { mailbox, token, ttlSeconds, envelope } };
}
