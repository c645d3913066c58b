// A Client that lives in memory, for tests of what stands in front of one. It keeps what it is told and reports what a test lets happen.

import { SottoError } from '../../crypto/error.js';
import type { Client, ClientEvent, ContactStatus, ContactView, MessageView, RelayStatus, RequestView, Wait } from '../../client/client.js';

export const BOB: ContactView = { id: 'b0'.repeat(32), name: 'Bob' };
export const CAROL: ContactView = { id: 'ca'.repeat(32), name: 'Carol' };

export class MemoryClient implements Client {
  readonly calls: unknown[][] = [];
  readonly messages: MessageView[] = [];
  readonly listeners = new Set<(event: ClientEvent) => void>();
  people: ContactView[] = [BOB];
  readonly blocked = new Set<string>();
  waiting: RequestView[] = [{ ...CAROL, isContact: false, at: 1_760_000_000_000, text: 'It is me', messages: 2 }];
  relay: RelayStatus = { url: 'http://127.0.0.1:8080', online: true, rttMs: 12, reason: null, cause: null };
  /** What sent messages become before send() answers. */
  sendState: MessageView['state'] = 'accepted';
  /** Holds send() back until it resolves. */
  held: Promise<void> = Promise.resolve();
  closed = false;

  /** Lets a message arrive. */
  receive(contact: ContactView, text: string, receivedAt = Date.now()): MessageView {
    const message = this.#keep({ contact, direction: 'in', text, state: 'received', path: 'relay', sentAt: receivedAt, receivedAt });
    this.tell({ type: 'message', message });
    return message;
  }

  tell(event: ClientEvent): void {
    for (const listener of this.listeners) listener(event);
  }

  contactStatus(contact: ContactView): ContactStatus {
    return {
      ...contact, path: 'relay', connected: true, held: null, since: Date.now() - 300_000, why: 'the contact has not been seen', pair: null, rttMs: 23,
      policy: 'direct', heardAt: null, undelivered: 0, unread: 0,
    };
  }

  async invite() {
    this.calls.push(['invite']);
    return { link: 'sotto://invitation', expiresAt: Date.now() + 7 * 24 * 3_600_000 };
  }

  async address() {
    this.calls.push(['address']);
    return { link: 'sotto://address' };
  }

  async newAddress() {
    this.calls.push(['newAddress']);
    return { link: 'sotto://new' };
  }

  async closeAddress() {
    this.calls.push(['closeAddress']);
  }

  async requests() {
    return this.waiting;
  }

  async approve(id: string) {
    const isBack = this.waiting.some((request) => request.id.startsWith(id) && request.isContact);
    return { contact: this.#take(id), isBack };
  }

  async refuse(id: string) {
    this.#take(id);
  }

  async accept(link: string) {
    this.calls.push(['accept', link]);
    if (link !== 'sotto://invitation') throw new SottoError('link-invalid');
    return { contact: BOB, isBack: false };
  }

  async contacts() {
    return this.people.map((contact) => ({ ...contact, blocked: this.blocked.has(contact.id) }));
  }

  async remove(contact: string) {
    const removed = this.#resolve(contact);
    this.people = this.people.filter((other) => other !== removed);
    this.tell({ type: 'removed', contact: removed });
  }

  async block(contact: string) {
    this.blocked.add(this.#resolve(contact).id);
  }

  async unblock(contact: string) {
    this.blocked.delete(this.#resolve(contact).id);
  }

  async send(contact: string, text: string, options: { readonly wait?: Wait; readonly timeoutMs?: number } = {}) {
    this.calls.push(['send', contact, text, options]);
    await this.held;
    if (text === '') throw new SottoError('message-empty');
    const now = Date.now();
    return this.#keep({ contact: this.#resolve(contact), direction: 'out', text, state: this.sendState, path: this.sendState === 'queued' ? null : 'relay', sentAt: now, receivedAt: null });
  }

  async history(contact: string | null, options: { limit: number; before?: number; after?: number; direction?: 'in' | 'out' }) {
    const { limit, before = Infinity, after, direction } = options;
    const id = contact === null ? null : this.#resolve(contact).id;
    const matching = this.messages.filter((message) =>
      (id === null || message.contact.id === id) && (!direction || message.direction === direction) &&
      message.position < before && message.position > (after ?? 0));
    return after === undefined ? matching.slice(-limit) : matching.slice(0, limit);
  }

  async search(words: string, limit: number) {
    return this.messages.filter(({ text }) => text.includes(words)).slice(0, limit);
  }

  async markRead(contact: string, position: number) {
    this.calls.push(['markRead', contact, position]);
  }

  async status() {
    return { identity: { id: 'a1'.repeat(32), name: 'Alice' }, relays: [this.relay], contacts: this.people.map((contact) => this.contactStatus(contact)) };
  }

  async verify(contact: string) {
    return { contact: this.#resolve(contact), number: '12345'.repeat(12) };
  }

  async setPolicy(contact: string, policy: string) {
    this.calls.push(['setPolicy', contact, policy]);
  }

  async backup(file: string, passphrase: string | null) {
    this.calls.push(['backup', file, passphrase]);
    return { words: passphrase === null ? 'abandon '.repeat(24).trim() : null };
  }

  subscribe(listener: (event: ClientEvent) => void) {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  async close() {
    this.closed = true;
  }

  #take(beginning: string): ContactView {
    const request = this.waiting.find(({ id }) => id.startsWith(beginning));
    if (!request) throw new SottoError('request-unknown');
    this.waiting = this.waiting.filter((other) => other !== request);
    return { id: request.id, name: request.name };
  }

  #resolve(reference: string): ContactView {
    const contact = this.people.find(({ id, name }) => name === reference || id.startsWith(reference));
    if (!contact) throw new SottoError('contact-unknown');
    return contact;
  }

  #keep(given: Pick<MessageView, 'contact' | 'direction' | 'text' | 'state' | 'path' | 'sentAt' | 'receivedAt'>): MessageView {
    const position = this.messages.length + 1;
    const message = { id: position.toString(16).padStart(32, '0'), reason: null, acceptedAt: null, deliveredAt: null, readAt: null, position, ...given };
    this.messages.push(message);
    return message;
  }
}
