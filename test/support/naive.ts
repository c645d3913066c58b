// The mistakes of known cases, each in as few lines as it takes: what the attacks of the catalogue succeed against. Nothing here is
// a model for anything.

import { deflateRawSync } from 'node:zlib';
import { concat, equal, utf8, Writer } from '../../crypto/bytes.js';
import { derive } from '../../crypto/hash.js';
import type { Random } from '../../crypto/random.js';
import { open, seal, x25519 } from '../../crypto/sodium.js';

const NO_AD = new Uint8Array(0);
const ZERO_NONCE = new Uint8Array(24);

/** A message of a chain whose number anybody can read and write. */
export interface NaiveMessage {
  readonly n: number;
  readonly box: Uint8Array;
}

/** A chain that moves on before it knows whether a message is genuine. */
export class HastyChain {
  #chain: Uint8Array;
  /** Every key passed over, without a limit. */
  readonly skipped = new Map<number, Uint8Array>();
  next = 0;

  constructor(chain: Uint8Array) {
    this.#chain = chain;
  }

  seal(text: string): NaiveMessage {
    return { n: this.next, box: seal(this.#step(), ZERO_NONCE, utf8(text), NO_AD) };
  }

  open({ n, box }: NaiveMessage): Uint8Array | null {
    while (this.next < n) this.skipped.set(this.next, this.#step());
    const key = this.skipped.get(n) ?? this.#step();
    this.skipped.delete(n);
    return open(key, ZERO_NONCE, box, NO_AD);
  }

  #step(): Uint8Array {
    const { left, right } = derive(this.#chain, 'ck');
    this.#chain = left;
    this.next += 1;
    return right;
  }
}

/** Sessions by contact, of which one is thrown away where something does not open. */
export class TouchySessions {
  readonly sessions = new Map<string, HastyChain>();

  open(contact: string, message: NaiveMessage): Uint8Array | null {
    const opened = this.sessions.get(contact)?.open(message) ?? null;
    if (opened === null) this.sessions.delete(contact);
    return opened;
  }
}

/** A key that two exchanges make, and nothing of who they are or what was said. */
export function keyWithoutTranscript(...secrets: readonly Uint8Array[]): Uint8Array {
  return derive(concat(...secrets).slice(0, 64), 'key').left;
}

/** X25519 that takes whatever comes out. */
export function dhOfAnything(secret: Uint8Array, point: Uint8Array): Uint8Array {
  return x25519(secret, point) ?? new Uint8Array(32);
}

/** Lets a message out before the chain is saved, under a nonce that is always the same. */
export function sealUnsaved(chain: Uint8Array, text: string): Uint8Array {
  return seal(derive(chain, 'ck').right, ZERO_NONCE, utf8(text), NO_AD);
}

/** Takes a number that was used before once more, so as not to lose anything of a contact who comes from a backup. */
export class ForgivingChain {
  readonly #chain: Uint8Array;

  constructor(chain: Uint8Array) {
    this.#chain = chain;
  }

  open({ n, box }: NaiveMessage): Uint8Array | null {
    let { left, right } = derive(this.#chain, 'ck');
    for (let at = 0; at < n; at++) ({ left, right } = derive(left, 'ck'));
    return open(right, ZERO_NONCE, box, NO_AD);
  }
}

/** Packs what a stranger chose and what is secret together before it seals them. */
export function sealPacked(key: Uint8Array, random: Random, secret: string, foreign: string): Uint8Array {
  return seal(key, random(24), new Uint8Array(deflateRawSync(utf8(`${secret}\n${foreign}`))), NO_AD);
}

/** A server's pool of one-time keys for whoever asks, with one key for all when they are gone. */
export class PublicPool {
  readonly #keys: Uint8Array[];
  readonly #last: Uint8Array;

  constructor(keys: readonly Uint8Array[], last: Uint8Array) {
    this.#keys = [...keys];
    this.#last = last;
  }

  take(): Uint8Array {
    return this.#keys.shift() ?? this.#last;
  }
}

/** A contact's mailbox where whoever knows its key can begin anew: nothing of the session that was there is asked for. */
export class ResettableMailbox {
  key: Uint8Array;

  constructor(key: Uint8Array) {
    this.key = key;
  }

  /** A reset sealed to the key of the mailbox, which the relay and everybody who ever wrote here know. */
  reset(mailboxKey: Uint8Array, box: Uint8Array): void {
    this.key = open(mailboxKey, ZERO_NONCE, box, NO_AD) ?? this.key;
  }
}

/** A reset such as the mailbox takes. */
export function resetTo(mailboxKey: Uint8Array, key: Uint8Array): Uint8Array {
  return seal(mailboxKey, ZERO_NONCE, key, NO_AD);
}

/** Answers everything that comes, so that nobody has to wait for a receipt. */
export function answerAnything(envelope: Uint8Array): Uint8Array {
  return new Writer(5).number(1, 1).number(envelope.length, 4).finish();
}

/** Believes the fingerprint that came by the way that the relay carries in the clear. */
export function believesSignaling(signaled: Uint8Array, seen: Uint8Array): boolean {
  return equal(signaled, seen);
}
