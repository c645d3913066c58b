// The interface that the relay asks of a store: one engine for a single node (lmdb.ts), others past one machine. Whoever
// implements it proves it with test/relay/store-conformance.ts.

import type { Answer, Operation } from '../core/operation.js';

/** What a whole store holds. */
export interface Totals {
  readonly mailboxes: number;
  readonly envelopes: number;
  readonly cards: number;
  /** Bytes of envelopes and cards, without what surrounds them. */
  readonly bytes: number;
}

export interface Store {
  /**
   * Answers operations in order, as one group that is durable when this resolves. What an answer says includes all earlier
   * operations and no later ones. Calls may overlap and keep their order.
   * @param now ms since 1970; what has expired by then is neither listed nor taken, deleted or not.
   * @throws SottoError `store-failed` with nothing of the group written.
   */
  run(operations: readonly Operation[], now: number): Promise<readonly Answer[]>;
  /** What is kept as of the last answer, expired or not; a store that others write to as well may be a little behind them. */
  readonly totals: Totals;
  /** Bytes of its files that can be written without asking the disk for more, about; 0 where that is not known. */
  readonly reusableBytes: number;
  /** Resolves when everything that run() was given is answered and the files are closed. */
  close(): Promise<void>;
}
