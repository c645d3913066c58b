// The interface of a connection to one relay in one role. It reconnects by itself and speaks relay/wire; it knows nothing of
// sessions or contacts, and keeps nothing: what was not answered is for the caller to do again.

import { SottoError, type ErrorCode } from '../../crypto/error.js';
import type { OwnMailbox, PeerMailbox } from '../core/records.js';
import type { TurnServer } from './peer.js';

export interface LinkOptions {
  /** http(s) URL of the relay, without a path. */
  readonly relay: string;
  readonly role: 'collect' | 'deposit';
  /** Called on each change. `rttMs` is the last heartbeat's round trip, the ports are what Welcome said (0: none). */
  readonly onState: (state: LinkState) => void;
  /** An envelope came (collect only). */
  readonly onDelivery: (delivery: { readonly mailbox: string; readonly sequence: number; readonly envelope: Uint8Array; readonly ageMs: number }) => void;
}

export type LinkState =
  | { readonly online: true; readonly rttMs: number; readonly stunPort: number; readonly stunOtherPort: number }
  | { readonly online: false; readonly reason: string };

/** What a relay refuses with, and when it advises to try again: 0 for no advice. */
export class Refusal extends SottoError {
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, retryAfterMs: number) {
    super(code);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Every method rejects with a SottoError: a Refusal of the relay, or `relay-unreachable` if the connection is or goes down. */
export interface Link {
  /** Resolves with the number of envelopes that wait and come now. */
  collect(mailbox: OwnMailbox): Promise<number>;
  acknowledge(mailbox: string, sequences: readonly number[]): Promise<void>;
  closeMailbox(mailbox: string): Promise<void>;
  put(to: PeerMailbox, envelope: Uint8Array, ttlSeconds: number): Promise<void>;
  putCard(lookup: Uint8Array, card: Uint8Array, reusable: boolean, ttlSeconds: number): Promise<void>;
  /** The relay's TURN server with a credential for it, or null if there is none; ask again before the time to live is over. */
  turn(): Promise<{ readonly server: TurnServer | null; readonly ttlSeconds: number }>;
  takeCard(lookup: Uint8Array, claim: Uint8Array): Promise<Uint8Array>;
  /** Somebody waits: where our own patience alone holds back the next attempt, it is made now. Resolves when the link is online, or the
   *  attempt under way has failed; at once where the relay has asked for a pause. */
  retry(): Promise<void>;
  /** The network has changed, or there is another reason to connect anew: try at once, forget the backoff. */
  hurry(reason?: string): void;
  close(): void;
}

export type OpenLink = (options: LinkOptions) => Link;
