// The relay's brain: inputs in, outputs out, one synchronous call. It has no socket, clock, randomness or database, never
// throws on bytes from outside, and says Done only to what the store has called durable. It must never know where a
// connection comes from, and never what an envelope says.

import { concat } from '../../crypto/bytes.js';
import { SottoError, type ErrorCode } from '../../crypto/error.js';
import { hash } from '../../crypto/hash.js';
import { verify } from '../../crypto/signature.js';
import { encodeDone } from '../wire/delivery.js';
import { decodeClientFrame, encodeRelayFrame, readRequest, type ClientBody, type ClientMessage } from '../wire/frame.js';
import { COLLECT_LABEL, WIRE_VERSION } from '../wire/limits.js';
import type { Collect, Put, PutCard } from '../wire/relay_pb.js';
import { refusalOf, type Admission } from './admission.js';
import { Collections, type Collection, type Collector } from './collections.js';
import { LIMITS, type Limits } from './limits.js';
import type { Answer, Operation } from './operation.js';
import { Sources, type Source } from './source.js';

/** What a connection is for; a client uses one of each, so that its mailboxes and its friends' are not tied together. */
export type Role = 'collect' | 'deposit';

export type Input =
  /**
   * `connection` is any number not in use, but not 0; `challenge` has 32 random bytes. `source` is the same number for all connections
   * from one place, null for one that has no limits.
   */
  | { readonly kind: 'opened'; readonly connection: number; readonly role: Role; readonly challenge: Uint8Array; readonly source: number | null }
  | { readonly kind: 'frame'; readonly connection: number; readonly bytes: Uint8Array }
  /** The client takes hardly anything of what is sent. */
  | { readonly kind: 'stalled'; readonly connection: number }
  | { readonly kind: 'closed'; readonly connection: number }
  /** The store's answer. Those to one connection come in the order in which it was asked, all in that in which they were carried out. */
  | { readonly kind: 'answered'; readonly reference: number; readonly answer: Answer }
  /** The offer that `offer` asked for; null if there is no TURN server. */
  | { readonly kind: 'offered'; readonly connection: number; readonly request: number; readonly offer: TurnOffer | null }
  /** The time that `wake` asked for has come; also the first input of all. */
  | { readonly kind: 'wake' }
  /** The machine is short of disk or memory, or no longer so: meanwhile nothing is taken that would need more of it. */
  | { readonly kind: 'pressure'; readonly pressed: boolean }
  /** The relay shuts down. */
  | { readonly kind: 'closing' };

export type Output =
  | { readonly kind: 'send'; readonly connection: number; readonly frame: Uint8Array }
  /** Close after everything sent; inputs of this connection are passed over from now on. */
  | { readonly kind: 'close'; readonly connection: number }
  /** Stop (or start again) to read from this connection: it has asked for more than it waits to be answered. */
  | { readonly kind: 'hold'; readonly connection: number; readonly held: boolean }
  /** `connection` is whom the work is for, 0 for the relay itself. */
  | { readonly kind: 'store'; readonly reference: number; readonly connection: number; readonly operation: Operation }
  /** Make a new credential for TURN. */
  | { readonly kind: 'offer'; readonly connection: number; readonly request: number }
  /** Somebody is refused, and not by the store. For whoever counts. */
  | { readonly kind: 'refused'; readonly code: ErrorCode }
  /** Give the input `wake` at this time instead of any asked for before. */
  | { readonly kind: 'wake'; readonly at: number };

/** Where a client finds TURN, with a credential for it. */
export interface TurnOffer {
  readonly urls: readonly string[];
  readonly username: string;
  readonly password: string;
  readonly ttlSeconds: number;
}

/** Unanswered requests at which a connection is no longer read, so that one client cannot fill the memory. */
export const REQUESTS_MAX = 256;

/** Most envelopes and cards that one operation expires, so that others need not wait long. */
const EXPIRE_MAX = 500;

/** Stands where the number of a connection would. */
const OURSELVES = 0;

/** Least time between two looks at what is due. What has expired is not delivered anyway. */
const EXPIRE_PAUSE_MS = 1_000;

/** When to look again after the store could not. */
const EXPIRE_RETRY_MS = 60_000;

