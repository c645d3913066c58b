// The connection to a relay in one role, kept up: it dials again with growing patience, tells whether it is online, and says
// the few things of relay/wire. Knows nothing of sessions or contacts, and keeps nothing that was not answered.

import { concat, fromHex, toHex } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import { hash } from '../../crypto/hash.js';
import { relayOrigin } from '../../crypto/origin.js';
import { publicKeyOf, sign } from '../../crypto/signature.js';
import { ACKNOWLEDGE_MAX, COLLECT_LABEL, COLLECT_PATH, DEPOSIT_PATH } from '../../relay/wire/limits.js';
import type { Welcome } from '../../relay/wire/relay_pb.js';
import { searchWork } from '../../relay/wire/work.js';
import type { OwnMailbox, PeerMailbox } from '../core/records.js';
import type { Link, LinkOptions, LinkState, OpenLink } from './link.js';
import { RelayConnection, type LinkPlatform, type Request } from './relay-connection.js';

/** Full-jitter backoff: the n-th attempt waits a random part of MIN · 2ⁿ, at most of a limit. A relay that was restarted, or a network
 *  that was lost for a moment, is met again within EARLY; the limit grows with the outage, as a SHARE of it, up to MAX. */
const BACKOFF_MIN_MS = 500;
const BACKOFF_EARLY_MS = 5_000;
const BACKOFF_SHARE = 60;
const BACKOFF_MAX_MS = 60_000;
/** A connection that was online for this long was a good one: the next attempt is a first again. */
const LIVED_MS = 5_000;

/** Nonces tried in one task while a relay asks for work: a few milliseconds. */
const WORK_SLICE = 1_000;

const NOTHING = new Uint8Array(0);

/** A connection that has been greeted. */
interface Online {
  readonly connection: RelayConnection;
  readonly welcome: Welcome;
}

/** Links over a platform's WebSocket. */
export function openRelayLink(platform: LinkPlatform): OpenLink {
  return (options) => new RelayLink(platform, options);
}

class RelayLink implements Link {
  readonly #platform: LinkPlatform;
  readonly #options: LinkOptions;
  #connection: RelayConnection | null = null;
  /** Since when the connection is online; null while it is not. */
  #onlineAt: number | null = null;
  /** Since when no connection has lived. */
  #awayAt: number;
  #reason: string | null = null;
  #attempts = 0;
  /** Why no attempt is under way while offline: our own patience, which the person may shorten, or the wish of the relay. */
  #pause: 'ours' | 'theirs' | null = null;
  /** Told when the attempt under way is over. */
  #attempted: (() => void)[] = [];
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(platform: LinkPlatform, options: LinkOptions) {
    this.#platform = platform;
    this.#options = options;
    this.#awayAt = platform.now();
    this.#dial();
  }

  async collect(own: OwnMailbox): Promise<number> {
    const online = this.#online();
    try {
      return await this.#collect(own, online, NOTHING);
    } catch (error) {
      // Only now: a mailbox that is there opens without.
      const code = error instanceof SottoError ? error.code : null;
      const { admission = NOTHING } = this.#platform;
      if (code === 'admission-required' && admission.length > 0) return this.#collect(own, online, admission);
      if (code === 'work-required') return this.#collect(own, online, await work(fromHex(own.mailbox), online.welcome, () => this.#connection === online.connection));
      throw error;
    }
  }

