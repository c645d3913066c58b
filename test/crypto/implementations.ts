// Both implementations of PROTOCOL.md §2 to §5 behind one face, so that each end of a conversation, and each vector, can be
// either. What they share is bytes; neither knows the other.

import { createAddress, createWeekCard, parseAnyLink } from '../../crypto/address.js';
import { toHex } from '../../crypto/bytes.js';
import { checkDevices, devicesHash, firstDevices } from '../../crypto/devices.js';
import { SottoError } from '../../crypto/error.js';
import { initiate, respond } from '../../crypto/handshake.js';
import { createIdentity, identityId, packIdentity, unpackIdentity } from '../../crypto/identity.js';
import { createInvitation, type InvitationTerms, openCard, packInvitation, unpackInvitation } from '../../crypto/invitation.js';
import { createReset, openReset, openResumption, RESET_REASONS, sealResumption } from '../../crypto/reset.js';
import { safetyNumber } from '../../crypto/safety-number.js';
import { decrypt, encrypt, isBehind, packSession, type Position, receivedPosition, type Session, sessionId, unpackSession } from '../../crypto/session.js';
import * as oracleHandshake from '../oracle/handshake.js';
import * as oracleIdentity from '../oracle/identity.js';
import * as oracleInvitation from '../oracle/invitation.js';
import type { Draw } from '../oracle/notation.js';
import * as oracleReset from '../oracle/reset.js';

/** One end of a session. What fails throws an error with a `code`, and has changed nothing. */
export interface End {
  readonly id: Uint8Array;
  readonly rs: Uint8Array;
  readonly standing: Standing;
  seal(body: Uint8Array, draw: Draw, now: number, flight?: Uint8Array): Uint8Array;
  open(message: Uint8Array, draw: Draw, now: number): Uint8Array;
}

type Person = oracleIdentity.Identity;
type Public = oracleIdentity.Public;
type Secret = oracleInvitation.Secret;
type Bundle = oracleInvitation.Bundle;
type Terms = oracleInvitation.Terms;
type Standing = oracleReset.Standing;
type Made = { readonly lookup: Uint8Array; readonly card: Uint8Array; readonly secret: Secret };

export interface Implementation {
  readonly name: string;
  identity(draw: Draw): Person;
  idOf(person: Public): Uint8Array;
  packIdentity(person: Person): Uint8Array;
  unpackIdentity(packed: Uint8Array): Person;
  safetyNumber(mine: Public, theirs: Public): string;
  devicesHash(list: Uint8Array): Uint8Array;
  followDevices(list: Uint8Array, owner: Public, known: Uint8Array | null): void;
  invite(host: Person, terms: Terms, draw: Draw): Made & { readonly link: string };
  makeAddress(owner: Public, relay: string, draw: Draw): { readonly link: string; readonly linkKey: Uint8Array };
  makeWeek(owner: Person, terms: Terms, linkKey: Uint8Array, week: number, draw: Draw): Made;
  packSecret(secret: Secret): Uint8Array;
  unpackSecret(packed: Uint8Array): Secret;
  /** A link of either kind, and where the card is that it leads to at a time. */
  readLink(text: string, now: number): { readonly kind: string; readonly relay: string; readonly linkKey: Uint8Array; readonly idHash: Uint8Array } & oracleInvitation.CardPlace;
  openCard(link: string, card: Uint8Array, now: number): Bundle;
  makeReset(host: Person, terms: Terms, rs: Uint8Array, said: { reason: number; madeAt: number; first: number }, draw: Draw): { readonly envelope: Uint8Array; readonly secret: Secret };
  makeStanding(rs: Uint8Array, maker: Public, asks: number, standing: Standing, draw: Draw): Uint8Array;
  openSaid(rs: Uint8Array, maker: Public, envelope: Uint8Array): oracleReset.Said;
  openReset(rs: Uint8Array, bundle: Uint8Array, now: number): Bundle;
  isOldCopy(sent: Standing, received: Standing): boolean;
  /** @param addedAt of the guest's one device; 0 where nothing is said. */
  initiate(me: Person, bundle: Bundle, draw: Draw, addedAt?: number): { readonly end: End; readonly flight: Uint8Array };
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

