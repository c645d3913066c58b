// The numbers of the STUN and TURN server.

/** What one relay gives, so that nobody takes it all. */
export interface Limits {
  readonly allocations: number;
  readonly allocationsPerCredential: number;
  /** Of one IP address (IPv6: /64). */
  readonly allocationsPerSource: number;
  readonly permissionsPerAllocation: number;
  readonly channelsPerAllocation: number;
  /** Relayed data, both directions together. */
  readonly bytesPerSecondPerAllocation: number;
  readonly bytesPerSecond: number;
  /** STUN messages of one IP address (IPv6: /64) that come from no allocation. */
  readonly strangersPerSecond: number;
}

export const LIMITS: Limits = {
  /** Each holds a socket of the system, 23 KiB or so. */
  allocations: 4_000,
  /** A browser asks for one per network interface, address family and transport, for each of its peer connections. */
  allocationsPerCredential: 16,
  /** Every connection has a credential of its own: without this one source would take them all. A carrier's NAT is many people. */
  allocationsPerSource: 400,
  /** One per candidate of the other side; libjuice sends at most 30. */
  permissionsPerAllocation: 64,
  channelsPerAllocation: 64,
  /** 100 Mbit/s: more than a call takes, and a file finds a direct path faster. */
  bytesPerSecondPerAllocation: 12_500_000,
  /** 1 Gbit/s. */
  bytesPerSecond: 125_000_000,
  /** An office behind one address may start its calls at the same minute; a flood is thousands. */
  strangersPerSecond: 50,
};

/** How much of a second's allowance may come at once. */
export const BURST_MS = 1_000;
export const STRANGERS_BURST_MS = 10_000;

/** RFC 8656 §3.2, §7.2: the lifetime of an allocation if its client says nothing, and the longest. */
export const LIFETIME_SECONDS = 600;
export const LIFETIME_MAX_SECONDS = 3_600;

/** RFC 8656 §9, §12, §7.2. */
export const PERMISSION_MS = 300_000;
export const CHANNEL_MS = 600_000;
export const RESERVATION_MS = 30_000;

/** How long a retransmitted request gets the same answer (RFC 8489 §6.3.1), and how many of them are remembered. */
export const ANSWER_MS = 40_000;
export const ANSWERS_MAX = 10_000;

/** How often what has expired is let go; it has no effect before that. */
export const SWEEP_MS = 1_000;

/** Life of a credential: an allocation that it made lives on. */
export const CREDENTIAL_SECONDS = 600;

/** A nonce is good for at least this and at most twice as long. */
export const NONCE_MS = 600_000;

/** The most that an answer to an unauthenticated request may be to it, counted with the headers of IP and UDP around both. */
export const AMPLIFICATION_MAX = 1.5;
