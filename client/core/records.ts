// What a client remembers, as the core holds it and the store keeps it. Ids are lower-case hex so that they can be map keys;
// key material stays bytes. The core never reads a store: it is given a Snapshot at the start and gives Changes.

/** Lower-case hex of a 32-byte identity id. */
export type ContactId = string & { readonly brand?: 'ContactId' };
/** Lower-case hex of a 16-byte message id. */
export type MessageId = string & { readonly brand?: 'MessageId' };
/** Lower-case hex of a 16-byte mailbox address. */
export type MailboxId = string & { readonly brand?: 'MailboxId' };
/** Lower-case hex of H32("envelope", bytes)[0..16]. */
export type EnvelopeId = string & { readonly brand?: 'EnvelopeId' };

/** As many characters of an id as tell people apart at sight, and as a command always takes. */
export const SHORT_ID = 8;

/** The owner of this home. */
export interface SelfRecord {
  readonly name: string;
  /** URL of the relay where new mailboxes are opened. */
  readonly relay: string;
  /** packIdentity(…), secret. */
  readonly identity: Uint8Array;
  /** Our newest device list, packDevices(…); empty in a home that is older than such lists. */
  readonly devices: Uint8Array;
  readonly createdAt: number;
  /** The last value given out as MessageRecord.position. */
  readonly position: number;
}

/** A mailbox that we own: one contact and one direction, one invitation that nobody has accepted yet, or our address. */
export interface OwnMailbox {
  readonly relay: string;
  readonly mailbox: MailboxId;
  /** 32-byte Ed25519 seed of the owner key, made for this mailbox alone. */
  readonly ownerSeed: Uint8Array;
  /** 16-byte send token that we give to the contact. */
  readonly token: Uint8Array;
}

/** A mailbox of a contact: where we put envelopes for them. */
export interface PeerMailbox {
  readonly relay: string;
  readonly mailbox: MailboxId;
  readonly token: Uint8Array;
}

