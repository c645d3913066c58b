// What a store keeps: the tables, one step per version of them, and how each record lies in its table. Knows no engine and
// runs nothing. A message that waits behind a gap lies in `held`; it has no place in the order yet and is in no search.

import type {
  AddressRecord, ContactRecord, FlightRecord, InvitationRecord, MessageRecord, OutgoingRecord, OwnMailbox, PastRecord, RequestRecord, SelfRecord, WeekRecord,
} from '../core/records.js';
import { table, type Columns } from './table.js';

/** Our own messages whose state may still change. In these very words in the query too, or SQLite does not use the index. */
export const PENDING = "direction = 'out' AND state IN ('queued', 'accepted', 'delivered', 'failed')";

/** Step n takes a store from version n (`user_version`) to n + 1. A step that was released is never changed: append. */
export const MIGRATIONS: readonly string[] = [`
  CREATE TABLE self (
    id INTEGER NOT NULL DEFAULT 1 UNIQUE CHECK (id = 1),
    name TEXT NOT NULL, relay TEXT NOT NULL, identity BLOB NOT NULL, createdAt INTEGER NOT NULL, position INTEGER NOT NULL
  );
  CREATE TABLE contacts (
    id BLOB NOT NULL UNIQUE, name TEXT NOT NULL, identity BLOB NOT NULL, createdAt INTEGER NOT NULL, policy TEXT NOT NULL,
    session BLOB NOT NULL, flight BLOB, flightKey BLOB,
    "inbox.relay" TEXT NOT NULL, "inbox.mailbox" BLOB NOT NULL, "inbox.ownerSeed" BLOB NOT NULL, "inbox.token" BLOB NOT NULL,
    "outbox.relay" TEXT NOT NULL, "outbox.mailbox" BLOB NOT NULL, "outbox.token" BLOB NOT NULL,
    sentNumber INTEGER NOT NULL, sentChain BLOB NOT NULL,
    receivedNumber INTEGER NOT NULL, lacking TEXT NOT NULL, readyNumber INTEGER NOT NULL, readyChain BLOB NOT NULL,
    readNumber INTEGER NOT NULL, receiptOwed INTEGER NOT NULL, unanswered INTEGER NOT NULL, heardAt INTEGER NOT NULL
  );
  CREATE TABLE invitations (
    lookup BLOB NOT NULL UNIQUE, link TEXT NOT NULL, secret BLOB NOT NULL, card BLOB NOT NULL, published INTEGER NOT NULL,
    "mailbox.relay" TEXT NOT NULL, "mailbox.mailbox" BLOB NOT NULL, "mailbox.ownerSeed" BLOB NOT NULL, "mailbox.token" BLOB NOT NULL,
    createdAt INTEGER NOT NULL, expiresAt INTEGER NOT NULL
  );
  CREATE TABLE outgoing (
    envelope BLOB NOT NULL UNIQUE, contact BLOB NOT NULL, "order" INTEGER NOT NULL, bytes BLOB NOT NULL, number INTEGER,
    createdAt INTEGER NOT NULL, expiresAt INTEGER NOT NULL, acceptedAt INTEGER
  );
  CREATE TABLE messages (
    position INTEGER PRIMARY KEY,
    id BLOB NOT NULL, contact BLOB NOT NULL, direction TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL,
    state TEXT NOT NULL, path TEXT, reason TEXT,
    sentAt INTEGER NOT NULL, receivedAt INTEGER, acceptedAt INTEGER, deliveredAt INTEGER, readAt INTEGER,
    UNIQUE (contact, direction, number)
  );
  CREATE INDEX messages_conversation ON messages (contact, position);
  CREATE INDEX messages_pending ON messages (position) WHERE ${PENDING};
  CREATE TABLE held (
    position INTEGER,
    id BLOB NOT NULL, contact BLOB NOT NULL, direction TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL,
    state TEXT NOT NULL, path TEXT, reason TEXT,
    sentAt INTEGER NOT NULL, receivedAt INTEGER, acceptedAt INTEGER, deliveredAt INTEGER, readAt INTEGER,
    UNIQUE (contact, direction, number)
  );

  CREATE VIRTUAL TABLE words USING fts5 (
    text, content = 'messages', content_rowid = 'position', tokenize = 'unicode61 remove_diacritics 2'
  );
  CREATE TRIGGER messages_inserted AFTER INSERT ON messages BEGIN
    INSERT INTO words (rowid, text) VALUES (new.position, new.text);
  END;
  CREATE TRIGGER messages_changed AFTER UPDATE OF text ON messages WHEN new.text <> old.text BEGIN
    INSERT INTO words (words, rowid, text) VALUES ('delete', old.position, old.text);
    INSERT INTO words (rowid, text) VALUES (new.position, new.text);
  END;
`, `
  ALTER TABLE contacts ADD COLUMN helloOwed INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE address (
    id INTEGER NOT NULL DEFAULT 1 UNIQUE CHECK (id = 1),
    link TEXT NOT NULL, linkKey BLOB NOT NULL, createdAt INTEGER NOT NULL,
    "mailbox.relay" TEXT NOT NULL, "mailbox.mailbox" BLOB NOT NULL, "mailbox.ownerSeed" BLOB NOT NULL, "mailbox.token" BLOB NOT NULL
  );
  CREATE TABLE weeks (
    lookup BLOB NOT NULL UNIQUE, week INTEGER NOT NULL, secret BLOB NOT NULL, card BLOB NOT NULL, published INTEGER NOT NULL, expiresAt INTEGER NOT NULL
  );
  CREATE TABLE flights (flight BLOB NOT NULL UNIQUE, lookup BLOB NOT NULL);
  CREATE TABLE requests (
    id BLOB NOT NULL UNIQUE, name TEXT NOT NULL, identity BLOB NOT NULL, session BLOB NOT NULL, flightKey BLOB NOT NULL,
    "outbox.relay" TEXT NOT NULL, "outbox.mailbox" BLOB NOT NULL, "outbox.token" BLOB NOT NULL,
    createdAt INTEGER NOT NULL, heardAt INTEGER NOT NULL, lastNumber INTEGER NOT NULL, texts TEXT NOT NULL
  );
  CREATE TABLE closing (relay TEXT NOT NULL, mailbox BLOB NOT NULL UNIQUE, ownerSeed BLOB NOT NULL, token BLOB NOT NULL);
`, `
  ALTER TABLE self ADD COLUMN devices BLOB NOT NULL DEFAULT x'';
  ALTER TABLE requests ADD COLUMN devices BLOB NOT NULL DEFAULT x'';
  ALTER TABLE contacts ADD COLUMN devices BLOB NOT NULL DEFAULT x'';
  ALTER TABLE contacts ADD COLUMN unread INTEGER NOT NULL DEFAULT 0;
  UPDATE contacts SET unread = readyNumber - readNumber;
  ALTER TABLE contacts ADD COLUMN begunAt INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE contacts ADD COLUMN resumptions BLOB NOT NULL DEFAULT x'';
  ALTER TABLE contacts ADD COLUMN reset BLOB;
  ALTER TABLE contacts ADD COLUMN resetReason TEXT;
  ALTER TABLE contacts ADD COLUMN resetTakenAt INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE contacts ADD COLUMN sentFirst INTEGER NOT NULL DEFAULT 1;
`, `
  ALTER TABLE contacts ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE past (
    key BLOB NOT NULL UNIQUE, sentNumber INTEGER NOT NULL, sentChain BLOB NOT NULL,
    receivedNumber INTEGER NOT NULL, lacking TEXT NOT NULL, receivedChain BLOB NOT NULL, readNumber INTEGER NOT NULL
  );
  INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
  CREATE TRIGGER messages_removed AFTER DELETE ON messages BEGIN
    INSERT INTO words (words, rowid, text) VALUES ('delete', old.position, old.text);
  END;
`, `
  ALTER TABLE requests ADD COLUMN begunAt INTEGER NOT NULL DEFAULT 0;
`];

