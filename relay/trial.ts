// A TURN server tried as its clients use it: an allocation with a credential, and a packet through it. It may be ours or another
// (RFC 8656). What it allocates it gives back.

import { createHash, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Endpoint } from './turn/address.js';
import * as attribute from './turn/attribute.js';
import {
  ALLOCATE, BINDING_REQUEST, CREATE_PERMISSION, DATA_INDICATION, ERROR, parseMessage, REFRESH, SEND_INDICATION, SUCCESS, valueOf, writeMessage, type Attribute, type ReadMessage,
} from './turn/message.js';

/** Whom a server lets allocate. */
export interface Credential {
  readonly username: string;
  readonly password: string;
}

/** How long an answer, or a packet, may take; and how often it is asked for meanwhile, since datagrams get lost. */
const ANSWER_MAX_MS = 5_000;
const REPEAT_MS = 500;

const TRANSACTION_BYTES = 12;
const PACKET_BYTES = 32;
const UDP = 17;

/** The codes of the two refusals that are part of every trial: no credential yet, and a peer whom the server does not let in. */
const UNAUTHENTICATED = 401;
const FORBIDDEN = 403;

/** Asks a server for our own address. Rejects with a sentence if it does not say it. */
export async function tryStun(server: Endpoint): Promise<Endpoint> {
  const asker = await Asker.open(server);
  try {
    return await asker.mapped();
  } finally {
    asker.close();
  }
}

/**
 * Has one packet carried.
 * @returns what was seen, as a sentence
 * @throws Error with what was not, as the beginning of one
 */
export async function tryTurn(server: Endpoint, credential: Credential): Promise<string> {
  const [client, peer] = [await Asker.open(server, credential), await Asker.open(server, credential)];
  const packet = randomBytes(PACKET_BYTES);
  try {
    const relayed = await client.allocate();
    const since = performance.now();
    if (await client.lets(await peer.mapped())) {
      await client.hears(packet, `Nothing that is sent to ${nameOf(relayed)} comes through`, () => peer.send(packet, relayed));
      return `An allocation was made, and a packet came through ${nameOf(relayed)} in ${Math.round(performance.now() - since)} ms.`;
    }
    // Of a private address, or one of its own, a server like ours lets nobody in: then two allocations talk to each other.
    const other = await peer.allocate();
    if (!await client.lets(other) || !await peer.lets(relayed)) throw new Error('The server lets no packet go from one of its allocations to another');
    await client.hears(packet, 'The server hands nothing from one of its allocations to another', () => peer.indicate(packet, relayed));
    return `A packet went from one allocation to another in ${Math.round(performance.now() - since)} ms. Whether the ports of relayed connections are open was not seen: for that run the doctor elsewhere.`;
  } finally {
    await Promise.all([client.release(), peer.release()]);
  }
}

/** A socket that asks one server. */
class Asker {
  readonly #socket: Socket;
  readonly #server: Endpoint;
  readonly #credential: Credential;
  /** What the server wants to see of a long-term credential (RFC 8489 §9.2), once it has said so. */
  #long: { readonly attributes: readonly Attribute[]; readonly key: Uint8Array } | null = null;
  #allocated = false;

  private constructor(socket: Socket, server: Endpoint, credential: Credential) {
    [this.#socket, this.#server, this.#credential] = [socket, server, credential];
  }

  static async open(server: Endpoint, credential: Credential = { username: '', password: '' }): Promise<Asker> {
    const socket = createSocket(attribute.familyOf(server.address) === 6 ? 'udp6' : 'udp4');
    // A port that nobody listens at is told as an error; that nothing comes is told by the clock.
    socket.on('error', () => {});
    socket.bind();
    await once(socket, 'listening');
    return new Asker(socket, server, credential);
  }

  async mapped(): Promise<Endpoint> {
    const answer = await this.#ask(BINDING_REQUEST, () => []);
    return addressIn(answer, attribute.XOR_MAPPED_ADDRESS);
  }

  async allocate(): Promise<Endpoint> {
    const family = attribute.familyOf(this.#server.address);
    const answer = await this.#prove(ALLOCATE, () => [
      { type: attribute.REQUESTED_TRANSPORT, value: Uint8Array.of(UDP, 0, 0, 0) },
      ...family === 6 ? [{ type: attribute.REQUESTED_ADDRESS_FAMILY, value: Uint8Array.of(2, 0, 0, 0) }] : [],
    ]);
    this.#allocated = true;
    return addressIn(answer, attribute.XOR_RELAYED_ADDRESS);
  }

  /** Whether the server lets this peer in. */
  async lets(peer: Endpoint): Promise<boolean> {
    const attributes = (transaction: Uint8Array): Attribute[] => [{ type: attribute.XOR_PEER_ADDRESS, value: attribute.xorAddress(peer, transaction) }];
    return await this.#prove(CREATE_PERMISSION, attributes, FORBIDDEN) !== null;
  }

