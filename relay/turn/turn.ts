// The brain of the STUN and TURN server (RFC 8489, 8656): inputs in, outputs out, one synchronous call. It has no socket, clock
// or chance, never throws on bytes from outside, and knows its clients by address and credential alone, never by name.

import { Access, Answers, type Request } from './access.js';
import type { Endpoint } from './address.js';
import { Allocation, isStream, type Flow, type Permission } from './allocation.js';
import * as attribute from './attribute.js';
import type { Family } from './attribute.js';
import { answerBinding, unknownAnswer, unknownOf, type Listener } from './binding.js';
import type { ErrorNumber, Refusal } from './commons.js';
import type { Secrets } from './credential.js';
import { CHANNEL_FIRST, CHANNEL_LAST, isChannelData, readChannel, readChannelData, writeChannelData } from './frame.js';
import { BURST_MS, LIMITS, STRANGERS_BURST_MS, SWEEP_MS, type Limits } from './limits.js';
import {
  ALLOCATE,
  BINDING_REQUEST,
  CHANNEL_BIND,
  CREATE_PERMISSION,
  DATA_INDICATION,
  ERROR,
  parseMessage,
  REFRESH,
  SEND_INDICATION,
  SUCCESS,
  TRANSACTION_BYTES,
  valueOf,
  writeMessage,
  type Attribute,
  type ReadMessage,
} from './message.js';
import { Meter, SourceMeter } from './meter.js';
import { Peers, type PeerPolicy } from './peers.js';
import { Reach, type ReachOptions } from './reach.js';
import { Table } from './table.js';
import { grantedSeconds, readSeconds, readWish } from './wish.js';

export type Input =
  /** What one datagram, or one message of a stream, of a client said. */
  | { readonly kind: 'from-client'; readonly flow: Flow; readonly bytes: Uint8Array }
  /** A datagram that came to a relayed socket. */
  | { readonly kind: 'from-peer'; readonly socket: number; readonly source: Endpoint; readonly bytes: Uint8Array }
  /** The sockets that `open` asked for are open; `reserved` where it asked for a pair: its port + 1, under 8 random bytes. */
  | { readonly kind: 'opened'; readonly socket: number; readonly port: number; readonly reserved: { readonly socket: number; readonly token: Uint8Array } | null }
  | { readonly kind: 'not-opened'; readonly socket: number }
  /** A stream has ended. */
  | { readonly kind: 'ended'; readonly flow: Flow }
  /** A client of the relay has connected from this address, or is gone. */
  | { readonly kind: 'came' | 'went'; readonly address: string }
  /** The addresses of this machine. */
  | { readonly kind: 'own'; readonly addresses: readonly string[] }
  /** The time that `wake` asked for has come. */
  | { readonly kind: 'wake' };

export type Output =
  | { readonly kind: 'to-client'; readonly flow: Flow; readonly bytes: Uint8Array }
  | { readonly kind: 'to-peer'; readonly socket: number; readonly to: Endpoint; readonly bytes: Uint8Array }
  /** Open a relayed socket under this number, at an even port, and with the next port under `pair`, where that is asked for. */
  | { readonly kind: 'open'; readonly socket: number; readonly family: Family; readonly even: boolean; readonly pair: number | null }
  | { readonly kind: 'close'; readonly socket: number }
  | { readonly kind: 'wake'; readonly at: number };

export interface TurnOptions extends PeerPolicy, ReachOptions {
  readonly secrets: Secrets;
  /** 32 random bytes, for nonces and tables. */
  readonly key: Uint8Array;
  readonly listeners: readonly Listener[];
  readonly limits?: Limits;
}

/** The answer to a request: attributes of a success, the code of an error, or null if there is nothing to say yet. */
type Reply = readonly Attribute[] | ErrorNumber | null;

