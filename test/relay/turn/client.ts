// A TURN client over a real UDP socket or stream, for tests of the server as it runs. It repeats what is not answered.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { Endpoint } from '../../../relay/turn/address.js';
import * as attribute from '../../../relay/turn/attribute.js';
import { REALM_NAME, type Credential } from '../../../relay/turn/credential.js';
import { Frames, isChannelData } from '../../../relay/turn/frame.js';
import { ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, parseMessage, valueOf, writeMessage, type Attribute } from '../../../relay/turn/message.js';
import { channelOf, credential, gist, keyOf, newTransaction, peerOf, relayedOf, UDP_TRANSPORT, writeSend } from './support.js';

/** RFC 8489 §6.2.1, without its growth: the way is short. */
const RETRY_MS = 500;

export class SocketClient {
  /** What peers have said, as the server passed it on. */
  readonly heard: Uint8Array[] = [];
  readonly #credential: Credential;
  readonly #write: (bytes: Uint8Array) => void;
  readonly #answers = new Map<string, (bytes: Uint8Array) => void>();
  #nonce: Uint8Array | null = null;
  #arrived: () => void = () => {};

  constructor(write: (bytes: Uint8Array) => void, from: Credential) {
    this.#write = write;
    this.#credential = from;
  }

  static async open(port: number, address = '127.0.0.1', from = credential()): Promise<SocketClient> {
    const socket: Socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    onTestFinished(() => void socket.close());
    const client = new SocketClient((bytes) => socket.send(bytes, port, address), from);
    socket.on('message', (bytes) => client.#hear(bytes));
    socket.bind(0, address);
    await once(socket, 'listening');
    return client;
  }

  /** Over a stream. */
  static over(stream: Duplex, from = credential(), write = (bytes: Uint8Array): void => void stream.write(bytes)): SocketClient {
    onTestFinished(() => void stream.destroy());
    const frames = new Frames();
    const client = new SocketClient(write, from);
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => frames.push(chunk)?.forEach((bytes) => client.#hear(bytes)));
    return client;
  }

  async ask(type: number, attributes: readonly Attribute[], transaction = newTransaction()): Promise<Uint8Array> {
    const long = this.#nonce === null ? [] : [
      { type: attribute.USERNAME, value: attribute.text(this.#credential.username) },
      { type: attribute.REALM, value: attribute.text(REALM_NAME) },
      { type: attribute.NONCE, value: this.#nonce },
    ];
    const key = this.#nonce === null ? undefined : keyOf(this.#credential);
    const answer = await this.#exchange(writeMessage({ type, transaction, attributes: [...attributes, ...long], fingerprint: true }, key), transaction);
    const nonce = valueOf(parseMessage(answer)!, attribute.NONCE);
    if (nonce === undefined || this.#nonce !== null) return answer;
    this.#nonce = nonce;
    return await this.ask(type, attributes);
  }

  /** @returns where the allocation is reached. */
  async allocate(attributes: readonly Attribute[] = []): Promise<Endpoint> {
    const answer = await this.ask(ALLOCATE, [UDP_TRANSPORT, ...attributes]);
    if (gist(answer) !== '0103') throw new Error(`the answer is ${gist(answer)}`);
    return relayedOf(parseMessage(answer)!);
  }

  async permit(peer: Endpoint): Promise<number | string | null> {
    return await this.#about(CREATE_PERMISSION, peer, []);
  }

  async bind(channel: number, peer: Endpoint): Promise<number | string | null> {
    return await this.#about(CHANNEL_BIND, peer, [channelOf(channel)]);
  }

  send(peer: Endpoint, data: Uint8Array): void {
    this.#write(writeSend(peer, data));
  }

  write(bytes: Uint8Array): void {
    this.#write(bytes);
  }

  /** The next thing that a peer said: ChannelData or a Data indication. */
  async next(): Promise<Uint8Array> {
    while (this.heard.length === 0) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    return this.heard.shift()!;
  }

  async #about(type: number, peer: Endpoint, attributes: readonly Attribute[]): Promise<number | string | null> {
    const transaction = newTransaction();
    // Asked for once without an address, should there be no nonce yet: the address is bound to the transaction.
    if (this.#nonce === null) await this.ask(type, []);
    return gist(await this.ask(type, [...attributes, peerOf(peer, transaction)], transaction));
  }

  async #exchange(bytes: Uint8Array, transaction: Uint8Array): Promise<Uint8Array> {
    const retry = setInterval(() => this.#write(bytes), RETRY_MS);
    try {
      return await new Promise((resolve) => {
        this.#answers.set(attribute.readText(transaction), resolve);
        this.#write(bytes);
      });
    } finally {
      clearInterval(retry);
    }
  }

  #hear(bytes: Uint8Array): void {
    const transaction = isChannelData(bytes) ? '' : attribute.readText(bytes.subarray(8, 20));
    const waiting = this.#answers.get(transaction);
    this.#answers.delete(transaction);
    if (waiting !== undefined) return waiting(bytes);
    this.heard.push(bytes);
    this.#arrived();
  }
}