  /** Sends until a packet has come by our allocation. */
  async hears(packet: Uint8Array, otherwise: string, send: () => void): Promise<void> {
    const isIt = (message: ReadMessage): boolean => message.type === DATA_INDICATION && Buffer.from(valueOf(message, attribute.DATA) ?? []).equals(packet);
    await this.#until(isIt, otherwise, send);
  }

  /** From our own port. */
  send(packet: Uint8Array, to: Endpoint): void {
    this.#socket.send(packet, to.port, to.address, () => {});
  }

  /** From our allocation. */
  indicate(packet: Uint8Array, to: Endpoint): void {
    const transaction = randomBytes(TRANSACTION_BYTES);
    const attributes = [{ type: attribute.XOR_PEER_ADDRESS, value: attribute.xorAddress(to, transaction) }, { type: attribute.DATA, value: packet }];
    this.send(writeMessage({ type: SEND_INDICATION, transaction, attributes, fingerprint: false }), this.#server);
  }

  async release(): Promise<void> {
    // A server that does not answer gives it back by itself.
    if (this.#allocated) await this.#prove(REFRESH, () => [{ type: attribute.LIFETIME, value: attribute.lifetime(0) }]).catch(() => {});
    this.close();
  }

  close(): void {
    this.#socket.close();
  }

  /** Asks with the credential, without which a server says what it wants to see. Null for a refusal with the code `borne`. */
  async #prove(type: number, attributes: (transaction: Uint8Array) => Attribute[]): Promise<ReadMessage>;
  async #prove(type: number, attributes: (transaction: Uint8Array) => Attribute[], borne: number): Promise<ReadMessage | null>;
  async #prove(type: number, attributes: (transaction: Uint8Array) => Attribute[], borne?: number): Promise<ReadMessage | null> {
    let answer = await this.#ask(type, attributes);
    if (codeIn(answer) === UNAUTHENTICATED && this.#long === null) {
      this.#long = longTerm(this.#credential, answer);
      answer = await this.#ask(type, attributes);
    }
    const code = codeIn(answer);
    if (code !== null && code === borne) return null;
    if (code !== null) throw new Error(`The server refuses what it should do for its clients (error ${code})`);
    return answer;
  }

  #ask(type: number, attributesFor: (transaction: Uint8Array) => Attribute[]): Promise<ReadMessage> {
    const transaction = randomBytes(TRANSACTION_BYTES);
    const attributes = [...attributesFor(transaction), ...this.#long?.attributes ?? []];
    const bytes = writeMessage({ type, transaction, attributes, fingerprint: false }, this.#long?.key);
    const isAnswer = (message: ReadMessage): boolean => (message.type === (type | SUCCESS) || message.type === (type | ERROR)) && transaction.equals(message.transaction);
    return this.#until(isAnswer, `Nothing answers at ${nameOf(this.#server)} as such a server does`, () => this.send(bytes, this.#server));
  }

  /** Sends until the message has come that is waited for. */
  async #until(isIt: (message: ReadMessage) => boolean, otherwise: string, send: () => void): Promise<ReadMessage> {
    const sending = setInterval(send, REPEAT_MS);
    let listener: (bytes: Buffer) => void = () => {};
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        listener = (bytes) => {
          const message = parseMessage(bytes);
          if (message !== null && isIt(message)) resolve(message);
        };
        this.#socket.on('message', listener);
        timer = setTimeout(() => reject(new Error(otherwise)), ANSWER_MAX_MS);
        send();
      });
    } finally {
      clearInterval(sending);
      clearTimeout(timer);
      this.#socket.off('message', listener);
    }
  }
}

/** RFC 8489 §9.2.2, with the realm and the nonce of the server. */
function longTerm({ username, password }: Credential, refusal: ReadMessage): { readonly attributes: readonly Attribute[]; readonly key: Uint8Array } {
  const [realm = new Uint8Array(), nonce = new Uint8Array()] = [valueOf(refusal, attribute.REALM), valueOf(refusal, attribute.NONCE)];
  const attributes = [{ type: attribute.USERNAME, value: attribute.text(username) }, { type: attribute.REALM, value: realm }, { type: attribute.NONCE, value: nonce }];
  return { attributes, key: createHash('md5').update(`${username}:`).update(realm).update(`:${password}`).digest() };
}

/** The code of an ERROR-CODE (RFC 8489 §14.8); null if there is none. */
function codeIn(message: ReadMessage): number | null {
  const value = valueOf(message, attribute.ERROR_CODE);
  return value === undefined || value.length < 4 ? null : (value[2]! & 7) * 100 + value[3]!;
}

function addressIn(message: ReadMessage, type: number): Endpoint {
  const endpoint = attribute.readXorAddress(valueOf(message, type) ?? new Uint8Array(), message.transaction);
  if (endpoint === null) throw new Error('The server answers without the address that was asked for');
  return endpoint;
}

function nameOf({ address, port }: Endpoint): string {
  return `UDP port ${port} of ${address}`;
}
