// The second implementation, §4.1: what is said past a session, from both ends.

import { type Identity, idOf, type Public } from './identity.js';
import { type Bundle, makeKeys, readBundle, type Secret, type Terms } from './invitation.js';
import { be, type Draw, Fields, join, k, pad, refuse, same, seal, unpad, unseal, utf8 } from './notation.js';

/** How far somebody has come in receiving. */
export interface Standing {
  readonly chain: number;
  readonly next: number;
  readonly key: Uint8Array;
}

export type Said =
  | { readonly kind: 0; readonly reason: number; readonly madeAt: number; readonly first: number; readonly bundle: Uint8Array }
  | ({ readonly kind: 1; readonly asks: number } & Standing);

const keyOf = (rs: Uint8Array, maker: Public): Uint8Array => k(rs, 'reset', idOf(maker))[0];
const AD = utf8('sotto1/reset');

/** An envelope that says these bytes. */
export function sealSaid(rs: Uint8Array, maker: Public, said: Uint8Array, draw: Draw): Uint8Array {
  const nonce = draw(24);
  return join(nonce, seal(keyOf(rs, maker), nonce, pad(said, 4056), AD));
}

export function makeReset(host: Identity, terms: Terms, rs: Uint8Array, said: { reason: number; madeAt: number; first: number }, draw: Draw): { envelope: Uint8Array; secret: Secret } {
  const { bundle, secret } = makeKeys(host, terms, k(rs, 'psk')[0], draw);
  const plain = join(be(0, 1), be(said.reason, 1), be(said.madeAt, 6), be(said.first, 4), bundle);
  return { envelope: sealSaid(rs, host, plain, draw), secret };
}

export function makeStanding(rs: Uint8Array, maker: Public, asks: number, { chain, next, key }: Standing, draw: Draw): Uint8Array {
  return sealSaid(rs, maker, join(be(1, 1), be(asks, 1), be(chain, 4), be(next, 4), key), draw);
}

/** What `maker` says in an envelope. Refuses by `undecryptable` what this secret does not open, and by `malformed` what it opens in vain. */
export function openSaid(rs: Uint8Array, maker: Public, envelope: Uint8Array): Said {
  if (envelope.length !== 4096) refuse('undecryptable');
  const plain = unseal(keyOf(rs, maker), envelope.slice(0, 24), envelope.slice(24), AD) ?? refuse('undecryptable');
  const said = unpad(plain);
  const fields = new Fields(said);
  if (fields.number(1) === 0) {
    const [reason, madeAt, first] = [fields.number(1), fields.number(6), fields.number(4)];
    return reason > 2 ? refuse('malformed') : { kind: 0, reason, madeAt, first, bundle: said.slice(12) };
  }
  if (said[0] !== 1) refuse('malformed');
  const standing = { kind: 1, asks: fields.number(1), chain: fields.number(4), next: fields.number(4), key: fields.take(32) } as const;
  fields.done();
  return standing.asks > 1 ? refuse('malformed') : standing;
}

/** The bundle of a reset, to be answered by a first flight. */
export function openReset(rs: Uint8Array, bundle: Uint8Array, now: number): Bundle {
  const read = readBundle(bundle, k(rs, 'psk')[0], 0);
  return now >= read.expiresAt ? refuse('invitation-expired') : read;
}

/** Whether a home that has sent so far is an old copy, since the contact has received so much. */
export function isOldCopy(sent: Standing, received: Standing): boolean {
  if (received.chain !== sent.chain) return received.chain > sent.chain;
  return received.next > sent.next || (received.next > 0 && !same(received.key, sent.key));
}
