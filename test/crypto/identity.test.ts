import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, toHex } from '../../crypto/bytes.js';
import { derive, hash } from '../../crypto/hash.js';
import { createIdentity, identityId, packIdentity, packPublicIdentity, unpackIdentity, unpackPublicIdentity } from '../../crypto/identity.js';
import { bucketAfter, BUCKETS, bucketFor, pad, unpad } from '../../crypto/padding.js';
import { safetyNumber } from '../../crypto/safety-number.js';
import { publicKeyOf, sign, verify } from '../../crypto/signature.js';
import { ready } from '../../crypto/sodium.js';
import * as second from '../oracle/identity.js';
import { h32, k } from '../oracle/notation.js';
import { bytes, codeOf, seeded } from './support.js';

await ready();

describe('labelled hashes', () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 });

  it('are what the protocol text says', () => {
    fc.assert(
      fc.property(fc.constantFrom('id', 'th', 'envelope'), parts, fc.uint8Array({ minLength: 16, maxLength: 64 }), (label, list, key) => {
        expect(hash(label, ...list)).toEqual(h32(label, ...list));
        const { left, right } = derive(key, label, ...list);
        expect([toHex(left), toHex(right)]).toEqual(k(key, label, ...list).map(toHex));
      }),
    );
  });

  it('take an envelope of the largest size', () => {
    const envelope = new Uint8Array(65_536).fill(1);
    expect(hash('envelope', envelope)).toEqual(h32('envelope', envelope));
  });

  it('differ when the same bytes are cut elsewhere, or under another label', () => {
    expect(hash('a', bytes('ab'), bytes('c'))).not.toEqual(hash('a', bytes('a'), bytes('bc')));
    expect(hash('a', bytes('ab'))).not.toEqual(hash('aa', bytes('b')));
  });
});

describe('signatures', () => {
  const seed = new Uint8Array(32).fill(5);

  it('verify under their own key, label and message only', () => {
    const signature = sign(seed, 'collect', bytes('message'));
    const key = publicKeyOf(seed);
    expect(verify(key, 'collect', bytes('message'), signature)).toBe(true);
    expect(verify(key, 'bundle', bytes('message'), signature)).toBe(false);
    expect(verify(key, 'collect', bytes('massage'), signature)).toBe(false);
    expect(verify(publicKeyOf(new Uint8Array(32)), 'collect', bytes('message'), signature)).toBe(false);
  });

  it('are false, not an exception, for bytes of any other form', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.uint8Array({ maxLength: 70 }), (key, signature) => {
        expect(verify(key, 'collect', bytes('message'), signature)).toBe(false);
      }),
    );
  });
});

describe('identities', () => {
  it('come back from their packed forms', () => {
    const identity = createIdentity(seeded('identity'));
    expect(unpackIdentity(packIdentity(identity))).toEqual(identity);
    expect(packPublicIdentity(identity)).toHaveLength(64);
    expect(unpackPublicIdentity(packPublicIdentity(identity))).toEqual({ ed: identity.ed, x: identity.x });
  });

  it('are malformed in any other form', () => {
    const packed = packIdentity(createIdentity(seeded('identity')));
    const whole = packPublicIdentity(unpackIdentity(packed));
    for (const other of [packed.with(0, 2), packed.slice(0, 64), concat(packed, packed)]) expect(codeOf(() => unpackIdentity(other))).toBe('malformed');
    for (const other of [whole.slice(0, 63), concat(whole, whole)]) expect(codeOf(() => unpackPublicIdentity(other))).toBe('malformed');
  });

  it('are named by both keys', () => {
    const [a, b] = [createIdentity(seeded('a')), createIdentity(seeded('b'))];
    expect(identityId(a)).toEqual(h32('id', a.ed, a.x));
    expect(identityId({ ed: a.ed, x: b.x })).not.toEqual(identityId(a));
    expect(identityId({ ed: b.ed, x: a.x })).not.toEqual(identityId(a));
  });
});

describe('the safety number', () => {
  const [a, b] = [second.identity(seeded('a')), second.identity(seeded('b'))];

  it('has 60 digits, the same on both sides and in a second implementation', () => {
    expect(safetyNumber(a, b)).toMatch(/^\d{60}$/);
    expect(safetyNumber(a, b)).toBe(safetyNumber(b, a));
    expect(safetyNumber(a, b)).toBe(second.safetyNumber(a, b));
  });

  it('changes with either key of either side', () => {
    const other = createIdentity(seeded('c'));
    const numbers = [safetyNumber(a, b), safetyNumber(a, { ed: other.ed, x: b.x }), safetyNumber(a, { ed: b.ed, x: other.x }), safetyNumber(other, b)];
    expect(new Set(numbers).size).toBe(4);
  });
});

describe('padding', () => {
  it('comes off as it went on', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.integer({ min: 1, max: 300 }), (body, more) => {
        const padded = pad(body, body.length + more);
        expect(padded).toHaveLength(body.length + more);
        expect(unpad(padded)).toEqual(body);
      }),
    );
  });

  it('is refused where it never was', () => {
    for (const never of [[], [0], [0, 0], [1], [0x80, 1], [0x81, 0]]) expect(unpad(Uint8Array.from(never))).toBeNull();
  });

  it('chooses the smallest bucket, and refuses what fits none', () => {
    for (const bucket of BUCKETS) expect(bucketFor(bucket)).toBe(bucket);
    expect(bucketFor(513)).toBe(1024);
    expect(BUCKETS.map(bucketAfter)).toEqual([...BUCKETS.slice(1), 65_536]);
    expect(codeOf(() => bucketFor(65_537))).toBe('message-too-large');
    expect(codeOf(() => pad(new Uint8Array(4), 4))).toBe('message-too-large');
  });
});