/** When a client should come back to a relay that has failed, to one that does not understand it, and to one that has enough of it. */
const RECONNECT_MS = 1_000;
const RECONNECT_LATE_MS = 60_000;

/** When clients should come back to a relay that shuts down: another may take its place at once, and greets so many in a second. */
const RESTART_MS = 250;
const RETURN_MS_PER_CONNECTION = 1;

/** Advice for refusals that time may heal, in seconds: when nothing more exact is known, and where the owner is just collecting. */
const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = { 'mailbox-full': 60, 'relay-busy': 60, 'relay-failed': 5 };
const RETRY_COLLECTED_SECONDS = 5;

/** Longest advice: whoever waits may also be let in sooner, by the owner's acknowledgement. */
const RETRY_MAX_SECONDS = 3_600;

/** How often mailboxes that stay collected are said to be so. */
const TOUCH_INTERVAL_MS = 24 * 3_600_000;

/** Where each request belongs. */
const ROLE_OF: Record<ClientBody['case'], Role | 'both'> = {
  collect: 'collect',
  acknowledge: 'collect',
  close: 'collect',
  putCard: 'collect',
  put: 'deposit',
  takeCard: 'deposit',
  ping: 'both',
  askTurn: 'both',
};

const ENVELOPE_ID_BYTES = 16;

/** A signature is checked in the time of some twenty other requests. */
const COLLECT_COST = 20;

interface Connection extends Collector {
  readonly role: Role;
  readonly challenge: Uint8Array;
  /** Null if it has no limits. */
  readonly source: Source | null;
  /** When its mailboxes were last said to be collected. */
  touchedAt: number;
  unanswered: number;
  held: boolean;
  /** The last offer and when it ends: a connection gets a new one only when half of its time is over, so that nobody collects them. */
  turn: { readonly offer: TurnOffer; readonly endsAt: number } | null;
}

export class Relay {
  readonly #stunPort: number;
  readonly #stunOtherPort: number;
  readonly #limits: Limits;
  readonly #admission: Admission;
  readonly #sources: Sources;
  readonly #connections = new Map<number, Connection>();
  readonly #asked = new Map<number, (answer: Answer, now: number) => void>();
  readonly #collections: Collections;
  #lastReference = 0;
  #wakeAt = Infinity;
  #pressed = false;
  #outputs: Output[] = [];

