// The second implementation, §2: identities and the safety number.

import { be, type Draw, Fields, h32, hash512, join, publicEd, publicX } from './notation.js';

export interface Public {
  readonly ed: Uint8Array;
  readonly x: Uint8Array;
}

export interface Identity extends Public {
  readonly edSeed: Uint8Array;
  readonly xSecret: Uint8Array;
}

function identityOf(edSeed: Uint8Array, xSecret: Uint8Array): Identity {
  return { ed: publicEd(edSeed), x: publicX(xSecret), edSeed, xSecret };
}

export function identity(draw: Draw): Identity {
  return identityOf(draw(32), draw(32));
}

export const idOf = ({ ed, x }: Public): Uint8Array => h32('id', ed, x);

export const packIdentity = ({ edSeed, xSecret }: Identity): Uint8Array => join(be(1, 1), edSeed, xSecret);

export function unpackIdentity(packed: Uint8Array): Identity {
  const fields = new Fields(packed);
  fields.must(1);
  const read = identityOf(fields.take(32), fields.take(32));
  fields.done();
  return read;
}

export function unpackPublic(packed: Uint8Array): Public {
  const fields = new Fields(packed);
  const read = { ed: fields.take(32), x: fields.take(32) };
  fields.done();
  return read;
}

export function safetyNumber(mine: Public, theirs: Public): string {
  const half = (who: Public): string => {
    let h = join(be(1, 2), idOf(who), who.ed);
    for (let round = 0; round < 5200; round++) h = hash512(join(h, who.ed));
    return [0, 1, 2, 3, 4, 5].map((i) => String(Buffer.from(h).readUIntBE(5 * i, 5) % 100_000).padStart(5, '0')).join('');
  };
  const [a, b] = [half(mine), half(theirs)];
  return a < b ? a + b : b + a;
}
