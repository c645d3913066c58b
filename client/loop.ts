// The only loop of a client. It owns the clock, the randomness, the transports and the store; it hands inputs to the core, writes
// what the core saves, and only then lets the rest out (save precedes send). It decides nothing and shows nothing.

import { SottoError, unforeseen } from '../crypto/error.js';
import type { Core } from './core/core.js';
import type { Input } from './core/input.js';
import type { Contact, Memory } from './core/memory.js';
import { holdOf } from './core/outbox.js';
import type { Output, Result } from './core/output.js';
import type { Change } from './core/records.js';
import { Network } from './network.js';
import type { NetworkOutput } from './network.js';
import type { Platform } from './platform.js';
import { Waiting } from './waiting.js';

/** How long close() waits for what is on its way out. */
const DRAIN_MS = 3_000;
/** Longest timer that setTimeout takes. */
const TIMER_MAX_MS = 0x7fff_ffff;

/** Outputs that leave once the saves are durable. */
type Released = Exclude<Output, { type: 'save' }>;
type Own = Exclude<Released, NetworkOutput>;
/** What the core has to tell the person. */
export type News = Exclude<Own, { type: 'answer' | 'wake' }>;

/** Who is told what happens. */
export interface Audience {
  readonly onNews: (news: News) => void;
  /** A link to this relay has come or gone, or fails in another way. */
  readonly onRelay: (relay: string) => void;
  /** The store could not be written, or something failed that nobody foresaw: nothing goes on after this. */
  readonly onFailure: (error: SottoError) => void;
}

export class Loop {
  /** What the core knows; to be read only. */
  readonly memory: Memory;
  readonly network: Network;
  /** Asked again whenever anything may have changed. */
  readonly waiting = new Waiting();
  readonly #platform: Platform;
  readonly #core: Core;
  readonly #audience: Audience;
  readonly #requests = new Map<number, (result: Result | SottoError) => void>();
  #stopWatching: (() => void) | null = null;
  #lastRequest = 0;
  #saves: Change[] = [];
  #outputs: Released[] = [];
  #flushing: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #failure: SottoError | null = null;
  #closing = false;
  #closed = false;

  constructor(platform: Platform, core: Core, audience: Audience) {
    this.#platform = platform;
    this.#core = core;
    this.#audience = audience;
    this.memory = core.memory;
    this.network = new Network({
      openLink: platform.openLink,
      openPeer: platform.openPeer,
      onInput: (input) => this.handle(input),
      onRelay: audience.onRelay,
      waiting: this.waiting,
      now: platform.now,
    });
  }

  /** Connects. Without it there is no network, only the store. */
  start(): void {
    this.#attempt(() => this.#take(this.#core.start(this.#platform.now())));
    this.#stopWatching = this.#platform.watchNetwork?.(() => this.#onNetworkChange()) ?? null;
  }

