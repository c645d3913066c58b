// A running client: what a person's program asks is put to the loop, and what happens is told in words for people (views.ts). It decides
// nothing, and keeps nothing that the core does not know.

import { SottoError } from '../crypto/error.js';
import { firstDevices } from '../crypto/devices.js';
import { isName } from '../crypto/name.js';
import { createIdentity, packIdentity, unpackPublicIdentity } from '../crypto/identity.js';
import { safetyNumber } from '../crypto/safety-number.js';
import { ready } from '../crypto/sodium.js';
import { contentOf } from './backup/backup.js';
import type { Accepted, Client, ClientEvent, ContactView, ListedContact, MessageView, RelayStatus, RequestView, StatusView, Wait } from './client.js';
import { Core } from './core/core.js';
import type { Contact } from './core/memory.js';
import { refuseBlocked } from './core/parting.js';
import type { MessageState, Policy } from './core/records.js';
import { Loop } from './loop.js';
import type { News } from './loop.js';
import type { Mode, Platform } from './platform.js';
import { contactOf, contactsOf, requestOf } from './reference.js';
import type { MessageQuery } from './stores/store.js';
import { contactStatus, contactView, messageView, noticeEvent, relayStatus, requestView } from './views.js';

/** Life of an invitation: a week (CARD_MAX_TTL_SECONDS). */
const INVITATION_MS = 7 * 24 * 3_600_000;
/** Texts on either side of the last one that was seen, among which some may have come late. */
const LATE_MAX = 20;
/** How long a request of the person's waits for what the relays have kept. */
const SYNC_MS = 3_000;

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
  return new RunningClient(platform, core, mode);
}

const RANK: Record<MessageState, number> = { queued: 0, accepted: 1, delivered: 2, read: 3, failed: 4, received: 0 };

class RunningClient implements Client {
  readonly #platform: Platform;
  readonly #mode: Mode;
  readonly #loop: Loop;
  readonly #listeners = new Set<(event: ClientEvent) => void>();
  /** What the person was last told of each relay. */
  readonly #relays = new Map<string, RelayStatus>();

