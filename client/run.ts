// The only loop of a client. It owns the clock, the randomness, the transports and the store; it hands inputs to the core, writes
// what the core saves, and only then lets the rest out (save precedes send). It decides nothing.

import { SottoError } from '../crypto/error.js';
import { firstDevices } from '../crypto/devices.js';
import { isName } from '../crypto/name.js';
import { createIdentity, packIdentity, unpackPublicIdentity } from '../crypto/identity.js';
import type { Random } from '../crypto/random.js';
import { safetyNumber } from '../crypto/safety-number.js';
import { ready } from '../crypto/sodium.js';
import { type BackupRecord, contentOf } from './backup.js';
import type { Client, ClientEvent, ContactView, MessageView, RelayStatus, RequestView, StatusView, Wait } from './client.js';
import { Core } from './core/core.js';
import type { Input } from './core/input.js';
import type { Contact } from './core/memory.js';
import type { Output, Result } from './core/output.js';
import type { Change, MessageState, Policy } from './core/records.js';
import type { MessageQuery, Store } from './stores/store.js';
import { Network } from './network.js';
import type { NetworkOutput } from './network.js';
import type { OpenLink } from './transports/link.js';
import type { OpenPeer } from './transports/peer.js';
import { contactStatus, contactView, messageView, noticeEvent, relayStatus, requestView } from './views.js';
import { Waiting } from './waiting.js';

/** The parts that a platform gives. */
export interface Platform {
  readonly store: Store;
  readonly openLink: OpenLink;
  readonly openPeer: OpenPeer;
  readonly random: Random;
  /** ms since 1970. */
  readonly now: () => number;
  /** Resolves when whatever else is ready to happen in this process has happened. */
  readonly nextTurn: () => Promise<void>;
  /** Calls back when the machine's addresses have changed; returns how to stop. */
  readonly watchNetwork?: (onChange: () => void) => () => void;
  /** Writes a backup into a file, where there are files. */
  readonly writeArchive?: (file: string, passphrase: string | null, records: AsyncIterable<BackupRecord>) => Promise<{ readonly words: string | null }>;
}

/** How long a client stays: `offline` never connects, `brief` uses the relay only, `live` opens direct paths too. */
export type Mode = 'offline' | 'brief' | 'live';

/** Life of an invitation: a week (CARD_MAX_TTL_SECONDS). */
const INVITATION_MS = 7 * 24 * 3_600_000;
/** Texts on either side of the last one that was seen, among which some may have come late. */
const LATE_MAX = 20;
/** How long close() waits for what is on its way out. */
const DRAIN_MS = 3_000;
/** How long a request of the person's waits for what the relays have kept. */
const SYNC_MS = 3_000;
/** Characters of an id that people are shown. */
const ID_SHOWN = 8;
/** Longest timer that setTimeout takes. */
const TIMER_MAX_MS = 0x7fff_ffff;

