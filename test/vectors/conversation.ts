// A conversation of two ends of the second implementation, written down step by step as the vectors have it, and how such steps are
// taken by any implementation.

import { initiate, respond } from '../oracle/handshake.js';
import { type Identity, packIdentity } from '../oracle/identity.js';
import { invite, openCard, packSecret, parseLink } from '../oracle/invitation.js';
import { Refusal } from '../oracle/notation.js';
import type { Forgery, Session } from '../oracle/session.js';
import { type Draw, noting, numbered, seeded } from './chance.js';

export type Who = 'guest' | 'inviter';

/**
 * Which message: the step that sealed it, the step of a run and the place in it, or the message itself in hexadecimal where nobody
 * has sealed it.
 */
export type Message = number | string | readonly [step: number, at: number];

/** What stands for many messages: each says `body`, and what is drawn is numbered(`chance`). */
export interface Many {
  readonly times: number;
  readonly body: string;
  readonly now: number;
  readonly chance: string;
}

export type Step = { readonly who: Who } & (
  | { readonly does: 'seals'; readonly body: string; readonly now: number; readonly withFlight: boolean; readonly draws: readonly string[]; readonly message: string }
  | { readonly does: 'opens'; readonly message: Message; readonly now: number; readonly draws: readonly string[]; readonly body: string; readonly why?: string }
  | { readonly does: 'refuses'; readonly message: Message; readonly now: number; readonly code: string; readonly why: string }
  | ({ readonly does: 'runs' | 'turns'; readonly last: string } & Many)
  | { readonly does: 'cannot'; readonly body: string; readonly now: number; readonly code: string }
  | { readonly does: 'stands'; readonly chain: number; readonly next: number; readonly key: string }
);

export interface Conversation {
  readonly name: string;
  readonly guest: string;
  readonly inviter: string;
  readonly link: string;
  readonly card: string;
  readonly invitation: string;
  readonly initiate: { readonly addedAt: number; readonly draws: readonly string[]; readonly flight: string };
  readonly session: string;
  readonly resumption: string;
  readonly steps: readonly Step[];
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
export const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'));

/** What the inviter of every conversation puts into the card. */
export const TERMS = { name: 'Bea', relay: 'https://relay.example', mailbox: new Uint8Array(16).fill(1), token: new Uint8Array(16).fill(2), expiresAt: 1_900_000_000_000, addedAt: 0 };

/** Since when the guest has its one device. */
export const GUEST_ADDED_AT = 1_700_000_000_000;

/** The envelope that the inviter gets has so much before the message, while the guest puts a flight before it. */
const FLIGHT_BYTES = 1264;

/** One end of a session, of any implementation. */
interface End {
  seal(body: Uint8Array, draw: Draw, now: number): Uint8Array;
  open(message: Uint8Array, draw: Draw, now: number): Uint8Array;
}

/** The messages that an end seals one after the other. */
export function run(end: End, { times, body, now, chance }: Many): Uint8Array[] {
  const draw = numbered(chance);
  return Array.from({ length: times }, () => end.seal(unhex(body), draw, now));
}

/** In each turn the guest says something, and then the inviter; everything is opened. @returns the last message. */
export function takeTurns({ guest, inviter }: Readonly<Record<Who, End>>, { times, body, now, chance }: Many): Uint8Array {
  const draw = numbered(chance);
  let last: Uint8Array = new Uint8Array(0);
  for (let turn = 0; turn < times; turn++) {
    for (const [from, to] of [[guest, inviter], [inviter, guest]] as const) {
      last = from.seal(unhex(body), draw, now);
      to.open(last, draw, now);
    }
  }
  return last;
}

export class Writer {
  readonly ends: Readonly<Record<Who, Session>>;
  readonly steps: Step[] = [];
  readonly runs = new Map<number, readonly Uint8Array[]>();
  now = 1_800_000_000_000;
  readonly #name: string;
  readonly #chance;
  readonly #head: Omit<Conversation, 'steps'>;
  readonly #flight: Uint8Array;

