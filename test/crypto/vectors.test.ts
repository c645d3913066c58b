// Published vectors against the primitives as crypto/sodium.ts offers them, and those primitives against @noble.

import sodium from 'libsodium-wrappers';
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js';
import { blake2b as nobleBlake2b } from '@noble/hashes/blake2.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../crypto/bytes.js';
import { blake2b, ed25519Verify, open, ready, seal, x25519, xwingDecapsulate, xwingEncapsulate, xwingPublicKey } from '../../crypto/sodium.js';
import { codeOf, hex, VECTORS_PRESENT, vectors } from './support.js';

interface Group<T> {
  readonly publicKey: { readonly pk: string };
  readonly ivSize: number;
  readonly tests: readonly (T & { readonly tcId: number; readonly result: string })[];
}

function groups<Field extends string>(name: string): readonly Group<Record<Field, string>>[] {
  return (vectors(name) as { testGroups: Group<Record<Field, string>>[] }).testGroups;
}

/** How many cases have which result. */
function counts(cases: readonly { readonly result: string }[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { result } of cases) found[result] = (found[result] ?? 0) + 1;
  return found;
}

const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

await ready();

describe.skipIf(!VECTORS_PRESENT)(VECTORS_PRESENT ? 'published vectors' : 'published vectors (skipped: ../shared/vectors is absent)', () => {
  it('agrees with Wycheproof on X25519, and refuses every point that gives zero', () => {
    const cases = groups<'public' | 'private' | 'shared'>('x25519').flatMap((group) => group.tests);
    expect(counts(cases)).toEqual({ valid: 264, acceptable: 254 });
    for (const { tcId, private: secret, public: point, shared } of cases) {
      const ours = x25519(hex(secret), hex(point));
      expect(ours && toHex(ours), `test ${tcId}`).toBe(/^0+$/.test(shared) ? null : shared);
    }
  });

  it('agrees with Wycheproof on Ed25519 signatures', () => {
    const cases = groups<'msg' | 'sig'>('ed25519').flatMap((group) => group.tests.map((test) => ({ ...test, pk: group.publicKey.pk })));
    expect(counts(cases)).toEqual({ valid: 88, invalid: 63 });
    for (const { tcId, pk, msg, sig, result } of cases) {
      expect(ed25519Verify(hex(pk), hex(msg), hex(sig)), `test ${tcId}`).toBe(result === 'valid');
    }
  });

  it('agrees with Wycheproof on XChaCha20-Poly1305', () => {
    const all = groups<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag'>('xchacha20_poly1305');
    const cases = all.filter((group) => group.ivSize === 192).flatMap((group) => group.tests);
    expect(counts(cases)).toEqual({ valid: 246, invalid: 60 });
    const otherNonces = all.filter((group) => group.ivSize !== 192).flatMap((group) => group.tests);
    expect(otherNonces).toHaveLength(9);
    for (const { key, iv, aad, ct, tag } of otherNonces) expect(codeOf(() => open(hex(key), hex(iv), hex(ct + tag), hex(aad)))).toBe('internal');
    for (const { tcId, key, iv, aad, msg, ct, tag, result } of cases) {
      const opened = open(hex(key), hex(iv), hex(ct + tag), hex(aad));
      expect(opened && toHex(opened), `test ${tcId}`).toBe(result === 'valid' ? msg : null);
      if (result === 'valid') expect(toHex(seal(hex(key), hex(iv), hex(msg), hex(aad)))).toBe(ct + tag);
    }
  });

  it('agrees with the X-Wing draft', () => {
    const cases = vectors('xwing') as { seed: string; eseed: string; ss: string; pk: string; ct: string }[];
    expect(cases).toHaveLength(3);
    for (const { seed, eseed, ss, pk, ct } of cases) {
      expect(toHex(xwingPublicKey(hex(seed)))).toBe(pk);
      const kem = xwingEncapsulate(hex(pk), hex(eseed))!;
      expect([toHex(kem.ciphertext), toHex(kem.sharedSecret)]).toEqual([ct, ss]);
      expect(toHex(xwingDecapsulate(hex(ct), hex(seed))!)).toBe(ss);
    }
  });

  it('stands on an ML-KEM-768 that makes the keys of Wycheproof', () => {
    const cases = groups<'seed' | 'ek'>('mlkem_768_keygen_seed').flatMap((group) => group.tests);
    expect(cases).toHaveLength(100);
    for (const { seed, ek } of cases) expect(toHex(sodium.crypto_kem_mlkem768_seed_keypair(hex(seed)).publicKey)).toBe(ek);
  });

  it('stands on an ML-KEM-768 that encapsulates like Wycheproof', () => {
    const cases = groups<'ek' | 'm' | 'c' | 'K'>('mlkem_768_encaps').flatMap((group) => group.tests);
    expect(counts(cases)).toEqual({ valid: 133, invalid: 132 });
    for (const { tcId, ek, m, c, K, result } of cases) {
      const encapsulate = () => sodium.crypto_kem_mlkem768_enc_deterministic(hex(ek), hex(m));
      if (result === 'valid') expect([toHex(encapsulate().ciphertext), toHex(encapsulate().sharedSecret)]).toEqual([c, K]);
      else expect(encapsulate, `test ${tcId}`).toThrow();
    }
  });

  it('stands on an ML-KEM-768 that decapsulates like Wycheproof', () => {
    const cases = groups<'seed' | 'c' | 'K'>('mlkem_768').flatMap((group) => group.tests);
    expect(counts(cases)).toEqual({ valid: 153, invalid: 40 });
    for (const { tcId, seed, c, K, result } of cases) {
      const decapsulate = () => sodium.crypto_kem_mlkem768_dec(hex(c), sodium.crypto_kem_mlkem768_seed_keypair(hex(seed)).privateKey);
      if (result === 'valid') expect(toHex(decapsulate()), `test ${tcId}`).toBe(K);
      else expect(decapsulate, `test ${tcId}`).toThrow();
    }
  });
});

