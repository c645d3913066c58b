// A client of the relay as thin as can be: frames over a real WebSocket, and the keys of a mailbox.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { concat } from '../../crypto/bytes.js';
import { hash } from '../../crypto/hash.js';
import { publicKeyOf, sign } from '../../crypto/signature.js';
import { startRelay, type RelayOptions, type RunningRelay } from '../../relay/run.js';
import { decodeRelayFrame, encodeClientFrame, type RelayBody } from '../../relay/wire/frame.js';
import { COLLECT_LABEL, COLLECT_PATH, DEPOSIT_PATH } from '../../relay/wire/limits.js';
import type { Delivery, Welcome } from '../../relay/wire/relay_pb.js';

export type Body = Parameters<typeof encodeClientFrame>[1];

export const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-relay-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A relay on any port of 127.0.0.1 that is closed after the test. */
export async function testRelay(options: Partial<RelayOptions> = {}): Promise<RunningRelay> {
  const data = options.data ?? temporaryFolder();
  const relay = await startRelay({ host: '127.0.0.1', port: 0, stunPort: 0, data, ...options });
  onTestFinished(() => relay.close());
  return relay;
}

/** A mailbox's address and keys as its owner has them. */
export interface Mailbox {
  readonly mailbox: Uint8Array;
  readonly seed: Uint8Array;
  readonly owner: Uint8Array;
  readonly token: Uint8Array;
  readonly tokenHash: Uint8Array;
}

export function newMailbox(): Mailbox {
  const seed = random(32);
  const token = random(16);
  return { mailbox: random(16), seed, owner: publicKeyOf(seed), token, tokenHash: hash('token', token) };
}

export function collect({ mailbox, seed, owner, tokenHash }: Mailbox, challenge: Uint8Array): Body {
  return { case: 'collect', value: { mailbox, owner, tokenHash, signature: sign(seed, COLLECT_LABEL, concat(challenge, mailbox, tokenHash)) } };
}

export function put({ mailbox, token }: Mailbox, envelope: Uint8Array, ttlSeconds = 60): Body {
  return { case: 'put', value: { mailbox, token, ttlSeconds, envelope } };
}

export function acknowledge({ mailbox }: Mailbox, ...sequences: readonly (number | bigint)[]): Body {
  return { case: 'acknowledge', value: { mailbox, sequences: sequences.map(BigInt) } };
}

/** The code of a refusal, or the case of any other answer. */
export function outcome(body: RelayBody): string {
  return body.case === 'refused' ? body.value.code : body.case;
}

export class TestClient {
  readonly socket: WebSocket;
  readonly welcome: Promise<Welcome>;
  /** The code of Goodbye, or an empty text, once the connection is closed. */
  readonly closed: Promise<string>;
  #lastRequest = 0;
  #goodbye = '';
  readonly #answers = new Map<number, { readonly resolve: (body: RelayBody) => void; readonly reject: (error: Error) => void }>();
  readonly #deliveries: Delivery[] = [];
  #arrived: () => void = () => {};
  #welcomed: (welcome: Welcome) => void = () => {};

  constructor(port: number, role: 'collect' | 'deposit', headers: Readonly<Record<string, string>> = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${role === 'collect' ? COLLECT_PATH : DEPOSIT_PATH}`, { headers });
    this.welcome = new Promise((resolve) => {
      this.#welcomed = resolve;
    });
    this.socket.on('error', () => {});
    this.socket.on('message', (data) => {
      const { request, body } = decodeRelayFrame(data as Buffer);
      if (body.case === 'welcome') return this.#welcomed(body.value);
      if (body.case === 'goodbye') this.#goodbye = body.value.code;
      if (body.case === 'delivery') {
        this.#deliveries.push(body.value);
        this.#arrived();
      }
      this.#answers.get(request)?.resolve(body);
      this.#answers.delete(request);
    });
    this.closed = once(this.socket, 'close').then(() => {
      for (const { reject } of this.#answers.values()) reject(new Error('closed'));
      return this.#goodbye;
    });
  }

  static async connect(port: number, role: 'collect' | 'deposit', headers: Readonly<Record<string, string>> = {}): Promise<TestClient> {
    const client = new TestClient(port, role, headers);
    onTestFinished(() => client.socket.terminate());
    // Whom the system does not let in is closed without a word.
    await Promise.race([client.welcome, client.closed.then(() => { throw new Error('closed'); })]);
    return client;
  }

  /** Sends a request and waits for its answer; rejects if the connection ends before. */
  ask(body: Body): Promise<RelayBody> {
    if (this.socket.readyState !== WebSocket.OPEN) return Promise.reject(new Error('closed'));
    this.#lastRequest += 1;
    const request = this.#lastRequest;
    this.socket.send(encodeClientFrame(request, body));
    return new Promise((resolve, reject) => this.#answers.set(request, { resolve, reject }));
  }

  /** Like ask(), for the outcome alone. */
  async try(body: Body): Promise<string> {
    return outcome(await this.ask(body));
  }

  async collect(mailbox: Mailbox): Promise<string> {
    return this.try(collect(mailbox, (await this.welcome).challenge));
  }

  /** The next `count` deliveries, once they are here. */
  async deliveries(count: number): Promise<Delivery[]> {
    while (this.#deliveries.length < count) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    return this.#deliveries.splice(0, count);
  }

  /** Deliveries that nobody has asked for yet. */
  get waiting(): number {
    return this.#deliveries.length;
  }
}
