// Both implementations of PROTOCOL.md §2 to §5 behind one face, so that each end of a conversation, and each vector, can be
// either. What they share is bytes; neither knows the other.

import { firstDevices } from '../../crypto/devices.js';
import { initiate, respond } from '../../crypto/handshake.js';
import { createIdentity, identityId, packIdentity, unpackIdentity } from '../../crypto/identity.js';
import { createInvitation, openCard, packInvitation, parseLink, unpackInvitation } from '../../crypto/invitation.js';
import { safetyNumber } from '../../crypto/safety-number.js';
import { decrypt, encrypt, packSession, type Session, sessionId, unpackSession } from '../../crypto/session.js';
import * as oracleHandshake from '../oracle/handshake.js';
import * as oracleIdentity from '../oracle/identity.js';
import * as oracleInvitation from '../oracle/invitation.js';
import type { Draw } from '../oracle/notation.js';

/** One end of a session. What fails throws an error with a `code`, and has changed nothing. */
export interface End {
  readonly id: Uint8Array;
  readonly rs: Uint8Array;
  seal(body: Uint8Array, draw: Draw, now: number, flight?: Uint8Array): Uint8Array;
  open(message: Uint8Array, draw: Draw, now: number): Uint8Array;
}

type Person = oracleIdentity.Identity;
type Public = oracleIdentity.Public;
type Secret = oracleInvitation.Secret;
type Bundle = oracleInvitation.Bundle;

export interface Implementation {
  readonly name: string;
  identity(draw: Draw): Person;
  idOf(person: Public): Uint8Array;
  packIdentity(person: Person): Uint8Array;
  unpackIdentity(packed: Uint8Array): Person;
  safetyNumber(mine: Public, theirs: Public): string;
  invite(host: Person, terms: oracleInvitation.Terms, draw: Draw): { readonly link: string; readonly lookup: Uint8Array; readonly card: Uint8Array; readonly secret: Secret };
  packSecret(secret: Secret): Uint8Array;
  unpackSecret(packed: Uint8Array): Secret;
  openCard(link: string, card: Uint8Array, now: number): Bundle;
  initiate(me: Person, bundle: Bundle, draw: Draw): { readonly end: End; readonly flight: Uint8Array };
  respond(me: Person, secret: Secret, flight: Uint8Array): { readonly end: End; readonly peer: Public };
}

/** A session of ours, packed and unpacked between any two steps. */
class OurEnd implements End {
  #packed: Uint8Array;

  constructor(session: Session) {
    this.#packed = packSession(session);
  }

  get #session(): Session {
    return unpackSession(this.#packed);
  }

  get id(): Uint8Array {
    return sessionId(this.#session);
  }

  get rs(): Uint8Array {
    return this.#session.resumption;
  }

  seal(body: Uint8Array, draw: Draw, now: number, flight?: Uint8Array): Uint8Array {
    const { session, message } = encrypt(this.#session, body, draw, now, flight);
    this.#packed = packSession(session);
    return message;
  }

  open(message: Uint8Array, draw: Draw, now: number): Uint8Array {
    const { session, body } = decrypt(this.#session, message, draw, now);
    this.#packed = packSession(session);
    return body;
  }
}

export const ours: Implementation = {
  name: 'ours',
  identity: createIdentity,
  idOf: identityId,
  packIdentity,
  unpackIdentity,
  safetyNumber,
  invite: (identity, terms, draw) => createInvitation({ identity, devices: firstDevices(identity, 0), ...terms }, draw),
  packSecret: packInvitation,
  unpackSecret: unpackInvitation,
  openCard: (link, card, now) => openCard(parseLink(link), card, now),
  initiate(me, bundle, draw) {
    const { session, flight } = initiate(me, firstDevices(me, 0), bundle, draw);
    return { end: new OurEnd(session), flight };
  },
  respond(me, secret, flight) {
    const { session, peer } = respond(me, secret, flight);
    return { end: new OurEnd(session), peer };
  },
};

export const oracle: Implementation = {
  name: 'the second',
  ...oracleIdentity,
  ...oracleInvitation,
  openCard: (link, card, now) => oracleInvitation.openCard(oracleInvitation.parseLink(link), card, now),
  initiate(me, bundle, draw) {
    const { session, flight } = oracleHandshake.initiate(me, bundle, draw);
    return { end: session, flight };
  },
  respond(me, secret, flight) {
    const { session, peer } = oracleHandshake.respond(me, secret, flight);
    return { end: session, peer };
  },
};

export const BOTH = [ours, oracle] as const;
