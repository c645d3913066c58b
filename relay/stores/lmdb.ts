// The store of a relay on one machine: lmdb, one transaction per group of operations, answers given out only when the
// disk has it. It must never see a send token, only its hash, and never who sent or who collects.

import { join } from 'node:path';
import { open, type Database } from 'lmdb';
import { equal } from '../../crypto/bytes.js';
import { SottoError, type ErrorCode } from '../../crypto/error.js';
import type { Answer, Operation, StoredEnvelope } from '../core/operation.js';
import {
  cardExpiryKey,
  dueOf,
  envelopeExpiryKey,
  envelopeKey,
  idKey,
  integer,
  INTEGER_MAX,
  packCard,
  packEnvelope,
  packMailbox,
  readInteger,
  sequenceOf,
  unpackCard,
  unpackEnvelope,
  unpackMailbox,
  type MailboxRecord,
} from './layout.js';
import { claimFolder, releaseFolder } from './owner.js';
import { MAILBOX_MAX_BYTES, MAILBOX_MAX_ENVELOPES, type Store } from './store.js';

type Table = Database<Buffer, Buffer>;
type Of<Kind extends Operation['kind']> = Extract<Operation, { kind: Kind }>;

/** Version of layout.ts; another one is not opened. */
const FORMAT = 1;

/** With pages this large an envelope of 2 KiB shares its page with others instead of wasting half of its own. */
const PAGE_BYTES = 16_384;

const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const;
const FORMAT_KEY = Buffer.from('format');
const NOTHING = Buffer.alloc(0);
const DONE: Answer = { kind: 'done' };

/**
 * Opens or creates the store in a folder that exists.
 * @throws SottoError `data-in-use` if another relay has it open, `store-damaged` if it cannot be read.
 */
export function openLmdbStore(folder: string): Store {
  try {
    return new LmdbStore(folder);
  } catch (error) {
    if (error instanceof SottoError) throw error;
    throw new SottoError('store-damaged', `The relay's data in ${folder} cannot be read; restore it from a backup or choose another folder with --data DIR.`, error);
  }
}

class LmdbStore implements Store {
  readonly #root: ReturnType<typeof open<Buffer, Buffer>>;
  readonly #mailboxes: Table;
  readonly #envelopes: Table;
  readonly #ids: Table;
  readonly #cards: Table;
  readonly #expiry: Table;