  constructor(platform: Platform, core: Core, mode: Mode) {
    this.#platform = platform;
    this.#mode = mode;
    this.#loop = new Loop(platform, core, {
      onNews: (news) => this.#present(news),
      onRelay: (relay) => this.#tellRelay(relay),
      onFailure: (error) => this.#tell({ type: 'notice', contact: null, code: error.code, text: error.message }),
    });
    if (mode !== 'offline') this.#loop.start();
  }

  // What happens, told.

  #tell(event: ClientEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #present(news: News): void {
    const { memory } = this.#loop;
    switch (news.type) {
      case 'message':
      case 'state': return this.#tell({ type: news.type, message: messageView(memory, news.message) });
      case 'contact':
      case 'removed': return this.#tell({ type: news.type, contact: { id: news.contact.id, name: news.contact.name } });
      case 'request': return this.#tell({ type: 'request', request: requestView(memory, news.record) });
      case 'path': return this.#tellPath(news.contact);
      case 'notice': return this.#tell(noticeEvent(memory, news.contact, news.code));
    }
  }

  #tellPath(id: string): void {
    const contact = this.#loop.memory.contacts.get(id);
    if (contact !== undefined) this.#tell({ type: 'path', contact: contactStatus(this.#loop.memory, contact, this.#loop.network, this.#platform.now()) });
  }

  // A relay has two links, which fail and come back together: the person is told what has changed for them, and once.
  #tellRelay(url: string): void {
    const relay = relayStatus(url, this.#loop.network);
    // Of a link that has said nothing yet there is no news.
    if (!relay.online && relay.cause === null) return;
    const before = this.#relays.get(url);
    this.#relays.set(url, relay);
    if (before?.online === relay.online && before.reason === relay.reason) return;
    this.#tell({ type: 'relay', relay });
    if (before?.online === relay.online) return;
    for (const { record } of this.#loop.memory.contacts.values()) if (record.outbox.relay === url) this.#tellPath(record.id);
  }

  // Resolves when what waited at the relays is here, or they do not answer: a command that ends soon must not tell old news.
  async #synced(): Promise<void> {
    const loop = this.#loop;
    if (loop.failure !== null) throw loop.failure;
    if (this.#mode !== 'brief') return;
    await loop.waiting.until(() => loop.failure !== null || (loop.isSettled && loop.network.isCaughtUp(loop.memory.mailboxes())), SYNC_MS);
  }

  async #contact(reference: string): Promise<Contact> {
    const { memory, waiting } = this.#loop;
    await this.#synced();
    // Somebody who has just accepted an invitation may be on the way.
    await waiting.until(() => this.#mode !== 'live' || memory.invitations.size === 0 || contactsOf(memory, reference).length > 0, SYNC_MS);
    return contactOf(memory, reference);
  }

  // What a person's program asks (client.ts).

  async invite(): Promise<{ readonly link: string; readonly expiresAt: number }> {
    const { link, expiresAt } = await this.#loop.ask((request) => ({ type: 'invite', request, lifetimeMs: INVITATION_MS }), 'invited');
    return { link, expiresAt };
  }

  async address(): Promise<{ readonly link: string }> {
    const { link } = await this.#loop.ask((request) => ({ type: 'address', request, change: 'show' }), 'address');
    return { link };
  }

  async newAddress(): Promise<{ readonly link: string }> {
    const { link } = await this.#loop.ask((request) => ({ type: 'address', request, change: 'new' }), 'address');
    return { link };
  }

  async closeAddress(): Promise<void> {
    await this.#loop.ask((request) => ({ type: 'address', request, change: 'close' }), 'done');
  }

  async requests(): Promise<readonly RequestView[]> {
    await this.#synced();
    const { memory } = this.#loop;
    return [...memory.requests.values()].map(({ record }) => requestView(memory, record));
  }

  async approve(id: string): Promise<Accepted> {
    await this.#synced();
    const whole = requestOf(this.#loop.memory, id);
    const { contact, isBack } = await this.#loop.ask((request) => ({ type: 'approve', request, id: whole }), 'accepted');
    return { contact: contactView(this.#loop.memory.known(contact)!), isBack };
  }

  async refuse(id: string): Promise<void> {
    await this.#synced();
    const whole = requestOf(this.#loop.memory, id);
    await this.#loop.ask((request) => ({ type: 'refuse', request, id: whole }), 'done');
  }

  async accept(link: string): Promise<Accepted> {
    // What waits may be their own asking; two that cross are only mended afterwards.
    await this.#synced();
    const { contact, isBack } = await this.#loop.ask((request) => ({ type: 'accept', request, link }), 'accepted');
    return { contact: contactView(this.#loop.memory.known(contact)!), isBack };
  }

  async contacts(): Promise<readonly ListedContact[]> {
    await this.#synced();
    const { contacts, blocked } = this.#loop.memory;
    return [...contacts.values(), ...blocked.values()].map((contact) => ({ ...contactView(contact), blocked: contact.record.blocked })).toSorted((a, b) => a.name.localeCompare(b.name));
  }

  remove(contact: string): Promise<void> {
    return this.#part('remove', contact);
  }

  block(contact: string): Promise<void> {
    return this.#part('block', contact);
  }

  unblock(contact: string): Promise<void> {
    return this.#part('unblock', contact);
  }

  async #part(type: 'remove' | 'block' | 'unblock', reference: string): Promise<void> {
    const { id } = (await this.#contact(reference)).record;
    await this.#loop.ask((request) => ({ type, request, contact: id }), 'done');
  }

  async send(contact: string, text: string, options: { readonly wait?: Wait; readonly timeoutMs?: number } = {}): Promise<MessageView> {
    const { wait = 'queued', timeoutMs = 30_000 } = options;
    const { id } = (await this.#contact(contact)).record;
    const { message } = await this.#loop.ask((request) => ({ type: 'send', request, contact: id, text }), 'sent');
    // It may have moved on already; or its contact has just been removed.
    const known = this.#loop.memory.known(id);
    let latest = messageView(this.#loop.memory, known?.undelivered.get(message.number) ?? known?.unread.get(message.number) ?? message);
    const stop = this.subscribe((event) => {
      if (event.type === 'state' && event.message.id === message.id) latest = event.message;
    });
    await this.#loop.waiting.until(() => this.#loop.failure !== null || this.#loop.isClosing || RANK[latest.state] >= RANK[wait], timeoutMs);
    stop();
    // What was waited for may still come, but nobody here will see it.
    if (this.#loop.isClosing && RANK[latest.state] < RANK[wait]) throw new SottoError('owner-gone');
    const relay = this.#loop.memory.known(id)?.record.outbox.relay;
    const isAway = relay !== undefined && this.#loop.network.state(relay, 'deposit')?.online === false;
    return latest.state === 'queued' && latest.reason === null && isAway ? { ...latest, reason: 'relay-unreachable' } : latest;
  }

  async history(contact: string | null, options: Omit<MessageQuery, 'contact'>): Promise<readonly MessageView[]> {
    const query = contact === null ? options : { ...options, contact: (await this.#contact(contact)).record.id };
    return (await this.#platform.store.messages(query)).map((record) => messageView(this.#loop.memory, record));
  }

  async search(words: string, limit: number): Promise<readonly MessageView[]> {
    await this.#synced();
    return (await this.#platform.store.search(words, limit)).map((record) => messageView(this.#loop.memory, record));
  }

  async markRead(contact: string, position: number): Promise<void> {
    const { id, blocked } = (await this.#contact(contact)).record;
    if (blocked) return;
    const near = { contact: id, direction: 'in', limit: LATE_MAX } as const;
    const seen = await this.#platform.store.messages({ ...near, before: position + 1 });
    const unseen = await this.#platform.store.messages({ ...near, after: position });
    if (seen.length === 0) return;
    // One that came late stands behind those that have higher numbers.
    const read = Math.min(Math.max(...seen.map(({ number }) => number)), ...unseen.map(({ number }) => number - 1));
    this.#loop.handle({ type: 'read', contact: id, number: read });
    await this.#loop.written();
  }

  async status(): Promise<StatusView> {
    const { memory } = this.#loop;
    // The links are there once the first outputs are out.
    await this.#loop.written();
    let isTried = false;
    void this.#loop.network.retry().then(() => {
      isTried = true;
      this.#loop.waiting.changed();
    });
    await this.#loop.waiting.until(() => isTried, SYNC_MS);
    await this.#synced();
    const urls = new Set([memory.self.relay, ...[...memory.contacts.values()].flatMap(({ record }) => [record.inbox.relay, record.outbox.relay])]);
    return {
      identity: { id: memory.id, name: memory.self.name },
      relays: [...urls].map((url) => relayStatus(url, this.#loop.network)),
      contacts: [...memory.contacts.values()].map((contact) => contactStatus(memory, contact, this.#loop.network, this.#platform.now())),
    };
  }

  async verify(contact: string): Promise<{ readonly contact: ContactView; readonly number: string }> {
    const known = await this.#contact(contact);
    return { contact: contactView(known), number: safetyNumber(this.#loop.memory.identity, unpackPublicIdentity(known.record.identity)) };
  }

  async setPolicy(contact: string, policy: Policy): Promise<void> {
    const { id } = (await this.#contact(contact)).record;
    refuseBlocked(this.#loop.memory, id);
    this.#loop.handle({ type: 'policy', contact: id, policy });
    await this.#loop.written();
  }

  async backup(file: string, passphrase: string | null): Promise<{ readonly words: string | null }> {
    const { writeArchive, store } = this.#platform;
    if (writeArchive === undefined) throw new SottoError('option-invalid', 'There are no files here to write a backup into.');
    await this.#synced();
    // What the memory holds is on the disk when nothing is on its way there.
    do await this.#loop.written();
    while (!this.#loop.isSettled);
    return writeArchive(file, passphrase, contentOf(this.#loop.memory, store));
  }

  subscribe(listener: (event: ClientEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    return this.#loop.close();
  }
}