  /** @param stunPort what Welcome says: the UDP ports of the STUN server on the same host, 0 if there is none. */
  constructor(stunPort: number, stunOtherPort = 0, limits: Limits = LIMITS, admission: Admission = { kind: 'open' }) {
    this.#stunPort = stunPort;
    this.#stunOtherPort = stunOtherPort;
    this.#limits = limits;
    this.#admission = admission;
    this.#sources = new Sources(limits);
    this.#collections = new Collections({
      send: (connection, frame) => this.#outputs.push({ kind: 'send', connection, frame }),
      ask: (connection, operation, then) => this.#ask(connection, operation, then),
      fail: (connection) => this.#dismiss(this.#connections.get(connection)!, 'relay-failed', RECONNECT_MS),
      replaced: (connection) => this.#dismiss(this.#connections.get(connection)!, 'replaced', RECONNECT_LATE_MS),
    });
  }

  /** Takes one input at the time `now` (ms since 1970) and says what is to be done, in this order. */
  handle(input: Input, now: number): readonly Output[] {
    this.#outputs = [];
    switch (input.kind) {
      case 'opened': this.#opened(input, now); break;
      case 'frame': this.#frame(input.connection, input.bytes, now); break;
      case 'stalled': this.#stalled(input.connection); break;
      case 'closed': this.#forget(input.connection); break;
      case 'answered': this.#answered(input.reference, input.answer, now); break;
      case 'offered': this.#offered(input.connection, input.request, input.offer, now); break;
      case 'wake': this.#expire(); break;
      case 'pressure': this.#pressed = input.pressed; break;
      case 'closing': this.#closing();
    }
    return this.#outputs;
  }

  #opened({ connection: id, role, challenge, source: number }: Extract<Input, { kind: 'opened' }>, now: number): void {
    const source = number === null ? null : this.#sources.enter(number, now);
    const collecting = { mailboxes: new Map(), behind: new Set<Collection>(), listing: null, envelopes: 0, bytes: 0 };
    const connection: Connection = { id, role, challenge, source, touchedAt: now, unanswered: 0, held: false, turn: null, ...collecting };
    this.#connections.set(id, connection);
    if (number !== null && source === null) return this.#turnAway(connection, 'relay-busy');
    const workBits = this.#admission.kind === 'work' ? this.#admission.bits : 0;
    this.#reply(connection, 0, { case: 'welcome', value: { version: WIRE_VERSION, challenge, stunPort: this.#stunPort, stunOtherPort: this.#stunOtherPort, workBits } });
  }

  #frame(id: number, bytes: Uint8Array, now: number): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    try {
      this.#request(connection, decodeClientFrame(bytes), now);
    } catch (error) {
      if (!(error instanceof SottoError)) throw error;
      const request = readRequest(bytes);
      if (request === 0) this.#turnAway(connection, error.code);
      else this.#refuse(connection, request, error.code);
    }
  }

  #request(connection: Connection, { request, body }: ClientMessage, now: number): void {
    const role = ROLE_OF[body.case];
    if (role !== 'both' && role !== connection.role) return this.#refuse(connection, request, 'wrong-connection');
    const wait = connection.source?.requests.take(body.case === 'collect' ? COLLECT_COST : 1, now) ?? 0;
    if (wait > 0) return this.#refuse(connection, request, 'relay-busy', wait);
    switch (body.case) {
      case 'collect': return this.#collect(connection, request, body.value, now);
      case 'acknowledge': {
        const { mailbox } = body.value;
        if (!this.#collections.has(connection, mailbox)) return this.#refuse(connection, request, 'not-collecting');
        const sequences = body.value.sequences.map(Number);
        this.#perform(connection, request, { kind: 'acknowledge', mailbox, sequences });
        return this.#collections.acknowledged(connection, mailbox, sequences);
      }
      case 'close': {
        const { mailbox } = body.value;
        if (!this.#collections.has(connection, mailbox)) return this.#refuse(connection, request, 'not-collecting');
        return this.#perform(connection, request, { kind: 'close', mailbox }, () => this.#collections.stop(mailbox));
      }
      case 'put': return this.#put(connection, request, body.value, now);
      case 'putCard': return this.#putCard(connection, request, body.value, now);
      case 'takeCard': return this.#perform(connection, request, { kind: 'take-card', lookup: body.value.lookup, claim: body.value.claim });
      case 'ping':
        this.#touch(connection, now);
        return this.#send(connection, encodeDone(request));
      case 'askTurn': return this.#askTurn(connection, request, now);
    }
  }

  #collect(connection: Connection, request: number, { mailbox, owner, tokenHash, signature, admission }: Collect, now: number): void {
    const signed = concat(connection.challenge, mailbox, tokenHash);
    if (!verify(owner, COLLECT_LABEL, signed, signature)) return this.#refuse(connection, request, 'signature-wrong');
    const refusal = this.#pressed ? 'relay-busy' : refusalOf(this.#admission, admission, connection.challenge, mailbox);
    // Taken before it is known whether the mailbox is new, since many of them may be asked for at once.
    const wait = refusal === null ? connection.source?.mailboxes.take(1, now) ?? 0 : 0;
    const create = refusal === null && wait === 0;
    this.#work(connection, { kind: 'open', mailbox, owner, tokenHash, create }, (answer) => {
      if (create && !(answer.kind === 'opened' && answer.created)) connection.source?.mailboxes.giveBack(1);
      if (answer.kind === 'refused' && answer.code === 'mailbox-unknown') return this.#refuse(connection, request, refusal ?? 'relay-busy', wait);
      if (answer.kind !== 'opened') return this.#tellRefusal(connection, request, answer.kind === 'refused' ? answer.code : 'relay-failed');
      this.#reply(connection, request, { case: 'done', value: { waiting: answer.waiting } });
      if (this.#isOpen(connection)) this.#collections.start(connection, mailbox, answer.waiting > 0);
    });
  }

  /** Whoever stays connected for long does not collect again, but is heard of. */
  #touch(connection: Connection, now: number): void {
    if (now - connection.touchedAt < TOUCH_INTERVAL_MS) return;
    connection.touchedAt = now;
    for (const { mailbox } of connection.mailboxes.values()) this.#ask(connection.id, { kind: 'touch', mailbox }, () => {});
  }

  #put(connection: Connection, request: number, { mailbox, token, ttlSeconds, envelope }: Put, now: number): void {
    const wait = this.#roomFor(connection, envelope.length, now);
    if (wait > 0) return this.#refuse(connection, request, 'relay-busy', wait);
    const id = hash('envelope', envelope).subarray(0, ENVELOPE_ID_BYTES);
    const expiresAt = now + Math.min(ttlSeconds, this.#limits.envelopeSeconds) * 1_000;
    const operation: Operation = { kind: 'put', mailbox, tokenHash: hash('token', token), id, envelope, expiresAt };
    this.#perform(connection, request, operation, (answer, later) => {
      if (answer.kind !== 'stored') return;
      this.#wake(expiresAt, later);
      this.#collections.stored(mailbox, { sequence: answer.sequence, storedAt: now, envelope }, later);
    });
  }

  /** In how many ms there may be room for something new of this size; 0 if there is. */
  #roomFor({ source }: Connection, bytes: number, now: number): number {
    return this.#pressed ? RETRY_AFTER_SECONDS['relay-busy']! * 1_000 : source?.bytes.take(bytes, now) ?? 0;
  }

  #putCard(connection: Connection, request: number, { lookup, card, ttlSeconds, reusable }: PutCard, now: number): void {
    const wait = this.#roomFor(connection, card.length, now);
    if (wait > 0) return this.#refuse(connection, request, 'relay-busy', wait);
    const expiresAt = now + ttlSeconds * 1_000;
    this.#perform(connection, request, { kind: 'put-card', lookup, card, reusable, expiresAt }, (_, later) => this.#wake(expiresAt, later));
  }

  #askTurn(connection: Connection, request: number, now: number): void {
    const { turn } = connection;
    if (turn === null || turn.endsAt - now < turn.offer.ttlSeconds * 500) {
      this.#outputs.push({ kind: 'offer', connection: connection.id, request });
      return;
    }
    const ttlSeconds = Math.floor((turn.endsAt - now) / 1_000);
    this.#reply(connection, request, { case: 'turn', value: { ...turn.offer, urls: [...turn.offer.urls], ttlSeconds } });
  }

  #offered(id: number, request: number, offer: TurnOffer | null, now: number): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    if (offer === null) return this.#reply(connection, request, { case: 'turn', value: {} });
    connection.turn = { offer, endsAt: now + offer.ttlSeconds * 1_000 };
    this.#reply(connection, request, { case: 'turn', value: { ...offer, urls: [...offer.urls] } });
  }

  /** Has the store do what a client asked for and tells the client; `then` is for what follows once it is done. */
  #perform(connection: Connection, request: number, operation: Operation, then?: (answer: Answer, now: number) => void): void {
    this.#work(connection, operation, (answer, now) => {
      if (answer.kind === 'refused') return this.#tellRefusal(connection, request, answer.code, this.#adviceMs(operation, answer, now));
      if (answer.kind === 'card') this.#reply(connection, request, { case: 'card', value: { card: answer.card } });
      else this.#send(connection, encodeDone(request));
      then?.(answer, now);
    });
  }

  /** Asks the store on behalf of a request, which counts as unanswered until then. */
  #work(connection: Connection, operation: Operation, then: (answer: Answer, now: number) => void): void {
    connection.unanswered += 1;
    this.#hold(connection);
    this.#ask(connection.id, operation, (answer, now) => {
      connection.unanswered -= 1;
      this.#hold(connection);
      then(answer, now);
    });
  }

  /** When to try again, in ms: soon where the owner is just collecting, else when time makes room; 0 if that is not known. */
  #adviceMs(operation: Operation, { roomAt }: Extract<Answer, { kind: 'refused' }>, now: number): number {
    if (roomAt === undefined || operation.kind !== 'put') return 0;
    return this.#collections.isCollected(operation.mailbox) ? RETRY_COLLECTED_SECONDS * 1_000 : Math.max(1, roomAt - now);
  }

  #ask(connection: number, operation: Operation, then: (answer: Answer, now: number) => void): void {
    this.#lastReference += 1;
    this.#asked.set(this.#lastReference, then);
    this.#outputs.push({ kind: 'store', reference: this.#lastReference, connection, operation });
  }

  #answered(reference: number, answer: Answer, now: number): void {
    const then = this.#asked.get(reference);
    this.#asked.delete(reference);
    then?.(answer, now);
  }

  #expire(): void {
    this.#wakeAt = Infinity;
    this.#ask(OURSELVES, { kind: 'expire', limit: EXPIRE_MAX }, (answer, now) => {
      if (answer.kind !== 'expired') return this.#wake(now + EXPIRE_RETRY_MS, now);
      if (answer.nextAt === null) return;
      if (answer.nextAt <= now) this.#expire();
      else this.#wake(answer.nextAt, now);
    });
  }

  #wake(at: number, now: number): void {
    const earliest = Math.max(at, now + EXPIRE_PAUSE_MS);
    if (earliest >= this.#wakeAt) return;
    this.#wakeAt = earliest;
    this.#outputs.push({ kind: 'wake', at: earliest });
  }

  /** Stops reading at the limit and starts again at half of it, so that it does not stop at every request. */
  #hold(connection: Connection): void {
    const held = connection.unanswered >= (connection.held ? REQUESTS_MAX / 2 : REQUESTS_MAX);
    if (held === connection.held || !this.#isOpen(connection)) return;
    connection.held = held;
    this.#outputs.push({ kind: 'hold', connection: connection.id, held });
  }

  /** Refuses a request where the store did not. @param waitMs as below */
  #refuse(connection: Connection, request: number, code: ErrorCode, waitMs = 0): void {
    this.#tellRefusal(connection, request, code, waitMs);
    this.#outputs.push({ kind: 'refused', code });
  }

  /** @param waitMs advice that is better than the general one; 0 for none. */
  #tellRefusal(connection: Connection, request: number, code: ErrorCode, waitMs = 0): void {
    const retryAfterSeconds = waitMs === 0 ? RETRY_AFTER_SECONDS[code] ?? 0 : Math.min(RETRY_MAX_SECONDS, Math.ceil(waitMs / 1_000));
    this.#reply(connection, request, { case: 'refused', value: { code, retryAfterSeconds } });
  }

  #reply(connection: Connection, request: number, body: Parameters<typeof encodeRelayFrame>[1]): void {
    this.#send(connection, encodeRelayFrame(request, body));
  }

  #send(connection: Connection, frame: Uint8Array): void {
    if (this.#isOpen(connection)) this.#outputs.push({ kind: 'send', connection: connection.id, frame });
  }

  #stalled(id: number): void {
    const connection = this.#connections.get(id);
    if (connection !== undefined) this.#dismiss(connection, 'too-slow', RECONNECT_MS);
  }

  #closing(): void {
    const reconnectWithinMs = this.#connections.size * RETURN_MS_PER_CONNECTION;
    for (const connection of this.#connections.values()) this.#dismiss(connection, 'relay-closing', RESTART_MS, reconnectWithinMs);
  }

  /** Refuses a whole connection. */
  #turnAway(connection: Connection, code: ErrorCode): void {
    this.#outputs.push({ kind: 'refused', code });
    this.#dismiss(connection, code, RECONNECT_LATE_MS);
  }

  #dismiss(connection: Connection, code: ErrorCode, reconnectAfterMs: number, reconnectWithinMs = 0): void {
    this.#reply(connection, 0, { case: 'goodbye', value: { code, reconnectAfterMs, reconnectWithinMs } });
    this.#outputs.push({ kind: 'close', connection: connection.id });
    this.#forget(connection.id);
  }

  #forget(id: number): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    this.#connections.delete(id);
    if (connection.source !== null) connection.source.connections -= 1;
    this.#collections.leave(connection);
  }

  #isOpen(connection: Connection): boolean {
    return this.#connections.get(connection.id) === connection;
  }
}
