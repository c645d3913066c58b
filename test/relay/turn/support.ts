// A TURN client as thin as can be: requests written by hand, at the brain itself or over a real socket. And servers for them.

import { createHash, randomBytes } from 'node:crypto';
import { onTestFinished } from 'vitest';
import type { Endpoint } from '../../../relay/turn/address.js';
import type { Flow } from '../../../relay/turn/allocation.js';
import * as attribute from '../../../relay/turn/attribute.js';
import { mintCredential, REALM_NAME, rotatingSecrets, type Credential } from '../../../relay/turn/credential.js';
import { LIMITS } from '../../../relay/turn/limits.js';
import { ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, ERROR, parseMessage, SEND_INDICATION, valueOf, writeMessage, type Attribute, type ReadMessage } from '../../../relay/turn/message.js';
import { startTurn, type TurnServer, type TurnServerOptions } from '../../../relay/turn/server.js';
import { Turn, type Output, type TurnOptions } from '../../../relay/turn/turn.js';

export const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
export const asHex = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString('hex'));

/** Length with the headers of IP and UDP. */
export const onWire = (bytes: Uint8Array, { address }: Endpoint): number => bytes.length + (address.includes(':') ? 48 : 28);

export const KEY = new Uint8Array(32).fill(7);
export const SECRETS = rotatingSecrets(KEY);
export const NOW = 1_750_000_000_000;
export const SERVER = '198.51.100.1';
export const SERVER_V6 = '2001:db8::1';

/** A brain whose server is at SERVER and SERVER_V6, ports 3478 and 3479. */
export function testTurn(options: Partial<TurnOptions> = {}): Turn {
  const ear = (address: string, port: number, other: number) => ({ endpoint: { address, port }, other });
  const listeners = [ear(SERVER, 3478, 1), ear(SERVER, 3479, 0), ear(SERVER_V6, 3478, 3), ear(SERVER_V6, 3479, 2)];
  return new Turn({ peers: 'clients', secrets: SECRETS, key: KEY, relayed: { 4: SERVER, 6: SERVER_V6 }, listeners, ...options });
}

/** A server on this machine that is closed after the test and may relay to loopback addresses. */
export async function testServer(options: Partial<TurnServerOptions> = {}): Promise<TurnServer> {
  const limits = { ...LIMITS, strangersPerSecond: 10_000, allocationsPerCredential: 1_000 };
  const server = await startTurn({ address: '127.0.0.1', port: 0, secrets: SECRETS, peers: 'clients', exempt: ['127.0.0.0/8', '::1/128'], limits, ...options });
  onTestFinished(() => server.close());
  return server;
}

export function credential(now = Date.now()): Credential {
  return mintCredential(SECRETS, now, randomBytes(9));
}

export function keyOf({ username, password }: Credential): Uint8Array {
  return createHash('md5').update(`${username}:${REALM_NAME}:${password}`).digest();
}

/** A message as its reader sees it, short: the error's code, or the type in hex. */
export function gist(bytes: Uint8Array | null): number | string | null {
  const message = bytes === null ? null : parseMessage(bytes);
  if (message === null) return null;
  const code = valueOf(message, attribute.ERROR_CODE);
  return (message.type & ERROR) === ERROR && code !== undefined ? code[2]! * 100 + code[3]! : message.type.toString(16).padStart(4, '0');
}

export const UDP_TRANSPORT: Attribute = { type: attribute.REQUESTED_TRANSPORT, value: Uint8Array.of(attribute.UDP, 0, 0, 0) };
export const V4_FAMILY: Attribute = { type: attribute.REQUESTED_ADDRESS_FAMILY, value: Uint8Array.of(1, 0, 0, 0) };
export const V6_FAMILY: Attribute = { type: attribute.REQUESTED_ADDRESS_FAMILY, value: Uint8Array.of(2, 0, 0, 0) };

let lastTransaction = 0;
export function newTransaction(): Uint8Array {
  lastTransaction += 1;
  return Uint8Array.from({ length: 12 }, (_, index) => (index < 8 ? 0xa0 + index : lastTransaction >>> (8 * (11 - index))));
}

/** A client of a brain; its time stands still until somebody moves it. */
export class BrainClient {
  readonly flow: Flow;
  readonly credential: Credential;
  now = NOW;
  #nonce: Uint8Array | null = null;
  readonly #turn: Turn;

