// A virtual world for cores: clients with a disk, a relay, direct channels, and a clock that jumps from event to event.
// Delays, losses and crashes come from one seed, so that hours run in milliseconds and every run can be had again.

import { SottoError } from '../../crypto/error.js';
import { firstDevices } from '../../crypto/devices.js';
import { createIdentity, packIdentity } from '../../crypto/identity.js';
import { Core } from '../../client/core/core.js';
import type { Input } from '../../client/core/input.js';
import type { Output, Result } from '../../client/core/output.js';
import { RECENT_MAX } from '../../client/core/records.js';
import type {
  AddressRecord, Change, ContactRecord, FlightRecord, InvitationRecord, MessageRecord, OutgoingRecord, OwnMailbox, PastRecord, RequestRecord, SelfRecord, Snapshot, WeekRecord,
} from '../../client/core/records.js';

/** A small seeded generator (mulberry32): numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const RELAY = 'https://relay.test';

/** What a client has on its disk: what a store would give back after a crash. */
export class Disk {
  self: SelfRecord;
  readonly contacts: Map<string, ContactRecord>;
  readonly past: Map<string, PastRecord>;
  readonly invitations: Map<string, InvitationRecord>;
  address: AddressRecord | null;
  readonly weeks: Map<string, WeekRecord>;
  readonly flights: Map<string, FlightRecord>;
  readonly requests: Map<string, RequestRecord>;
  readonly closing: Map<string, OwnMailbox>;
  readonly outgoing: Map<string, OutgoingRecord>;
  readonly messages: Map<string, MessageRecord>;

  constructor(self: SelfRecord, other?: Disk) {
    this.self = self;
    this.contacts = new Map(other?.contacts);
    this.past = new Map(other?.past);
    this.invitations = new Map(other?.invitations);
    this.address = other?.address ?? null;
    this.weeks = new Map(other?.weeks);
    this.flights = new Map(other?.flights);
    this.requests = new Map(other?.requests);
    this.closing = new Map(other?.closing);
    this.outgoing = new Map(other?.outgoing);
    this.messages = new Map(other?.messages);
  }

  /** An old copy, to be put back later. */
  copy(): Disk {
    return new Disk(this.self, this);
  }

  commit(changes: readonly Change[]): void {
    for (const change of changes) {
      switch (change.kind) {
        case 'self': this.self = change.record; break;
        case 'contact': this.contacts.set(change.record.id, change.record); break;
        case 'contact-removed': this.#removeContact(change.id); break;
        case 'past': this.past.set(change.record.key, change.record); break;
        case 'past-removed': this.past.delete(change.key); break;
        case 'invitation': this.invitations.set(change.record.lookup, change.record); break;
        case 'invitation-removed': this.invitations.delete(change.lookup); break;
        case 'address': this.address = change.record; break;
        case 'address-removed': this.address = null; break;
        case 'week': this.weeks.set(change.record.lookup, change.record); break;
        case 'week-removed': this.weeks.delete(change.lookup); break;
        case 'flight-removed': this.flights.delete(change.flight); break;
        case 'flight': this.flights.set(change.record.flight, change.record); break;
        case 'request': this.requests.set(change.record.id, change.record); break;
        case 'request-removed': this.requests.delete(change.id); break;
        case 'closing': this.closing.set(change.record.mailbox, change.record); break;
        case 'closing-removed': this.closing.delete(change.mailbox); break;
        case 'outgoing': this.outgoing.set(change.record.envelope, change.record); break;
        case 'outgoing-removed': this.outgoing.delete(change.envelope); break;
        case 'message': this.messages.set(`${change.record.direction} ${change.record.id}`, change.record); break;
        case 'renumbered': {
          const { contact, from, to } = change;
          const message = [...this.messages.values()].find((one) => one.direction === 'out' && one.contact === contact && one.number === from)!;
          this.messages.set(`out ${message.id}`, { ...message, number: to });
        }
      }
    }
  }

