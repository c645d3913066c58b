// The store of a relay on one machine: lmdb, one transaction per group of operations, answers given out only when the
// disk has it. It must never see a send token, only its hash, and never who sent or who collects.

import { equal } from '../../crypto/bytes.js';
import { SottoError, type ErrorCode } from '../../crypto/error.js';
import { PASSING_SHARE, type Limits } from '../core/limits.js';
import type { Answer, Operation, StoredEnvelope } from '../core/operation.js';
import {
  cardExpiryKey,
  dueOf,
  envelopeExpiryKey,
  envelopeKey,
  idKey,
  integer,
  INTEGER_MAX,
  mailboxExpiryKey,
  packCard,
  packEnvelope,
  packMailbox,
  packTotals,
  readInteger,
  sequenceOf,
  unpackCard,
  unpackEnvelope,
  unpackMailbox,
  unpackTotals,
  type MailboxRecord,
} from './layout.js';
import { migrate } from './migration.js';
import { claimFolder, releaseFolder } from './owner.js';
import type { Store, Totals } from './store.js';
import { bufferOf, openTables, reusableBytes, TOTALS_KEY, type Tables } from './tables.js';

type Of<Kind extends Operation['kind']> = Extract<Operation, { kind: Kind }>;

/** A mailbox's unused time starts anew at most so often: less to write, and the disk tells no more of when people are there. */
const TOUCH_PAUSE_MS = 7 * 24 * 3_600_000;

/** A mailbox within one group of operations. */
interface Met {
  readonly key: Buffer;
  /** Null where there is none. */
  record: MailboxRecord | null;
  hasChanged: boolean;
}

/**
 * Longest flush for which the loop waits: to hear of one that another thread has made takes as long. Only small groups are worth
 * it, since what comes while a large one is flushed becomes the next one.
 */
const QUICK_FLUSH_MS = 0.3;
const QUICK_GROUP_MAX = 16;

/** After one that took longer the loop waits for none for so many times as long: it must not find out too often that the disk is slow. */
const SLOW_PAUSE = 10_000;

const NOTHING = Buffer.alloc(0);
const DONE: Answer = { kind: 'done' };

/**
 * Opens or creates the store in a folder that exists; data of an earlier format is rewritten first.
 * @param now ms since 1970, for what earlier formats did not write down.
 * @param quickFlushMs longest flush for which the event loop waits.
 * @throws SottoError `data-in-use` if another relay has it open, `store-damaged` if it cannot be read.
 */
export function openLmdbStore(folder: string, limits: Limits, now: number, quickFlushMs = QUICK_FLUSH_MS): Store {
  try {
    return new LmdbStore(folder, limits, now, quickFlushMs);
  } catch (error) {
    if (error instanceof SottoError) throw error;
    throw new SottoError('store-damaged', `The relay's data in ${folder} cannot be read; restore it from a backup or choose another folder with --data DIR.`, error);
  }
}

class LmdbStore implements Store {
  readonly #limits: Limits;
  readonly #tables: Tables;
  /** What the group has met, by the mailbox's bytes as a text: read once, and written once when the group is done. */
  readonly #met = new Map<string, Met>();
  readonly #quickFlushMs: number;
  #totals: Totals;
  #isCareful = false;
  /** Groups that are being written beside the loop, and when the loop may wait for a flush again, as performance.now() has it. */
  #beside = 0;
  #quickFrom = 0;