/** Attributes that requests and indications may carry (RFC 8656 §18); of others, those that must be understood are refused. */
const KNOWN: ReadonlySet<number> = new Set([
  attribute.USERNAME, attribute.REALM, attribute.NONCE, attribute.CHANNEL_NUMBER, attribute.LIFETIME, attribute.XOR_PEER_ADDRESS,
  attribute.DATA, attribute.REQUESTED_ADDRESS_FAMILY, attribute.EVEN_PORT, attribute.REQUESTED_TRANSPORT, attribute.RESERVATION_TOKEN,
]);

export class Turn {
  readonly #reach: Reach;
  readonly #listeners: readonly Listener[];
  readonly #limits: Limits;
  readonly #access: Access;
  readonly #answers = new Answers();
  readonly #peers: Peers;
  readonly #table: Table;
  readonly #strangers: SourceMeter;
  readonly #meter: Meter;
  /** Requests whose allocation waits for its socket. */
  readonly #waiting = new Map<number, Request>();
  #lastSocket = 0;
  #lastIndication = 0;
  #awake = false;
  #outputs: Output[] = [];

  constructor({ secrets, key, listeners, limits = LIMITS, ...rest }: TurnOptions) {
    this.#reach = new Reach(rest);
    this.#table = new Table(this.#reach.commons);
    this.#listeners = listeners;
    this.#limits = limits;
    this.#access = new Access(secrets, key);
    this.#peers = new Peers(rest);
    this.#setOwn([]);
    this.#strangers = new SourceMeter(key, limits.strangersPerSecond, STRANGERS_BURST_MS);
    this.#meter = new Meter(limits.bytesPerSecond, BURST_MS);
  }

  /** Takes one input at the time `now` (ms since 1970) and says what is to be done, in this order. */
  handle(input: Input, now: number): readonly Output[] {
    this.#outputs = [];
    switch (input.kind) {
      case 'from-client': this.#fromClient(input.flow, input.bytes, now); break;
      case 'from-peer': this.#fromSocket(input.socket, input.source, input.bytes, now); break;
      case 'opened': this.#opened(input.socket, input.port, input.reserved, now); break;
      case 'not-opened': this.#notOpened(input.socket, now); break;
      case 'ended': this.#release(this.#table.ofFlow(input.flow)); break;
      case 'came': this.#peers.count(input.address, 1); break;
      case 'went': this.#peers.count(input.address, -1); break;
      case 'own': this.#setOwn(input.addresses); break;
      case 'wake': this.#sweep(now);
    }
    return this.#outputs;
  }

  #fromClient(flow: Flow, bytes: Uint8Array, now: number): void {
    const allocation = this.#table.ofFlow(flow);
    if (isChannelData(bytes)) {
      const channel = allocation?.channel(readChannel(bytes), now);
      const data = readChannelData(bytes);
      if (allocation !== undefined && channel !== undefined && data !== null) this.#toPeer(allocation, channel.permission, channel.peer, data, now);
      return;
    }
    if (allocation === undefined && !this.#strangers.take(flow.source.address, now)) return this.#count('limit');
    const message = parseMessage(bytes);
    switch (message?.type) {
      case BINDING_REQUEST: return this.#binding(flow, message, bytes.length);
      case SEND_INDICATION: return this.#send(allocation, message, now);
      case ALLOCATE:
      case REFRESH:
      case CREATE_PERMISSION:
      case CHANNEL_BIND: return this.#request(flow, bytes, message, allocation, now);
    }
  }

  #binding(flow: Flow, message: ReadMessage, requestBytes: number): void {
    const { listener, bytes, refused } = answerBinding(message, requestBytes, flow, this.#listeners);
    if (refused) this.#count(420);
    this.#tell({ ...flow, listener }, bytes);
  }

  #request(flow: Flow, bytes: Uint8Array, message: ReadMessage, allocation: Allocation | undefined, now: number): void {
    const verdict = this.#access.judge(flow, bytes, message, allocation, now);
    if (verdict.kind === 'admitted') {
      const again = this.#answers.get(flow, message.transaction, now);
      return again === undefined ? this.#reply(verdict.request, this.#decide(verdict.request, allocation, now), now) : this.#tell(flow, again);
    }
    // Somebody who knows where an allocation is, but not whose, is a stranger too.
    if (verdict.bytes === null) return;
    if (allocation !== undefined && !this.#strangers.take(flow.source.address, now)) return this.#count('limit');
    if (verdict.code !== null) this.#count(verdict.code);
    this.#tell(flow, verdict.bytes);
  }

