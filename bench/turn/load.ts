// The program of the load: clients with an allocation each, and the peer that sends everything back to them, in one process.

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import type * as Attributes from '../../relay/turn/attribute.js';
import type * as Credentials from '../../relay/turn/credential.js';
import type * as Messages from '../../relay/turn/message.js';
import type * as Sockets from '../../relay/turn/socket.js';
import { obey } from '../process.js';
import { shipped } from '../shipped.js';
import type { Place } from './place.js';

const attribute = await shipped<typeof Attributes>('relay/turn/attribute.js');
const { longTermKey } = await shipped<typeof Credentials>('relay/turn/credential.js');
const { openUdp } = await shipped<typeof Sockets>('relay/turn/socket.js');
const message = await shipped<typeof Messages>('relay/turn/message.js');

/** As in the published comparisons: eight clients with sixteen packets each under way. */
const CLIENTS = 8;
const IN_FLIGHT = 16;

/** A client that has heard nothing for so long has lost its packets, and sends anew. */
const LOST_MS = 100;

const CHANNEL = 0x4000;
const HOST = '127.0.0.1';

/** How data is sent: under a channel, as an indication, under a channel that nobody was asked for, or to the peer itself. */
export type Manner = 'channel' | 'send' | 'bare' | 'direct';

const peer = await openUdp(HOST, 0);
peer.on('message', (bytes, { port }) => peer.send(bytes, port, HOST));

class Client {
  readonly #socket: Socket;
  readonly #place: Place;
  readonly #port: number;
  readonly #manner: Manner;
  #onData: () => void = () => {};

  constructor(socket: Socket, place: Place, index: number, manner: Manner) {
    this.#socket = socket;
    this.#place = place;
    this.#port = place.ports[index % place.ports.length]!;
    this.#manner = manner;
    // Data comes as ChannelData, as a Data indication, or bare; answers to requests are awaited elsewhere.
    socket.on('message', (bytes) => {
      if (bytes[0] !== 0x01) this.#onData();
    });
  }

  async prepare(): Promise<void> {
    if (this.#manner === 'bare' || this.#manner === 'direct') return;
    const { ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION } = message;
    const transport = { type: attribute.REQUESTED_TRANSPORT, value: Uint8Array.of(attribute.UDP, 0, 0, 0) };
    const refused = await this.#ask(ALLOCATE, () => [transport]);
    const [realm, nonce] = [attribute.REALM, attribute.NONCE].map((type) => ({ type, value: message.valueOf(refused, type)!.slice() }));
    const { username, password } = this.#place;
    const key = longTermKey(username, realm!.value, password);
    const long = [{ type: attribute.USERNAME, value: attribute.text(username) }, realm!, nonce!];
    await this.#ask(ALLOCATE, () => [transport, ...long], key);
    const to = (transaction: Uint8Array) => ({ type: attribute.XOR_PEER_ADDRESS, value: attribute.xorAddress({ address: HOST, port: peer.address().port }, transaction) });
    if (this.#manner === 'send') await this.#ask(CREATE_PERMISSION, (transaction) => [to(transaction), ...long], key);
    else await this.#ask(CHANNEL_BIND, (transaction) => [{ type: attribute.CHANNEL_NUMBER, value: Uint8Array.of(CHANNEL >> 8, 0, 0, 0) }, to(transaction), ...long], key);
  }

  /** Keeps packets under way until the time is over; how many came back. */
  async flood(length: number, ms: number): Promise<number> {
    const packet = this.#frame(length);
    let came = 0;
    let last = performance.now();
    const end = last + ms;
    const fill = (): void => {
      for (let sent = 0; sent < IN_FLIGHT; sent += 1) this.#send(packet);
    };
    this.#onData = () => {
      came += 1;
      last = performance.now();
      if (last < end) this.#send(packet);
    };
    fill();
    while (performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, LOST_MS / 2));
      if (performance.now() - last > LOST_MS) fill();
    }
    await new Promise((resolve) => setTimeout(resolve, LOST_MS / 2));
    this.#onData = () => {};
    return came;
  }

  /** Time from a packet to its return, in ms, one after the other. */
  async trips(count: number, length: number, pauseMs: number): Promise<number[]> {
    const packet = this.#frame(length);
    const times: number[] = [];
    while (times.length < count) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const startedAt = performance.now();
      const came = await new Promise<boolean>((resolve) => {
        const lost = setTimeout(resolve, LOST_MS, false);
        this.#onData = () => {
          clearTimeout(lost);
          resolve(true);
        };
        this.#send(packet);
      });
      if (came) times.push(performance.now() - startedAt);
    }
    this.#onData = () => {};
    return times;
  }

  close(): void {
    this.#socket.close();
  }

  #send(packet: Uint8Array): void {
    this.#socket.send(packet, this.#manner === 'direct' ? peer.address().port : this.#port, HOST);
  }

  #frame(length: number): Uint8Array {
    const data = new Uint8Array(randomBytes(length));
    if (this.#manner === 'direct') return data.fill(2, 0, 1);
    if (this.#manner !== 'send') return Buffer.concat([Uint8Array.of(CHANNEL >> 8, 0, length >> 8, length), data]);
    const transaction = new Uint8Array(randomBytes(12));
    const address = attribute.xorAddress({ address: HOST, port: peer.address().port }, transaction);
    const attributes = [{ type: attribute.XOR_PEER_ADDRESS, value: address }, { type: attribute.DATA, value: data }];
    return message.writeMessage({ type: message.SEND_INDICATION, transaction, attributes, fingerprint: false });
  }

  async #ask(type: number, attributes: (transaction: Uint8Array) => Messages.Attribute[], key?: Uint8Array): Promise<Messages.ReadMessage> {
    const transaction = new Uint8Array(randomBytes(12));
    const answered = once(this.#socket, 'message');
    const bytes = message.writeMessage({ type, transaction, attributes: attributes(transaction), fingerprint: false }, key);
    this.#send(bytes);
    const asking = setInterval(() => this.#send(bytes), LOST_MS);
    const [answer] = await answered.finally(() => clearInterval(asking)) as [Buffer];
    const read = message.parseMessage(answer);
    if (read === null || (key !== undefined && (read.type & message.ERROR) === message.ERROR)) throw new Error(`the server refuses ${type}`);
    return read;
  }
}

const groups = new Map<string, Client[]>();

const methods = {
  /** The port of the peer that sends everything back. */
  peerPort: () => peer.address().port,
  /** Opens clients at a server, under a name. */
  open: async (name: string, place: Place, manner: Manner): Promise<void> => {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, async (_, index) => new Client(await openUdp(HOST, 0), place, index, manner)));
    for (const client of clients) await client.prepare();
    groups.set(name, clients);
  },
  /** Round trips of all clients of a group in so many ms. */
  flood: async (name: string, length: number, ms: number): Promise<number> => {
    const came = await Promise.all(groups.get(name)!.map((client) => client.flood(length, ms)));
    return came.reduce((sum, count) => sum + count, 0);
  },
  trips: async (name: string, count: number, length: number, pauseMs: number): Promise<number[]> => await groups.get(name)![0]!.trips(count, length, pauseMs),
};

export type LoadMethods = typeof methods;

obey(methods);