  constructor(folder: string, limits: Limits, now: number, quickFlushMs: number) {
    this.#limits = limits;
    this.#quickFlushMs = quickFlushMs;
    this.#tables = openTables(folder);
    const { root } = this.#tables;
    try {
      claimFolder(root, folder);
    } catch (error) {
      void root.close();
      throw error;
    }
    try {
      migrate(this.#tables, folder, limits, now);
      this.#totals = this.#readTotals();
    } catch (error) {
      releaseFolder(root);
      void root.close();
      throw error;
    }
  }

  get totals(): Totals {
    return this.#totals;
  }

  get reusableBytes(): number {
    return reusableBytes(this.#tables);
  }

  async run(operations: readonly Operation[], now: number): Promise<readonly Answer[]> {
    // Whoever overtook what is written beside the loop would change the order.
    const isQuick = operations.length <= QUICK_GROUP_MAX && this.#beside === 0 && performance.now() >= this.#quickFrom;
    const write = (): Answer[] => this.#applyAll(operations, now);
    try {
      return this.#isCareful || isQuick ? this.#commitHere(write) : await this.#commitBeside(write);
    } catch (error) {
      throw new SottoError('store-failed', undefined, error);
    }
  }

  async close(): Promise<void> {
    const { root } = this.#tables;
    if (!this.#isCareful) await root.flushed;
    releaseFolder(root);
    const closed = root.close();
    // What failed once in lmdb's own queue is waited for by it for ever.
    if (!this.#isCareful) await closed;
  }

  /** Durable when it returns; throws with nothing written. */
  #commitHere<T>(write: () => T): T {
    let since = 0;
    const result = this.#tables.root.transactionSync(() => {
      const written = write();
      since = performance.now();
      return written;
    });
    const flushMs = performance.now() - since;
    if (flushMs > this.#quickFlushMs) this.#quickFrom = performance.now() + flushMs * SLOW_PAUSE;
    return result;
  }

  /**
   * Durable when it resolves; rejects with nothing written. After the first failure of the disk lmdb's queue does not come to
   * itself; from then on everything is written in the loop, which does.
   */
  async #commitBeside<T>(write: () => T): Promise<T> {
    const { root } = this.#tables;
    this.#beside += 1;
    try {
      // A child transaction is the kind that takes everything back when one operation throws.
      const result = await root.childTransaction(write);
      // Committed is only visible; flushed is durable.
      await root.flushed;
      return result;
    } catch (error) {
      if (hasCommitFailed(error)) {
        this.#isCareful = true;
        silence(error);
      }
      throw error;
    } finally {
      this.#beside -= 1;
    }
  }

  #applyAll(operations: readonly Operation[], now: number): Answer[] {
    // From the disk each time: a group that was taken back has taken its totals back, too.
    this.#totals = this.#readTotals();
    this.#met.clear();
    const answers = operations.map((operation) => this.#apply(operation, now));
    this.#writeMet();
    this.#tables.root.putSync(TOTALS_KEY, packTotals(this.#totals));
    return answers;
  }

  #writeMet(): void {
    const { mailboxes } = this.#tables;
    for (const { key, record, hasChanged } of this.#met.values()) {
      if (!hasChanged) continue;
      if (record === null) mailboxes.removeSync(key);
      else mailboxes.putSync(key, packMailbox(record));
    }
  }

  #readTotals(): Totals {
    return unpackTotals(this.#tables.root.get(TOTALS_KEY)!);
  }

