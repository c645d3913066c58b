// The vectors of PROTOCOL.md §11.3: the hash of a send token, the owner's signature for a connection, and proof of work.

import { identity } from '../oracle/identity.js';
import { be } from '../oracle/notation.js';
import { mayCollect, signCollect, tokenHash, workBits } from '../oracle/relay.js';
import { seeded } from './chance.js';
import { hex } from './conversation.js';

const [OWNER, OTHER] = [identity(seeded('owner of a mailbox')), identity(seeded('another owner'))];
const [CHALLENGE, MAILBOX, TOKEN] = [seeded('challenge')(32), seeded('mailbox')(16), seeded('token')(16)];

export function relayVectors() {
  const hash = tokenHash(TOKEN);
  const signature = signCollect(OWNER.edSeed, CHALLENGE, MAILBOX, hash);
  const flip = (bytes: Uint8Array): Uint8Array => bytes.with(0, bytes[0]! ^ 1);
  const right = { owner: OWNER.ed, challenge: CHALLENGE, mailbox: MAILBOX, tokenHash: hash, signature };
  const collects: (readonly [string, typeof right])[] = [
    ['as it was signed', right], ['on another connection', { ...right, challenge: flip(CHALLENGE) }], ['for another mailbox', { ...right, mailbox: flip(MAILBOX) }], ['with another token', { ...right, tokenHash: flip(hash) }],
    ['by another key', { ...right, owner: OTHER.ed }], ['a changed signature', { ...right, signature: flip(signature) }],
  ];
  return {
    tokens: [TOKEN, new Uint8Array(16)].map((token) => ({ token: hex(token), hash: hex(tokenHash(token)) })),
    ownerSeed: hex(OWNER.edSeed),
    collects: collects.map(([name, { owner, challenge, mailbox, tokenHash: token, signature: signed }]) => ({
      name, owner: hex(owner), challenge: hex(challenge), mailbox: hex(mailbox), tokenHash: hex(token), signature: hex(signed), isRight: mayCollect(owner, challenge, mailbox, token, signed),
    })),
    work: [0, 1, 7, 8, 9, 12].map((bits) => {
      const nonce = firstNonce(bits);
      return { challenge: hex(CHALLENGE), mailbox: hex(MAILBOX), bits, nonce: hex(nonce), has: workBits(CHALLENGE, MAILBOX, nonce) };
    }),
  };
}

/** The first number, counted from 0 in 8 bytes, that has so many bits. */
function firstNonce(bits: number): Uint8Array {
  for (let count = 0; ; count++) {
    const nonce = be(count, 6);
    const padded = new Uint8Array([0, 0, ...nonce]);
    if (workBits(CHALLENGE, MAILBOX, padded) >= bits) return padded;
  }
}
