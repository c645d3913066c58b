// What the frozen vectors say, made by the second implementation (test/oracle) alone, from seeded chance. README.md tells a reader
// of the JSON files what each field means.

import { archiveVectors } from './archives.js';
import { addressVectors, cardVectors, linkVectors } from './cards.js';
import { handshakeVectors, resetVectors } from './flights.js';
import { deviceVectors, packedVectors, safetyNumbers } from './identities.js';
import { limitVectors } from './limits.js';
import { relayVectors } from './mailboxes.js';
import { envelopeVectors, epochVectors, ratchetVectors } from './sessions.js';
import { directVectors, textVectors } from './texts.js';

/** Every file by its name. */
export function vectorFiles() {
  return {
    'address': addressVectors(),
    'archive': archiveVectors(),
    'card': cardVectors(),
    'devices': deviceVectors(),
    'direct': directVectors(),
    'envelope': envelopeVectors(),
    'epoch': epochVectors(),
    'handshake': handshakeVectors(),
    'limits': limitVectors(),
    'link': linkVectors(),
    'packed': packedVectors(),
    'ratchet': ratchetVectors(),
    'relay': relayVectors(),
    'reset': resetVectors(),
    'safety-number': safetyNumbers(),
    'text': textVectors(),
  };
}

export type VectorFiles = ReturnType<typeof vectorFiles>;