describe('primitives beside a second library', () => {
  it('encapsulates and decapsulates X-Wing byte for byte like @noble', () => {
    fc.assert(
      fc.property(exactly(32), exactly(64), (seed, random) => {
        const { publicKey, secretKey } = ml_kem768_x25519.keygen(seed);
        expect(toHex(xwingPublicKey(seed))).toBe(toHex(publicKey));
        const theirs = ml_kem768_x25519.encapsulate(publicKey, random);
        const ours = xwingEncapsulate(publicKey, random)!;
        expect(toHex(ours.ciphertext)).toBe(toHex(theirs.cipherText));
        expect(toHex(xwingDecapsulate(theirs.cipherText, seed)!)).toBe(toHex(ml_kem768_x25519.decapsulate(ours.ciphertext, secretKey)));
      }),
      { numRuns: 10 },
    );
  });

  it('hashes like @noble at any length and with any key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 16, maxLength: 64 }), fc.constantFrom(32, 64), (message, key, length) => {
        expect(toHex(blake2b(length, message, key))).toBe(toHex(nobleBlake2b(message, { dkLen: length, key })));
        expect(toHex(blake2b(length, message, null))).toBe(toHex(nobleBlake2b(message, { dkLen: length })));
      }),
      { numRuns: 50 },
    );
  });

  it('refuses X-Wing keys and ciphertexts whose X25519 part is of low order, and keys that are not canonical', () => {
    const seed = new Uint8Array(32).fill(7);
    const random = new Uint8Array(64).fill(9);
    const publicKey = xwingPublicKey(seed);
    const { ciphertext } = xwingEncapsulate(publicKey, random)!;
    expect(xwingEncapsulate(publicKey.slice().fill(0, 1184), random)).toBeNull();
    expect(xwingEncapsulate(publicKey.slice().fill(0xff, 0, 1152), random)).toBeNull();
    expect(xwingDecapsulate(ciphertext.slice().fill(0, 1088), seed)).toBeNull();
  });
});
