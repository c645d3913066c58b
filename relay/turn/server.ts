// The sockets of the STUN and TURN server: UDP, TCP, and streams that others hand over. It owns the clock and chance, hands
// what comes to the brain (turn.ts) and carries out what that says. It decides nothing, and writes nothing down.

import { randomBytes, randomInt } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket as Stream } from 'node:net';
import { SottoError } from '../../crypto/error.js';
import { subscriberOf } from './address.js';
import type { Flow } from './allocation.js';
import { familyOf, type Family } from './attribute.js';
import type { Listener } from './binding.js';
import { steadyNow } from './clock.js';
import { Commons } from './commons.js';
import type { Secrets } from './credential.js';
import { Frames } from './frame.js';
import type { Limits } from './limits.js';
import type { PeerPolicy } from './peers.js';
import { isSpecial } from './range.js';
import { ANY, LOOPBACK, openUdp, ownAddresses, sendUdp } from './socket.js';
import { Tally } from './tally.js';
import { Turn, type Input, type Output } from './turn.js';

export interface TurnServerOptions extends PeerPolicy {
  /** IP address of this machine to listen at; `::` and `0.0.0.0` for all of them. */
  readonly address: string;
  /** UDP and TCP port, 0 for any. */
  readonly port: number;
  /** Ports of allocations, first and last. */
  readonly relayPorts?: readonly [number, number];
  /** IP addresses, at most one per family, by which this machine is reached where its own are not public. */
  readonly announced?: readonly string[];
  readonly secrets: Secrets;
  readonly limits?: Limits;
  /** What other threads of this server know, too. */
  readonly commons?: Commons;
}

/** A STUN and TURN server that runs. */
export interface TurnServer {
  /** Of UDP. */
  readonly port: number;
  /** UDP port of the second ear, by which a client learns whether its NAT maps each destination anew. */
  readonly otherPort: number;
  /** Whether TCP has the same port; it may be somebody else's. */
  readonly tcp: boolean;
  /** Ports of allocations, first and last. */
  readonly relayPorts: readonly [number, number];
  /** Takes over a stream that speaks STUN. */
  accept(stream: Stream): void;
  /** A client of the relay has connected from this address. */
  came(address: string): void;
  /** And is gone. */
  went(address: string): void;
  close(): void;
}

/** RFC 8656 §7.2 recommends the dynamic ports. */
const RELAY_PORTS = [49_152, 65_535] as const;

/** How many ports are tried for an allocation: in a range that is half used, all are taken once in a million times. */
const PORT_TRIES = 20;

/** Bytes that wait to be sent to a stream at which relayed data is dropped, as UDP would do. */
const STREAM_BACKLOG_BYTES = 1024 * 1024;

/** A stream that says nothing for so long is gone; clients refresh their permissions every five minutes. */
const STREAM_SILENCE_MS = 600_000;

/** Streams at once, and those of one IP address (IPv6: /64), which need prove nothing to be held. */
const STREAMS_MAX = 8_000;
const STREAMS_PER_SOURCE_MAX = 1_000;

/** How often the addresses of the machine are looked up. */
const OWN_ADDRESSES_MS = 30_000;

const TOKEN_BYTES = 8;
const KEY_BYTES = 32;

/** Ports that nobody has chosen: how many are tried for one that UDP and TCP both have free. A busy machine uses thousands. */
const PORTS_TRIED = 10;

/**
 * Starts a server at an IP address of this machine; for `::` at its IPv4 addresses, too, where it has any. A port that is taken
 * is replaced by a free one, since clients are told the port in any case.
 * @throws SottoError `option-invalid` if the address is not of this machine.
 */
export async function startTurn(options: TurnServerOptions): Promise<TurnServer> {
  for (let tries = 1; ; tries += 1) {
    const server = await open(options);
    if (server.tcp || server.port === options.port || tries === PORTS_TRIED) return server;
    server.close();
  }
}

async function open(options: TurnServerOptions): Promise<TurnServer> {
  const { address, port, announced = [], relayPorts = RELAY_PORTS, commons = new Commons(), ...rest } = options;
  const ears = await openEars(address, port);
  const relayed = { 4: relayedAddress(4, address, announced), 6: relayedAddress(6, address, announced) };
  const listeners = ears.map((ear, index): Listener => ({
    endpoint: endpointOf(ear, relayed),
    // Ears come in pairs.
    other: index % 2 === 0 ? index + 1 : index - 1,
  }));
  const within = { 4: addressWithin(4, address), 6: addressWithin(6, address) };
  const turn = new Turn({ ...rest, commons, key: new Uint8Array(randomBytes(KEY_BYTES)), relayed, within, listeners });
  const loop = new Loop(turn, ears, { address, ports: relayPorts }, commons);
  const bound = ears[0]!.address().port;
  const tcp = await listen(address, bound, loop);
  return {
    port: bound,
    otherPort: ears[1]!.address().port,
    tcp: tcp !== null,
    relayPorts,
    accept: (stream) => loop.accept(stream),
    came: (from) => loop.meet('came', from),
    went: (from) => loop.meet('went', from),
    close() {
      tcp?.close();
      loop.close();
    },
  };
}

