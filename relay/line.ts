// A connection to a relay from outside, as thin as can be: frames out, answers in. It is for those who look at a relay or try
// it; it never comes back by itself, and knows nothing of keys or of what envelopes say.

import { WebSocket } from 'ws';
import { decodeRelayFrame, encodeClientFrame, type RelayBody, type RelayMessage } from './wire/frame.js';
import type { Delivery, Welcome } from './wire/relay_pb.js';

/** How long any answer may take that is asked for from outside. */
export const ANSWER_MAX_MS = 5_000;

type Request = Parameters<typeof encodeClientFrame>[1];

export class Line {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (body: RelayBody) => void>();
  readonly #greeting: Promise<Welcome>;
  readonly #onDelivery: (delivery: Delivery) => void;
  /** Resolves with the reason when the connection is over, whoever ended it. */
  readonly ended: Promise<Error>;
  #last = 0;
  #greeted: (welcome: Welcome) => void = () => {};
  #end: (reason: Error) => void = () => {};

  constructor(relay: URL, path: string, onDelivery: (delivery: Delivery) => void = () => {}) {
    this.#onDelivery = onDelivery;
    this.ended = new Promise((resolve) => { this.#end = resolve; });
    this.#greeting = new Promise((resolve) => { this.#greeted = resolve; });
    this.#socket = new WebSocket(new URL(path, relay.href.replace(/^http/, 'ws')), { perMessageDeflate: false, handshakeTimeout: ANSWER_MAX_MS });
    this.#socket.on('message', (data: Buffer) => this.#hear(data));
    this.#socket.on('error', (error) => this.#end(error));
    this.#socket.on('close', () => this.#end(new Error('The relay closed the connection')));
  }

  /** What the relay says first. Rejects if it does not, as does every answer. */
  welcome(): Promise<Welcome> {
    return this.within(this.#greeting);
  }

  ask(body: Request): Promise<RelayBody> {
    this.#last += 1;
    const request = this.#last;
    // What cannot be sent any more has ended by itself.
    this.#socket.send(encodeClientFrame(request, body), () => {});
    return this.within(new Promise((resolve) => this.#answers.set(request, resolve)));
  }

  /** The code of a refusal, or the kind of any other answer. */
  async try(body: Request): Promise<string> {
    const answer = await this.ask(body);
    return answer.case === 'refused' ? answer.value.code : answer.case;
  }

  /** What comes in time and before the end; rejects otherwise. */
  async within<T>(answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Error>((resolve) => {
      timer = setTimeout(resolve, ANSWER_MAX_MS, new Error('The relay does not answer on the WebSocket'));
    });
    try {
      const first = await Promise.race([answer, this.ended, late]);
      if (first instanceof Error) throw first;
      return first;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#socket.terminate();
  }

  #hear(data: Buffer): void {
    const frame = decode(data);
    if (frame === null) return this.#end(new Error('What answers on the WebSocket is no relay of Sotto'));
    const { request, body } = frame;
    if (body.case === 'welcome') return this.#greeted(body.value);
    if (body.case === 'delivery') return this.#onDelivery(body.value);
    if (body.case === 'goodbye') return this.#end(new Error(`The relay says goodbye (${body.value.code})`));
    this.#answers.get(request)?.(body);
    this.#answers.delete(request);
  }
}

function decode(data: Buffer): RelayMessage | null {
  try {
    return decodeRelayFrame(data);
  } catch {
    return null;
  }
}
