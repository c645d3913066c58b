// A conversation of two ends of the second implementation, written down step by step as the vectors have it.

import { initiate, respond } from '../oracle/handshake.js';
import { type Identity, packIdentity } from '../oracle/identity.js';
import { invite, openCard, packSecret, parseLink } from '../oracle/invitation.js';
import { Refusal } from '../oracle/notation.js';
import type { Session } from '../oracle/session.js';
import { noting, seeded } from './chance.js';

export type Who = 'guest' | 'inviter';

/** One step. A message is given by the number of the step that sealed it, or in hexadecimal where it is another one. */
export type Step =
  | { readonly who: Who; readonly does: 'seals'; readonly body: string; readonly now: number; readonly withFlight: boolean; readonly draws: readonly string[]; readonly message: string }
  | { readonly who: Who; readonly does: 'opens'; readonly message: number | string; readonly now: number; readonly draws: readonly string[]; readonly body: string }
  | { readonly who: Who; readonly does: 'refuses'; readonly message: number | string; readonly now: number; readonly code: string; readonly why: string };

export interface Conversation {
  readonly name: string;
  readonly guest: string;
  readonly inviter: string;
  readonly link: string;
  readonly card: string;
  readonly invitation: string;
  readonly initiate: { readonly draws: readonly string[]; readonly flight: string };
  readonly session: string;
  readonly resumption: string;
  readonly steps: readonly Step[];
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
export const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'));

/** What the inviter of every conversation puts into the card. */
export const TERMS = { name: 'Bea', relay: 'https://relay.example', mailbox: new Uint8Array(16).fill(1), token: new Uint8Array(16).fill(2), expiresAt: 1_900_000_000_000 };

/** The envelope that the inviter gets has so much before the message, while the guest puts a flight before it. */
const FLIGHT_BYTES = 1264;

export class Writer {
  readonly ends: Readonly<Record<Who, Session>>;
  readonly steps: Step[] = [];
  now = 1_800_000_000_000;
  readonly #name: string;
  readonly #chance;
  readonly #head: Omit<Conversation, 'steps'>;
  readonly #flight: Uint8Array;

  constructor(name: string, guest: Identity, inviter: Identity) {
    this.#name = name;
    this.#chance = seeded(name);
    const { link, card, secret } = invite(inviter, TERMS, this.#chance);
    const initiated: string[] = [];
    const begun = initiate(guest, openCard(parseLink(link), card, this.now), noting(this.#chance, initiated));
    const { session } = respond(inviter, secret, begun.flight);
    this.ends = { guest: begun.session, inviter: session };
    this.#flight = begun.flight;
    this.#head = {
      name, guest: hex(packIdentity(guest)), inviter: hex(packIdentity(inviter)), link, card: hex(card), invitation: hex(packSecret(secret)),
      initiate: { draws: initiated, flight: hex(begun.flight) }, session: hex(session.id), resumption: hex(session.rs),
    };
  }

  /** Seals a text; gives the number of the step. */
  seals(who: Who, text: string, withFlight = false): number {
    const draws: string[] = [];
    const message = this.ends[who].seal(utf8(text), noting(this.#chance, draws), this.now, withFlight ? this.#flight : undefined);
    return this.#add({ who, does: 'seals', body: hex(utf8(text)), now: this.now, withFlight, draws, message: hex(message) });
  }

  opens(who: Who, message: number | Uint8Array): void {
    const draws: string[] = [];
    const body = this.ends[who].open(this.#bytes(message), noting(this.#chance, draws), this.now);
    this.#add({ who, does: 'opens', message: typeof message === 'number' ? message : hex(message), now: this.now, draws, body: hex(body) });
  }

  /** Throws unless the message is refused with this code. */
  refuses(who: Who, message: number | Uint8Array, code: string, why: string): void {
    try {
      this.ends[who].open(this.#bytes(message), seeded('refused'), this.now);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== code) throw error;
      this.#add({ who, does: 'refuses', message: typeof message === 'number' ? message : hex(message), now: this.now, code, why });
      return;
    }
    throw new Error(`${this.#name}: nothing was refused where ${why}`);
  }

  /** A message by each, which the other opens. */
  turn(text = 'text'): void {
    this.opens('inviter', this.seals('guest', text));
    this.opens('guest', this.seals('inviter', text));
  }

  /** The ratchet message that a step sealed, with one byte changed. */
  altered(step: number, at: number): Uint8Array {
    const message = this.#bytes(step);
    return message.with(at < 0 ? message.length + at : at, message.at(at)! ^ 1);
  }

  finish(): Conversation {
    return { ...this.#head, steps: this.steps };
  }

  #add(step: Step): number {
    this.steps.push(step);
    return this.steps.length - 1;
  }

  #bytes(message: number | Uint8Array): Uint8Array {
    return typeof message === 'number' ? messageOf(this.steps, message) : message;
  }
}

/** The ratchet message that a step is about, without the flight before it. */
export function messageOf(steps: readonly Step[], message: number | string): Uint8Array {
  if (typeof message === 'string') return unhex(message);
  const step = steps[message];
  if (step?.does !== 'seals') throw new Error(`Step ${message} seals nothing.`);
  return unhex(step.message).slice(step.withFlight ? FLIGHT_BYTES : 0);
}
