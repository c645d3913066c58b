// The interface that the relay asks of a store: one engine for a single node (lmdb.ts), others past one machine. Whoever
// implements it proves it with test/relay/store-conformance.ts.

import type { Answer, Operation } from '../core/operation.js';

/** Most envelopes that wait in one mailbox: a month of a lively conversation. */
export const MAILBOX_MAX_ENVELOPES = 1_000;

/** Most envelope bytes that wait in one mailbox: 256 of the largest envelopes. */
export const MAILBOX_MAX_BYTES = 16 * 1024 * 1024;

export interface Store {
  /**
   * Answers operations in order, as one group that is durable when this resolves. What an answer says includes all earlier
   * operations and no later ones. Calls may overlap and keep their order.
   * @param now ms since 1970; what has expired by then is neither listed nor taken, deleted or not.
   * @throws SottoError `store-failed` with nothing of the group written.
   */
  run(operations: readonly Operation[], now: number): Promise<readonly Answer[]>;
  /** Resolves when everything that run() was given is answered and the files are closed. */
  close(): Promise<void>;
}
