// What a relay takes on at most. Every number here is the operator's to change (relay/config.ts); the numbers of the contract,
// which both sides must know, are in relay/wire/limits.ts. Knows nothing of who reaches a limit.

import { ENVELOPE_MAX_TTL_SECONDS } from '../wire/limits.js';

const MIB = 1024 * 1024;
const DAY_SECONDS = 24 * 3600;

/** The limits of one relay. */
export interface Limits {
  /** Envelopes that wait in one mailbox. */
  readonly mailboxEnvelopes: number;
  /** Bytes of them. */
  readonly mailboxBytes: number;
  /** Mailboxes of the whole relay. */
  readonly storeMailboxes: number;
  /** Bytes of envelopes and cards of the whole relay. */
  readonly storeBytes: number;
  /** Longest life of an envelope, whatever its sender asks for. */
  readonly envelopeSeconds: number;
  /** An envelope that is to live no longer than this is passing: worth nothing later, and gone soon (PASSING_SHARE). */
  readonly passingSeconds: number;
  /** Life of a mailbox that its owner does not collect. */
  readonly mailboxSeconds: number;
  /** Connections at a time from one source. */
  readonly sourceConnections: number;
  /** Requests of one source, on all its connections: so many at once, and so many each second after that. */
  readonly sourceBurst: number;
  readonly sourceRequestsPerSecond: number;
  /** Bytes of envelopes and cards that one source leaves here in an hour. */
  readonly sourceBytesPerHour: number;
  /** Mailboxes that one source makes in a day. */
  readonly sourceMailboxesPerDay: number;
}

/**
 * The part of a mailbox's quota that only passing envelopes may fill, beyond what all share: whoever is back after a month can be called
 * although everything that was written meanwhile has not been collected yet.
 */
export const PASSING_SHARE = 0.1;

/** What suits a machine with 1 GB of memory and 20 GB of disk. */
export const LIMITS: Limits = {
  // A month of a lively conversation, and 256 of the largest envelopes.
  mailboxEnvelopes: 1_000,
  mailboxBytes: 16 * MIB,
  // A person with fifty contacts has fifty mailboxes.
  storeMailboxes: 1_000_000,
  storeBytes: 16 * 1024 * MIB,
  envelopeSeconds: ENVELOPE_MAX_TTL_SECONDS,
  // Presence and calls ask for half a minute; what a person wrote asks for a month.
  passingSeconds: 5 * 60,
  // Half a year away, and the contacts have had five months of refusals to notice it by.
  mailboxSeconds: 180 * DAY_SECONDS,
  // A source may be a school behind one address: two connections for each of 500 people.
  sourceConnections: 1_000,
  sourceBurst: 20_000,
  sourceRequestsPerSecond: 1_000,
  sourceBytesPerHour: 1024 * MIB,
  sourceMailboxesPerDay: 5_000,
};