  #apply(operation: Operation, now: number): Answer {
    switch (operation.kind) {
      case 'open': return this.#open(operation, now);
      case 'touch': return this.#touch(operation, now);
      case 'put': return this.#put(operation, now);
      case 'list': return this.#list(operation, now);
      case 'acknowledge': return this.#acknowledge(operation);
      case 'close': return this.#close(operation);
      case 'put-card': return this.#putCard(operation, now);
      case 'take-card': return this.#takeCard(operation, now);
      case 'expire': return this.#expire(operation, now);
    }
  }

  #open({ mailbox, owner, tokenHash, create }: Of<'open'>, now: number): Answer {
    const record = this.#mailbox(mailbox);
    if (record === null) return this.#create({ owner, tokenHash, sequence: 0, count: 0, bytes: 0, dueAt: this.#dueAt(now) }, mailbox, create);
    if (!equal(record.owner, owner)) return refused('mailbox-taken');
    if (!equal(record.tokenHash, tokenHash)) this.#keep(mailbox, { ...record, tokenHash });
    this.#touch({ mailbox }, now);
    return { kind: 'opened', created: false, waiting: record.count };
  }

  #create(record: MailboxRecord, mailbox: Uint8Array, allowed: boolean): Answer {
    if (!allowed) return refused('mailbox-unknown');
    if (this.#totals.mailboxes >= this.#limits.storeMailboxes) return refused('relay-busy');
    this.#keep(mailbox, record);
    this.#tables.expiry.putSync(mailboxExpiryKey(record.dueAt, mailbox), NOTHING);
    this.#count({ mailboxes: 1 });
    return { kind: 'opened', created: true, waiting: 0 };
  }

  #touch({ mailbox }: { readonly mailbox: Uint8Array }, now: number): Answer {
    const record = this.#mailbox(mailbox);
    const dueAt = this.#dueAt(now);
    // Also when the clock was set back by more than that: what is due far in the future would be kept for ever.
    if (record === null || Math.abs(dueAt - record.dueAt) < TOUCH_PAUSE_MS) return DONE;
    this.#tables.expiry.removeSync(mailboxExpiryKey(record.dueAt, mailbox));
    this.#tables.expiry.putSync(mailboxExpiryKey(dueAt, mailbox), NOTHING);
    this.#keep(mailbox, { ...record, dueAt });
    return DONE;
  }

  #dueAt(now: number): number {
    return now + this.#limits.mailboxSeconds * 1_000;
  }

  #put({ mailbox, tokenHash, id, envelope, expiresAt }: Of<'put'>, now: number): Answer {
    let record = this.#mailbox(mailbox);
    if (record === null) return refused('mailbox-unknown');
    if (!equal(record.tokenHash, tokenHash)) return refused('token-wrong');
    // Nothing waits in most mailboxes most of the time.
    const twin = record.count === 0 ? undefined : this.#tables.ids.get(idKey(mailbox, id));
    if (twin !== undefined) {
      if (this.#envelope(mailbox, readInteger(twin)).expiresAt > now) return DONE;
      record = this.#remove(mailbox, record, readInteger(twin));
    }
    const { mailboxEnvelopes, mailboxBytes, passingSeconds } = this.#limits;
    const share = expiresAt - now > passingSeconds * 1_000 ? 1 : 1 + PASSING_SHARE;
    if (record.count + 1 > mailboxEnvelopes * share || record.bytes + envelope.length > mailboxBytes * share) return this.#full(mailbox);
    if (!this.#hasRoom(envelope.length)) return refused('relay-busy');

    const sequence = record.sequence + 1;
    this.#tables.envelopes.putSync(envelopeKey(mailbox, sequence), packEnvelope({ storedAt: now, expiresAt, id, envelope }));
    this.#tables.ids.putSync(idKey(mailbox, id), integer(sequence));
    this.#tables.expiry.putSync(envelopeExpiryKey(expiresAt, mailbox, sequence), NOTHING);
    this.#keep(mailbox, { ...record, sequence, count: record.count + 1, bytes: record.bytes + envelope.length });
    this.#count({ envelopes: 1, bytes: envelope.length });
    return { kind: 'stored', sequence };
  }

  /** The oldest envelope is the first to go, as nearly all are put for equally long. */
  #full(mailbox: Uint8Array): Answer {
    const [oldest] = this.#tables.envelopes.getRange({ ...envelopesOf(mailbox, 1), limit: 1 });
    return oldest === undefined ? refused('mailbox-full') : { kind: 'refused', code: 'mailbox-full', roomAt: unpackEnvelope(oldest.value).expiresAt };
  }

  #list({ mailbox, after, limit, maxBytes }: Of<'list'>, now: number): Answer {
    const envelopes: StoredEnvelope[] = [];
    let bytes = 0;
    for (const { key, value } of this.#tables.envelopes.getRange(envelopesOf(mailbox, after + 1))) {
      const { storedAt, expiresAt, envelope } = unpackEnvelope(value);
      if (expiresAt <= now) continue;
      if (envelopes.length >= limit || bytes >= maxBytes) return { kind: 'listed', envelopes, more: true };
      envelopes.push({ sequence: sequenceOf(key), storedAt, envelope });
      bytes += envelope.length;
    }
    return { kind: 'listed', envelopes, more: false };
  }

  #acknowledge({ mailbox, sequences }: Of<'acknowledge'>): Answer {
    const before = this.#mailbox(mailbox);
    if (before === null) return DONE;
    let record = before;
    for (const sequence of sequences) {
      if (sequence <= record.sequence) record = this.#remove(mailbox, record, sequence);
    }
    if (record !== before) this.#keep(mailbox, record);
    return DONE;
  }

  #close({ mailbox }: { readonly mailbox: Uint8Array }): Answer {
    let record = this.#mailbox(mailbox);
    if (record === null) return DONE;
    for (const key of Array.from(this.#tables.envelopes.getKeys(envelopesOf(mailbox, 1)))) record = this.#remove(mailbox, record, sequenceOf(key));
    this.#tables.expiry.removeSync(mailboxExpiryKey(record.dueAt, mailbox));
    this.#keep(mailbox, null);
    this.#count({ mailboxes: -1 });
    return DONE;
  }

  #putCard({ lookup, card, reusable, expiresAt }: Of<'put-card'>, now: number): Answer {
    const key = bufferOf(lookup);
    const bytes = this.#tables.cards.get(key);
    if (bytes !== undefined) {
      const held = unpackCard(bytes);
      if (held.expiresAt > now) return equal(held.card, card) && held.reusable === reusable ? DONE : refused('card-taken');
      this.#removeCard(lookup);
    }
    if (!this.#hasRoom(card.length)) return refused('relay-busy');
    this.#tables.cards.putSync(key, packCard({ expiresAt, reusable, claim: null, card }));
    this.#tables.expiry.putSync(cardExpiryKey(expiresAt, lookup), NOTHING);
    this.#count({ cards: 1, bytes: card.length });
    return DONE;
  }

  #takeCard({ lookup, claim }: Of<'take-card'>, now: number): Answer {
    const bytes = this.#tables.cards.get(bufferOf(lookup));
    const held = bytes === undefined ? null : unpackCard(bytes);
    if (held === null || held.expiresAt <= now) return refused('card-unknown');
    if (held.reusable) return { kind: 'card', card: held.card };
    if (held.claim === null) this.#tables.cards.putSync(bufferOf(lookup), packCard({ ...held, claim }));
    else if (!equal(held.claim, claim)) return refused('card-taken');
    return { kind: 'card', card: held.card };
  }

  #expire({ limit }: Of<'expire'>, now: number): Answer {
    for (const key of Array.from(this.#tables.expiry.getKeys({ end: integer(now + 1), limit }))) {
      const due = dueOf(key);
      switch (due.kind) {
        case 'envelope':
          this.#keep(due.mailbox, this.#remove(due.mailbox, this.#mailbox(due.mailbox)!, due.sequence));
          break;
        case 'mailbox':
          this.#close(due);
          break;
        case 'card':
          this.#removeCard(due.lookup);
      }
    }
    const [first] = this.#tables.expiry.getKeys({ limit: 1 });
    return { kind: 'expired', nextAt: first === undefined ? null : readInteger(first) };
  }

  /** Deletes an envelope if it is there, and everything that points to it. The caller keeps the record that this returns. */
  #remove(mailbox: Uint8Array, record: MailboxRecord, sequence: number): MailboxRecord {
    const key = envelopeKey(mailbox, sequence);
    const bytes = this.#tables.envelopes.get(key);
    if (bytes === undefined) return record;
    const { id, expiresAt, envelope } = unpackEnvelope(bytes);
    this.#tables.envelopes.removeSync(key);
    this.#tables.ids.removeSync(idKey(mailbox, id));
    this.#tables.expiry.removeSync(envelopeExpiryKey(expiresAt, mailbox, sequence));
    this.#count({ envelopes: -1, bytes: -envelope.length });
    return { ...record, count: record.count - 1, bytes: record.bytes - envelope.length };
  }

  #removeCard(lookup: Uint8Array): void {
    const { expiresAt, card } = unpackCard(this.#tables.cards.get(bufferOf(lookup))!);
    this.#tables.cards.removeSync(bufferOf(lookup));
    this.#tables.expiry.removeSync(cardExpiryKey(expiresAt, lookup));
    this.#count({ cards: -1, bytes: -card.length });
  }

  #hasRoom(bytes: number): boolean {
    return this.#totals.bytes + bytes <= this.#limits.storeBytes;
  }

  #count({ mailboxes = 0, envelopes = 0, cards = 0, bytes = 0 }: Partial<Totals>): void {
    const before = this.#totals;
    this.#totals = { mailboxes: before.mailboxes + mailboxes, envelopes: before.envelopes + envelopes, cards: before.cards + cards, bytes: before.bytes + bytes };
  }

  #envelope(mailbox: Uint8Array, sequence: number) {
    return unpackEnvelope(this.#tables.envelopes.get(envelopeKey(mailbox, sequence))!);
  }

  #mailbox(mailbox: Uint8Array): MailboxRecord | null {
    return this.#meet(mailbox).record;
  }

  /** @param record null for a mailbox that is no more */
  #keep(mailbox: Uint8Array, record: MailboxRecord | null): void {
    const met = this.#meet(mailbox);
    met.record = record;
    met.hasChanged = true;
  }

  #meet(mailbox: Uint8Array): Met {
    const key = bufferOf(mailbox);
    const name = key.toString('latin1');
    const before = this.#met.get(name);
    if (before !== undefined) return before;
    const bytes = this.#tables.mailboxes.get(key);
    const met = { key, record: bytes === undefined ? null : unpackMailbox(bytes), hasChanged: false };
    this.#met.set(name, met);
    return met;
  }
}

function envelopesOf(mailbox: Uint8Array, from: number): { start: Buffer; end: Buffer } {
  return { start: envelopeKey(mailbox, from), end: envelopeKey(mailbox, INTEGER_MAX) };
}

/** What lmdb rejects with when the disk did not take a transaction. */
interface CommitFailure extends Error {
  readonly commitError: Promise<never>;
}

function hasCommitFailed(error: unknown): error is CommitFailure {
  return error instanceof Error && 'commitError' in error;
}

/** The same failure rejects promises inside lmdb that nobody can reach, which would end the process. */
function silence({ commitError }: CommitFailure): void {
  commitError.catch(() => {});
  const onUnhandled = (reason: unknown): void => {
    if (!hasCommitFailed(reason) || reason.commitError !== commitError) throw reason;
  };
  process.on('unhandledRejection', onUnhandled);
  setImmediate(() => process.off('unhandledRejection', onUnhandled));
}

function refused(code: ErrorCode): Answer {
  return { kind: 'refused', code };
}
