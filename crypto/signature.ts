// Ed25519 signatures (RFC 8032) whose every use has its own label, so that a signature made for one purpose proves nothing
// for another. It must never know what is signed.

import { concat, utf8 } from './bytes.js';
import { LABEL_PREFIX } from './hash.js';
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from './sodium.js';

/** The 32-byte public key of a 32-byte seed. */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  return ed25519PublicKey(seed);
}

/** The 64-byte signature of "sotto1/" | label | message by the key of a 32-byte seed. */
export function sign(seed: Uint8Array, label: string, message: Uint8Array): Uint8Array {
  return ed25519Sign(seed, labelled(label, message));
}

/** Whether this is the signature of this label and message by this key. False for anything of a wrong form, too. */
export function verify(publicKey: Uint8Array, label: string, message: Uint8Array, signature: Uint8Array): boolean {
  return ed25519Verify(publicKey, labelled(label, message), signature);
}

function labelled(label: string, message: Uint8Array): Uint8Array {
  return concat(utf8(LABEL_PREFIX + label), message);
}
