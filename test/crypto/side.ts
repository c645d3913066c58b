// The two sides of a session under test, and messages such as only a contact can make.

import { expect } from 'vitest';
import { concat, toHex, Writer } from '../../crypto/bytes.js';
import type { Random } from '../../crypto/random.js';
import { stepChain } from '../../crypto/ratchet/chain.js';
import { openBody, splitMessage } from '../../crypto/ratchet/message.js';
import type { Piece } from '../../crypto/ratchet/piece.js';
import { packPlaintext, PLAINTEXT_HEAD_BYTES, unpackPlaintext } from '../../crypto/ratchet/plaintext.js';
import { begin, decrypt, encrypt, packSession, type Session } from '../../crypto/session.js';
import { seal } from '../oracle/notation.js';
import { bytes, codeOf, pair, seeded, string } from './support.js';

export const DAY_MS = 24 * 3600 * 1000;

/** One side, with what came of each message that it was given. */
export class Side {
  session: Session;
  random: Random;

  constructor(session: Session, seed: string, random = seeded(seed)) {
    this.session = session;
    this.random = random;
  }

  /** Begins its newest chain, as it does before it sends. */
  begin(): void {
    this.session = begin(this.session, this.random);
  }

  send(text: string, now = 0, flight?: Uint8Array): Uint8Array {
    const { session, message } = encrypt(this.session, bytes(text), this.random, now, flight);
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

/** A body after which the smallest envelope has room for a whole key. */
const ROOMY = 'x'.repeat(2_000);

/** Two sides in the first epoch: the inviter has the whole key, and no message of its newest chain has gone. */
export function begun(seed: string): { a: Side; b: Side } {
  const { a, b } = sides(seed);
  a.receive(b.send('answer'));
  b.receive(a.send(ROOMY));
  return { a, b };
}

/** One message each way, so that both begin a chain. */
export function turn(a: Side, b: Side, text = 'text', now = 0): Uint8Array[] {
  const ping = a.send(text, now);
  b.receive(ping, now);
  const pong = b.send(text, now);
  a.receive(pong, now);
  return [ping, pong];
}

/** The piece that a message carries which is the next of `from`, the session before it. */
export function pieceOf(from: Session, message: Uint8Array): Piece {
  const { messageKey } = stepChain(from.sending.begun!.chainKey);
  return unpackPlaintext(openBody(messageKey, splitMessage(message))!)!.piece;
}

/** A plaintext with any piece, `length` bytes long. */
export function plaintextOf(text: string, piece: Piece, length: number): Uint8Array {
  const [body, plaintext] = [bytes(text), new Uint8Array(length)];
  plaintext.set(piece.bytes, PLAINTEXT_HEAD_BYTES + body.length);
  packPlaintext(plaintext, body, piece);
  return plaintext;
}

/** A message such as only the owner of `from` could make, whose chain has begun: any header, any body. */
export function craft(from: Session, random: Random, overrides: { dh?: Uint8Array; previous?: number; n?: number; flags?: number; epoch?: number; plaintext?: Uint8Array }): Uint8Array {
  const { headerKey, previous: before, begun: chain } = from.sending;
  const { dh: own, next, chainKey: first } = chain!;
  const { dh, previous, n, flags, epoch, plaintext } = {
    dh: own, previous: before, n: next, flags: 0, epoch: from.braid.epoch, plaintext: new Uint8Array(4), ...overrides,
  };
  const nonce = random(24);
  let { chainKey, messageKey } = stepChain(first);
  for (let at = next; at < Math.min(n, 20_000); at++) ({ chainKey, messageKey } = stepChain(chainKey));
  const header = new Writer(44).bytes(dh).number(previous, 4).number(n, 4).number(flags, 1).number(epoch, 3).finish();
  const sealed = seal(headerKey, nonce, header, from.transcript);
  return concat(nonce, sealed, seal(messageKey, nonce, plaintext, sealed));
}
