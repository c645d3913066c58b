// A virtual world for cores: clients with a disk, a relay, direct channels, and a clock that jumps from event to event.
// Delays, losses and crashes come from one seed, so that hours run in milliseconds and every run can be had again.

import { SottoError } from '../../crypto/error.js';
import { firstDevices } from '../../crypto/devices.js';
import { createIdentity, packIdentity } from '../../crypto/identity.js';
import { Core } from '../../client/core/core.js';
import type { Input } from '../../client/core/input.js';
import type { Output, Result } from '../../client/core/output.js';
import { RECENT_MAX } from '../../client/core/records.js';
import type { Change, ContactRecord, InvitationRecord, MessageRecord, OutgoingRecord, SelfRecord, Snapshot } from '../../client/core/records.js';

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
class Disk {
  self: SelfRecord;
  readonly contacts = new Map<string, ContactRecord>();
  readonly invitations = new Map<string, InvitationRecord>();
  readonly outgoing = new Map<string, OutgoingRecord>();
  readonly messages = new Map<string, MessageRecord>();

  constructor(self: SelfRecord) {
    this.self = self;
  }

  copy(): Disk {
    const copy = new Disk(this.self);
    for (const kind of ['contacts', 'invitations', 'outgoing', 'messages'] as const) for (const [key, record] of this[kind]) (copy[kind] as Map<string, unknown>).set(key, record);
    return copy;
  }

  commit(changes: readonly Change[]): void {
    for (const change of changes) {
      switch (change.kind) {
        case 'self': this.self = change.record; break;
        case 'contact': this.contacts.set(change.record.id, change.record); break;
        case 'invitation': this.invitations.set(change.record.lookup, change.record); break;
        case 'invitation-removed': this.invitations.delete(change.lookup); break;
        case 'outgoing': this.outgoing.set(change.record.envelope, change.record); break;
        case 'outgoing-removed': this.outgoing.delete(change.envelope); break;
        case 'message': this.messages.set(`${change.record.direction} ${change.record.contact} ${change.record.number}`, change.record); break;
        case 'renumbered': {
          const key = `out ${change.contact} ${change.from}`;
          const message = this.messages.get(key)!;
          this.messages.delete(key);
          this.messages.set(`out ${change.contact} ${change.to}`, { ...message, number: change.to });
        }
      }
    }
  }

  snapshot(): Snapshot {
    const messages = [...this.messages.values()];
    return {
      self: this.self,
      contacts: [...this.contacts.values()],
      invitations: [...this.invitations.values()],
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

export const FAIR: Weather = { delayMs: 10, crash: 0, cut: 0, direct: 1 };

export class World {
  now = 1_800_000_000_000;
  weather: Weather;
  readonly chance: () => number;
  readonly clients: VirtualClient[] = [];
  /** Mailboxes by id: who collects, and what waits. */
  readonly mailboxes = new Map<string, { token: string; owner: VirtualClient; envelopes: Map<number, Envelope> }>();
  readonly cards = new Map<string, Uint8Array>();
  /** Every byte string that a relay or network saw. */
  readonly seen: Uint8Array[] = [];
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

  /** Ends the process and starts it again on an old copy of its disk. */
  putBack(disk: Disk): void {
    this.crash();
    this.disk = disk;
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
    // Killed before the commit, or between the commit and the sending.
    if (fate < weather.crash / 2) return this.crash();
    if (fate < weather.crash) {
      this.disk.commit(changesOf(outputs));
      return this.crash();
    }
    if (chance() < weather.cut) this.cutDirect();
    this.#release(outputs);
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

  #release(outputs: readonly Output[]): void {
    this.disk.commit(changesOf(outputs));
    const { life } = this;
    for (const output of outputs) if (life === this.life) this.#perform(output);
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
      case 'close-mailbox': return void world.mailboxes.delete(output.mailbox.mailbox);
      case 'publish': {
        world.cards.set(output.lookup, output.card);
        return this.#later(world.delay(), () => this.input({ type: 'published', lookup: output.lookup, error: null }));
      }
      case 'take': {
        const card = world.cards.get(Buffer.from(output.lookup).toString('hex')) ?? null;
        return this.#later(world.delay(), () => this.input({ type: 'card', request: output.request, card, error: card === null ? 'card-unknown' : null }));
      }
      case 'put': {
        const { contact, envelope, to, bytes, ttlSeconds } = output;
        const error = this.#online.has('deposit') ? world.put(to.mailbox, to.token, bytes, ttlSeconds) : 'relay-unreachable';
        return this.#later(world.weather.delayMs, () => this.input({ type: 'put', contact, envelope, error }));
      }
      case 'dial': return this.#dial(output.call);
      case 'peer-remote': return this.#remote(output.call, output.description.ufrag);
      case 'peer-send': return this.#send(output.call, output.frame);
      case 'hang-up': return this.#hangUp(output.call);
      case 'wake': {
        this.#wakes += 1;
        const wake = this.#wakes;
        return this.#later(Math.max(0, output.at - world.now), () => {
          if (wake === this.#wakes) this.input({ type: 'wake' });
        });
      }
      case 'notice': return void this.notices.push(output.code);
      case 'save':
      case 'message':
      case 'state':
      case 'contact':
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
