// One WebSocket to a relay, from dialling to its end: Welcome, requests and their answers, heartbeat. It never comes back;
// relay-link.ts dials again. What comes from the relay is believed in nothing but its form: whatever breaks the contract of
// relay/wire ends the connection. Knows nothing of mailboxes or keys.

import { SottoError, type ErrorCode } from '../../crypto/error.js';
import { decodeRelayFrame, encodeClientFrame, type RelayBody, type RelayMessage } from '../../relay/wire/frame.js';
import { FRAME_MAX_BYTES, WIRE_VERSION } from '../../relay/wire/limits.js';
import type { Delivery, Goodbye, Refused, Welcome } from '../../relay/wire/relay_pb.js';
import { Refusal } from './link.js';

/** From dialling to the first answered ping. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that is quiet for this long is asked whether it lives: well under the 60 s after which proxies cut. */
const PING_AFTER_MS = 25_000;
/** While an answer is due something must come from the relay within this time. */
const SILENCE_MAX_MS = 10_000;
/** A request that waits this long, whatever else comes, will never be answered. */
const ANSWER_MAX_MS = 60_000;
/** Requests that the relay has and has not answered. */
const IN_FLIGHT_MAX = 64;
/** Requests that wait for their turn here; a caller that has more does not wait for answers at all. */
const WAITING_MAX = 4_096;
/** Longest wait that a relay's Goodbye can ask for, and the longest time over which it can spread its clients. */
const RETRY_AFTER_MAX_MS = 60_000;

/** What a relay may refuse with; any other code from it would be taken for somebody else's. */
const REFUSALS = new Set<string>([
  'mailbox-unknown', 'mailbox-full', 'mailbox-taken', 'token-wrong', 'signature-wrong', 'not-collecting', 'envelope-too-large',
  'card-unknown', 'card-taken', 'frame-malformed', 'wrong-connection', 'admission-required', 'work-required',
  'relay-busy', 'relay-failed',
] satisfies ErrorCode[]);

/** The part of the browser's WebSocket that is used; the `ws` package has it too. */
export interface Socket {
  binaryType: string;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close' | 'error', listener: (event: { readonly message?: string }) => void): void;
}

export interface LinkPlatform {
  readonly WebSocket: new (url: string) => Socket;
  /** A clock in ms that never goes back. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** What an operator gave to the person, for relays that make mailboxes only for whoever shows it. */
  readonly admission?: Uint8Array;
}

export interface ConnectionOptions {
  readonly platform: LinkPlatform;
  readonly url: string;
  /** Welcome has come and a ping was answered; called again with each later answer. */
  readonly onBeat: (rttMs: number) => void;
  /** Null where the relay has nothing to deliver. */
  readonly onDelivery: ((delivery: Delivery) => void) | null;
  /** The connection has ended by itself; not called after end(). */
  readonly onEnd: (reason: string, retryAfterMs: number) => void;
}

/** A request as encodeClientFrame takes it. */
export type Request = Parameters<typeof encodeClientFrame>[1];
/** An answer that is not a refusal. */
export type Answer = Extract<RelayBody, { case: 'done' | 'card' | 'turn' }>;

interface Pending {
  readonly number: number;
  readonly frame: Uint8Array;
  readonly expected: Answer['case'];
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: SottoError) => void;
  sentAt: number;
}

