// The store in SQL, the same on every platform. It takes an open database and keeps the records of client/core in it. It knows
// nothing of files, keys, threads or the network, and understands no record.

import { fromHex, toHex } from '../../crypto/bytes.js';
import { SottoError } from '../../crypto/error.js';
import { RECENT_MAX } from '../core/records.js';
import type { Change, ContactId, ContactRecord, MessageId, MessageRecord, SelfRecord, Snapshot } from '../core/records.js';
import { ADDRESS, CLOSING, CONTACTS, FLIGHTS, HELD, INVITATIONS, MESSAGES, MIGRATIONS, OUTGOING, PAST, PENDING, REQUESTS, SELF, WEEKS } from './schema.js';
import type { Database, SqlValue } from './sqlite.js';
import type { MessageQuery, Store } from './store.js';
import type { Table } from './table.js';

/** Words of a search beyond this many are not looked at: FTS5 refuses an expression deeper than 256. */
const SEARCH_WORDS = 32;

/**
 * The store in an open database, which it brings to the newest version and closes when it is closed.
 * @throws SottoError `store-damaged`, also where a newer version of Sotto has written it; `store-failed`.
 */
export async function openStore(database: Database): Promise<Store> {
  try {
    await migrate(database);
    return new SqlStore(database);
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function migrate(database: Database): Promise<void> {
  const [row] = await database.run('PRAGMA user_version');
  const version = Number(row?.[0]);
  if (version === MIGRATIONS.length) return;
  if (version > MIGRATIONS.length) throw new SottoError('store-damaged', 'A newer version of Sotto wrote this message store; update this one.');
  await database.transaction(async () => {
    for (const step of MIGRATIONS.slice(version)) await database.script(step);
    await database.script(`PRAGMA user_version = ${MIGRATIONS.length}`);
  });
}

class SqlStore implements Store {
  readonly #database: Database;
  /** Settles when the calls before have: the database takes one at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  load(): Promise<Snapshot | null> {
    return this.#inTurn(async () => {
      const [self] = await this.#records(SELF, 'FROM self');
      if (self === undefined) return null;
      const contacts = await this.#records(CONTACTS, 'FROM contacts ORDER BY createdAt, id');
      const [address] = await this.#records(ADDRESS, 'FROM address');
      return {
        self,
        contacts,
        past: await this.#records(PAST, 'FROM past'),
        invitations: await this.#records(INVITATIONS, 'FROM invitations ORDER BY createdAt, lookup'),
        address: address ?? null,
        weeks: await this.#records(WEEKS, 'FROM weeks ORDER BY week'),
        flights: await this.#records(FLIGHTS, 'FROM flights'),
        requests: await this.#records(REQUESTS, 'FROM requests ORDER BY createdAt, id'),
        closing: await this.#records(CLOSING, 'FROM closing'),
        outgoing: await this.#records(OUTGOING, 'FROM outgoing ORDER BY "order"'),
        pending: await this.#records(MESSAGES, `FROM messages WHERE ${PENDING} ORDER BY position`),
        held: await this.#records(HELD, 'FROM held ORDER BY contact, number'),
        recent: await this.#recent(contacts),
      };
    });
  }

  create(self: SelfRecord): Promise<void> {
    return this.#inTurn(() => this.#database.transaction(async () => {
      const before = await this.#records(SELF, 'FROM self');
      if (before.length > 0) throw new SottoError('home-exists');
      await this.#put(SELF, self);
    }));
  }

  commit(changes: readonly Change[]): Promise<void> {
    return this.#inTurn(() => this.#database.transaction(async () => {
      for (const change of lastOfEach(changes)) await this.#write(change);
    }));
  }

  messages({ contact, direction, before, after, limit }: MessageQuery): Promise<MessageRecord[]> {
    const conditions: string[] = [];
    const values: SqlValue[] = [];
    const where = (condition: string, value: SqlValue | undefined) => {
      if (value === undefined) return;
      conditions.push(condition);
      values.push(value);
    };
    where('contact = ?', contact === undefined ? undefined : fromHex(contact));
    where('direction = ?', direction);
    where('position < ?', before);
    where('position > ?', after);
    const newest = after === undefined;
    const filter = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    return this.#inTurn(async () => {
      const messages = await this.#records(MESSAGES, `FROM messages ${filter} ORDER BY position ${newest ? 'DESC' : 'ASC'} LIMIT ?`, [...values, limit]);
      return newest ? messages.toReversed() : messages;
    });
  }

  message(id: MessageId): Promise<MessageRecord | null> {
    return this.#inTurn(async () => {
      // Our own first: a contact that copies the id of one of our messages must not hide it.
      const [message] = await this.#records(MESSAGES, "FROM messages WHERE id = ? ORDER BY direction = 'out' DESC LIMIT 1", [fromHex(id)]);
      const [held] = message === undefined ? await this.#records(HELD, 'FROM held WHERE id = ? LIMIT 1', [fromHex(id)]) : [];
      return message ?? held ?? null;
    });
  }

  async search(words: string, limit: number): Promise<MessageRecord[]> {
    // Only letters, marks and digits get through, which is what the tokenizer keeps: no input is FTS5 syntax.
    const terms = words.match(/[\p{L}\p{M}\p{N}\p{Co}]+/gu)?.slice(0, SEARCH_WORDS);
    if (terms === undefined) return [];
    const match = terms.map((term) => `"${term}"*`).join(' ');
    return this.#inTurn(() => this.#records(
      MESSAGES, 'FROM words JOIN messages ON messages.position = words.rowid WHERE words MATCH ? ORDER BY words.rank LIMIT ?', [match, limit]));
  }

  close(): Promise<void> {
    return this.#closed ??= this.#inTurn(() => this.#database.close());
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(new SottoError('internal', 'The message store was used after it was closed.'));
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #recent(contacts: readonly ContactRecord[]): Promise<Snapshot['recent']> {
    const recent = [];
    for (const { id: contact } of contacts) {
      const rows = await this.#database.run("SELECT number, id FROM messages WHERE contact = ? AND direction = 'in' ORDER BY number DESC LIMIT ?", [fromHex(contact), RECENT_MAX]);
      for (const [number, id] of rows.toReversed()) recent.push({ contact, number: Number(number), id: toHex(id as Uint8Array) });
    }
    return recent;
  }

  async #records<T>(table: Table<T>, from: string, values: readonly SqlValue[] = []): Promise<T[]> {
    const rows = await this.#database.run(`SELECT ${table.select} ${from}`, values);
    return rows.map((row) => table.record(row));
  }

  async #put<T>(table: Table<T>, record: T): Promise<void> {
    await this.#database.run(table.upsert, table.values(record));
  }

  async #write(change: Change): Promise<void> {
    switch (change.kind) {
      case 'self': return this.#put(SELF, change.record);
      case 'contact': return this.#put(CONTACTS, change.record);
      case 'contact-removed': return this.#removeContact(change.id);
      case 'past': return this.#put(PAST, change.record);
      case 'past-removed': return this.#delete('past', 'key', change.key);
      case 'invitation': return this.#put(INVITATIONS, change.record);
      case 'outgoing': return this.#put(OUTGOING, change.record);
      case 'message': return this.#writeMessage(change.record);
      case 'renumbered':
        await this.#database.run("UPDATE messages SET number = ? WHERE contact = ? AND direction = 'out' AND number = ?", [change.to, fromHex(change.contact), change.from]);
        return;
      case 'address': return this.#put(ADDRESS, change.record);
      case 'week': return this.#put(WEEKS, change.record);
      case 'flight': return this.#put(FLIGHTS, change.record);
      case 'request': return this.#put(REQUESTS, change.record);
      case 'closing': return this.#put(CLOSING, change.record);
      case 'invitation-removed': return this.#delete('invitations', 'lookup', change.lookup);
      case 'address-removed':
        await this.#database.run('DELETE FROM address');
        return;
      case 'week-removed': return this.#delete('weeks', 'lookup', change.lookup);
      case 'flight-removed': return this.#delete('flights', 'flight', change.flight);
      case 'request-removed': return this.#delete('requests', 'id', change.id);
      case 'closing-removed': return this.#delete('closing', 'mailbox', change.mailbox);
      case 'outgoing-removed': return this.#delete('outgoing', 'envelope', change.envelope);
    }
  }

  async #delete(table: string, column: string, hex: string): Promise<void> {
    await this.#database.run(`DELETE FROM ${table} WHERE ${column} = ?`, [fromHex(hex)]);
  }

  async #removeContact(id: ContactId): Promise<void> {
    for (const table of ['outgoing', 'held', 'messages']) await this.#delete(table, 'contact', id);
    await this.#delete('contacts', 'id', id);
  }

  async #writeMessage(message: MessageRecord): Promise<void> {
    if (message.position === null) return this.#put(HELD, message);
    if (message.direction === 'in') {
      await this.#database.run("DELETE FROM held WHERE contact = ? AND direction = 'in' AND number = ?", [fromHex(message.contact), message.number]);
    }
    return this.#put(MESSAGES, message);
  }
}

/** The changes of a commit with only the last one of each record, as they come to the same. What is removed with a contact is what came before. */
function lastOfEach(changes: readonly Change[]): Iterable<Change> {
  let removals = 0;
  return new Map(changes.map((change) => {
    if (change.kind === 'contact-removed') removals += 1;
    return [`${removals} ${recordKey(change)}`, change];
  })).values();
}

function recordKey(change: Change): string {
  switch (change.kind) {
    case 'self': return 'self';
    case 'contact': return `contact ${change.record.id}`;
    case 'contact-removed': return `contact-removed ${change.id}`;
    case 'past': return `past ${change.record.key}`;
    case 'past-removed': return `past ${change.key}`;
    case 'invitation': return `invitation ${change.record.lookup}`;
    case 'invitation-removed': return `invitation ${change.lookup}`;
    case 'address':
    case 'address-removed': return 'address';
    case 'week': return `week ${change.record.lookup}`;
    case 'week-removed': return `week ${change.lookup}`;
    case 'flight': return `flight ${change.record.flight}`;
    case 'flight-removed': return `flight ${change.flight}`;
    case 'request': return `request ${change.record.id}`;
    case 'request-removed': return `request ${change.id}`;
    case 'closing': return `closing ${change.record.mailbox}`;
    case 'closing-removed': return `closing ${change.mailbox}`;
    case 'outgoing': return `outgoing ${change.record.envelope}`;
    case 'outgoing-removed': return `outgoing ${change.envelope}`;
    case 'renumbered': return `renumbered ${change.contact} ${change.from}`;
    case 'message': return `message ${change.record.contact} ${change.record.direction} ${change.record.number}`;
  }
}
