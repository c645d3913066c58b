// The network of the virtual world: a clock that jumps from event to event, and a relay with mailboxes and cards. Everything random
// comes from one seed, so that every run can be had again. It knows of a client only how to deliver to it.

import type { Input } from '../../client/core/input.js';
import type { SottoError } from '../../crypto/error.js';
import { seeded } from './chance.js';

interface Envelope {
  readonly sequence: number;
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly expiresAt: number;
}

/** Whoever collects a mailbox. */
interface Collector {
  /** Counts process lives. */
  readonly life: number;
  isOnline(role: string): boolean;
  input(input: Input): void;
}

/** What can go wrong, as probabilities per event, and how long things take. */
export interface Weather {
  readonly delayMs: number;
  readonly crash: number;
  readonly cut: number;
  /** Chance that a direct call opens. */
  readonly direct: number;
}

export const FAIR: Weather = { delayMs: 10, crash: 0, cut: 0, direct: 1 };

/** What lives no longer has a tenth more of a mailbox; and the advice to whoever finds a mailbox full that is being collected. */
const PASSING_SECONDS = 300;
const COLLECTED_ADVICE_MS = 5_000;

export class Network {
  now = 1_800_000_000_000;
  weather: Weather;
  /** Envelopes that a mailbox holds, and the advice that comes with the refusal of more while its owner is away. */
  mailboxMax = Infinity;
  adviceMs = 0;
  /** Whether direct channels stay open and lose all that goes in. */
  swallowing = false;
  readonly chance: () => number;
  /** Mailboxes by id: who collects, and what waits. */
  readonly mailboxes = new Map<string, { token: string; owner: Collector; envelopes: Map<number, Envelope> }>();
  readonly cards = new Map<string, Uint8Array>();
  readonly cardsExpireAt = new Map<string, number>();
  /** Every byte string that a relay or network saw. */
  readonly seen: Uint8Array[] = [];
  #queue: { at: number; order: number; act: () => void }[] = [];
  #order = 0;
  #sequence = 0;

  constructor(seed: number, weather: Weather = FAIR) {
    this.chance = seeded(seed);
    this.weather = weather;
  }

  random = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(this.chance() * 256));

  later(delayMs: number, act: () => void): void {
    this.#order += 1;
    this.#queue.push({ at: this.now + delayMs, order: this.#order, act });
  }

  delay(): number {
    return Math.round(this.chance() * this.weather.delayMs);
  }

  /** Runs events until nothing is left before the given time. */
  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      this.#queue.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#queue[0];
      if (next === undefined || next.at > end) break;
      this.#queue.shift();
      this.now = Math.max(this.now, next.at);
      next.act();
    }
    this.now = end;
  }

  put(mailbox: string, token: Uint8Array, bytes: Uint8Array, ttlSeconds: number): SottoError['code'] | null {
    this.seen.push(bytes);
    const box = this.mailboxes.get(mailbox);
    if (box === undefined) return 'mailbox-unknown';
    if (box.token !== token.join()) return 'token-wrong';
    if (box.envelopes.size >= this.mailboxMax * (ttlSeconds <= PASSING_SECONDS ? 1.1 : 1)) return 'mailbox-full';
    this.#sequence += 1;
    const envelope = { sequence: this.#sequence, bytes, at: this.now, expiresAt: this.now + ttlSeconds * 1000 };
    box.envelopes.set(envelope.sequence, envelope);
    this.deliver(mailbox, envelope);
    return null;
  }

  /** When somebody who was refused for lack of room is to try again. */
  advice(mailbox: string): number {
    return this.mailboxes.get(mailbox)!.owner.isOnline('collect') ? COLLECTED_ADVICE_MS : this.adviceMs;
  }

  deliver(mailbox: string, envelope: Envelope): void {
    const { owner } = this.mailboxes.get(mailbox)!;
    const { life } = owner;
    this.later(this.weather.delayMs, () => {
      if (envelope.expiresAt <= this.now || !this.mailboxes.get(mailbox)?.envelopes.has(envelope.sequence)) return;
      if (life === owner.life && owner.isOnline('collect')) owner.input({ type: 'delivery', mailbox, sequence: envelope.sequence, envelope: envelope.bytes, ageMs: this.now - envelope.at });
    });
  }
}
