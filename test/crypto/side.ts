// The two sides of a session under test: ours alone, and ours beside the second implementation.

import { expect } from 'vitest';
import { concat, equal, toHex, Writer } from '../../crypto/bytes.js';
import { respond } from '../../crypto/handshake.js';
import { createIdentity } from '../../crypto/identity.js';
import { openCard, parseLink } from '../../crypto/invitation.js';
import type { Random } from '../../crypto/random.js';
import { stepChain } from '../../crypto/ratchet/chain.js';
import type { Piece } from '../../crypto/ratchet/piece.js';
import { packPlaintext, PLAINTEXT_HEAD_BYTES } from '../../crypto/ratchet/plaintext.js';
import { seal } from '../../crypto/sodium.js';
import { decrypt, encrypt, packSession, type Session, unpackSession } from '../../crypto/session.js';
import * as oracle from './oracle.js';
import { bytes, codeOf, initiate, pair, seeded, string } from './support.js';

export const DAY_MS = 24 * 3600 * 1000;

/** One side, with what came of each message that it was given. */
export class Side {
  session: Session;
  random: Random;

  constructor(session: Session, seed: string, random = seeded(seed)) {
    this.session = session;
    this.random = random;
  }

  send(text: string, now = 0): Uint8Array {
    const { session, message } = encrypt(this.session, bytes(text), this.random, now);
    this.session = session;
    return message;
  }

  receive(message: Uint8Array, now = 0): string {
    const { session, body } = decrypt(this.session, message, this.random, now);
    this.session = session;
    return string(body);
  }

  /** The code of a refusal, after which nothing may be different. */
  refusal(message: Uint8Array, now = 0): string {
    const before = toHex(packSession(this.session));
    const code = codeOf(() => this.receive(message, now));
    expect(toHex(packSession(this.session))).toBe(before);
    return code;
  }
}

export function sides(seed: string): { a: Side; b: Side } {
  const { guest, inviter } = pair(seed);
  return { a: new Side(guest, `${seed}/a`), b: new Side(inviter, `${seed}/b`) };
}

/** A plaintext with any piece, `length` bytes long. */
export function plaintextOf(text: string, piece: Piece, length: number): Uint8Array {
  const [body, plaintext] = [bytes(text), new Uint8Array(length)];
  plaintext.set(piece.bytes, PLAINTEXT_HEAD_BYTES + body.length);
  packPlaintext(plaintext, body, piece);
  return plaintext;
}

/** A message such as only the owner of `from` could make: any header, any body. */
export function craft(from: Session, random: Random, overrides: { dh?: Uint8Array; previous?: number; n?: number; flags?: number; epoch?: number; plaintext?: Uint8Array }): Uint8Array {
  const { sending } = from;
  const { dh, previous, n, flags, epoch, plaintext } = {
    dh: sending.dh, previous: sending.previous, n: sending.next, flags: 0, epoch: from.braid.epoch, plaintext: new Uint8Array(4), ...overrides,
  };
  const nonce = random(24);
  let { chainKey, messageKey } = stepChain(sending.chainKey);
  for (let at = sending.next; at < Math.min(n, 20_000); at++) ({ chainKey, messageKey } = stepChain(chainKey));
  const header = new Writer(44).bytes(dh).number(previous, 4).number(n, 4).number(flags, 1).number(epoch, 3).finish();
  const sealed = oracle.sealed(sending.headerKey, nonce, header, from.transcript);
  return concat(nonce, sealed, seal(messageKey, nonce, plaintext, sealed));
}

/** One of our sessions and one of the oracle's, given the same bytes and the same chance: they must do the same. */
export class Both {
  readonly #side: Side;
  readonly #oracle: oracle.OracleSession;
  readonly #random: Random;
  /** Ordinal of the chain in which the next message goes out. */
  sendingChain: number;

  constructor(session: Session, other: oracle.OracleSession, seed: string, sendingChain: number) {
    this.#side = new Side(session, seed);
    this.#oracle = other;
    this.#random = seeded(seed);
    this.sendingChain = sendingChain;
  }

  get receivingChain(): number {
    return this.#oracle.ordinal;
  }

  get epoch(): number {
    return this.#oracle.epochs;
  }

  send(text: string, now = 0): Uint8Array {
    const message = this.#side.send(text, now);
    expect(equal(message, this.#oracle.encrypt(bytes(text), this.#random, undefined, now))).toBe(true);
    this.#compare();
    return message;
  }

  /** The text, or the code of the refusal. */
  receive(message: Uint8Array, now = 0): { readonly text: string } | { readonly code: string } {
    const before = this.receivingChain;
    const expected = this.#oracle.decrypt(message, this.#random, now);
    this.#side.session = unpackSession(packSession(this.#side.session));
    if (this.receivingChain > before) this.sendingChain += 1;
    if (typeof expected !== 'string') {
      const text = this.#side.receive(message, now);
      expect(text).toBe(string(expected));
      this.#compare();
      return { text };
    }
    const code = this.#side.refusal(message, now);
    expect(code).toBe(expected);
    return { code };
  }

  #compare(): void {
    const { root, braid } = this.#side.session;
    expect(equal(root, this.#oracle.rk)).toBe(true);
    expect([braid.epoch, braid.step.at]).toEqual([this.#oracle.epochs, this.#oracle.braid.step]);
  }
}

export function lockstep(): readonly [Both, Both] {
  const terms = { name: 'Bea', relay: 'https://relay.example', mailbox: new Uint8Array(16), token: new Uint8Array(16), expiresAt: 1 };
  const host = oracle.invitation(oracle.identity(seeded('host')), terms, seeded('terms'));
  const ours = initiate(createIdentity(seeded('guest')), openCard(parseLink(host.link), host.card, 0), seeded('i'));
  const theirs = oracle.initiate(oracle.identity(seeded('guest')), oracle.openInvitation(host.link, host.card), seeded('i'));
  const ourHost = respond(createIdentity(seeded('host')), host.secret, ours.flight, seeded('r'));
  const theirHost = oracle.respond(oracle.identity(seeded('host')), host.secret, theirs.flight, seeded('r'));
  return [new Both(ours.session, theirs.session, 'guest side', 0), new Both(ourHost.session, theirHost.session, 'host side', 0)];
}
