// Who comes in: paths, origins, and limits for each source. An address is turned into a number that means nothing outside this
// process, and is neither kept nor written down.

import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Role } from './core/relay.js';
import { isPrivate } from './tls.js';
import { parseIp } from './turn/address.js';
import { COLLECT_PATH, DEPOSIT_PATH } from './wire/limits.js';

export interface GateOptions {
  /** Origins whose pages may connect, besides our own and those of the user's own machine; `*` for all. */
  readonly origins: readonly string[];
  /** A proxy stands before us, and its X-Forwarded-For ends with whom it speaks for. */
  readonly behindProxy: boolean;
  /** Only private addresses come in. */
  readonly lan: boolean;
  /** Connections at a time, all sources together. */
  readonly connections: number;
  /** Requests over HTTP, those for a WebSocket included, of one source in a minute. */
  readonly sourceRequestsPerMinute: number;
}

export const GATE: GateOptions = {
  origins: [],
  behindProxy: false,
  lan: false,
  connections: 50_000,
  // Five hundred people behind one address may come back at once after a restart, each on two connections.
  sourceRequestsPerMinute: 2_000,
};

/** Why somebody does not come in, as HTTP says it. */
export type Status = 400 | 403 | 404 | 429 | 503;

const ROLE_OF_PATH: ReadonlyMap<string, Role> = new Map([[COLLECT_PATH, 'collect'], [DEPOSIT_PATH, 'deposit']]);

const MINUTE_SECONDS = 60;

/** Bytes of an IPv6 address that belong to one customer of a provider: a /64. */
const SITE_BYTES = 8;
const IPV6_BYTES = 16;
const MAPPED_PREFIX = Buffer.from('00000000000000000000ffff', 'hex');

/** Bytes that make the number of a source: as many as a number holds exactly. */
const NUMBER_BYTES = 6;

export class Gate {
  readonly #options: GateOptions;
  readonly #limiter: RateLimiterMemory;
  readonly #key = randomBytes(32);

  constructor(options: GateOptions) {
    this.#options = options;
    this.#limiter = new RateLimiterMemory({ points: options.sourceRequestsPerMinute, duration: MINUTE_SECONDS });
  }

  /** Counts a request over HTTP; false if its source has had enough of them, or is none that may come in. */
  async admits(request: IncomingMessage): Promise<boolean> {
    if (!this.#isNear(request)) return false;
    const source = this.sourceOf(request);
    if (source === null) return true;
    return this.#limiter.consume(source).then(() => true, () => false);
  }

  /** The role that a request for a WebSocket asks for, or why it is refused. @param open connections that there are */
  async judge(request: IncomingMessage, open: number): Promise<Role | Exclude<Status, 400>> {
    const role = ROLE_OF_PATH.get(request.url ?? '');
    if (role === undefined) return 404;
    if (!this.#isNear(request)) return 403;
    if (!this.#isWelcome(request.headers.origin, request.headers.host)) return 403;
    if (!await this.admits(request)) return 429;
    return open >= this.#options.connections ? 503 : role;
  }

  #isNear(request: IncomingMessage): boolean {
    return !this.#options.lan || isPrivate(request.socket.remoteAddress ?? '');
  }

  /** The address that a request comes from, or for which a proxy makes it. */
  addressOf(request: IncomingMessage): string {
    const forwarded = this.#options.behindProxy ? request.headers['x-forwarded-for'] : undefined;
    return [forwarded ?? []].flat().join().split(',').at(-1)!.trim() || (request.socket.remoteAddress ?? '');
  }

  /** A number for where a request comes from; null for this machine itself, whose programs are the operator's. */
  sourceOf(request: IncomingMessage): number | null {
    const ip = parseIp(this.addressOf(request));
    if (ip === null || isLoopback(ip)) return null;
    const site = siteOf(ip);
    return createHmac('sha256', this.#key).update(site).digest().readUIntBE(0, NUMBER_BYTES);
  }

  /** Programs name no origin. A page names its own, and only a page of ours or of the user's machine has business here. */
  #isWelcome(origin: string | undefined, host: string | undefined): boolean {
    if (origin === undefined || this.#options.origins.includes('*') || this.#options.origins.includes(origin)) return true;
    if (!URL.canParse(origin)) return false;
    const url = new URL(origin);
    return url.host === host || ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  }
}

function siteOf(ip: Uint8Array): Uint8Array {
  if (ip.length !== IPV6_BYTES) return ip;
  return isMapped(ip) ? ip.subarray(MAPPED_PREFIX.length) : ip.subarray(0, SITE_BYTES);
}

function isLoopback(ip: Uint8Array): boolean {
  if (ip.length === IPV6_BYTES && !isMapped(ip)) return ip.every((byte, at) => byte === (at === IPV6_BYTES - 1 ? 1 : 0));
  return siteOf(ip)[0] === 127;
}

function isMapped(ip: Uint8Array): boolean {
  return MAPPED_PREFIX.equals(ip.subarray(0, MAPPED_PREFIX.length));
}
