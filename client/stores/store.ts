// The interface that the runtime asks of a store: one engine in Node (a file) and in the browser (OPFS, in a Worker).

import type { Change, ContactId, MessageId, MessageRecord, SelfRecord, Snapshot } from '../core/records.js';

/** Which messages of a conversation: the newest `limit` before (or the oldest after) a position, in order of position. */
export interface MessageQuery {
  /** All contacts when absent. */
  readonly contact?: ContactId;
  readonly direction?: 'in' | 'out';
  /** Only positions below this; the newest `limit` of them. */
  readonly before?: number;
  /** Only positions above this; the oldest `limit` of them. */
  readonly after?: number;
  readonly limit: number;
}

export interface Store {
  /** The identity and all that the core holds in memory; null in a new store. Rejects with `store-damaged`. */
  load(): Promise<Snapshot | null>;
  /** The first write of a new store. */
  create(self: SelfRecord): Promise<void>;
  /** Writes all changes in one transaction, or none. Durable when resolved. Rejects with `store-failed`. */
  commit(changes: readonly Change[]): Promise<void>;
  /** Messages that have a position, oldest first. */
  messages(query: MessageQuery): Promise<MessageRecord[]>;
  message(id: MessageId): Promise<MessageRecord | null>;
  /** Full-text search over all texts, best first. A query is words; every word must occur (prefixes count). */
  search(words: string, limit: number): Promise<MessageRecord[]>;
  close(): Promise<void>;
}

/** The 32-byte key of a store. */
export type StoreKey = Uint8Array & { readonly brand?: 'StoreKey' };