  #decide(request: Request, allocation: Allocation | undefined, now: number): Reply {
    const { message, username } = request;
    if (allocation !== undefined && allocation.username !== username) return 441;
    const unknown = unknownOf(message, KNOWN);
    if (unknown.length > 0) return 420;
    if (message.type === ALLOCATE) return this.#allocate(request, allocation, now);
    if (allocation === undefined || allocation.relayed === null) return 437;
    switch (message.type) {
      case REFRESH: return this.#refresh(allocation, message, now);
      case CREATE_PERMISSION: return this.#permit(allocation, message, now);
      default: return this.#bind(allocation, message, now);
    }
  }

  /** RFC 8656 §7.2. */
  #allocate(request: Request, allocation: Allocation | undefined, now: number): Reply {
    const { flow, message, username, key } = request;
    // A retransmission, most likely: its answer is on the way.
    if (allocation?.relayed === null) return null;
    if (allocation !== undefined) return 437;
    const wish = readWish(message);
    if (typeof wish === 'number') return wish;
    if (this.#table.countOf(username) >= this.#limits.allocationsPerCredential) return 486;
    if (this.#table.countFrom(flow.source.address) >= this.#limits.allocationsPerSource) return 486;
    const reserved = wish.token === null ? null : this.#table.redeem(wish.token, username, now);
    if (wish.token !== null && reserved === null) return 508;
    const family = reserved?.family ?? wish.family ?? this.#reach.usual;
    if (this.#reach.address(family) === null) return 440;
    if (reserved === null && this.#table.size + (wish.pair ? 2 : 1) > this.#limits.allocations) return 508;
    const socket = reserved?.socket ?? this.#newSocket();
    const opened = new Allocation({ flow, socket, username, key, family, expiresAt: now + wish.seconds * 1_000 }, this.#limits);
    this.#table.add(opened);
    this.#wake(now);
    if (reserved !== null) return this.#place(request, opened, reserved.port, null, now);
    this.#waiting.set(socket, request);
    this.#outputs.push({ kind: 'open', socket, family, even: wish.even, pair: wish.pair ? this.#newSocket() : null });
    return null;
  }

  #opened(socket: number, port: number, reserved: { readonly socket: number; readonly token: Uint8Array } | null, now: number): void {
    const request = this.#waiting.get(socket);
    const allocation = this.#table.ofSocket(socket);
    this.#waiting.delete(socket);
    if (request === undefined || allocation === undefined) {
      this.#close(reserved === null ? [socket] : [socket, reserved.socket]);
      return;
    }
    if (reserved !== null) {
      const { username, family } = allocation;
      this.#table.reserve(attribute.readText(reserved.token), { socket: reserved.socket, port: port + 1, family, username }, now);
    }
    this.#reply(request, this.#place(request, allocation, port, reserved?.token ?? null, now), now);
  }

  #notOpened(socket: number, now: number): void {
    const request = this.#waiting.get(socket);
    const allocation = this.#table.ofSocket(socket);
    this.#waiting.delete(socket);
    if (request === undefined || allocation === undefined) return;
    this.#table.remove(allocation);
    this.#reply(request, 508, now);
  }

  #place({ flow, message: { transaction } }: Request, allocation: Allocation, port: number, token: Uint8Array | null, now: number): Reply {
    const relayed = { address: this.#reach.address(allocation.family)!, port };
    this.#table.place(allocation, relayed);
    return [
      { type: attribute.XOR_RELAYED_ADDRESS, value: attribute.xorAddress(relayed, transaction) },
      { type: attribute.LIFETIME, value: attribute.lifetime((allocation.expiresAt - now) / 1_000) },
      ...token === null ? [] : [{ type: attribute.RESERVATION_TOKEN, value: token }],
      { type: attribute.XOR_MAPPED_ADDRESS, value: attribute.xorAddress(flow.source, transaction) },
    ];
  }

  /** RFC 8656 §8.2. */
  #refresh(allocation: Allocation, message: ReadMessage, now: number): Reply {
    const wanted = valueOf(message, attribute.REQUESTED_ADDRESS_FAMILY);
    if (wanted !== undefined && attribute.readFamily(wanted) !== allocation.family) return 443;
    const asked = readSeconds(message);
    if (asked === null) return 400;
    const seconds = asked === 0 ? 0 : grantedSeconds(asked);
    if (seconds === 0) this.#release(allocation);
    allocation.expiresAt = now + seconds * 1_000;
    return [{ type: attribute.LIFETIME, value: attribute.lifetime(seconds) }];
  }

  /** RFC 8656 §10.2: all of the addresses or none. */
  #permit(allocation: Allocation, { attributes, transaction }: ReadMessage, now: number): Reply {
    const values = attributes.filter(({ type }) => type === attribute.XOR_PEER_ADDRESS);
    const peers = values.map(({ value }) => attribute.readXorAddress(value, transaction));
    if (peers.length === 0) return 400;
    for (const peer of peers) {
      const refused = this.#refusalOf(allocation, peer);
      if (refused !== null) return refused;
    }
    const addresses = new Set(peers.map((peer) => peer!.address));
    if (!allocation.hasRoomFor(addresses, now)) return 508;
    for (const address of addresses) allocation.permit(address, this.#peers.isExempt(address), now);
    return [];
  }

  /** RFC 8656 §12.2. */
  #bind(allocation: Allocation, message: ReadMessage, now: number): Reply {
    const number = attribute.readChannelNumber(valueOf(message, attribute.CHANNEL_NUMBER) ?? new Uint8Array(0));
    const peer = attribute.readXorAddress(valueOf(message, attribute.XOR_PEER_ADDRESS) ?? new Uint8Array(0), message.transaction);
    if (number === null || number < CHANNEL_FIRST || number > CHANNEL_LAST) return 400;
    const refused = this.#refusalOf(allocation, peer);
    if (refused !== null || peer === null) return refused ?? 400;
    const verdict = allocation.canBind(number, peer, now);
    if (verdict === 'conflict') return 400;
    if (verdict === 'full' || !allocation.hasRoomFor(new Set([peer.address]), now)) return 508;
    allocation.bind(number, peer, this.#peers.isExempt(peer.address), now);
    return [];
  }

  /** Why a peer cannot be let in; null if it can. Of this relay's own address, only live allocations are anybody's peers. */
  #refusalOf(allocation: Allocation, peer: Endpoint | null): ErrorNumber | null {
    if (peer === null) return 400;
    if (attribute.familyOf(peer.address) !== allocation.family) return 443;
    return this.#reach.isLive(peer, allocation.family) || this.#peers.allows(peer.address) ? null : 403;
  }

  /** RFC 8656 §11.2. */
  #send(allocation: Allocation | undefined, message: ReadMessage, now: number): void {
    const data = valueOf(message, attribute.DATA);
    const value = valueOf(message, attribute.XOR_PEER_ADDRESS);
    if (allocation === undefined || data === undefined || value === undefined || unknownOf(message, KNOWN).length > 0) return;
    const peer = attribute.readXorAddress(value, message.transaction);
    if (peer !== null) this.#toPeer(allocation, allocation.permission(peer.address), peer, data, now);
  }

  /** What goes to another allocation goes there at once, or from one thread's socket to the other's; to nothing else of this machine. */
  #toPeer(allocation: Allocation, permission: Permission | undefined, peer: Endpoint, data: Uint8Array, now: number): void {
    if (permission === undefined || permission.expiresAt <= now || allocation.relayed === null || !this.#pay(allocation, data.length, now)) return;
    const other = this.#table.ofRelayed(peer);
    if (other !== undefined) return this.#fromPeer(other, allocation.relayed, data, now);
    const { socket, family } = allocation;
    if (this.#reach.isLive(peer, family)) this.#outputs.push({ kind: 'to-peer', socket, to: this.#reach.inside(peer, family), bytes: data });
    else if (permission.exempt || this.#peers.isReachable(peer.address)) this.#outputs.push({ kind: 'to-peer', socket, to: peer, bytes: data });
  }

  #fromSocket(socket: number, source: Endpoint, data: Uint8Array, now: number): void {
    const allocation = this.#table.ofSocket(socket);
    if (allocation !== undefined) this.#fromPeer(allocation, this.#reach.outside(source, allocation.family), data, now);
  }

  /** RFC 8656 §11.3, §12.7. */
  #fromPeer(allocation: Allocation, source: Endpoint, data: Uint8Array, now: number): void {
    const permission = allocation.permission(source.address);
    if (permission === undefined || permission.expiresAt <= now || !this.#pay(allocation, data.length, now)) return;
    const channel = permission.channels.get(source.port);
    if (channel !== undefined && channel.expiresAt > now) {
      return this.#tell(allocation.flow, writeChannelData(channel.number, data, isStream(allocation.flow)));
    }
    const transaction = this.#newTransaction();
    const attributes = [
      { type: attribute.XOR_PEER_ADDRESS, value: attribute.xorAddress(source, transaction) },
      { type: attribute.DATA, value: data },
    ];
    this.#tell(allocation.flow, writeMessage({ type: DATA_INDICATION, transaction, attributes, fingerprint: false }));
  }

  #pay(allocation: Allocation, bytes: number, now: number): boolean {
    if (!allocation.meter.take(bytes, now) || !this.#meter.take(bytes, now)) return false;
    this.#reach.commons.addRelayed(bytes);
    return true;
  }

  #reply({ flow, message, key }: Request, reply: Reply, now: number): void {
    if (reply === null) return;
    if (typeof reply === 'number') this.#count(reply);
    const { type, transaction, fingerprint } = message;
    const answer = typeof reply === 'number'
      ? { type: type | ERROR, transaction, attributes: refusal(message, reply), fingerprint }
      : { type: type | SUCCESS, transaction, attributes: reply, fingerprint };
    const bytes = writeMessage(answer, key);
    this.#answers.set(flow, transaction, bytes, now);
    this.#tell(flow, bytes);
  }

  #count(why: Refusal): void {
    this.#reach.commons.addRefused(why);
  }

  #tell(flow: Flow, bytes: Uint8Array): void {
    this.#outputs.push({ kind: 'to-client', flow, bytes });
  }

  #release(allocation: Allocation | undefined): void {
    if (allocation === undefined) return;
    this.#table.remove(allocation);
    // One that is still being opened is closed when it is.
    if (allocation.relayed !== null) this.#close([allocation.socket]);
  }

  #close(sockets: readonly number[]): void {
    for (const socket of sockets) this.#outputs.push({ kind: 'close', socket });
  }

  #sweep(now: number): void {
    this.#awake = false;
    this.#close(this.#table.sweep(now));
    if (this.#table.size > 0) this.#wake(now);
  }

  #wake(now: number): void {
    if (this.#awake) return;
    this.#awake = true;
    this.#outputs.push({ kind: 'wake', at: now + SWEEP_MS });
  }

  #setOwn(addresses: readonly string[]): void {
    const relayed = [this.#reach.address(4), this.#reach.address(6)];
    this.#peers.setOwn([...addresses, ...relayed.filter((address) => address !== null)]);
  }

  #newSocket(): number {
    this.#lastSocket += 1;
    return this.#lastSocket;
  }

  /** Never twice; nobody answers an indication, so nobody need guess it. */
  #newTransaction(): Uint8Array {
    this.#lastIndication += 1;
    const transaction = new Uint8Array(TRANSACTION_BYTES);
    new DataView(transaction.buffer).setFloat64(0, this.#lastIndication);
    return transaction;
  }
}

function refusal(message: ReadMessage, code: number): Attribute[] {
  return code === 420 ? unknownAnswer(unknownOf(message, KNOWN)) : [{ type: attribute.ERROR_CODE, value: attribute.errorCode(code) }];
}
