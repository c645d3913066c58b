// A virtual world for cores: clients with a disk, direct channels between them, and a network (network.ts) with a relay and a clock
// that jumps, so that hours run in milliseconds. It knows nothing that a client could not know of itself.

import { SottoError } from '../../crypto/error.js';
import { firstDevices } from '../../crypto/devices.js';
import { createIdentity, packIdentity } from '../../crypto/identity.js';
import { Core } from '../../client/core/core.js';
import type { Input } from '../../client/core/input.js';
import type { Output, Result } from '../../client/core/output.js';
import type { Change, MessageRecord } from '../../client/core/records.js';
import { Disk } from './disk.js';
import { Network } from './network.js';

export const RELAY = 'https://relay.test';
const RECONNECT_MS = 50;

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

export class World extends Network {
  readonly clients: VirtualClient[] = [];
  observer: Observer | null = null;

  client(name: string, live = true): VirtualClient {
    const client = new VirtualClient(this, name, live);
    this.clients.push(client);
    return client;
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
    for (const role of this.#online) this.lose(role as 'collect', RECONNECT_MS);
  }

  /** One connection to the relay ends, and another is there after a while. */
  lose(role: 'collect' | 'deposit', downMs: number): void {
    this.#online.delete(role);
    this.input({ type: 'link', relay: RELAY, role, online: false, rttMs: 0 });
    this.#connect(role, downMs);
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

  #connect(role: 'collect' | 'deposit', delayMs = RECONNECT_MS): void {
    this.#later(delayMs, () => {
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
        return this.#later(world.weather.delayMs, () => this.input({ type: 'put', contact, envelope, error, retryAfterMs: error === 'mailbox-full' ? world.advice(to.mailbox) : 0 }));
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
    if (state?.open !== true || state.peer === null || this.world.swallowing) return;
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