  constructor(folder: string) {
    this.#root = open<Buffer, Buffer>({ path: join(folder, 'relay.mdb'), noSubdir: true, pageSize: PAGE_BYTES, ...BINARY });
    try {
      claimFolder(this.#root, folder);
      checkFormat(this.#root, folder);
    } catch (error) {
      void this.#root.close();
      throw error;
    }
    this.#mailboxes = this.#root.openDB('mailboxes', BINARY);
    this.#envelopes = this.#root.openDB('envelopes', BINARY);
    this.#ids = this.#root.openDB('ids', BINARY);
    this.#cards = this.#root.openDB('cards', BINARY);
    this.#expiry = this.#root.openDB('expiry', BINARY);
  }

  async run(operations: readonly Operation[], now: number): Promise<readonly Answer[]> {
    try {
      // A child transaction is the kind that takes everything back when the disk fails halfway.
      const answers = await this.#root.childTransaction(() => operations.map((operation) => this.#apply(operation, now)));
      // Committed is only visible; flushed is durable.
      await this.#root.flushed;
      return answers;
    } catch (error) {
      throw new SottoError('store-failed', undefined, error);
    }
  }

  async close(): Promise<void> {
    await this.#root.flushed;
    releaseFolder(this.#root);
    await this.#root.close();
  }

  #apply(operation: Operation, now: number): Answer {
    switch (operation.kind) {
      case 'open': return this.#open(operation);
      case 'put': return this.#put(operation, now);
      case 'list': return this.#list(operation, now);
      case 'acknowledge': return this.#acknowledge(operation);
      case 'close': return this.#close(operation);
      case 'put-card': return this.#putCard(operation, now);
      case 'take-card': return this.#takeCard(operation, now);
      case 'expire': return this.#expire(operation, now);
    }
  }

  #open({ mailbox, owner, tokenHash }: Of<'open'>): Answer {
    const record = this.#mailbox(mailbox);
    if (record === null) this.#keep(mailbox, { owner, tokenHash, sequence: 0, count: 0, bytes: 0 });
    else if (!equal(record.owner, owner)) return refused('mailbox-taken');
    else if (!equal(record.tokenHash, tokenHash)) this.#keep(mailbox, { ...record, tokenHash });
    return { kind: 'opened', waiting: record?.count ?? 0 };
  }

  #put({ mailbox, tokenHash, id, envelope, expiresAt }: Of<'put'>, now: number): Answer {
    let record = this.#mailbox(mailbox);
    if (record === null) return refused('mailbox-unknown');
    if (!equal(record.tokenHash, tokenHash)) return refused('token-wrong');
    const twin = this.#ids.get(idKey(mailbox, id));
    if (twin !== undefined) {
      if (this.#envelope(mailbox, readInteger(twin)).expiresAt > now) return DONE;
      record = this.#remove(mailbox, record, readInteger(twin));
    }
    if (record.count + 1 > MAILBOX_MAX_ENVELOPES || record.bytes + envelope.length > MAILBOX_MAX_BYTES) return refused('mailbox-full');

    const sequence = record.sequence + 1;
    this.#envelopes.putSync(envelopeKey(mailbox, sequence), packEnvelope({ storedAt: now, expiresAt, id, envelope }));
    this.#ids.putSync(idKey(mailbox, id), integer(sequence));
    this.#expiry.putSync(envelopeExpiryKey(expiresAt, mailbox, sequence), NOTHING);
    this.#keep(mailbox, { ...record, sequence, count: record.count + 1, bytes: record.bytes + envelope.length });
    return { kind: 'stored', sequence };
  }

  #list({ mailbox, after, limit, maxBytes }: Of<'list'>, now: number): Answer {
    const envelopes: StoredEnvelope[] = [];
    let bytes = 0;
    for (const { key, value } of this.#envelopes.getRange(envelopesOf(mailbox, after + 1))) {
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

  #close({ mailbox }: Of<'close'>): Answer {
    let record = this.#mailbox(mailbox);
    if (record === null) return DONE;
    for (const key of Array.from(this.#envelopes.getKeys(envelopesOf(mailbox, 1)))) record = this.#remove(mailbox, record, sequenceOf(key));
    this.#mailboxes.removeSync(bufferOf(mailbox));
    return DONE;
  }

  #putCard({ lookup, card, reusable, expiresAt }: Of<'put-card'>, now: number): Answer {
    const key = bufferOf(lookup);
    const bytes = this.#cards.get(key);
    if (bytes !== undefined) {
      const held = unpackCard(bytes);
      if (held.expiresAt > now) return equal(held.card, card) && held.reusable === reusable ? DONE : refused('card-taken');
      this.#expiry.removeSync(cardExpiryKey(held.expiresAt, lookup));
    }
    this.#cards.putSync(key, packCard({ expiresAt, reusable, claim: null, card }));
    this.#expiry.putSync(cardExpiryKey(expiresAt, lookup), NOTHING);
    return DONE;
  }

  #takeCard({ lookup, claim }: Of<'take-card'>, now: number): Answer {
    const bytes = this.#cards.get(bufferOf(lookup));
    const held = bytes === undefined ? null : unpackCard(bytes);
    if (held === null || held.expiresAt <= now) return refused('card-unknown');
    if (held.reusable) return { kind: 'card', card: held.card };
    if (held.claim === null) this.#cards.putSync(bufferOf(lookup), packCard({ ...held, claim }));
    else if (!equal(held.claim, claim)) return refused('card-taken');
    return { kind: 'card', card: held.card };
  }

  #expire({ limit }: Of<'expire'>, now: number): Answer {
    for (const key of Array.from(this.#expiry.getKeys({ end: integer(now + 1), limit }))) {
      const due = dueOf(key);
      if (due.kind === 'envelope') {
        this.#keep(due.mailbox, this.#remove(due.mailbox, this.#mailbox(due.mailbox)!, due.sequence));
      } else {
        this.#cards.removeSync(bufferOf(due.lookup));
        this.#expiry.removeSync(key);
      }
    }
    const [first] = this.#expiry.getKeys({ limit: 1 });
    return { kind: 'expired', nextAt: first === undefined ? null : readInteger(first) };
  }

  /** Deletes an envelope if it is there, and everything that points to it. The caller keeps the record that this returns. */
  #remove(mailbox: Uint8Array, record: MailboxRecord, sequence: number): MailboxRecord {
    const key = envelopeKey(mailbox, sequence);
    const bytes = this.#envelopes.get(key);
    if (bytes === undefined) return record;
    const { id, expiresAt, envelope } = unpackEnvelope(bytes);
    this.#envelopes.removeSync(key);
    this.#ids.removeSync(idKey(mailbox, id));
    this.#expiry.removeSync(envelopeExpiryKey(expiresAt, mailbox, sequence));
    return { ...record, count: record.count - 1, bytes: record.bytes - envelope.length };
  }

  #envelope(mailbox: Uint8Array, sequence: number) {
    return unpackEnvelope(this.#envelopes.get(envelopeKey(mailbox, sequence))!);
  }

  #mailbox(mailbox: Uint8Array): MailboxRecord | null {
    const bytes = this.#mailboxes.get(bufferOf(mailbox));
    return bytes === undefined ? null : unpackMailbox(bytes);
  }

  #keep(mailbox: Uint8Array, record: MailboxRecord): void {
    this.#mailboxes.putSync(bufferOf(mailbox), packMailbox(record));
  }
}

function envelopesOf(mailbox: Uint8Array, from: number): { start: Buffer; end: Buffer } {
  return { start: envelopeKey(mailbox, from), end: envelopeKey(mailbox, INTEGER_MAX) };
}

/** The same bytes as a Buffer, which is what lmdb takes as a key. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checkFormat(root: Table, folder: string): void {
  const format = root.get(FORMAT_KEY)?.[0];
  if (format === undefined) root.putSync(FORMAT_KEY, Buffer.of(FORMAT));
  else if (format !== FORMAT) {
    throw new SottoError('store-damaged', `The relay's data in ${folder} has format ${format} and this Sotto reads format ${FORMAT}; update Sotto, or choose another folder with --data DIR.`);
  }
}

function refused(code: ErrorCode): Answer {
  return { kind: 'refused', code };
}