  #removeContact(id: string): void {
    this.contacts.delete(id);
    for (const [key, { contact }] of this.outgoing) if (contact === id) this.outgoing.delete(key);
    for (const [key, { contact }] of this.messages) if (contact === id) this.messages.delete(key);
  }

  snapshot(): Snapshot {
    const messages = [...this.messages.values()];
    return {
      self: this.self,
      contacts: [...this.contacts.values()],
      past: [...this.past.values()],
      invitations: [...this.invitations.values()],
      address: this.address,
      weeks: [...this.weeks.values()],
      flights: [...this.flights.values()],
      requests: [...this.requests.values()],
      closing: [...this.closing.values()],
      outgoing: [...this.outgoing.values()],
      pending: messages.filter(({ direction, state }) => direction === 'out' && ['queued', 'accepted', 'delivered', 'failed'].includes(state)),
      held: messages.filter(({ direction, position }) => direction === 'in' && position === null),
      recent: messages.filter(({ direction, position }) => direction === 'in' && position !== null).toSorted((a, b) => a.number - b.number).slice(-RECENT_MAX),
    };
  }
}

interface Envelope {
  readonly sequence: number;
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly expiresAt: number;
}

/** What can go wrong, as probabilities per event, and how long things take. */
export interface Weather {
  readonly delayMs: number;
  readonly crash: number;
  readonly cut: number;
  /** Chance that a direct call opens. */
  readonly direct: number;
}

/** Where a process can die while it handles one input: before the commit, after it, or in the middle of the sending. */
export type Death = 'before-commit' | 'after-commit' | 'while-sending';

/** Somebody who watches all clients and decides nothing. */
export interface Observer {
  /** Something is durable now. */
  committed(client: VirtualClient): void;
  /** An envelope leaves a client, by whichever path. */
  left(client: VirtualClient, envelope: Uint8Array): void;
  /** A person sees a text. */
  shown(client: VirtualClient, message: MessageRecord): void;
}

export const FAIR: Weather = { delayMs: 10, crash: 0, cut: 0, direct: 1 };

export class World {
  now = 1_800_000_000_000;
  weather: Weather;
  /** Envelopes that a mailbox holds, and the advice that comes with the refusal of more. */
  mailboxMax = Infinity;
  adviceMs = 0;
  readonly chance: () => number;
  readonly clients: VirtualClient[] = [];
  /** Mailboxes by id: who collects, and what waits. */
  readonly mailboxes = new Map<string, { token: string; owner: VirtualClient; envelopes: Map<number, Envelope> }>();
  readonly cards = new Map<string, Uint8Array>();
  readonly cardsExpireAt = new Map<string, number>();
  /** Every byte string that a relay or network saw. */
  readonly seen: Uint8Array[] = [];
  observer: Observer | null = null;
  #queue: { at: number; order: number; act: () => void }[] = [];
  #order = 0;
  #sequence = 0;

  constructor(seed: number, weather: Weather = FAIR) {
    this.chance = seeded(seed);
    this.weather = weather;
  }

  random = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(this.chance() * 256));

  client(name: string, live = true): VirtualClient {
    const client = new VirtualClient(this, name, live);
    this.clients.push(client);
    return client;
  }

  later(delayMs: number, act: () => void): void {
    this.#order += 1;
    this.#queue.push({ at: this.now + delayMs, order: this.#order, act });
  }

  delay(): number {
    return Math.round(this.chance() * this.weather.delayMs);
  }

  /** Runs events until nothing is left before the given time. */
  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      this.#queue.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#queue[0];
      if (next === undefined || next.at > end) break;
      this.#queue.shift();
      this.now = Math.max(this.now, next.at);
      next.act();
    }
    this.now = end;
  }

  put(mailbox: string, token: Uint8Array, bytes: Uint8Array, ttlSeconds: number): SottoError['code'] | null {
    this.seen.push(bytes);
    const box = this.mailboxes.get(mailbox);
    if (box === undefined) return 'mailbox-unknown';
    if (box.token !== token.join()) return 'token-wrong';
    if (box.envelopes.size >= this.mailboxMax) return 'mailbox-full';
    this.#sequence += 1;
    const envelope = { sequence: this.#sequence, bytes, at: this.now, expiresAt: this.now + ttlSeconds * 1000 };
    box.envelopes.set(envelope.sequence, envelope);
    this.deliver(mailbox, envelope);
    return null;
  }

  deliver(mailbox: string, envelope: Envelope): void {
    const { owner } = this.mailboxes.get(mailbox)!;
    const { life } = owner;
    this.later(this.weather.delayMs, () => {
      if (envelope.expiresAt <= this.now || !this.mailboxes.get(mailbox)?.envelopes.has(envelope.sequence)) return;
      if (life === owner.life && owner.isOnline('collect')) owner.input({ type: 'delivery', mailbox, sequence: envelope.sequence, envelope: envelope.bytes, ageMs: this.now - envelope.at });
    });
  }

  /** The relay dies and comes back: connections are gone, what is on its disk is not. */
  restartRelay(): void {
    for (const client of this.clients) client.disconnect();
  }
}

