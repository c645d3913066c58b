// The connection to a relay in one role, kept up: it dials again with growing patience, tells whether it is online, and says
// the few things of relay/wire. Knows nothing of sessions or contacts, and keeps nothing that was not answered.

import { concat, fromHex, toHex } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import { hash } from '../../crypto/hash.js';
import { relayOrigin } from '../../crypto/origin.js';
import { publicKeyOf, sign } from '../../crypto/signature.js';
import { ACKNOWLEDGE_MAX, COLLECT_LABEL, COLLECT_PATH, DEPOSIT_PATH } from '../../relay/wire/limits.js';
import type { OwnMailbox, PeerMailbox } from '../core/records.js';
import type { Link, LinkOptions, LinkState, OpenLink } from './link.js';
import { RelayConnection, type LinkPlatform, type Request } from './relay-connection.js';

/** Full-jitter backoff: the n-th attempt waits a random part of MIN · 2ⁿ, at most of MAX. */
const BACKOFF_MIN_MS = 500;
const BACKOFF_MAX_MS = 60_000;
/** A connection that was online for this long was a good one: the next attempt is a first again. */
const LIVED_MS = 5_000;

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
  #reason: string | null = null;
  #attempts = 0;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(platform: LinkPlatform, options: LinkOptions) {
    this.#platform = platform;
    this.#options = options;
    this.#dial();
  }

  async collect({ mailbox, ownerSeed, token }: OwnMailbox): Promise<number> {
    const { connection, challenge } = this.#online();
    const address = fromHex(mailbox);
    const tokenHash = hash('token', token);
    const signature = sign(ownerSeed, COLLECT_LABEL, concat(challenge, address, tokenHash));
    const answer = await connection.ask({ case: 'collect', value: { mailbox: address, owner: publicKeyOf(ownerSeed), tokenHash, signature } });
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

  hurry(): void {
    if (this.#closed) return;
    this.#attempts = 0;
    this.#connection?.end();
    this.#offline('the network has changed');
    this.#dial();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#connection?.end();
    this.#onlineAt = null;
  }

  #online(): { readonly connection: RelayConnection; readonly challenge: Uint8Array } {
    const welcome = this.#connection?.welcome;
    if (this.#onlineAt === null || !this.#connection || !welcome) throw new SottoError('relay-unreachable');
    return { connection: this.#connection, challenge: welcome.challenge };
  }

  #ask(request: Request): ReturnType<RelayConnection['ask']> {
    return this.#online().connection.ask(request);
  }

  #dial(): void {
    clearTimeout(this.#timer);
    const collecting = this.#options.role === 'collect';
    try {
      const url = relayOrigin(this.#options.relay).replace(/^http/, 'ws') + (collecting ? COLLECT_PATH : DEPOSIT_PATH);
      this.#connection = new RelayConnection({
        platform: this.#platform,
        url,
        onBeat: (rttMs) => this.#beat(rttMs),
        onDelivery: collecting ? (delivery) => this.#deliver(delivery) : null,
        onEnd: (reason, retryAfterMs) => this.#retry(reason, retryAfterMs),
      });
    } catch (error) {
      this.#retry(error instanceof Error ? error.message : String(error), 0);
    }
  }

  #retry(reason: string, retryAfterMs: number): void {
    if (this.#onlineAt !== null && this.#platform.now() - this.#onlineAt >= LIVED_MS) this.#attempts = 0;
    this.#offline(reason);
    const backoffMs = this.#platform.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#dial(), Math.max(backoffMs, retryAfterMs));
  }

  #beat(rttMs: number): void {
    this.#onlineAt ??= this.#platform.now();
    this.#reason = null;
    this.#tell({ online: true, rttMs, stunPort: this.#connection?.welcome?.stunPort ?? 0 });
  }

  #offline(reason: string): void {
    this.#onlineAt = null;
    if (reason !== this.#reason) this.#tell({ online: false, reason });
    this.#reason = reason;
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
