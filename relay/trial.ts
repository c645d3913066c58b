// A TURN server tried as its clients use it: an allocation with a credential, and a packet through it. It may be ours or another
// (RFC 8656). What it allocates it gives back.

import { randomBytes } from 'node:crypto';
import { ANSWER_MAX_MS } from './line.js';
import type { Endpoint } from './turn/address.js';
import * as attribute from './turn/attribute.js';
import { longTermKey } from './turn/credential.js';
import {
  ALLOCATE, BINDING_REQUEST, CREATE_PERMISSION, DATA_INDICATION, ERROR, parseMessage, REFRESH, SEND_INDICATION, SUCCESS, TRANSACTION_BYTES, valueOf, writeMessage, type Attribute,
  type ReadMessage,
} from './turn/message.js';
import { nameOf, openWay, type Place, type Way } from './way.js';

/** Whom a server lets allocate. */
export interface Credential {
  readonly username: string;
  readonly password: string;
}

/** How often something is asked for until it comes, since datagrams get lost; a server knows what it has answered. */
const REPEAT_MS = 500;

const PACKET_BYTES = 32;

/** The codes of the two refusals that are part of every trial: no credential yet, and a peer whom the server does not let in. */
const UNAUTHENTICATED = 401;
const FORBIDDEN = 403;

/** Asks a server for our own address. Rejects with a sentence if it does not say it. */
export async function tryStun(host: string, port: number): Promise<Endpoint> {
  const asker = await Asker.open({ transport: 'udp', host, port });
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
export async function tryTurn(server: Place, credential: Credential): Promise<string> {
  const client = await Asker.open(server, credential);
  const peer = await Asker.open(server, credential).catch((error: unknown) => {
    client.close();
    throw error;
  });
  const packet = randomBytes(PACKET_BYTES);
  try {
    const relayed = await client.allocate();
    const since = performance.now();
    if (server.transport === 'udp' && await client.lets(await peer.mapped())) {
      const there = `UDP port ${relayed.port} of ${relayed.address}`;
      await client.hears(packet, `Nothing that is sent to ${there} comes through`, () => peer.send(packet, relayed));
      return `An allocation was made at ${nameOf(server)}, and a packet came through ${there} in ${Math.round(performance.now() - since)} ms.`;
    }
    // By a stream nobody else can be written to; and of a private address, or one of its own, a server like ours lets nobody in.
    const other = await peer.allocate();
    if (!await client.lets(other) || !await peer.lets(relayed)) throw new Error('The server lets no packet go from one of its allocations to another');
    await client.hears(packet, 'The server hands nothing from one of its allocations to another', () => peer.indicate(packet, relayed));
    const unseen = server.transport === 'udp' ? ' Whether the ports of relayed connections are open was not seen, since it lets in no private address and none of its own: run the doctor at a public one for that.' : '';
    return `At ${nameOf(server)} a packet went from one allocation to another in ${Math.round(performance.now() - since)} ms.${unseen}`;
  } finally {
    await Promise.all([client.release(), peer.release()]);
  }
}

/** Somebody who asks one server. */
class Asker {
  readonly #way: Way;
  readonly #server: Place;
  readonly #credential: Credential;
  /** What the server wants to see of a long-term credential (RFC 8489 §9.2), once it has said so. */
  #long: { readonly attributes: readonly Attribute[]; readonly key: Uint8Array } | null = null;
  #allocated = false;

  private constructor(way: Way, server: Place, credential: Credential) {
    [this.#way, this.#server, this.#credential] = [way, server, credential];
  }

  static async open(server: Place, credential: Credential = { username: '', password: '' }): Promise<Asker> {
    return new Asker(await openWay(server), server, credential);
  }

  async mapped(): Promise<Endpoint> {
    const answer = await this.#ask(BINDING_REQUEST, () => []);
    return addressIn(answer, attribute.XOR_MAPPED_ADDRESS);
  }

  async allocate(): Promise<Endpoint> {
    const answer = await this.#prove(ALLOCATE, () => [
      { type: attribute.REQUESTED_TRANSPORT, value: Uint8Array.of(attribute.UDP, 0, 0, 0) },
      ...this.#way.family === 6 ? [{ type: attribute.REQUESTED_ADDRESS_FAMILY, value: Uint8Array.of(2, 0, 0, 0) }] : [],
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

  /** From our own port, which only datagrams have. */
  send(packet: Uint8Array, to: Endpoint): void {
    this.#way.sendTo?.(packet, to);
  }

  /** From our allocation. */
  indicate(packet: Uint8Array, to: Endpoint): void {
    const transaction = randomBytes(TRANSACTION_BYTES);
    const attributes = [{ type: attribute.XOR_PEER_ADDRESS, value: attribute.xorAddress(to, transaction) }, { type: attribute.DATA, value: packet }];
    this.#way.send(writeMessage({ type: SEND_INDICATION, transaction, attributes, fingerprint: false }));
  }

  async release(): Promise<void> {
    // A server that does not answer gives it back by itself.
    if (this.#allocated) await this.#prove(REFRESH, () => [{ type: attribute.LIFETIME, value: attribute.lifetime(0) }]).catch(() => {});
    this.close();
  }

  close(): void {
    this.#way.close();
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
    return this.#until(isAnswer, `Nothing answers at ${nameOf(this.#server)} as such a server does`, () => this.#way.send(bytes));
  }

  /** Sends until the message has come that is waited for. */
  async #until(isIt: (message: ReadMessage) => boolean, otherwise: string, send: () => void): Promise<ReadMessage> {
    const sending = setInterval(send, REPEAT_MS);
    let listener: (bytes: Uint8Array) => void = () => {};
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        listener = (bytes) => {
          const message = parseMessage(bytes);
          if (message !== null && isIt(message)) resolve(message);
        };
        this.#way.messages.on('message', listener);
        timer = setTimeout(() => reject(new Error(otherwise)), ANSWER_MAX_MS);
        send();
      });
    } finally {
      clearInterval(sending);
      clearTimeout(timer);
      this.#way.messages.off('message', listener);
    }
  }
}

/** RFC 8489 §9.2.2, with the realm and the nonce of the server. */
function longTerm({ username, password }: Credential, refusal: ReadMessage): { readonly attributes: readonly Attribute[]; readonly key: Uint8Array } {
  const [realm = new Uint8Array(), nonce = new Uint8Array()] = [valueOf(refusal, attribute.REALM), valueOf(refusal, attribute.NONCE)];
  const attributes = [{ type: attribute.USERNAME, value: attribute.text(username) }, { type: attribute.REALM, value: realm }, { type: attribute.NONCE, value: nonce }];
  return { attributes, key: longTermKey(username, realm, password) };
}

/** Null if there is none. */
function codeIn(message: ReadMessage): number | null {
  const value = valueOf(message, attribute.ERROR_CODE);
  return value === undefined ? null : attribute.readErrorCode(value);
}

function addressIn(message: ReadMessage, type: number): Endpoint {
  const endpoint = attribute.readXorAddress(valueOf(message, type) ?? new Uint8Array(), message.transaction);
  if (endpoint === null) throw new Error('The server answers without the address that was asked for');
  return endpoint;
}
