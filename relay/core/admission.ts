// Who may make a new mailbox: everybody, whoever has the operator's token, or whoever does a little work for it. A mailbox that
// is there needs none of this. What is shown for admission says nothing about whose mailbox it is.

import { equal } from '../../crypto/bytes.js';
import type { ErrorCode } from '../../crypto/error.js';
import { hash } from '../../crypto/hash.js';
import { workOf } from '../wire/work.js';

export type Admission =
  | { readonly kind: 'open' }
  /** `tokenHash` is admissionHash() of the operator's token. */
  | { readonly kind: 'token'; readonly tokenHash: Uint8Array }
  /** Leading zero bits of the proof; each more doubles the work. */
  | { readonly kind: 'work'; readonly bits: number };

/** Of a token, so that comparing takes as long for one that is nearly right. */
export function admissionHash(token: Uint8Array): Uint8Array {
  return hash('admission', token);
}

/** Why a mailbox may not be made with what was shown; null if it may. */
export function refusalOf(admission: Admission, shown: Uint8Array, challenge: Uint8Array, mailbox: Uint8Array): ErrorCode | null {
  switch (admission.kind) {
    case 'open': return null;
    case 'token': return equal(admissionHash(shown), admission.tokenHash) ? null : 'admission-required';
    case 'work': return workOf(challenge, mailbox, shown) >= admission.bits ? null : 'work-required';
  }
}