/** One person's client: a core, its disk, and what was shown. */
export class VirtualClient {
  readonly world: World;
  readonly name: string;
  readonly live: boolean;
  disk: Disk;
  core: Core;
  /** Counts process lives; what belonged to an earlier one is gone. */
  life = 0;
  /** How the process dies of its next input, and for how long. */
  doom: { readonly death: Death; readonly downMs: number } | null = null;
  #isDown = false;
  /** Everything that became ready to be shown, ever: by position, as a person would read it. */
  readonly notices: string[] = [];
  #online = new Set<string>();
  #wakes = 0;
  #requests = new Map<number, (result: Result | SottoError) => void>();
  #request = 0;
  readonly calls = new Map<string, { peer: VirtualClient | null; peerLife: number; open: boolean }>();

  constructor(world: World, name: string, live: boolean) {
    this.world = world;
    this.name = name;
    this.live = live;
    const identity = createIdentity(world.random);
    this.disk = new Disk({ name, relay: RELAY, identity: packIdentity(identity), devices: firstDevices(identity, world.now), createdAt: world.now, position: 0 });
    this.core = this.#open();
    this.#release(this.core.start(world.now));
  }

  #open(): Core {
    return new Core(this.disk.snapshot(), { random: this.world.random, direct: this.live }, this.world.now);
  }

  isOnline(role: string): boolean {
    return this.#online.has(role);
  }

  /** The process is killed and starts again after a while. */
  crash(downMs = 1_000): void {
    this.life += 1;
    this.#isDown = true;
    this.#online.clear();
    for (const id of this.calls.keys()) this.#hangUp(id);
    const { life } = this;
    this.world.later(downMs, () => {
      if (life !== this.life) return;
      this.#isDown = false;
      this.core = this.#open();
      this.#release(this.core.start(this.world.now));
    });
  }

  disconnect(): void {
    for (const role of this.#online) {
      this.#online.delete(role);
      this.input({ type: 'link', relay: RELAY, role: role as 'collect', online: false, rttMs: 0 });
      this.#connect(role as 'collect');
    }
  }

  cutDirect(): void {
    for (const id of this.calls.keys()) this.#hangUp(id);
  }

  input(input: Input): void {
    if (this.#isDown) return;
    const { weather, chance, now } = this.world;
    const outputs = this.core.handle(input, now);
    const fate = chance();
    const death = this.doom?.death ?? (fate < weather.crash / 2 ? 'before-commit' : fate < weather.crash ? 'after-commit' : null);
    const downMs = this.doom?.downMs;
    this.doom = null;
    if (death === 'before-commit') return this.crash(downMs);
    if (death === 'after-commit') {
      this.#commit(outputs);
      return this.crash(downMs);
    }
    if (chance() < weather.cut) this.cutDirect();
    const actions = outputs.filter(({ type }) => type !== 'save').length;
    this.#release(outputs, death === null ? actions : Math.floor(actions / 2));
    if (death === 'while-sending') this.crash(downMs);
  }

  /** An old copy of the disk is put back, and the process starts with it. */
  restore(old: Disk): void {
    this.disk = old.copy();
    this.crash();
  }

  ask(make: (request: number) => Input): Result | SottoError | null {
    const answers: (Result | SottoError)[] = [];
    this.#request += 1;
    this.#requests.set(this.#request, (result) => void answers.push(result));
    this.input(make(this.#request));
    for (let waited = 0; answers.length === 0 && waited < 100; waited += 1) this.world.run(10);
    return answers[0] ?? null;
  }

  invite(): string {
    const result = this.ask((request) => ({ type: 'invite', request, lifetimeMs: 3_600_000 }));
    if (result === null || result instanceof SottoError || result.type !== 'invited') throw new Error(`no invitation: ${String(result)}`);
    return result.link;
  }

  accept(link: string): string {
    const result = this.ask((request) => ({ type: 'accept', request, link }));
    if (result === null || result instanceof SottoError || result.type !== 'accepted') throw new Error(`not accepted: ${String(result)}`);
    return result.contact;
  }

  address(change: 'show' | 'new' = 'show'): string {
    const result = this.ask((request) => ({ type: 'address', request, change }));
    if (result === null || result instanceof SottoError || result.type !== 'address') throw new Error(`no address: ${String(result)}`);
    return result.link;
  }

  approve(id: string): void {
    const result = this.ask((request) => ({ type: 'approve', request, id }));
    if (result === null || result instanceof SottoError) throw new Error(`not approved: ${String(result)}`);
  }

  refuse(id: string): void {
    const result = this.ask((request) => ({ type: 'refuse', request, id }));
    if (result === null || result instanceof SottoError) throw new Error(`not refused: ${String(result)}`);
  }

  part(type: 'remove' | 'block' | 'unblock', contact: string): void {
    const result = this.ask((request) => ({ type, request, contact }));
    if (result === null || result instanceof SottoError) throw new Error(`no ${type}: ${String(result)}`);
  }

  send(contact: string, text: string): void {
    this.#request += 1;
    this.input({ type: 'send', request: this.#request, contact, text });
  }

  /** Received texts as shown, in order. */
  shown(): string[] {
    return [...this.disk.messages.values()].filter(({ direction, position }) => direction === 'in' && position !== null)
      .toSorted((a, b) => a.position! - b.position!).map(({ text }) => text);
  }

  /** States of own texts, in order of sending. */
  states(): string[] {
    return [...this.disk.messages.values()].filter(({ direction }) => direction === 'out').toSorted((a, b) => a.number - b.number).map(({ state }) => state);
  }

  path(contact: string): string {
    return this.core.memory.contacts.get(contact)?.openCall === null ? 'relay' : 'direct';
  }

  #later(delayMs: number, act: () => void): void {
    const { life } = this;
    this.world.later(delayMs, () => {
      if (life === this.life) act();
    });
  }

  /** Makes outputs durable and performs the first `limit` of what is to be done after that. */
  #release(outputs: readonly Output[], limit = outputs.length): void {
    this.#commit(outputs);
    const { life } = this;
    for (const output of outputs.filter(({ type }) => type !== 'save').slice(0, limit)) if (life === this.life) this.#perform(output);
  }

  #commit(outputs: readonly Output[]): void {
    this.disk.commit(changesOf(outputs));
    this.world.observer?.committed(this);
  }

  #connect(role: 'collect' | 'deposit'): void {
    this.#later(50, () => {
      if (this.#isDown || this.#online.has(role)) return;
      this.#online.add(role);
      this.input({ type: 'link', relay: RELAY, role, online: true, rttMs: 5 });
    });
  }

  #perform(output: Output): void {
    const { world } = this;
    switch (output.type) {
      case 'answer': {
        this.#requests.get(output.request)?.(output.result);
        return;
      }
      case 'link': return this.#connect(output.role);
      // All are at one relay, which is everybody's own.
      case 'unlink': throw new Error('nobody leaves their own relay');
      case 'collect': {
        const { mailbox, token } = output.mailbox;
        const known = world.mailboxes.get(mailbox);
        if (known === undefined) world.mailboxes.set(mailbox, { token: token.join(), owner: this, envelopes: new Map() });
        else known.owner = this;
        this.#later(world.delay(), () => {
          this.input({ type: 'collected', mailbox, error: null });
          for (const envelope of world.mailboxes.get(mailbox)?.envelopes.values() ?? []) world.deliver(mailbox, envelope);
        });
        return;
      }
      case 'acknowledge': return void world.mailboxes.get(output.mailbox)?.envelopes.delete(output.sequence);
      case 'close-mailbox': {
        const { mailbox } = output.mailbox;
        const isOnline = this.#online.has('collect');
        if (isOnline) world.mailboxes.delete(mailbox);
        return this.#later(world.delay(), () => this.input({ type: 'closed', mailbox, error: isOnline ? null : 'relay-unreachable' }));
      }
      // Unacknowledged, it comes again when it is collected again.
      case 'leave-mailbox': return;
      case 'publish': {
        world.cards.set(output.lookup, output.card);
        world.cardsExpireAt.set(output.lookup, world.now + output.ttlSeconds * 1000);
        return this.#later(world.delay(), () => this.input({ type: 'published', lookup: output.lookup, error: null }));
      }
      case 'take': {
        const lookup = Buffer.from(output.lookup).toString('hex');
        const card = (world.cardsExpireAt.get(lookup) ?? 0) > world.now ? world.cards.get(lookup)! : null;
        return this.#later(world.delay(), () => this.input({ type: 'card', request: output.request, card, error: card === null ? 'card-unknown' : null }));
      }
      case 'put': {
        const { contact, envelope, to, bytes, ttlSeconds } = output;
        world.observer?.left(this, bytes);
        const error = this.#online.has('deposit') ? world.put(to.mailbox, to.token, bytes, ttlSeconds) : 'relay-unreachable';
        return this.#later(world.weather.delayMs, () => this.input({ type: 'put', contact, envelope, error, retryAfterMs: error === 'mailbox-full' ? world.adviceMs : 0 }));
      }
      case 'dial': return this.#dial(output.call);
      case 'peer-remote': return this.#remote(output.call, output.description.ufrag);
      case 'peer-send': {
        world.observer?.left(this, output.frame);
        return this.#send(output.call, output.frame);
      }
      case 'hang-up': return this.#hangUp(output.call);
      case 'wake': {
        this.#wakes += 1;
        const wake = this.#wakes;
        return this.#later(Math.max(0, output.at - world.now), () => {
          if (wake === this.#wakes) this.input({ type: 'wake' });
        });
      }
      case 'notice': return void this.notices.push(output.code);
      case 'message': return world.observer?.shown(this, output.message);
      case 'save':
      case 'state':
      case 'contact':
      case 'removed':
      case 'request':
      case 'path':
      case 'peer-candidates': return;
    }
  }

  // A fingerprint names the client and its life; the network lets a call through or not.
  #fingerprint(): Uint8Array {
    return new Uint8Array(32).fill(this.world.clients.indexOf(this) + 1);
  }

  #dial(call: string): void {
    this.calls.set(call, { peer: null, peerLife: 0, open: false });
    const ufrag = `peer${this.world.clients.indexOf(this)}`;
    this.#later(this.world.delay(), () => this.input({
      type: 'peer-description', call, description: { ufrag, pwd: 'x'.repeat(22), fingerprint: this.#fingerprint(), setup: 'actpass', candidates: [] },
    }));
  }

  #remote(call: string, ufrag: string): void {
    const mine = this.calls.get(call);
    const peer = this.world.clients[Number(ufrag.slice(4))]!;
    if (mine === undefined) return;
    mine.peer = peer;
    mine.peerLife = peer.life;
    const theirs = peer.calls.get(call);
    if (theirs?.peer !== this || this.world.chance() >= this.world.weather.direct) return;
    for (const [side, other] of [[this, peer], [peer, this]] as const) {
      side.#later(this.world.delay(), () => {
        const state = side.calls.get(call);
        if (state === undefined) return;
        state.open = true;
        side.input({ type: 'peer-open', call, local: side.#fingerprint(), remote: other.#fingerprint() });
      });
    }
  }

  #send(call: string, frame: Uint8Array): void {
    const state = this.calls.get(call);
    if (state?.open !== true || state.peer === null) return;
    const { peer } = state;
    peer.#later(this.world.weather.delayMs, () => {
      if (peer.calls.get(call) !== undefined && this.calls.get(call) !== undefined) peer.input({ type: 'peer-frame', call, frame });
    });
  }

  // Both ends learn of it, the other a little later; what was on the way is lost.
  #hangUp(call: string): void {
    const state = this.calls.get(call);
    if (!this.calls.delete(call)) return;
    this.#later(0, () => this.input({ type: 'peer-closed', call, reason: 'gone' }));
    const peer = state?.peer ?? null;
    if (peer !== null) peer.#later(20, () => peer.#hangUp(call));
  }
}

function changesOf(outputs: readonly Output[]): Change[] {
  return outputs.filter((output) => output.type === 'save').map(({ change }) => change);
}
