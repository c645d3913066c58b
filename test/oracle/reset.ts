// The second implementation, §4.1: a reset as its maker writes it.

import { type Identity, idOf } from './identity.js';
import { makeKeys, type Secret, type Terms } from './invitation.js';
import { be, type Draw, join, k, pad, seal, utf8 } from './notation.js';

export function makeReset(host: Identity, terms: Terms, rs: Uint8Array, said: { reason: number; madeAt: number; first: number }, draw: Draw): { envelope: Uint8Array; secret: Secret } {
  const { bundle, secret } = makeKeys(host, terms, k(rs, 'psk')[0], draw);
  const nonce = draw(24);
  const plain = join(be(0, 1), be(said.reason, 1), be(said.madeAt, 6), be(said.first, 4), bundle);
  return { envelope: join(nonce, seal(k(rs, 'reset', idOf(host))[0], nonce, pad(plain, 4056), utf8('sotto1/reset'))), secret };
}