  async #collect({ mailbox, ownerSeed, token }: OwnMailbox, { connection, welcome }: Online, admission: Uint8Array): Promise<number> {
    const address = fromHex(mailbox);
    const tokenHash = hash('token', token);
    const signature = sign(ownerSeed, COLLECT_LABEL, concat(welcome.challenge, address, tokenHash));
    const answer = await connection.ask({ case: 'collect', value: { mailbox: address, owner: publicKeyOf(ownerSeed), tokenHash, signature, admission } });
    return answer.case === 'done' ? answer.value.waiting : 0;
  }

  async acknowledge(mailbox: string, sequences: readonly number[]): Promise<void> {
    const value = { mailbox: fromHex(mailbox) };
    for (let at = 0; at < sequences.length; at += ACKNOWLEDGE_MAX) {
      await this.#ask({ case: 'acknowledge', value: { ...value, sequences: sequences.slice(at, at + ACKNOWLEDGE_MAX).map(BigInt) } });
    }
  }

  async closeMailbox(mailbox: string): Promise<void> {
    await this.#ask({ case: 'close', value: { mailbox: fromHex(mailbox) } });
  }

  async put({ mailbox, token }: PeerMailbox, envelope: Uint8Array, ttlSeconds: number): Promise<void> {
    await this.#ask({ case: 'put', value: { mailbox: fromHex(mailbox), token, ttlSeconds, envelope } });
  }

  async putCard(lookup: Uint8Array, card: Uint8Array, reusable: boolean, ttlSeconds: number): Promise<void> {
    await this.#ask({ case: 'putCard', value: { lookup, card, reusable, ttlSeconds } });
  }

  async takeCard(lookup: Uint8Array, claim: Uint8Array): Promise<Uint8Array> {
    const answer = await this.#ask({ case: 'takeCard', value: { lookup, claim } });
    if (answer.case !== 'card') throw new SottoError('relay-failed');
    return answer.value.card;
  }

  async turn(): ReturnType<Link['turn']> {
    const answer = await this.#ask({ case: 'askTurn', value: {} });
    if (answer.case !== 'turn') throw new SottoError('relay-failed');
    const { urls, username, password, ttlSeconds } = answer.value;
    return { server: urls.length === 0 ? null : { urls, username, password }, ttlSeconds };
  }

  retry(): Promise<void> {
    if (this.#closed || this.#onlineAt !== null || this.#pause === 'theirs') return Promise.resolve();
    return new Promise((resolve) => {
      this.#attempted.push(resolve);
      if (this.#pause === 'ours') this.#dial();
    });
  }

  hurry(reason = 'the network has changed'): void {
    if (this.#closed) return;
    this.#attempts = 0;
    this.#awayAt = this.#platform.now();
    this.#connection?.end();
    this.#offline(reason);
    this.#dial();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#connection?.end();
    this.#onlineAt = null;
    this.#finishAttempt();
  }

  #online(): Online {
    const welcome = this.#connection?.welcome;
    if (this.#onlineAt === null || !this.#connection || !welcome) throw new SottoError('relay-unreachable');
    return { connection: this.#connection, welcome };
  }

  #ask(request: Request): ReturnType<RelayConnection['ask']> {
    return this.#online().connection.ask(request);
  }

  #dial(): void {
    clearTimeout(this.#timer);
    this.#pause = null;
    const collecting = this.#options.role === 'collect';
    try {
      const url = relayOrigin(this.#options.relay).replace(/^http/, 'ws') + (collecting ? COLLECT_PATH : DEPOSIT_PATH);
      this.#connection = new RelayConnection({
        platform: this.#platform,
        url,
        onBeat: (rttMs) => this.#beat(rttMs),
        onDelivery: collecting ? (delivery) => this.#deliver(delivery) : null,
        onEnd: (reason, retryAfterMs) => this.#dialLater(reason, retryAfterMs),
      });
    } catch (error) {
      this.#dialLater(error instanceof Error ? error.message : String(error), 0);
    }
  }

  #dialLater(reason: string, retryAfterMs: number): void {
    const now = this.#platform.now();
    if (this.#onlineAt !== null && now - this.#onlineAt >= LIVED_MS) {
      this.#attempts = 0;
      this.#awayAt = now;
    }
    this.#offline(reason);
    const limitMs = Math.min(BACKOFF_MAX_MS, Math.max(BACKOFF_EARLY_MS, (now - this.#awayAt) / BACKOFF_SHARE));
    const backoffMs = this.#platform.random() * Math.min(limitMs, BACKOFF_MIN_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#pause = retryAfterMs === 0 ? 'ours' : 'theirs';
    this.#timer = setTimeout(() => this.#dial(), Math.max(backoffMs, retryAfterMs));
    this.#finishAttempt();
  }

  #beat(rttMs: number): void {
    this.#onlineAt ??= this.#platform.now();
    this.#reason = null;
    const { stunPort = 0, stunOtherPort = 0 } = this.#connection?.welcome ?? {};
    this.#tell({ online: true, rttMs, stunPort, stunOtherPort });
    this.#finishAttempt();
  }

  #offline(reason: string): void {
    this.#onlineAt = null;
    if (reason !== this.#reason) this.#tell({ online: false, reason });
    this.#reason = reason;
  }

  #finishAttempt(): void {
    for (const tell of this.#attempted.splice(0)) tell();
  }

  #deliver({ mailbox, sequence, envelope, ageMs }: { mailbox: Uint8Array; sequence: bigint; envelope: Uint8Array; ageMs: bigint }): void {
    this.#options.onDelivery({ mailbox: toHex(mailbox), sequence: Number(sequence), envelope, ageMs: Number(ageMs) });
  }

  /** In a task of its own, for hurry() and the opening of a link are calls of the listener's own. */
  #tell(state: LinkState): void {
    queueMicrotask(() => {
      if (!this.#closed) this.#options.onState(state);
    });
  }
}

/** The proof of work for a new mailbox, made in small slices. Rejects when it is wanted no more, for it is worth nothing elsewhere. */
async function work(mailbox: Uint8Array, { challenge, workBits }: Welcome, isWanted: () => boolean): Promise<Uint8Array> {
  for (let from = 0; isWanted(); from += WORK_SLICE) {
    const nonce = searchWork(challenge, mailbox, workBits, from, WORK_SLICE);
    if (nonce !== null) return nonce;
    await new Promise((resolve) => {
      setTimeout(resolve);
    });
  }
  throw new SottoError('relay-unreachable');
}