  constructor(name: string, guest: Identity, inviter: Identity) {
    this.#name = name;
    this.#chance = seeded(name);
    const { link, card, secret } = invite(inviter, TERMS, this.#chance);
    const draws: string[] = [];
    const begun = initiate(guest, openCard(parseLink(link), card, this.now), noting(this.#chance, draws), GUEST_ADDED_AT);
    const { session } = respond(inviter, secret, begun.flight);
    this.ends = { guest: begun.session, inviter: session };
    this.#flight = begun.flight;
    this.#head = {
      name, guest: hex(packIdentity(guest)), inviter: hex(packIdentity(inviter)), link, card: hex(card), invitation: hex(packSecret(secret)),
      initiate: { addedAt: GUEST_ADDED_AT, draws, flight: hex(begun.flight) }, session: hex(session.id), resumption: hex(session.rs),
    };
  }

  /** Seals a text; gives the number of the step. */
  seals(who: Who, text: string, withFlight = false): number {
    const draws: string[] = [];
    const message = this.ends[who].seal(utf8(text), noting(this.#chance, draws), this.now, withFlight ? this.#flight : undefined);
    return this.#add({ who, does: 'seals', body: hex(utf8(text)), now: this.now, withFlight, draws, message: hex(message) });
  }

  /** A message that its end could have made, and that goes in the place of the one that it makes then. Its chain has begun. */
  forges(who: Who, wrong: Forgery): Uint8Array {
    const forged = this.ends[who].forge(seeded(`${this.#name} ${this.steps.length}`), wrong);
    this.seals(who, 'another goes in its place');
    return forged;
  }

  opens(who: Who, message: Message | Uint8Array, why?: string): void {
    const draws: string[] = [];
    const body = this.ends[who].open(this.#bytes(message), noting(this.#chance, draws), this.now);
    this.#add({ who, does: 'opens', message: asMessage(message), now: this.now, draws, body: hex(body), ...(why === undefined ? {} : { why }) });
  }

  /** Throws unless the message is refused with this code. */
  refuses(who: Who, message: Message | Uint8Array, code: string, why: string): void {
    this.#refused(code, why, () => this.ends[who].open(this.#bytes(message), seeded('refused'), this.now));
    this.#add({ who, does: 'refuses', message: asMessage(message), now: this.now, code, why });
  }

  /** Throws unless this end refuses to seal. */
  cannot(who: Who, text: string, code: string): void {
    this.#refused(code, 'it may not be sealed', () => this.ends[who].seal(utf8(text), seeded('refused'), this.now));
    this.#add({ who, does: 'cannot', body: hex(utf8(text)), now: this.now, code });
  }

  /** Seals the same text so many times; gives the number of the step. */
  runsOn(who: Who, times: number, text = ''): number {
    const many = this.#many(times, text);
    const messages = run(this.ends[who], many);
    this.runs.set(this.steps.length, messages);
    return this.#add({ who, does: 'runs', ...many, last: hex(messages.at(-1)!) });
  }

  /** So many turns, of which nothing but the last message is written down. */
  turns(times: number, text: string): void {
    const many = this.#many(times, text);
    this.#add({ who: 'guest', does: 'turns', ...many, last: hex(takeTurns(this.ends, many)) });
  }

  /** A message by each, which the other opens. */
  turn(text = 'text'): void {
    this.opens('inviter', this.seals('guest', text));
    this.opens('guest', this.seals('inviter', text));
  }

  /** How far both ends have come in receiving. */
  stand(): void {
    for (const who of ['guest', 'inviter'] as const) {
      const { chain, next, key } = this.ends[who].standing;
      this.#add({ who, does: 'stands', chain, next, key: hex(key) });
    }
  }

  /** The ratchet message that a step sealed, with one byte changed. */
  altered(step: number, at: number): Uint8Array {
    const message = this.#bytes(step);
    return message.with(at < 0 ? message.length + at : at, message.at(at)! ^ 1);
  }

  /** What a step drew. */
  drawsOf(step: number): readonly Uint8Array[] {
    const taken = this.steps[step];
    return taken !== undefined && 'draws' in taken ? taken.draws.map(unhex) : [];
  }

  finish(): Conversation {
    return { ...this.#head, steps: this.steps };
  }

  #many(times: number, text: string): Many {
    return { times, body: hex(utf8(text)), now: this.now, chance: `${this.#name}, step ${this.steps.length}` };
  }

  #refused(code: string, why: string, action: () => unknown): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== code) throw error;
      return;
    }
    throw new Error(`${this.#name}: nothing was refused where ${why}`);
  }

  #add(step: Step): number {
    this.steps.push(step);
    return this.steps.length - 1;
  }

  #bytes(message: Message | Uint8Array): Uint8Array {
    return message instanceof Uint8Array ? message : messageOf(this.steps, this.runs, message);
  }
}

const asMessage = (message: Message | Uint8Array): Message => (message instanceof Uint8Array ? hex(message) : message);

/** The ratchet message that a step is about, without the flight before it. */
export function messageOf(steps: readonly Step[], runs: ReadonlyMap<number, readonly Uint8Array[]>, message: Message): Uint8Array {
  if (typeof message === 'string') return unhex(message);
  if (typeof message !== 'number') return runs.get(message[0])![message[1]]!;
  const step = steps[message];
  if (step?.does !== 'seals') throw new Error(`Step ${message} seals nothing.`);
  return unhex(step.message).slice(step.withFlight ? FLIGHT_BYTES : 0);
}