const MESSAGE: Columns<MessageRecord> = {
  position: 'number',
  id: 'hex', contact: 'hex', direction: 'text', number: 'number', text: 'text',
  state: 'text', path: 'text', reason: 'text',
  sentAt: 'number', receivedAt: 'number', acceptedAt: 'number', deliveredAt: 'number', readAt: 'number',
};

/** What makes two messages the same one. The id does not: a contact chooses its own, and could write over what it has said. */
const MESSAGE_KEY = ['contact', 'direction', 'number'];

export const SELF = table<SelfRecord>('self', ['id'], {
  name: 'text', relay: 'text', identity: 'bytes', devices: 'bytes', createdAt: 'number', position: 'number',
});

export const CONTACTS = table<ContactRecord>('contacts', ['id'], {
  id: 'hex', name: 'text', identity: 'bytes', devices: 'bytes', createdAt: 'number', policy: 'text', blocked: 'flag',
  session: 'bytes', flight: 'bytes', flightKey: 'bytes', begunAt: 'number',
  resumptions: 'bytes', reset: 'bytes', resetReason: 'text', resetTakenAt: 'number',
  'inbox.relay': 'text', 'inbox.mailbox': 'hex', 'inbox.ownerSeed': 'bytes', 'inbox.token': 'bytes',
  helloOwed: 'flag', 'outbox.relay': 'text', 'outbox.mailbox': 'hex', 'outbox.token': 'bytes',
  sentFirst: 'number', sentNumber: 'number', sentChain: 'bytes',
  receivedNumber: 'number', lacking: 'list', readyNumber: 'number', readyChain: 'bytes',
  readNumber: 'number', unread: 'number', receiptOwed: 'flag', unanswered: 'number', heardAt: 'number',
});