  constructor(turn: Turn, { source = { address: '192.0.2.9', port: 5_000 }, stream = false, from = credential(NOW) }: { source?: Endpoint; stream?: boolean; from?: Credential } = {}) {
    this.#turn = turn;
    this.flow = { listener: stream ? -1 : 0, source };
    this.credential = from;
  }

  say(bytes: Uint8Array): readonly Output[] {
    return this.#turn.handle({ kind: 'from-client', flow: this.flow, bytes }, this.now);
  }

  /** The bytes that come back to the client itself. */
  ask(bytes: Uint8Array): Uint8Array | null {
    return toClient(this.say(bytes));
  }

  /** A request with credentials, under a nonce that was asked for if need be. */
  write(type: number, attributes: readonly Attribute[] = [], transaction = newTransaction()): Uint8Array {
    this.#nonce ??= valueOf(parseMessage(this.ask(writeMessage({ type: ALLOCATE, transaction: newTransaction(), attributes: [UDP_TRANSPORT], fingerprint: false }))!)!, attribute.NONCE)!;
    const long = [
      { type: attribute.USERNAME, value: attribute.text(this.credential.username) },
      { type: attribute.REALM, value: attribute.text(REALM_NAME) },
      { type: attribute.NONCE, value: this.#nonce },
    ];
    return writeMessage({ type, transaction, attributes: [...attributes, ...long], fingerprint: false }, keyOf(this.credential));
  }

  request(type: number, attributes: readonly Attribute[] = []): number | string | null {
    return gist(this.ask(this.write(type, attributes)));
  }

  /** Asks for an allocation and opens its socket at a port. @returns the number of the socket. */
  allocate(port: number, attributes: readonly Attribute[] = [UDP_TRANSPORT]): number {
    const open = this.say(this.write(ALLOCATE, attributes)).find((output) => output.kind === 'open');
    if (open === undefined) throw new Error('no socket was asked for');
    const answer = toClient(this.#turn.handle({ kind: 'opened', socket: open.socket, port, reserved: null }, this.now));
    if (gist(answer) !== '0103') throw new Error(`the answer is ${gist(answer)}`);
    return open.socket;
  }

  permit(...peers: readonly Endpoint[]): number | string | null {
    const transaction = newTransaction();
    return gist(this.ask(this.write(CREATE_PERMISSION, peers.map((peer) => peerOf(peer, transaction)), transaction)));
  }

  bind(channel: number, peer: Endpoint): number | string | null {
    const transaction = newTransaction();
    return gist(this.ask(this.write(CHANNEL_BIND, [channelOf(channel), peerOf(peer, transaction)], transaction)));
  }

  send(peer: Endpoint, data: Uint8Array): readonly Output[] {
    return this.say(writeSend(peer, data));
  }
}

/** Somebody to talk to, and what is said. */
export const PEER = { address: '8.8.4.4', port: 40_000 };
export const DATA = hex('68656c6c6f');

/** A client with an allocation at port 50000 (or another), before a server that lets it talk to PEER. */
export function ready({ port = 50_000, limits = LIMITS, stream = false } = {}) {
  const turn = testTurn({ limits });
  turn.handle({ kind: 'came', address: PEER.address }, NOW);
  const client = new BrainClient(turn, { stream });
  return { turn, client, socket: client.allocate(port) };
}

export const kinds = (outputs: readonly Output[]): string[] => outputs.map(({ kind }) => kind);
export const seconds = (value: number): Attribute => ({ type: attribute.LIFETIME, value: attribute.lifetime(value) });

export function toClient(outputs: readonly Output[]): Uint8Array | null {
  return outputs.find((output) => output.kind === 'to-client')?.bytes ?? null;
}

export function peerOf(peer: Endpoint, transaction: Uint8Array): Attribute {
  return { type: attribute.XOR_PEER_ADDRESS, value: attribute.xorAddress(peer, transaction) };
}

export function channelOf(channel: number): Attribute {
  return { type: attribute.CHANNEL_NUMBER, value: Uint8Array.of(channel >> 8, channel, 0, 0) };
}

export function writeSend(peer: Endpoint, data: Uint8Array): Uint8Array {
  const transaction = newTransaction();
  return writeMessage({ type: SEND_INDICATION, transaction, attributes: [peerOf(peer, transaction), { type: attribute.DATA, value: data }], fingerprint: false });
}

export function relayedOf(message: ReadMessage): Endpoint {
  return attribute.readXorAddress(valueOf(message, attribute.XOR_RELAYED_ADDRESS)!, message.transaction)!;
}
