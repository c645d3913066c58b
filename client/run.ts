// The only loop of a client. It owns the clock, the randomness, the transports and the store; it hands inputs to the core, writes
// what the core saves, and only then lets the rest out (save precedes send). It decides nothing.

import { SottoError } from '../crypto/error.js';
import { fromHex } from '../crypto/bytes.js';
import { isName } from '../crypto/name.js';
import { createIdentity, packIdentity, unpackPublicIdentity } from '../crypto/identity.js';
import type { Random } from '../crypto/random.js';
import { safetyNumber } from '../crypto/safety-number.js';
import { ready } from '../crypto/sodium.js';
import type { Client, ClientEvent, ContactView, MessageView, StatusView, Wait } from './client.js';
import { Core } from './core/core.js';
import type { Input, LinkRole } from './core/input.js';
import type { Contact } from './core/memory.js';
import type { Output, Result } from './core/output.js';
import type { Change, MessageState, Policy } from './core/records.js';
import { isThisMachine } from './core/sdp.js';
import type { MessageQuery, Store } from './stores/store.js';
import type { Link, LinkState, OpenLink } from './transports/link.js';
import type { OpenPeer, Peer } from './transports/peer.js';
import { contactStatus, contactView, messageView, noticeEvent, relayStatus } from './views.js';

/** The parts that a platform gives. */
export interface Platform {
  readonly store: Store;
  readonly openLink: OpenLink;
  readonly openPeer: OpenPeer;
  readonly random: Random;
  /** ms since 1970. */
  readonly now: () => number;
  /** Calls back when the machine's addresses have changed; returns how to stop. */
  readonly watchNetwork?: (onChange: () => void) => () => void;
}

/** How long a client stays: `offline` never connects, `brief` uses the relay only, `live` opens direct paths too. */
export type Mode = 'offline' | 'brief' | 'live';

/** Life of an invitation: a week (CARD_MAX_TTL_SECONDS). */
const INVITATION_MS = 7 * 24 * 3_600_000;
/** How long a request of the person's waits for a relay that is being connected. */
const ONLINE_PATIENCE_MS = 15_000;
/** How long close() waits for what is on its way out. */
const DRAIN_MS = 3_000;
/** How long status() waits for the first word of the relay. */
const SETTLE_MS = 3_000;
/** Longest timer that setTimeout takes. */
const TIMER_MAX_MS = 0x7fff_ffff;

/** Writes a new identity into a new store. Throws `name-invalid`, `home-exists`. */
export async function createHome(platform: Pick<Platform, 'store' | 'random' | 'now'>, name: string, relay: string): Promise<void> {
  await ready();
  if (!isName(name)) throw new SottoError('name-invalid');
  if (await platform.store.load() !== null) throw new SottoError('home-exists');
  await platform.store.create({ name, relay, identity: packIdentity(createIdentity(platform.random)), createdAt: platform.now(), position: 0 });
}

/** Opens the client of a store. Throws `home-missing`, `store-damaged`. */
export async function runClient(platform: Platform, mode: Mode): Promise<Client> {
  await ready();
  const snapshot = await platform.store.load();
  if (snapshot === null) throw new SottoError('home-missing');
  const core = new Core(snapshot, { random: platform.random, direct: mode === 'live' }, platform.now());
  return new Runtime(platform, core, mode);
}

const RANK: Record<MessageState, number> = { queued: 0, accepted: 1, delivered: 2, read: 3, failed: 4, received: 0 };

class Runtime implements Client {
  readonly #platform: Platform;
  readonly #core: Core;
  readonly #mode: Mode;
  readonly #links = new Map<string, Link>();
  readonly #linkStates = new Map<string, LinkState>();
  readonly #peers = new Map<string, Peer>();
  readonly #requests = new Map<number, (result: Result | SottoError) => void>();
  readonly #listeners = new Set<(event: ClientEvent) => void>();
  readonly #changed = new Set<() => void>();
  #stopWatching: (() => void) | null = null;
  #lastRequest = 0;
  #saves: Change[] = [];
  #outputs: Output[] = [];
  #flushing: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #failure: SottoError | null = null;
  #closed = false;

