// What the relay's brain asks of a store, and what a store answers: plain data, so that the brain needs no store and a store
// no brain. Bytes here are what clients sent or hashes of it; a token itself never gets this far.

import type { ErrorCode } from '../../crypto/error.js';

/** One question. Each is atomic; times are ms since 1970. */
export type Operation =
  /**
   * Begins to collect: changes the token hash of a mailbox that this owner has, or makes the mailbox if `create` allows it.
   * Its unused time starts anew. Refused: `mailbox-taken`, `mailbox-unknown`, and `relay-busy` where the store is full.
   */
  | { readonly kind: 'open'; readonly mailbox: Uint8Array; readonly owner: Uint8Array; readonly tokenHash: Uint8Array; readonly create: boolean }
  /** The mailbox is still collected: its unused time starts anew. */
  | { readonly kind: 'touch'; readonly mailbox: Uint8Array }
  /**
   * Keeps an envelope; one with an id that waits already is kept once. Refused: `mailbox-unknown`, `token-wrong`, `mailbox-full`
   * (for a passing one a little later, see core/limits.ts), and `relay-busy` where the store is full.
   */
  | {
      readonly kind: 'put';
      readonly mailbox: Uint8Array;
      readonly tokenHash: Uint8Array;
      /** First 16 bytes of hash('envelope', envelope). */
      readonly id: Uint8Array;
      readonly envelope: Uint8Array;
      readonly expiresAt: number;
    }
  /** Envelopes with a sequence above `after`, oldest first: at most `limit`, and no more once `maxBytes` are reached. */
  | { readonly kind: 'list'; readonly mailbox: Uint8Array; readonly after: number; readonly limit: number; readonly maxBytes: number }
  /** Deletes these envelopes; sequences that are not there are passed over. */
  | { readonly kind: 'acknowledge'; readonly mailbox: Uint8Array; readonly sequences: readonly number[] }
  /** Deletes the mailbox and everything in it. */
  | { readonly kind: 'close'; readonly mailbox: Uint8Array }
  /** Keeps a card; the same one twice is kept once. Refused: `card-taken` if another card has this lookup id, `relay-busy`. */
  | { readonly kind: 'put-card'; readonly lookup: Uint8Array; readonly card: Uint8Array; readonly reusable: boolean; readonly expiresAt: number }
  /** Gives a reusable card; reserves any other for the first claim and gives it to that claim ever after. Refused: `card-unknown`, `card-taken`. */
  | { readonly kind: 'take-card'; readonly lookup: Uint8Array; readonly claim: Uint8Array }
  /** Deletes what is due: at most `limit` envelopes, cards and mailboxes that nobody collects. */
  | { readonly kind: 'expire'; readonly limit: number };

/** An envelope as the store keeps it. */
export interface StoredEnvelope {
  /** Grows within a mailbox, from 1, and is never given out twice while the mailbox exists. */
  readonly sequence: number;
  readonly storedAt: number;
  readonly envelope: Uint8Array;
}

/** The answer to one operation. Everything it says is durable. */
export type Answer =
  /** touch, acknowledge, close, put-card; put where the envelope waits already. */
  | { readonly kind: 'done' }
  /** open; whether the mailbox is new, and how many envelopes wait, where some may have expired. */
  | { readonly kind: 'opened'; readonly created: boolean; readonly waiting: number }
  /** put */
  | { readonly kind: 'stored'; readonly sequence: number }
  /** list; `more` if envelopes were left out because of a limit. */
  | { readonly kind: 'listed'; readonly envelopes: readonly StoredEnvelope[]; readonly more: boolean }
  /** take-card */
  | { readonly kind: 'card'; readonly card: Uint8Array }
  /** expire; when the next thing is due, null if nothing is kept. */
  | { readonly kind: 'expired'; readonly nextAt: number | null }
  /** Nothing was changed. `relay-failed` may answer every operation: the disk did. A `mailbox-full` knows when time alone makes room. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly roomAt?: number };