export const PAST = table<PastRecord>('past', ['key'], {
  key: 'hex', sentNumber: 'number', sentChain: 'bytes', receivedNumber: 'number', lacking: 'list', receivedChain: 'bytes', readNumber: 'number',
});

export const INVITATIONS = table<InvitationRecord>('invitations', ['lookup'], {
  lookup: 'hex', link: 'text', secret: 'bytes', card: 'bytes', published: 'flag',
  'mailbox.relay': 'text', 'mailbox.mailbox': 'hex', 'mailbox.ownerSeed': 'bytes', 'mailbox.token': 'bytes',
  createdAt: 'number', expiresAt: 'number',
});

export const ADDRESS = table<AddressRecord>('address', ['id'], {
  link: 'text', linkKey: 'bytes', createdAt: 'number',
  'mailbox.relay': 'text', 'mailbox.mailbox': 'hex', 'mailbox.ownerSeed': 'bytes', 'mailbox.token': 'bytes',
});

export const WEEKS = table<WeekRecord>('weeks', ['lookup'], {
  lookup: 'hex', week: 'number', secret: 'bytes', card: 'bytes', published: 'flag', expiresAt: 'number',
});

export const FLIGHTS = table<FlightRecord>('flights', ['flight'], { flight: 'hex', lookup: 'hex' });

export const REQUESTS = table<RequestRecord>('requests', ['id'], {
  id: 'hex', name: 'text', identity: 'bytes', session: 'bytes', flightKey: 'bytes', devices: 'bytes',
  'outbox.relay': 'text', 'outbox.mailbox': 'hex', 'outbox.token': 'bytes',
  createdAt: 'number', begunAt: 'number', heardAt: 'number', lastNumber: 'number', texts: 'list',
});

export const CLOSING = table<OwnMailbox>('closing', ['mailbox'], { relay: 'text', mailbox: 'hex', ownerSeed: 'bytes', token: 'bytes' });

export const OUTGOING = table<OutgoingRecord>('outgoing', ['envelope'], {
  envelope: 'hex', contact: 'hex', order: 'number', bytes: 'bytes', number: 'number',
  createdAt: 'number', expiresAt: 'number', acceptedAt: 'number',
});

/** The position is the row's number: setting it anew, even to the same, would write every index again. */
export const MESSAGES = table<MessageRecord>('messages', MESSAGE_KEY, MESSAGE, ['position']);

export const HELD = table<MessageRecord>('held', MESSAGE_KEY, MESSAGE);