  constructor(platform: Platform, core: Core, mode: Mode) {
    this.#platform = platform;
    this.#core = core;
    this.#mode = mode;
    if (mode === 'offline') return;
    this.#take(core.start(platform.now()));
    this.#stopWatching = platform.watchNetwork?.(() => this.#onNetworkChange()) ?? null;
  }

  // In: one input to the core, its outputs to the queue.

  #handle(input: Input): void {
    if (this.#closed || this.#failure !== null) return;
    this.#take(this.#core.handle(input, this.#platform.now()));
  }

  #take(outputs: readonly Output[]): void {
    for (const output of outputs) {
      if (output.type === 'save') this.#saves.push(output.change);
      else this.#outputs.push(output);
    }
    // Later inputs of this tick, and all that come while a commit runs, share one transaction.
    this.#flushing ??= Promise.resolve().then(() => this.#flush());
  }

  async #flush(): Promise<void> {
    while (this.#saves.length > 0 || this.#outputs.length > 0) {
      const changes = this.#saves;
      const outputs = this.#outputs;
      this.#saves = [];
      this.#outputs = [];
      try {
        if (changes.length > 0) await this.#platform.store.commit(changes);
      } catch (error) {
        this.#fail(error instanceof SottoError ? error : new SottoError('store-failed', undefined, error));
        break;
      }
      this.#release(outputs);
      for (const check of this.#changed) check();
    }
    this.#flushing = null;
    for (const check of this.#changed) check();
  }

  // The memory is ahead of the disk and must not be believed any more: stop, and say so to everyone who waits.
  #fail(error: SottoError): void {
    this.#failure = error;
    for (const answer of this.#requests.values()) answer(error);
    this.#requests.clear();
    this.#tell({ type: 'notice', contact: null, code: error.code, text: error.message });
    this.#disconnect();
  }

  // Out: what the core asked for, now that its saves are durable.

  #release(outputs: readonly Output[]): void {
    const acknowledged = new Map<string, { readonly relay: string; readonly mailbox: string; readonly sequences: number[] }>();
    for (const output of outputs) {
      if (this.#closed) return;
      if (output.type !== 'acknowledge') {
        this.#perform(output);
        continue;
      }
      const { relay, mailbox, sequence } = output;
      const same = acknowledged.get(mailbox);
      if (same === undefined) acknowledged.set(mailbox, { relay, mailbox, sequences: [sequence] });
      else same.sequences.push(sequence);
    }
    for (const { relay, mailbox, sequences } of acknowledged.values()) {
      // Unacknowledged envelopes come again and are known then.
      this.#link(relay, 'collect').acknowledge(mailbox, sequences).catch(() => {});
    }
  }

  #perform(output: Exclude<Output, { type: 'acknowledge' }>): void {
    switch (output.type) {
      case 'save': return;
      case 'answer': return this.#answer(output.request, output.result);
      case 'link': return void this.#link(output.relay, output.role);
      case 'collect':
      case 'close-mailbox':
      case 'publish':
      case 'take':
      case 'put': return this.#askRelay(output);
      case 'dial': return this.#dial(output);
      case 'peer-remote': return this.#peers.get(output.call)?.setRemote(output.description, output.dtls);
      case 'peer-candidates': return this.#peers.get(output.call)?.addCandidates(output.candidates);
      case 'peer-send': return void this.#peers.get(output.call)?.send(output.frame);
      case 'hang-up': return this.#hangUp(output.call);
      case 'wake': return this.#wakeAt(output.at);
      case 'message':
      case 'state': return this.#tell({ type: output.type, message: messageView(this.#core.memory, output.message) });
      case 'contact': return this.#tell({ type: 'contact', contact: { id: output.contact.id, name: output.contact.name } });
      case 'path': return this.#tellPath(output.contact);
      case 'notice': return this.#tell(noticeEvent(this.#core.memory, output.contact, output.code));
    }
  }

  #askRelay(output: Extract<Output, { type: 'collect' | 'close-mailbox' | 'publish' | 'take' | 'put' }>): void {
    switch (output.type) {
      case 'collect': {
        const { mailbox } = output;
        this.#settle(this.#link(mailbox.relay, 'collect').collect(mailbox), (error) => this.#handle({ type: 'collected', mailbox: mailbox.mailbox, error }));
        return;
      }
      case 'close-mailbox':
        // If the relay is away, the mailbox dies there of age.
        this.#link(output.mailbox.relay, 'collect').closeMailbox(output.mailbox.mailbox).catch(() => {});
        return;
      case 'publish': {
        const { relay, lookup, card, ttlSeconds } = output;
        const done = this.#online(relay, 'collect').then((link) => link.putCard(fromHex(lookup), card, ttlSeconds));
        this.#settle(done, (error) => this.#handle({ type: 'published', lookup, error }));
        return;
      }
      case 'take': {
        const { request, relay, lookup, claim } = output;
        this.#online(relay, 'deposit').then((link) => link.takeCard(lookup, claim)).then(
          (card) => this.#handle({ type: 'card', request, card, error: null }),
          (error: unknown) => this.#handle({ type: 'card', request, card: null, error: codeOf(error) }),
        );
        return;
      }
      case 'put': {
        const { contact, envelope, to, bytes, ttlSeconds } = output;
        this.#settle(this.#link(to.relay, 'deposit').put(to, bytes, ttlSeconds), (error) => this.#handle({ type: 'put', contact, envelope, error }));
      }
    }
  }

  #settle(done: Promise<void>, then: (error: SottoError['code'] | null) => void): void {
    done.then(() => then(null), (error: unknown) => then(codeOf(error)));
  }

  // Links and peers.

  #link(relay: string, role: LinkRole): Link {
    const key = `${role} ${relay}`;
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const link = this.#platform.openLink({
      relay,
      role,
      onState: (state) => this.#onLink(relay, role, state),
      onDelivery: (delivery) => this.#handle({ type: 'delivery', ...delivery }),
    });
    this.#links.set(key, link);
    return link;
  }

  #onLink(relay: string, role: LinkRole, state: LinkState): void {
    const key = `${role} ${relay}`;
    const before = this.#linkStates.get(key);
    this.#linkStates.set(key, state);
    this.#handle({ type: 'link', relay, role, online: state.online, rttMs: state.online ? state.rttMs : 0 });
    if (role === 'collect' && before?.online !== state.online) this.#tell({ type: 'relay', relay: relayStatus(relay, state) });
    for (const check of this.#changed) check();
  }

  async #online(relay: string, role: LinkRole): Promise<Link> {
    const link = this.#link(relay, role);
    const isOnline = (): boolean => this.#linkStates.get(`${role} ${relay}`)?.online === true;
    if (!await this.#until(isOnline, ONLINE_PATIENCE_MS)) throw new SottoError('relay-unreachable', `The relay ${relay} cannot be reached; check the network and the address, then try again.`);
    return link;
  }

  #dial(output: Extract<Output, { type: 'dial' }>): void {
    const { call, role, relay } = output;
    const state = this.#linkStates.get(`deposit ${relay}`);
    const host = new URL(relay).hostname.replace(/^\[|\]$/g, '');
    // Whoever uses a relay on this machine is on this machine too.
    const isLocal = isThisMachine(host);
    const peer = this.#platform.openPeer({
      role,
      stun: state?.online === true && state.stunPort !== 0 && !isLocal ? { host, port: state.stunPort } : null,
      bindAddress: isLocal ? '127.0.0.1' : null,
      onDescription: (description) => this.#handle({ type: 'peer-description', call, description }),
      onCandidates: (candidates) => this.#handle({ type: 'peer-candidates', call, candidates }),
      onOpen: ({ local, remote }) => this.#handle({ type: 'peer-open', call, local, remote }),
      onFrame: (frame) => this.#handle({ type: 'peer-frame', call, frame }),
      onClosed: (reason) => {
        this.#peers.delete(call);
        this.#handle({ type: 'peer-closed', call, reason });
      },
    });
    this.#peers.set(call, peer);
  }

  #hangUp(call: string): void {
    const peer = this.#peers.get(call);
    this.#peers.delete(call);
    peer?.close();
  }

  #onNetworkChange(): void {
    for (const link of this.#links.values()) link.hurry();
    this.#handle({ type: 'network-changed' });
  }

  #wakeAt(at: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#handle({ type: 'wake' }), Math.min(TIMER_MAX_MS, Math.max(0, at - this.#platform.now())));
  }

  // The person's side.

  #tell(event: ClientEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #tellPath(id: string): void {
    const contact = this.#core.memory.contacts.get(id);
    if (contact !== undefined) this.#tell({ type: 'path', contact: contactStatus(contact, this.#peerOf(contact)) });
  }

  #peerOf(contact: Contact): Peer | undefined {
    return contact.openCall === null ? undefined : this.#peers.get(contact.openCall);
  }

  #answer(request: number, result: Result | SottoError): void {
    this.#requests.get(request)?.(result);
    this.#requests.delete(request);
  }

  #ask<T extends Result['type']>(make: (request: number) => Input, type: T): Promise<Extract<Result, { type: T }>> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#lastRequest += 1;
      this.#requests.set(this.#lastRequest, (result) => {
        if (result instanceof SottoError) reject(result);
        else if (result.type === type) resolve(result as Extract<Result, { type: T }>);
        else reject(new SottoError('internal'));
      });
      this.#handle(make(this.#lastRequest));
    });
  }

  // Resolves true as soon as a condition holds, false when the time is over.
  #until(holds: () => boolean, timeoutMs: number): Promise<boolean> {
    if (holds()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (result: boolean): void => {
        clearTimeout(timer);
        this.#changed.delete(check);
        resolve(result);
      };
      const check = (): void => {
        if (holds()) finish(true);
      };
      const timer = setTimeout(() => finish(false), timeoutMs);
      this.#changed.add(check);
    });
  }

  #contact(reference: string): Contact {
    const contacts = [...this.#core.memory.contacts.values()];
    const lower = reference.toLowerCase();
    const byName = contacts.filter(({ record }) => record.name === reference);
    const byFoldedName = contacts.filter(({ record }) => record.name.toLowerCase() === lower);
    const byId = /^[0-9a-f]{2,64}$/.test(lower) ? contacts.filter(({ record }) => record.id.startsWith(lower)) : [];
    const found = [byName, byFoldedName, byId].find((matches) => matches.length > 0) ?? [];
    if (found.length > 1) throw new SottoError('contact-ambiguous');
    const contact = found[0];
    if (contact === undefined) throw new SottoError('contact-unknown');
    return contact;
  }

  async invite(): Promise<{ readonly link: string; readonly expiresAt: number }> {
    const { link, expiresAt } = await this.#ask((request) => ({ type: 'invite', request, lifetimeMs: INVITATION_MS }), 'invited');
    return { link, expiresAt };
  }

  async accept(link: string): Promise<{ readonly contact: ContactView }> {
    const { contact } = await this.#ask((request) => ({ type: 'accept', request, link }), 'accepted');
    return { contact: contactView(this.#core.memory.contacts.get(contact)!) };
  }

  async contacts(): Promise<readonly ContactView[]> {
    return [...this.#core.memory.contacts.values()].map(contactView).toSorted((a, b) => a.name.localeCompare(b.name));
  }

  async send(contact: string, text: string, options: { readonly wait?: Wait; readonly timeoutMs?: number } = {}): Promise<MessageView> {
    const { wait = 'queued', timeoutMs = 30_000 } = options;
    const { id } = this.#contact(contact).record;
    const { message } = await this.#ask((request) => ({ type: 'send', request, contact: id, text }), 'sent');
    const current = (): MessageView => {
      const { undelivered, unread } = this.#core.memory.contacts.get(id)!;
      return messageView(this.#core.memory, undelivered.get(message.number) ?? unread.get(message.number) ?? message);
    };
    let latest = current();
    const stop = this.subscribe((event) => {
      if (event.type === 'state' && event.message.id === message.id) latest = event.message;
    });
    await this.#until(() => this.#failure !== null || RANK[latest.state] >= RANK[wait], timeoutMs);
    stop();
    return latest;
  }

  async history(contact: string | null, options: Omit<MessageQuery, 'contact'>): Promise<readonly MessageView[]> {
    const query = contact === null ? options : { ...options, contact: this.#contact(contact).record.id };
    return (await this.#platform.store.messages(query)).map((record) => messageView(this.#core.memory, record));
  }

  async search(words: string, limit: number): Promise<readonly MessageView[]> {
    return (await this.#platform.store.search(words, limit)).map((record) => messageView(this.#core.memory, record));
  }

  async markRead(contact: string, position: number): Promise<void> {
    const { id } = this.#contact(contact).record;
    const [last] = await this.#platform.store.messages({ contact: id, direction: 'in', before: position + 1, limit: 1 });
    if (last === undefined) return;
    this.#handle({ type: 'read', contact: id, number: last.number });
    await this.#flushing;
  }

  async status(): Promise<StatusView> {
    const { memory } = this.#core;
    if (this.#mode !== 'offline') await this.#until(() => this.#linkStates.has(`collect ${memory.self.relay}`), SETTLE_MS);
    const urls = new Set([memory.self.relay, ...[...memory.contacts.values()].map(({ record }) => record.inbox.relay)]);
    return {
      identity: { id: memory.id, name: memory.self.name },
      relays: [...urls].map((url) => relayStatus(url, this.#linkStates.get(`collect ${url}`))),
      contacts: [...memory.contacts.values()].map((contact) => contactStatus(contact, this.#peerOf(contact))),
    };
  }

  async verify(contact: string): Promise<{ readonly contact: ContactView; readonly number: string }> {
    const known = this.#contact(contact);
    return { contact: contactView(known), number: safetyNumber(this.#core.memory.identity, unpackPublicIdentity(known.record.identity)) };
  }

  async setPolicy(contact: string, policy: Policy): Promise<void> {
    this.#handle({ type: 'policy', contact: this.#contact(contact).record.id, policy });
    await this.#flushing;
  }

  subscribe(listener: (event: ClientEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#mode !== 'offline') await this.#until(() => this.#isDrained(), DRAIN_MS);
    await this.#flushing;
    this.#closed = true;
    this.#disconnect();
    await this.#platform.store.close();
  }

  // Whether nothing more can be done for what goes out: it is where it should be, or its relay is away.
  #isDrained(): boolean {
    if (this.#failure !== null) return true;
    if (this.#flushing !== null) return false;
    return [...this.#core.memory.contacts.values()].every(({ record, waiting, inFlight }) => {
      const state = this.#linkStates.get(`deposit ${record.outbox.relay}`);
      return state?.online === false || (waiting.length === 0 && inFlight === 0 && !record.receiptOwed);
    });
  }

  #disconnect(): void {
    this.#stopWatching?.();
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const peer of this.#peers.values()) peer.close();
    for (const link of this.#links.values()) link.close();
    this.#peers.clear();
    this.#links.clear();
  }
}

function codeOf(error: unknown): SottoError['code'] {
  return error instanceof SottoError ? error.code : 'internal';
}