  /** Why nothing can be done any more; null while all is well. */
  get failure(): SottoError | null {
    return this.#failure;
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  /** Whether what the memory holds is on the disk, and what followed from it is out. */
  get isSettled(): boolean {
    return this.#flushing === null;
  }

  // In: one input to the core, its outputs to the queue.

  handle(input: Input): void {
    if (this.#closed || this.#failure !== null) return;
    this.#attempt(() => this.#take(this.#core.handle(input, this.#platform.now())));
  }

  /** Hands in a request of the person's. Resolves with the core's answer, once what it rests on is durable. */
  ask<T extends Result['type']>(make: (request: number) => Input, type: T): Promise<Extract<Result, { type: T }>> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    void this.network.retry();
    return new Promise((resolve, reject) => {
      this.#lastRequest += 1;
      this.#requests.set(this.#lastRequest, (result) => {
        if (result instanceof SottoError) reject(result);
        else if (result.type === type) resolve(result as Extract<Result, { type: T }>);
        else reject(new SottoError('internal'));
      });
      this.handle(make(this.#lastRequest));
    });
  }

  /** Resolves when everything up to here is durable. Rejects with the failure. */
  async written(): Promise<void> {
    await this.#flushing;
    if (this.#failure !== null) throw this.#failure;
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
      if (!this.#closed && this.#failure === null) this.#attempt(() => this.#release(outputs));
      // What was asked for before a failure is done all the same; told otherwise, a person would send it again.
      if (this.#failure !== null) for (const output of outputs) if (output.type === 'answer') this.#answer(output.request, output.result);
      this.waiting.changed();
      // The first input is not kept waiting; those of a stream, each read in a task of its own, then share the next transaction.
      await this.#platform.nextTurn();
    }
    this.#flushing = null;
    if (this.#failure !== null) this.#refuseAll(this.#failure);
    this.waiting.changed();
  }

  // An error that nobody foresaw leaves the memory half changed. What was handed over before it is whole, and is still written.
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#fail(unforeseen(String(error), error));
    }
  }

  // The memory is not what the disk has and must not be believed any more: stop, and say so to everyone who waits.
  #fail(error: SottoError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    if (this.#flushing === null) this.#refuseAll(error);
    this.#audience.onFailure(error);
    this.#disconnect();
  }

  #refuseAll(error: SottoError): void {
    for (const answer of this.#requests.values()) answer(error);
    this.#requests.clear();
  }

  // Out: what the core asked for, now that its saves are durable. The network first: nobody waits longer than they must.

  #release(outputs: readonly Released[]): void {
    const own: Own[] = [];
    const forNetwork: NetworkOutput[] = [];
    for (const output of outputs) {
      if (isOwn(output)) own.push(output);
      else forNetwork.push(output);
    }
    this.network.perform(forNetwork);
    for (const output of own) this.#perform(output);
  }

  #perform(output: Own): void {
    switch (output.type) {
      case 'answer': return this.#answer(output.request, output.result);
      case 'wake': return this.#wakeAt(output.at);
      default: return this.#audience.onNews(output);
    }
  }

  #answer(request: number, result: Result | SottoError): void {
    this.#requests.get(request)?.(result);
    this.#requests.delete(request);
  }

  #wakeAt(at: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.handle({ type: 'wake' }), Math.min(TIMER_MAX_MS, Math.max(0, at - this.#platform.now())));
  }

  #onNetworkChange(): void {
    this.network.hurry();
    this.handle({ type: 'network-changed' });
  }

  /** Lets out what can still go, and ends; the store is closed then. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.waiting.changed();
    await this.waiting.until(() => this.#isDrained(), DRAIN_MS);
    await this.#flushing;
    this.#closed = true;
    this.#disconnect();
    await this.#platform.store.close();
  }

  // Whether nothing more can be done for what goes out: it is where it should be, or its relay is away or takes nothing of it for now, or a
  // session for it has not begun.
  #isDrained(): boolean {
    if (this.#failure !== null) return true;
    if (this.#flushing !== null) return false;
    const isAway = (relay: string, role: 'collect' | 'deposit'): boolean => !this.network.uses(relay, role) || this.network.state(relay, role)?.online === false;
    const { closing, contacts } = this.memory;
    const now = this.#platform.now();
    return [...closing.values()].every(({ relay }) => isAway(relay, 'collect')) &&
      [...contacts.values()].every((contact) => isAway(contact.record.outbox.relay, 'deposit') || (contact.inFlight === 0 && (isHeld(contact, now) || isOut(contact))));
  }

  #disconnect(): void {
    this.#stopWatching?.();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.network.close();
  }
}

function isHeld(contact: Contact, now: number): boolean {
  return contact.session === null || (holdOf(contact)?.until ?? 0) > now;
}

function isOut({ record, waiting }: Contact): boolean {
  return waiting.length === 0 && !record.receiptOwed;
}

function isOwn(output: Released): output is Own {
  return ['answer', 'wake', 'message', 'state', 'contact', 'removed', 'request', 'path', 'notice'].includes(output.type);
}
