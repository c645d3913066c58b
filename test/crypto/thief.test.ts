// What a thief of one state learns, and until when: the claim of PROTOCOL.md §5.8 about the post-quantum ratchet, acted out.

import { describe, expect, it } from 'vitest';
import { equal } from '../../crypto/bytes.js';
import type { Random } from '../../crypto/random.js';
import { decrypt, encrypt, packSession, type Session, unpackSession } from '../../crypto/session.js';
import { ready } from '../../crypto/sodium.js';
import { type Side, sides, turn } from './side.js';
import { bytes, seeded } from './support.js';

await ready();

/**
 * Somebody who has had the state of `victim` once, and breaks every X25519 key: follows along with the victim's ratchet keys, but
 * has to guess what X-Wing drew, unless that was broken, too.
 */
class Shadow {
  readonly #victim: Side;
  readonly #others = seeded('shadow');
  readonly #breaksXwing: boolean;
  readonly leakedAt: number;
  session: Session;
  #drawn: Uint8Array[] = [];

  constructor(victim: Side, breaksXwing = false) {
    this.#victim = victim;
    this.#breaksXwing = breaksXwing;
    this.session = unpackSession(packSession(victim.session));
    this.leakedAt = victim.session.braid.epoch;
  }

  /** The victim sends; the shadow keeps in step. */
  send(text: string): Uint8Array {
    const { hasBegun } = this.#victim.session;
    const message = this.#watch(() => this.#victim.send(text));
    // Of what has 32 bytes, the first is the ratchet key where a chain begins, and the other an X-Wing seed.
    this.session = encrypt(this.session, bytes(text), this.#replay(hasBegun ? [24] : [24, 32]), 0).session;
    return message;
  }

  /** The victim receives; whether the shadow can read it. */
  reads(message: Uint8Array): boolean {
    this.#watch(() => this.#victim.receive(message));
    try {
      this.session = decrypt(this.session, message, this.#replay([]), 0).session;
      return true;
    } catch {
      return false;
    }
  }

  #watch<T>(act: () => T): T {
    const { random } = this.#victim;
    this.#drawn = [];
    this.#victim.random = (length) => {
      const drawn = random(length);
      this.#drawn.push(drawn);
      return drawn.slice();
    };
    const result = act();
    this.#victim.random = random;
    return result;
  }

  #replay(known: readonly number[]): Random {
    const drawn = [...this.#drawn];
    const left = [...known];
    const knows = (length: number): boolean => left.includes(length) && left.splice(left.indexOf(length), 1).length > 0;
    return (length) => {
      const index = drawn.findIndex((each) => each.length === length);
      const [same] = index === -1 ? [] : drawn.splice(index, 1);
      return same !== undefined && (this.#breaksXwing || knows(length)) ? same.slice() : this.#others(length);
    };
  }
}

describe('somebody who had the state of one side once and has every X25519 secret', () => {
  /** For each message to the victim: how many epochs the root had grown by since the leak, and whether the shadow read it. */
  function follow(victim: Side, other: Side, shadow: Shadow): { grown: number; read: boolean; sameRoot: boolean }[] {
    return Array.from({ length: 60 }, (_, index) => {
      other.receive(shadow.send(`to ${index}`));
      const read = shadow.reads(other.send(`from ${index}`));
      const grown = other.session.braid.epoch - shadow.leakedAt;
      return { grown, read, sameRoot: equal(shadow.session.root, victim.session.root) };
    });
  }

  it.each(['guest', 'inviter'] as const)('reads on at most until the first epoch that began after that is over (%s)', (role) => {
    for (let before = 0; before < 18; before += 3) {
      const { a, b } = sides(`${role} ${before}`);
      for (let turns = 0; turns < before; turns++) turn(a, b);
      const [victim, other] = role === 'guest' ? [a, b] : [b, a];
      const seen = follow(victim, other, new Shadow(victim));
      expect(seen.filter(({ grown }) => grown <= 0).every(({ read }) => read)).toBe(true);
      expect(seen.filter(({ grown }) => grown >= 2).length).toBeGreaterThan(20);
      expect(seen.filter(({ grown }) => grown >= 2).some(({ read, sameRoot }) => read || sameRoot)).toBe(false);
    }
  });

  it.each(['guest', 'inviter'] as const)('reads everything if X-Wing is broken, too: it is X-Wing that keeps them out (%s)', (role) => {
    const { a, b } = sides('broken');
    turn(a, b);
    const [victim, other] = role === 'guest' ? [a, b] : [b, a];
    const seen = follow(victim, other, new Shadow(victim, true));
    expect(seen.every(({ read, sameRoot }) => read && sameRoot)).toBe(true);
    expect(seen.at(-1)!.grown).toBeGreaterThan(4);
  });
});