  get standing(): Standing {
    return standingOf(receivedPosition(this.#session));
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

/** What stands for a session that is over (§4.1). */
const OVER = 0xffff_ffff;
const NO_KEY = new Uint8Array(32);

const standingOf = (position: Position | null): Standing =>
  position === null ? { chain: OVER, next: 0, key: NO_KEY } : { ...position, key: position.key ?? NO_KEY };

const positionOf = ({ chain, next, key }: Standing): Position => ({ chain, next, key: toHex(key) === toHex(NO_KEY) ? null : key });

const ourTerms = (identity: Person, { addedAt = 0, ...terms }: Terms): InvitationTerms => ({ identity, devices: firstDevices(identity, addedAt), ...terms });

export const ours: Implementation = {
  name: 'ours',
  identity: createIdentity,
  idOf: identityId,
  packIdentity,
  unpackIdentity,
  safetyNumber,
  devicesHash,
  followDevices: checkDevices,
  invite: (identity, terms, draw) => createInvitation(ourTerms(identity, terms), draw),
  makeAddress: (owner, relay, draw) => createAddress(relay, owner, draw),
  makeWeek: (owner, terms, linkKey, week, draw) => createWeekCard(ourTerms(owner, terms), linkKey, week, draw),
  packSecret: packInvitation,
  unpackSecret: unpackInvitation,
  readLink(text, now) {
    const { reusable, ...link } = parseAnyLink(text, now);
    return { kind: reusable ? 'address' : 'invitation', ...link };
  },
  openCard: (link, card, now) => openCard(parseAnyLink(link, now), card, now),
  makeReset: (host, terms, resumption, { reason, ...said }, draw) => createReset(ourTerms(host, terms), { reason: RESET_REASONS[reason]!, ...said, resumption }, draw),
  makeStanding: (rs, maker, asks, { chain, ...rest }, draw) =>
    sealResumption(rs, identityId(maker), { type: 'standing', asks: asks === 1, received: chain === OVER ? null : positionOf({ chain, ...rest }) }, draw),
  openSaid(rs, maker, envelope) {
    const opened = openResumption([rs], identityId(maker), envelope);
    if (opened === null) throw new SottoError('undecryptable');
    const { said } = opened;
    if (said.type === 'standing') return { kind: 1, asks: said.asks ? 1 : 0, ...standingOf(said.received) };
    const { reason, madeAt, first, bundle } = said;
    return { kind: 0, reason: RESET_REASONS.indexOf(reason), madeAt, first, bundle };
  },
  openReset: (rs, bundle, now) => openReset({ type: 'reset', reason: 'restored', madeAt: 0, first: 0, bundle }, rs, now),
  isOldCopy: (sent, received) => received.chain === OVER || isBehind(positionOf(sent), positionOf(received)),
  initiate(me, bundle, draw, addedAt = 0) {
    const { session, flight } = initiate(me, firstDevices(me, addedAt), bundle, draw);
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
  ...oracleReset,
  readLink(text, now) {
    const link = oracleInvitation.parseLink(text, now);
    return { kind: link.week === null ? 'invitation' : 'address', ...link, ...oracleInvitation.placeOf(link) };
  },
  openCard: (link, card, now) => oracleInvitation.openCard(oracleInvitation.parseLink(link, now), card, now),
  initiate(me, bundle, draw, addedAt) {
    const { session, flight } = oracleHandshake.initiate(me, bundle, draw, addedAt);
    return { end: session, flight };
  },
  respond(me, secret, flight) {
    const { session, peer } = oracleHandshake.respond(me, secret, flight);
    return { end: session, peer };
  },
};

export const BOTH = [ours, oracle] as const;