/** An invitation that we gave out and that nobody has accepted yet. */
export interface InvitationRecord {
  /** Lower-case hex of the 16-byte lookup id. */
  readonly lookup: string;
  readonly link: string;
  /** packInvitation(…), secret: the one-time private keys. */
  readonly secret: Uint8Array;
  /** The sealed card, kept until the relay has it. */
  readonly card: Uint8Array;
  readonly published: boolean;
  readonly mailbox: OwnMailbox;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Our address: a link that everybody may use, and the mailbox to which it leads. */
export interface AddressRecord {
  readonly link: string;
  /** 16 bytes, known to those who have the link. */
  readonly linkKey: Uint8Array;
  readonly mailbox: OwnMailbox;
  readonly createdAt: number;
}

/** The card of one week of our address. */
export interface WeekRecord {
  /** Lower-case hex of the 16-byte lookup id. */
  readonly lookup: string;
  /** Weeks since 1970. */
  readonly week: number;
  /** packInvitation(…), secret. */
  readonly secret: Uint8Array;
  readonly card: Uint8Array;
  readonly published: boolean;
  /** When the relay gives the card no more. */
  readonly expiresAt: number;
}

/** A flight to our address that has made a request or a session: the same flight again is nothing new. */
export interface FlightRecord {
  /** Lower-case hex of H32("flight", EK)[0..16]. */
  readonly flight: string;
  /** The card with whose secrets it opened: kept as long as these. */
  readonly lookup: string;
}

/** A text of somebody who waits for approval. */
export interface RequestText {
  readonly number: number;
  /** Lower-case hex, 16 bytes. */
  readonly id: string;
  /** Lower-case hex, 8 bytes or none. */
  readonly chain: string;
  readonly text: string;
  readonly sentAt: number;
}

/** Somebody who has come by our address and knows nothing of us yet; or a contact who comes by it to begin anew. */
export interface RequestRecord {
  readonly id: ContactId;
  readonly name: string;
  /** 64 bytes: idEd | idX. */
  readonly identity: Uint8Array;
  /** packSession(…), secret. */
  readonly session: Uint8Array;
  /** EK of the flight that made the session, 32 bytes. */
  readonly flightKey: Uint8Array;
  /** The device list that it has shown, packDevices(…). */
  readonly devices: Uint8Array;
  readonly outbox: PeerMailbox;
  readonly createdAt: number;
  /** When the session began, by their clock. */
  readonly begunAt: number;
  readonly heardAt: number;
  /** The highest number of a Text that is known to exist. */
  readonly lastNumber: number;
  /** In the order of their numbers; those for which there was no room are asked for on approval. */
  readonly texts: readonly RequestText[];
}

/** Whether a direct path may be opened to a contact (who then sees our IP address). */
export type Policy = 'direct' | 'relay-only';

export interface ContactRecord {
  readonly id: ContactId;
  readonly name: string;
  /** 64 bytes: idEd | idX. */
  readonly identity: Uint8Array;
  /** The newest device list that the contact has shown, packDevices(…); empty if none. */
  readonly devices: Uint8Array;
  readonly createdAt: number;
  readonly policy: Policy;
  /** Whether our person has blocked the contact: nothing of theirs is collected, nothing goes to them. */
  readonly blocked: boolean;
  /** packSession(…), secret; empty while a reset is not answered. */
  readonly session: Uint8Array;
  /** While the contact has not answered: the first-flight prefix that every message repeats (PROTOCOL.md §4). */
  readonly flight: Uint8Array | null;
  /** EK of the first flight that made this session on our side as responder: a second flight with it is not a new session. */
  readonly flightKey: Uint8Array | null;
  /** By the contact's clock: when the flight or reset was written that began this session. Older ones are void. */
  readonly begunAt: number;
  /** Resumption secrets of earlier sessions, 32 bytes each, newest first. */
  readonly resumptions: Uint8Array;
  /** packPendingReset(…), secret: our reset that has no answer yet, and why we made it. */
  readonly reset: Uint8Array | null;
  readonly resetReason: string | null;
  /** When we last took a reset of the contact. */
  readonly resetTakenAt: number;
  readonly inbox: OwnMailbox;
  /** Whether the contact came by our address and may not know `inbox` yet: every message to it says where that is. */
  readonly helloOwed: boolean;
  readonly outbox: PeerMailbox;
  /** Our own Texts: the first number since the last reset, the last one given out, and its chain value (8 bytes). */
  readonly sentFirst: number;
  readonly sentNumber: number;
  readonly sentChain: Uint8Array;
  /** The contact's Texts: the highest number known to exist, and those up to it that we do not have. */
  readonly receivedNumber: number;
  readonly lacking: readonly number[];
  /** Every number up to here was given out to be shown, or is no longer waited for; its chain value (8 bytes). */
  readonly readyNumber: number;
  readonly readyChain: Uint8Array;
  /** The last number that our person has read. */
  readonly readNumber: number;
  /** Texts of the contact that were shown and that our person has not read. */
  readonly unread: number;
  /** A Receipt must be sent: something has changed since the last one. */
  readonly receiptOwed: boolean;
  /** Ratchet messages sent since anything came from this contact. */
  readonly unanswered: number;
  /** When anything decrypted last came from this contact, 0 if never. */
  readonly heardAt: number;
}

/** What is left of a contact that was removed: how far the numbers of both had come (past.ts). It names nobody. */
export interface PastRecord {
  /** Lower-case hex of H32("past", our seed, identity id)[0..16]. */
  readonly key: string;
  readonly sentNumber: number;
  readonly sentChain: Uint8Array;
  readonly receivedNumber: number;
  readonly lacking: readonly number[];
  /** Chain value of the contact's Text `receivedNumber`; empty where that is not known. */
  readonly receivedChain: Uint8Array;
  readonly readNumber: number;
}

/** The reason of a text that has failed for good: the contact was told that it does not come. */
export const GIVEN_UP = 'given-up';

export type MessageState = 'queued' | 'accepted' | 'delivered' | 'read' | 'failed' | 'received';
/** How bytes went or came: kept by the relay as envelopes, forwarded by it packet by packet (TURN), or straight from one to the other. */
export type PathName = 'relay' | 'turn' | 'direct';

/** One text in a conversation. */
export interface MessageRecord {
  readonly id: MessageId;
  readonly contact: ContactId;
  readonly direction: 'in' | 'out';
  readonly number: number;
  readonly text: string;
  readonly state: MessageState;
  /** The path of the last step of `state`; null while queued. */
  readonly path: PathName | null;
  /** Why the state is what it is: an error code or a word such as `offline`; null where there is nothing to say. */
  readonly reason: string | null;
  readonly sentAt: number;
  readonly receivedAt: number | null;
  readonly acceptedAt: number | null;
  readonly deliveredAt: number | null;
  readonly readAt: number | null;
  /** Place in the order of this home, growing by one; null while a received message is held back by a gap. */
  readonly position: number | null;
}

/** What may not be lost on the way to the store: sealed bytes that wait to be accepted or delivered. */
export interface OutgoingRecord {
  readonly envelope: EnvelopeId;
  readonly contact: ContactId;
  /** Grows by one per home: order of sending. */
  readonly order: number;
  readonly bytes: Uint8Array;
  /** The Text's number where this is one; null for idempotent messages, which are done when accepted. */
  readonly number: number | null;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly acceptedAt: number | null;
}

/** Received Texts of a contact whose ids are held in memory: one that is sent again under another number is known by its id. */
export const RECENT_MAX = 100;

/** Everything the core holds in memory. */
export interface Snapshot {
  readonly self: SelfRecord;
  readonly contacts: readonly ContactRecord[];
  readonly past: readonly PastRecord[];
  readonly invitations: readonly InvitationRecord[];
  readonly address: AddressRecord | null;
  readonly weeks: readonly WeekRecord[];
  readonly flights: readonly FlightRecord[];
  readonly requests: readonly RequestRecord[];
  /** Mailboxes that are given up and that their relay has not closed yet. */
  readonly closing: readonly OwnMailbox[];
  readonly outgoing: readonly OutgoingRecord[];
  /** Our own Texts whose state may still change: queued, accepted, delivered and not yet read, failed. */
  readonly pending: readonly MessageRecord[];
  /** The contact's Texts held back by a gap (position null). */
  readonly held: readonly MessageRecord[];
  /** The newest received Texts of each contact, at most RECENT_MAX, in ascending order of their numbers. */
  readonly recent: readonly Pick<MessageRecord, 'contact' | 'number' | 'id'>[];
}

/** One write. A list of them is one transaction; a later change of the same record replaces an earlier one. */
export type Change =
  | { readonly kind: 'self'; readonly record: SelfRecord }
  | { readonly kind: 'contact'; readonly record: ContactRecord }
  /** The contact, and every message and envelope of the conversation. */
  | { readonly kind: 'contact-removed'; readonly id: ContactId }
  | { readonly kind: 'past'; readonly record: PastRecord }
  | { readonly kind: 'past-removed'; readonly key: string }
  | { readonly kind: 'invitation'; readonly record: InvitationRecord }
  | { readonly kind: 'invitation-removed'; readonly lookup: string }
  | { readonly kind: 'address'; readonly record: AddressRecord }
  | { readonly kind: 'address-removed' }
  | { readonly kind: 'week'; readonly record: WeekRecord }
  | { readonly kind: 'week-removed'; readonly lookup: string }
  | { readonly kind: 'flight'; readonly record: FlightRecord }
  | { readonly kind: 'flight-removed'; readonly flight: string }
  | { readonly kind: 'request'; readonly record: RequestRecord }
  | { readonly kind: 'request-removed'; readonly id: ContactId }
  | { readonly kind: 'closing'; readonly record: OwnMailbox }
  | { readonly kind: 'closing-removed'; readonly mailbox: MailboxId }
  | { readonly kind: 'outgoing'; readonly record: OutgoingRecord }
  | { readonly kind: 'outgoing-removed'; readonly envelope: EnvelopeId }
  | { readonly kind: 'message'; readonly record: MessageRecord }
  /** An own Text gets another number. */
  | { readonly kind: 'renumbered'; readonly contact: ContactId; readonly from: number; readonly to: number };
