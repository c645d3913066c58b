import { argon2id } from '@noble/hashes/argon2.js';
import { expect, it } from 'vitest';
import { openKey, sealKey, stretch } from '../../crypto/passphrase.js';
import { ready } from '../../crypto/sodium.js';
import { codeOf, seeded } from './support.js';

const salt = new Uint8Array(16).fill(3);
const cheap = { passes: 2, memoryBytes: 64 * 1024 };

await ready();

it('stretches a passphrase by Argon2id as another library does', async () => {
  expect(await stretch('correct horse', salt, cheap)).toEqual(argon2id('correct horse', salt, { t: 2, m: 64, p: 1, dkLen: 32 }));
});

it('gives the same key for the same letters, composed or not', async () => {
  expect(await stretch('Gr\u00fc\u00dfe', salt, cheap)).toEqual(await stretch('Gru\u0308\u00dfe', salt, cheap));
});

it('opens a sealed key with the right passphrase only', async () => {
  const key = new Uint8Array(32).fill(9);
  const sealed = sealKey(key, await stretch('right', salt, cheap), seeded('seal'));
  expect(sealed).toHaveLength(72);
  expect(openKey(sealed, await stretch('right', salt, cheap))).toEqual(key);
  const wrong = await stretch('wrong', salt, cheap);
  expect(codeOf(() => openKey(sealed, wrong))).toBe('passphrase-wrong');
  expect(codeOf(() => openKey(sealed.subarray(1), wrong))).toBe('malformed');
});