export class RelayConnection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  /** In the order of sending. */
  readonly #inFlight = new Map<number, Pending>();
  readonly #waiting: Pending[] = [];
  #welcome: Welcome | null = null;
  #ended = false;
  #number = 0;
  #sentAt = 0;
  #heardAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Dials. Throws what the platform's WebSocket throws for a URL that it does not take. */
  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#socket = new options.platform.WebSocket(options.url);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.addEventListener('message', ({ data }) => this.#receive(data));
    this.#socket.addEventListener('error', ({ message }) => this.#fail(message || 'cannot be reached'));
    this.#socket.addEventListener('close', () => this.#fail('closed by the relay'));
    this.#timer = setTimeout(() => this.#fail('does not answer'), CONNECT_TIMEOUT_MS);
  }

  /** What the relay said at the beginning; null before that. */
  get welcome(): Welcome | null {
    return this.#welcome;
  }

  /** Asks and waits for the answer. Rejects with the relay's refusal, or `relay-unreachable` when the connection ends first. */
  ask(request: Request): Promise<Answer> {
    if (this.#ended) return Promise.reject(new SottoError('relay-unreachable'));
    if (this.#waiting.length === WAITING_MAX) return Promise.reject(new SottoError('relay-busy'));
    return new Promise((resolve, reject) => {
      this.#waiting.push(this.#prepare(request, resolve, reject));
      this.#sendWaiting();
    });
  }

  /** Ends the connection from our side. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket.close();
    for (const { reject } of [...this.#inFlight.values(), ...this.#waiting]) reject(new SottoError('relay-unreachable'));
  }

  #fail(reason: string, retryAfterMs = 0): void {
    if (this.#ended) return;
    this.end();
    this.#options.onEnd(reason, retryAfterMs);
  }

  #sendWaiting(): void {
    while (this.#inFlight.size < IN_FLIGHT_MAX) {
      const pending = this.#waiting.shift();
      if (pending === undefined) return;
      this.#send(pending);
    }
  }

  #prepare(request: Request, resolve: Pending['resolve'], reject: Pending['reject']): Pending {
    this.#number = (this.#number % 0xffff_ffff) + 1;
    return { number: this.#number, frame: encodeClientFrame(this.#number, request), expected: answerTo(request), resolve, reject, sentAt: 0 };
  }

  #send(pending: Pending): void {
    this.#inFlight.set(pending.number, pending);
    this.#sentAt = pending.sentAt = this.#options.platform.now();
    this.#socket.send(pending.frame as Uint8Array<ArrayBuffer>);
    if (this.#inFlight.size === 1) this.#watch();
  }

  /** A ping passes the queue, for it tells how far away the relay is and not how busy we are. */
  #ping(): void {
    const { platform, onBeat } = this.#options;
    const since = platform.now();
    this.#send(this.#prepare({ case: 'ping', value: {} }, () => onBeat(platform.now() - since), () => this.#fail('broke the protocol')));
  }

  #receive(data: unknown): void {
    if (this.#ended) return;
    this.#heardAt = this.#options.platform.now();
    const message = decode(data);
    if (message === null || !this.#accept(message)) this.#fail('broke the protocol');
  }

  /** False if the relay may not say this now. */
  #accept({ request, body }: RelayMessage): boolean {
    switch (body.case) {
      case 'welcome':
        return this.#greet(body.value);
      case 'delivery':
        this.#options.onDelivery?.(body.value);
        return this.#options.onDelivery !== null;
      case 'goodbye':
        this.#fail(body.value.code, this.#waitOf(body.value));
        return true;
      case 'done':
      case 'card':
      case 'turn':
      case 'refused':
        return this.#settle(request, body);
    }
  }

  /** A relay that restarts has all its clients coming back, each at its own moment. */
  #waitOf({ reconnectAfterMs, reconnectWithinMs }: Goodbye): number {
    const spreadMs = this.#options.platform.random() * Math.min(reconnectWithinMs, RETRY_AFTER_MAX_MS);
    return Math.min(reconnectAfterMs, RETRY_AFTER_MAX_MS) + spreadMs;
  }

  #greet(welcome: Welcome): boolean {
    if (this.#welcome !== null || welcome.version !== WIRE_VERSION) return false;
    this.#welcome = welcome;
    this.#ping();
    return true;
  }

  #settle(request: number, body: Answer | Extract<RelayBody, { case: 'refused' }>): boolean {
    const pending = this.#inFlight.get(request);
    if (pending === undefined || (body.case !== 'refused' && body.case !== pending.expected)) return false;
    this.#inFlight.delete(request);
    if (body.case === 'refused') pending.reject(refusal(body.value));
    else pending.resolve(body);
    this.#sendWaiting();
    return true;
  }

  /** One timer for what is due next: an answer, or our ping. It is not moved by traffic, but asks again when it fires. */
  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const late = this.#options.platform.now() >= this.#dueAt();
      if (late && this.#inFlight.size > 0) return this.#fail('does not answer');
      if (late) this.#ping();
      else this.#watch();
    }, this.#dueAt() - this.#options.platform.now());
  }

  #dueAt(): number {
    const [oldest] = this.#inFlight.values();
    if (oldest === undefined) return this.#sentAt + PING_AFTER_MS;
    return Math.min(Math.max(this.#heardAt, oldest.sentAt) + SILENCE_MAX_MS, oldest.sentAt + ANSWER_MAX_MS);
  }
}

function refusal({ code, retryAfterSeconds }: Refused): Refusal {
  return new Refusal(REFUSALS.has(code) ? (code as ErrorCode) : 'relay-failed', retryAfterSeconds * 1_000);
}

function answerTo({ case: kind }: Request): Answer['case'] {
  if (kind === 'takeCard') return 'card';
  return kind === 'askTurn' ? 'turn' : 'done';
}

function decode(data: unknown): RelayMessage | null {
  if (!(data instanceof ArrayBuffer) || data.byteLength > FRAME_MAX_BYTES) return null;
  try {
    return decodeRelayFrame(new Uint8Array(data));
  } catch {
    return null;
  }
}