class Loop {
  readonly #turn: Turn;
  readonly #ears: readonly Socket[];
  readonly #place: { readonly address: string; readonly ports: readonly [number, number] };
  readonly #commons: Commons;
  readonly #relayed = new Map<number, Socket>();
  readonly #streams = new Map<number, Stream>();
  readonly #streamsFrom = new Tally();
  readonly #watch: NodeJS.Timeout;
  #alarm: NodeJS.Timeout | undefined;
  #lastStream = 0;
  #closed = false;

  constructor(turn: Turn, ears: readonly Socket[], place: { readonly address: string; readonly ports: readonly [number, number] }, commons: Commons) {
    this.#turn = turn;
    this.#ears = ears;
    this.#place = place;
    this.#commons = commons;
    this.#watch = setInterval(() => this.#lookAround(), OWN_ADDRESSES_MS);
    this.#lookAround();
    for (const [listener, ear] of ears.entries()) {
      ear.on('message', (bytes, source) => {
        this.#input({ kind: 'from-client', flow: { listener, source }, bytes });
      });
    }
  }

  accept(stream: Stream): void {
    const { remoteAddress, remotePort } = stream;
    // Nobody is there any more.
    if (remoteAddress === undefined || remotePort === undefined || this.#closed) return void stream.destroy();
    const source = { address: plain(remoteAddress), port: remotePort };
    const subscriber = subscriberOf(source.address);
    if (this.#streams.size >= STREAMS_MAX || this.#streamsFrom.of(subscriber) >= STREAMS_PER_SOURCE_MAX) {
      this.#commons.addRefused('limit');
      return void stream.destroy();
    }
    this.#streamsFrom.add(subscriber, 1);
    this.#lastStream -= 1;
    const flow: Flow = { listener: this.#lastStream, source };
    const frames = new Frames();
    this.#streams.set(flow.listener, stream);
    stream.setNoDelay(true);
    stream.setTimeout(STREAM_SILENCE_MS, () => stream.destroy());
    stream.on('error', () => {});
    stream.on('close', () => {
      this.#streams.delete(flow.listener);
      this.#streamsFrom.add(subscriber, -1);
      this.#input({ kind: 'ended', flow });
    });
    stream.on('data', (chunk: Buffer) => {
      const messages = frames.push(chunk);
      if (messages === null) return void stream.destroy();
      for (const bytes of messages) this.#input({ kind: 'from-client', flow, bytes });
    });
    stream.on('end', () => stream.end());
  }

  meet(kind: 'came' | 'went', from: string): void {
    this.#input({ kind, address: plain(from) });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#watch);
    clearTimeout(this.#alarm);
    for (const socket of [...this.#ears, ...this.#relayed.values()]) socket.close();
    this.#relayed.clear();
    for (const stream of this.#streams.values()) stream.destroy();
  }

  #input(input: Input): void {
    if (this.#closed) return;
    this.#commons.addInput();
    for (const output of this.#turn.handle(input, steadyNow())) this.#carryOut(output);
  }

  #carryOut(output: Output): void {
    switch (output.kind) {
      case 'to-client': return this.#toClient(output.flow, output.bytes);
      case 'to-peer': {
        const relayed = this.#relayed.get(output.socket);
        if (relayed !== undefined) sendUdp(relayed, output.bytes, output.to);
        return;
      }
      case 'open': return void this.#open(output);
      case 'close':
        this.#relayed.get(output.socket)?.close();
        this.#relayed.delete(output.socket);
        return;
      case 'wake':
        clearTimeout(this.#alarm);
        this.#alarm = setTimeout(() => this.#input({ kind: 'wake' }), output.at - steadyNow());
    }
  }

  #toClient({ listener, source }: Flow, bytes: Uint8Array): void {
    const ear = this.#ears[listener];
    if (ear !== undefined) return sendUdp(ear, bytes, source);
    const to = this.#streams.get(listener);
    if (to !== undefined && to.writable && to.writableLength < STREAM_BACKLOG_BYTES) to.write(bytes);
  }

  async #open({ socket, family, even, pair }: Extract<Output, { kind: 'open' }>): Promise<void> {
    const opened = await this.#openRelayed(family, even, pair !== null);
    if (this.#closed) return opened.forEach((unwanted) => unwanted.close());
    const [first, second] = opened;
    if (first === undefined) return this.#input({ kind: 'not-opened', socket });
    this.#listen(socket, first);
    if (pair !== null && second !== undefined) this.#listen(pair, second);
    const reserved = pair === null ? null : { socket: pair, token: new Uint8Array(randomBytes(TOKEN_BYTES)) };
    this.#input({ kind: 'opened', socket, port: first.address().port, reserved });
  }

  #listen(number: number, socket: Socket): void {
    this.#relayed.set(number, socket);
    socket.on('message', (bytes, source) => this.#input({ kind: 'from-peer', socket: number, source, bytes }));
  }

  /** One socket at a free port, or two at ports that follow each other; none if luck or the system refuses. */
  async #openRelayed(family: Family, even: boolean, pair: boolean): Promise<Socket[]> {
    const [first, last] = this.#place.ports;
    const address = boundAddress(family, this.#place.address);
    for (let tries = 0; tries < PORT_TRIES; tries += 1) {
      const port = even ? 2 * randomInt(Math.ceil(first / 2), Math.ceil(last / 2)) : randomInt(first, last + 1);
      const one = await openUdp(address, port).catch(() => null);
      if (one === null || !pair) {
        if (one !== null) return [one];
        continue;
      }
      const next = await openUdp(address, port + 1).catch(() => null);
      if (next !== null) return [one, next];
      one.close();
    }
    return [];
  }

  #lookAround(): void {
    this.#input({ kind: 'own', addresses: ownAddresses().map(({ address }) => address) });
  }
}

/** Two sockets at the address, of which the first has the wanted port if it is free; for `::` two of IPv4 with the same ports, too. */
async function openEars(address: string, port: number): Promise<Socket[]> {
  const first = await openUdp(address, port).catch(() => openUdp(address, 0)).catch((error: unknown) => {
    throw new SottoError('option-invalid', `This machine does not let Sotto listen at ${address}; choose another with --host.`, error);
  });
  const bound = first.address().port;
  const second = await openUdp(address, bound + 1).catch(() => openUdp(address, 0));
  if (address !== ANY[6]) return [first, second];
  const v4 = [await openUdp(ANY[4], bound).catch(() => null), await openUdp(ANY[4], second.address().port).catch(() => null)];
  if (v4.every((socket) => socket !== null)) return [first, second, ...v4];
  v4.forEach((socket) => socket?.close());
  return [first, second];
}

/** At which address the relayed sockets of a family are bound. */
function boundAddress(family: Family, address: string): string {
  return familyOf(address) === family ? address : ANY[family];
}

/** At which address sockets of this machine find those that are bound so, whatever it is called from outside. */
function addressWithin(family: Family, address: string): string {
  const bound = boundAddress(family, address);
  return bound === ANY[family] ? LOOPBACK[family] : bound;
}

/** Where allocations of a family are reached; null where this server has no address of it. */
function relayedAddress(family: Family, address: string, announced: readonly string[]): string | null {
  const named = announced.find((one) => familyOf(one) === family);
  if (named !== undefined) return named;
  if (address !== ANY[4] && address !== ANY[6]) return familyOf(address) === family ? address : null;
  if (family === 6 && address === ANY[4]) return null;
  const all = ownAddresses().filter((one) => !one.address.startsWith('fe80:'));
  const own = all.filter((one) => familyOf(one.address) === family);
  const best = own.find((one) => !isSpecial(one.address)) ?? own.find(({ internal }) => !internal);
  // Nobody else reaches a loopback address; it is for a machine that nobody reaches at all.
  return (best ?? (all.every(({ internal }) => internal) ? own[0] : undefined))?.address ?? null;
}

function endpointOf(ear: Socket, relayed: Readonly<Record<Family, string | null>>): Listener['endpoint'] {
  const { address, port } = ear.address();
  const known = relayed[familyOf(address)];
  return known === null ? null : { address: known, port };
}

async function listen(address: string, port: number, loop: Loop): Promise<Server | null> {
  const server = createServer((stream) => loop.accept(stream));
  try {
    server.listen(port, address);
    await once(server, 'listening');
    return server;
  } catch {
    return null;
  }
}

/** An address as it is without the form that IPv4 has at an IPv6 socket. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
