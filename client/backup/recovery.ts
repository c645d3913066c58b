// A recovery key is 32 random bytes that a person writes down as 24 words of the English list of BIP 39, the last of which checks the
// others. It never stores one.

import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { SottoError } from '../../crypto/error.js';

export const RECOVERY_KEY_BYTES = 32;
export const RECOVERY_KEY_WORDS = 24;

/** The 24 words of a recovery key. */
export function toWords(key: Uint8Array): string {
  return entropyToMnemonic(key, wordlist);
}

/** The key of 24 words, however they are spaced and capitalised. Throws `recovery-key-invalid`. */
export function fromWords(words: string): Uint8Array {
  let key: Uint8Array;
  try {
    key = mnemonicToEntropy(words.trim().toLowerCase().split(/\s+/).join(' '), wordlist);
  } catch (cause) {
    throw new SottoError('recovery-key-invalid', undefined, cause);
  }
  if (key.length !== RECOVERY_KEY_BYTES) throw new SottoError('recovery-key-invalid');
  return key;
}
