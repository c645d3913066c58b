// One allocation (RFC 8656 §6): whose it is, where it is reached, and which peers it has let in. Pure: time is an argument. It
// never decides whether a peer may be let in.

import type { Endpoint } from './address.js';
import type { Family } from './attribute.js';
import { BURST_MS, CHANNEL_MS, PERMISSION_MS, type Limits } from './limits.js';
import { Meter } from './meter.js';

/** A client's five-tuple, as far as a server must tell them apart. */
export interface Flow {
  /** Which of the server's ears heard it; of a stream (TCP, TLS) a number of its own, below zero. */
  readonly listener: number;
  readonly source: Endpoint;
}

/** Whether it is a stream, where ChannelData is padded. */
export function isStream({ listener }: Flow): boolean {
  return listener < 0;
}

/** A peer address that has been let in; its channels by the peer's port. */
export interface Permission {
  expiresAt: number;
  /** Allowed by the exemption of tests. */
  readonly exempt: boolean;
  readonly channels: Map<number, Channel>;
}

export interface Channel {
  readonly number: number;
  readonly peer: Endpoint;
  readonly permission: Permission;
  expiresAt: number;
}

export class Allocation {
  readonly flow: Flow;
  /** Of the relayed socket. */
  readonly socket: number;
  readonly username: string;
  /** Of MESSAGE-INTEGRITY, kept so that the credential may expire. */
  readonly key: Uint8Array;
  readonly family: Family;
  readonly meter: Meter;
  /** Null while the socket is being opened. */
  relayed: Endpoint | null = null;
  /** In ms since 1970. */
  expiresAt: number;
  readonly #limits: Limits;
  readonly #permissions = new Map<string, Permission>();
  readonly #channels = new Map<number, Channel>();

  constructor({ flow, socket, username, key, family, expiresAt }: Pick<Allocation, 'flow' | 'socket' | 'username' | 'key' | 'family' | 'expiresAt'>, limits: Limits) {
    this.flow = flow;
    this.socket = socket;
    this.username = username;
    this.key = key;
    this.family = family;
    this.expiresAt = expiresAt;
    this.meter = new Meter(limits.bytesPerSecondPerAllocation, BURST_MS);
    this.#limits = limits;
  }

  /** The permission of an address, which may have expired. */
  permission(address: string): Permission | undefined {
    return this.#permissions.get(address);
  }

  /** The channel of this number that is bound now. */
  channel(number: number, now: number): Channel | undefined {
    const channel = this.#channels.get(number);
    return channel !== undefined && channel.expiresAt > now ? channel : undefined;
  }

  /** Whether so many addresses can be let in beside those that are. */
  hasRoomFor(addresses: ReadonlySet<string>, now: number): boolean {
    this.#forget(now);
    const more = [...addresses].filter((address) => !this.#permissions.has(address)).length;
    return this.#permissions.size + more <= this.#limits.permissionsPerAllocation;
  }

  /** Lets an address in, or lets it stay longer. */
  permit(address: string, exempt: boolean, now: number): Permission {
    const permission = this.#permissions.get(address) ?? { expiresAt: 0, exempt, channels: new Map<number, Channel>() };
    permission.expiresAt = now + PERMISSION_MS;
    this.#permissions.set(address, permission);
    return permission;
  }

  /** What a channel of this number and peer would be: the same again, new, or against one that is bound (RFC 8656 §12.2). */
  canBind(number: number, { address, port }: Endpoint, now: number): 'yes' | 'conflict' | 'full' {
    this.#forget(now);
    const bound = this.#channels.get(number);
    if (bound !== undefined) return bound.peer.address === address && bound.peer.port === port ? 'yes' : 'conflict';
    if (this.#permissions.get(address)?.channels.has(port)) return 'conflict';
    return this.#channels.size < this.#limits.channelsPerAllocation ? 'yes' : 'full';
  }

  /** Binds a channel that canBind(), and lets its peer in. */
  bind(number: number, peer: Endpoint, exempt: boolean, now: number): void {
    const permission = this.permit(peer.address, exempt, now);
    const channel = this.#channels.get(number) ?? { number, peer, permission, expiresAt: 0 };
    channel.expiresAt = now + CHANNEL_MS;
    this.#channels.set(number, channel);
    permission.channels.set(peer.port, channel);
  }

  /** A permission outlives its time as long as a channel hangs on it, which needs it to be let in again. */
  #forget(now: number): void {
    for (const [number, { peer, permission, expiresAt }] of this.#channels) {
      if (expiresAt > now) continue;
      this.#channels.delete(number);
      permission.channels.delete(peer.port);
    }
    for (const [address, { expiresAt, channels }] of this.#permissions) {
      if (expiresAt <= now && channels.size === 0) this.#permissions.delete(address);
    }
  }
}
