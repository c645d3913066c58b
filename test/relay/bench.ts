// The relay's brain with its outputs sorted, a store that is a list of questions, and a clock that is an argument.

import { expect } from 'vitest';
import type { Answer, Operation } from '../../relay/core/operation.js';
import { Relay, type Output, type Role } from '../../relay/core/relay.js';
import { decodeRelayFrame, encodeClientFrame } from '../../relay/wire/frame.js';
import type { Goodbye } from '../../relay/wire/relay_pb.js';
import { collect, type Body, type Mailbox } from './support.js';

export const NOW = 1_800_000_000_000;
export const CHALLENGE = new Uint8Array(32).fill(7);

/** A brain with its outputs sorted: what each client was sent, what the store was asked and has not answered. */
export class Bench {
  readonly relay: Relay;
  readonly asked: Extract<Output, { kind: 'store' }>[] = [];
  readonly outputs: Output[] = [];
  readonly #sent = new Map<number, string[]>();
  #request = 0;
  readonly goodbyes: Goodbye[] = [];

  constructor(relay = new Relay(3478)) {
    this.relay = relay;
  }

  input(input: Parameters<Relay['handle']>[0], now = NOW): void {
    for (const output of this.relay.handle(input, now)) {
      this.outputs.push(output);
      if (output.kind === 'store') this.asked.push(output);
      if (output.kind === 'send') {
        const { body } = decodeRelayFrame(output.frame);
        if (body.case === 'goodbye') this.goodbyes.push(body.value);
        const line = describeFrame(output.frame);
        this.#sent.set(output.connection, [...(this.#sent.get(output.connection) ?? []), line]);
      }
    }
  }

  connect(connection: number, role: Role, source: number | null = null): this {
    this.input({ kind: 'opened', connection, role, challenge: CHALLENGE, source });
    this.sent(connection);
    return this;
  }

  ask(connection: number, body: Body, now = NOW): number {
    this.#request += 1;
    this.input({ kind: 'frame', connection, bytes: encodeClientFrame(this.#request, body) }, now);
    return this.#request;
  }

  /** Answers the oldest open question, which must be of this kind. */
  answer(kind: Operation['kind'], answer: Answer, now = NOW): Operation {
    const oldest = this.asked.shift();
    expect(oldest?.operation.kind).toBe(kind);
    this.input({ kind: 'answered', reference: oldest!.reference, answer }, now);
    return oldest!.operation;
  }

  /** What the client was sent since the last look, one line per frame. */
  sent(connection: number): string[] {
    const lines = this.#sent.get(connection) ?? [];
    this.#sent.delete(connection);
    return lines;
  }

  /** A connection that collects this mailbox, all answered. */
  collecting(connection: number, mailbox: Mailbox, waiting = 0): this {
    this.connect(connection, 'collect').collectingAgain(connection, mailbox, waiting);
    this.sent(connection);
    return this;
  }

  /** The same on a connection that is there. */
  collectingAgain(connection: number, mailbox: Mailbox, waiting = 0): this {
    this.ask(connection, collect(mailbox, CHALLENGE));
    this.answer('open', { kind: 'opened', created: false, waiting });
    return this;
  }
}

function describeFrame(frame: Uint8Array): string {
  const { request, body } = decodeRelayFrame(frame);
  switch (body.case) {
    case 'refused': return `${request} refused ${body.value.code} after ${body.value.retryAfterSeconds}`;
    case 'goodbye': return `${request} goodbye ${body.value.code}`;
    case 'welcome': return body.value.workBits === 0 ? `${request} welcome` : `${request} welcome work ${body.value.workBits}`;
    case 'delivery': return `${request} delivery ${body.value.sequence} age ${body.value.ageMs}`;
    default: return `${request} ${body.case}`;
  }
}