/** Writes a new identity into a new store. Throws `name-invalid`, `home-exists`. */
export async function createHome(platform: Pick<Platform, 'store' | 'random' | 'now'>, name: string, relay: string): Promise<void> {
  await ready();
  if (!isName(name)) throw new SottoError('name-invalid');
  if (await platform.store.load() !== null) throw new SottoError('home-exists');
  const identity = createIdentity(platform.random);
  const createdAt = platform.now();
  await platform.store.create({ name, relay, identity: packIdentity(identity), devices: firstDevices(identity, createdAt), createdAt, position: 0 });
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
  readonly #network: Network;
  readonly #waiting = new Waiting();
  readonly #requests = new Map<number, (result: Result | SottoError) => void>();
  readonly #listeners = new Set<(event: ClientEvent) => void>();
  /** What the person was last told of each relay. */
  readonly #relays = new Map<string, RelayStatus>();
  #stopWatching: (() => void) | null = null;
  #lastRequest = 0;
  #saves: Change[] = [];
  #outputs: Released[] = [];
  #flushing: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #failure: SottoError | null = null;
  #closing = false;
  #closed = false;

  constructor(platform: Platform, core: Core, mode: Mode) {
    this.#platform = platform;
    this.#core = core;
    this.#mode = mode;
    this.#network = new Network({
      openLink: platform.openLink,
      openPeer: platform.openPeer,
      onInput: (input) => this.#handle(input),
      onRelay: (relay) => this.#tellRelay(relay),
      waiting: this.#waiting,
      now: platform.now,
    });
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
      if (!this.#closed) this.#release(outputs);
      this.#waiting.changed();
      // The first input is not kept waiting; those of a stream, each read in a task of its own, then share the next transaction.
      await this.#platform.nextTurn();
    }
    this.#flushing = null;
    this.#waiting.changed();
  }

  // The memory is ahead of the disk and must not be believed any more: stop, and say so to everyone who waits.
  #fail(error: SottoError): void {
    this.#failure = error;
    for (const answer of this.#requests.values()) answer(error);
    this.#requests.clear();
    this.#tell({ type: 'notice', contact: null, code: error.code, text: error.message });
    this.#disconnect();
  }

  // Out: what the core asked for, now that its saves are durable. The network first: nobody waits longer than they must.

  #release(outputs: readonly Released[]): void {
    const forPerson: PersonOutput[] = [];
    const forNetwork: NetworkOutput[] = [];
    for (const output of outputs) {
      if (isForPerson(output)) forPerson.push(output);
      else forNetwork.push(output);
    }
    this.#network.perform(forNetwork);
    for (const output of forPerson) this.#present(output);
  }

  #present(output: PersonOutput): void {
    switch (output.type) {
      case 'answer': return this.#answer(output.request, output.result);
      case 'wake': return this.#wakeAt(output.at);
      case 'message':
      case 'state': return this.#tell({ type: output.type, message: messageView(this.#core.memory, output.message) });
      case 'contact': return this.#tell({ type: 'contact', contact: { id: output.contact.id, name: output.contact.name } });
      case 'request': return this.#tell({ type: 'request', request: requestView(output.record) });
      case 'path': return this.#tellPath(output.contact);
      case 'notice': return this.#tell(noticeEvent(this.#core.memory, output.contact, output.code));
    }
  }

  #onNetworkChange(): void {
    this.#network.hurry();
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
    if (contact !== undefined) this.#tell({ type: 'path', contact: contactStatus(this.#core.memory, contact, this.#network, this.#platform.now()) });
  }

  // A relay has two links, which fail and come back together: the person is told what has changed for them, and once.
  #tellRelay(url: string): void {
    const relay = relayStatus(url, this.#network);
    // Of a link that has said nothing yet there is no news.
    if (!relay.online && relay.cause === null) return;
    const before = this.#relays.get(url);
    this.#relays.set(url, relay);
    if (before?.online === relay.online && before.reason === relay.reason) return;
    this.#tell({ type: 'relay', relay });
    if (before?.online === relay.online) return;
    for (const { record } of this.#core.memory.contacts.values()) if (record.outbox.relay === url) this.#tellPath(record.id);
  }

  #answer(request: number, result: Result | SottoError): void {
    this.#requests.get(request)?.(result);
    this.#requests.delete(request);
  }

  #ask<T extends Result['type']>(make: (request: number) => Input, type: T): Promise<Extract<Result, { type: T }>> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    void this.#network.retry();
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

  // Resolves when what waited at the relays is here, or they do not answer: a command that ends soon must not tell old news.
  async #synced(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#mode !== 'brief') return;
    await this.#waiting.until(() => this.#failure !== null || (this.#flushing === null && this.#network.isCaughtUp(this.#core.memory.mailboxes())), SYNC_MS);
  }

  // Resolves when everything up to here is durable.
  async #written(): Promise<void> {
    await this.#flushing;
    if (this.#failure !== null) throw this.#failure;
  }

  async #contact(reference: string): Promise<Contact> {
    await this.#synced();
    // Somebody who has just accepted an invitation may be on the way.
    await this.#waiting.until(() => this.#mode !== 'live' || this.#core.memory.invitations.size === 0 || this.#find(reference).length > 0, SYNC_MS);
    const [contact, ...others] = this.#find(reference);
    if (contact === undefined) throw new SottoError('contact-unknown');
    if (others.length > 0) {
      const matches = [contact, ...others].map(({ record }) => `${record.id.slice(0, ID_SHOWN)} ${record.name}`);
      throw new SottoError('contact-ambiguous', `Several contacts match: ${matches.join(', ')}. Give the beginning of the id instead.`);
    }
    return contact;
  }

  // By as much of the id as is shown, else by name, else by name in any case, else by less of the id: no name can stand before an id.
  #find(reference: string): readonly Contact[] {
    const contacts = [...this.#core.memory.contacts.values()];
    const lower = reference.toLowerCase();
    const byName = contacts.filter(({ record }) => record.name === reference);
    const byFoldedName = contacts.filter(({ record }) => record.name.toLowerCase() === lower);
    const byId = /^[0-9a-f]{2,64}$/.test(lower) ? contacts.filter(({ record }) => record.id.startsWith(lower)) : [];
    const order = lower.length >= ID_SHOWN ? [byId, byName, byFoldedName] : [byName, byFoldedName, byId];
    return order.find((matches) => matches.length > 0) ?? [];
  }

  async invite(): Promise<{ readonly link: string; readonly expiresAt: number }> {
    const { link, expiresAt } = await this.#ask((request) => ({ type: 'invite', request, lifetimeMs: INVITATION_MS }), 'invited');
    return { link, expiresAt };
  }

  async address(): Promise<{ readonly link: string }> {
    const { link } = await this.#ask((request) => ({ type: 'address', request, change: 'show' }), 'address');
    return { link };
  }

  async newAddress(): Promise<{ readonly link: string }> {
    const { link } = await this.#ask((request) => ({ type: 'address', request, change: 'new' }), 'address');
    return { link };
  }

  async closeAddress(): Promise<void> {
    await this.#ask((request) => ({ type: 'address', request, change: 'close' }), 'done');
  }

  async requests(): Promise<readonly RequestView[]> {
    await this.#synced();
    return [...this.#core.memory.requests.values()].map(({ record }) => requestView(record));
  }

  async approve(id: string): Promise<{ readonly contact: ContactView }> {
    const whole = await this.#waitingId(id);
    const { contact } = await this.#ask((request) => ({ type: 'approve', request, id: whole }), 'accepted');
    return { contact: contactView(this.#core.memory.contacts.get(contact)!) };
  }

  async refuse(id: string): Promise<void> {
    const whole = await this.#waitingId(id);
    await this.#ask((request) => ({ type: 'refuse', request, id: whole }), 'done');
  }

  // By the beginning of the id alone: whoever comes by an address chooses their name, and may choose another's.
  async #waitingId(beginning: string): Promise<string> {
    await this.#synced();
    const [id, ...others] = [...this.#core.memory.requests.keys()].filter((whole) => beginning !== '' && whole.startsWith(beginning.toLowerCase()));
    if (id === undefined) throw new SottoError('request-unknown');
    if (others.length > 0) throw new SottoError('contact-ambiguous', 'Several who wait have an id that begins so; give more of it, as "sotto requests --json" shows it.');
    return id;
  }

  async accept(link: string): Promise<{ readonly contact: ContactView }> {
    // What waits may be their own asking; two that cross are only mended afterwards.
    await this.#synced();
    const { contact } = await this.#ask((request) => ({ type: 'accept', request, link }), 'accepted');
    return { contact: contactView(this.#core.memory.contacts.get(contact)!) };
  }

  async contacts(): Promise<readonly ContactView[]> {
    await this.#synced();
    return [...this.#core.memory.contacts.values()].map(contactView).toSorted((a, b) => a.name.localeCompare(b.name));
  }

  async send(contact: string, text: string, options: { readonly wait?: Wait; readonly timeoutMs?: number } = {}): Promise<MessageView> {
    const { wait = 'queued', timeoutMs = 30_000 } = options;
    const { id } = (await this.#contact(contact)).record;
    const { message } = await this.#ask((request) => ({ type: 'send', request, contact: id, text }), 'sent');
    const current = (): MessageView => {
      const { undelivered, unread } = this.#core.memory.contacts.get(id)!;
      return messageView(this.#core.memory, undelivered.get(message.number) ?? unread.get(message.number) ?? message);
    };
    let latest = current();
    const stop = this.subscribe((event) => {
      if (event.type === 'state' && event.message.id === message.id) latest = event.message;
    });
    await this.#waiting.until(() => this.#failure !== null || this.#closing || RANK[latest.state] >= RANK[wait], timeoutMs);
    stop();
    // What was waited for may still come, but nobody here will see it.
    if (this.#closing && RANK[latest.state] < RANK[wait]) throw new SottoError('owner-gone');
    const isAway = this.#network.state(this.#core.memory.contacts.get(id)!.record.outbox.relay, 'deposit')?.online === false;
    return latest.state === 'queued' && latest.reason === null && isAway ? { ...latest, reason: 'relay-unreachable' } : latest;
  }

  async history(contact: string | null, options: Omit<MessageQuery, 'contact'>): Promise<readonly MessageView[]> {
    const query = contact === null ? options : { ...options, contact: (await this.#contact(contact)).record.id };
    return (await this.#platform.store.messages(query)).map((record) => messageView(this.#core.memory, record));
  }

  async search(words: string, limit: number): Promise<readonly MessageView[]> {
    await this.#synced();
    return (await this.#platform.store.search(words, limit)).map((record) => messageView(this.#core.memory, record));
  }

  async markRead(contact: string, position: number): Promise<void> {
    const { id } = (await this.#contact(contact)).record;
    const near = { contact: id, direction: 'in', limit: LATE_MAX } as const;
    const seen = await this.#platform.store.messages({ ...near, before: position + 1 });
    const unseen = await this.#platform.store.messages({ ...near, after: position });
    if (seen.length === 0) return;
    // One that came late stands behind those that have higher numbers.
    const read = Math.min(Math.max(...seen.map(({ number }) => number)), ...unseen.map(({ number }) => number - 1));
    this.#handle({ type: 'read', contact: id, number: read });
    await this.#written();
  }

  async status(): Promise<StatusView> {
    const { memory } = this.#core;
    // The links are there once the first outputs are out.
    await this.#written();
    let isTried = false;
    void this.#network.retry().then(() => {
      isTried = true;
      this.#waiting.changed();
    });
    await this.#waiting.until(() => isTried, SYNC_MS);
    await this.#synced();
    const urls = new Set([memory.self.relay, ...[...memory.contacts.values()].flatMap(({ record }) => [record.inbox.relay, record.outbox.relay])]);
    return {
      identity: { id: memory.id, name: memory.self.name },
      relays: [...urls].map((url) => relayStatus(url, this.#network)),
      contacts: [...memory.contacts.values()].map((contact) => contactStatus(memory, contact, this.#network, this.#platform.now())),
    };
  }

  async verify(contact: string): Promise<{ readonly contact: ContactView; readonly number: string }> {
    const known = await this.#contact(contact);
    return { contact: contactView(known), number: safetyNumber(this.#core.memory.identity, unpackPublicIdentity(known.record.identity)) };
  }

  async setPolicy(contact: string, policy: Policy): Promise<void> {
    const { id } = (await this.#contact(contact)).record;
    this.#handle({ type: 'policy', contact: id, policy });
    await this.#written();
  }

  async backup(file: string, passphrase: string | null): Promise<{ readonly words: string | null }> {
    const { writeArchive, store } = this.#platform;
    if (writeArchive === undefined) throw new SottoError('option-invalid', 'There are no files here to write a backup into.');
    await this.#synced();
    // What the memory holds is on the disk when nothing is on its way there.
    do await this.#written();
    while (this.#flushing !== null);
    return writeArchive(file, passphrase, contentOf(this.#core.memory, store));
  }

  subscribe(listener: (event: ClientEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#waiting.changed();
    if (this.#mode !== 'offline') await this.#waiting.until(() => this.#isDrained(), DRAIN_MS);
    await this.#flushing;
    this.#closed = true;
    this.#disconnect();
    await this.#platform.store.close();
  }

  // Whether nothing more can be done for what goes out: it is where it should be, or its relay is away.
  #isDrained(): boolean {
    if (this.#failure !== null) return true;
    if (this.#flushing !== null) return false;
    const isClosing = [...this.#core.memory.closing.values()].some(({ relay }) => this.#network.state(relay, 'collect')?.online !== false);
    return !isClosing && [...this.#core.memory.contacts.values()].every(({ record, waiting, inFlight }) => {
      const state = this.#network.state(record.outbox.relay, 'deposit');
      return state?.online === false || (waiting.length === 0 && inFlight === 0 && !record.receiptOwed);
    });
  }

  #disconnect(): void {
    this.#stopWatching?.();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#network.close();
  }
}

/** Outputs that leave once the saves are durable: to the network, or to the person and the clock. */
type Released = Exclude<Output, { type: 'save' }>;
type PersonOutput = Exclude<Released, NetworkOutput>;

function isForPerson(output: Released): output is PersonOutput {
  return ['answer', 'wake', 'message', 'state', 'contact', 'request', 'path', 'notice'].includes(output.type);
}
