// The ratchet: a Double Ratchet with encrypted headers, into which a post-quantum secret goes with every epoch of the braid
// (PROTOCOL.md §5). Bytes and a session in, bytes and the next session out; the session that was given never changes, and whoever
// stores the next one before letting its bytes go loses nothing. It must never know who the two are, or how bytes travel.

import { allocate, equal } from './bytes.js';
import { SottoError } from './error.js';
import { FLIGHT_BYTES } from './handshake.js';
import { bucketAfter, bucketFor, BUCKETS } from './padding.js';
import type { Random } from './random.js';
import { type Braid, countMessage, isCramped, nextEpoch, prepareBraid, receivePiece, takePiece } from './ratchet/braid.js';
import { CHAIN_MAX_MESSAGES, stepChain, walkChain } from './ratchet/chain.js';
import { type Header, type HeaderKey, openHeader, sealHeader } from './ratchet/header.js';
import { MESSAGE_OVERHEAD_BYTES, type MessageKey, type MessageParts, openBody, plaintextOf, sealBody, splitMessage } from './ratchet/message.js';
import { PAST_MAX, type ReceivingChain } from './ratchet/parts.js';
import { PLAINTEXT_HEAD_BYTES, packPlaintext, pieceRoom, unpackPlaintext } from './ratchet/plaintext.js';
import { mixEpoch, type RootStep, stepRoot } from './ratchet/root.js';
import { addSkipped, dropSkipped, isStale, SKIPPED_MAX_PER_MESSAGE } from './ratchet/skipped.js';
import type { Changes, Session } from './ratchet/state.js';
import { NONCE_BYTES, x25519, x25519PublicKey } from './sodium.js';

export { packSession, type Session, unpackSession } from './ratchet/state.js';

const LARGEST_BUCKET = Math.max(...BUCKETS);

/** A message behind a first flight is at least so long, whatever it says. */
const FLIGHT_BUCKET = 4096;

/** Longest body in bytes, the same with and without a first flight. */
export const BODY_MAX_BYTES = LARGEST_BUCKET - FLIGHT_BYTES - MESSAGE_OVERHEAD_BYTES - PLAINTEXT_HEAD_BYTES;

/** In an overdue epoch so many messages of a chain are larger: they carry a whole key, and who does not answer gets no more. */
const LARGER_MAX = 4;

const SESSION_ID_BYTES = 16;

/** A place in one direction of a session: the ordinal of a chain, the number of the next message in it, and its ratchet key. */
export interface Position {
  readonly chain: number;
  readonly next: number;
  /** Null where the chain has not begun, or nothing of it has come. */
  readonly key: Uint8Array | null;
}

const NO_FLIGHT = new Uint8Array(0);

/** A sealed message and the session after it. */
export interface Sealed {
  readonly session: Session;
  readonly message: Uint8Array;
}

/** An opened body and the session after it. */
export interface Opened {
  readonly session: Session;
  readonly body: Uint8Array;
}

/** 16 bytes that both sides name this session by. */
export function sessionId(session: Session): Uint8Array {
  return session.transcript.slice(0, SESSION_ID_BYTES);
}

/** The secret by which the two can begin a new session when this one no longer carries, 32 bytes. */
export function resumptionOf(session: Session): Uint8Array {
  return session.resumption;
}

/** How far we have come in sending, as the other side counts it; the guest's chains begin one answer earlier. */
export function sentPosition({ sending: { begun }, receiving }: Session, isGuest: boolean): Position {
  const received = receiving === null ? 0 : receiving.ordinal + 1;
  return { chain: isGuest ? received : received - 1, next: begun?.next ?? 0, key: begun?.dh ?? null };
}

/** How far we have come in receiving. */
export function receivedPosition({ receiving }: Session): Position {
  return receiving === null ? { chain: 0, next: 0, key: null } : { chain: receiving.ordinal, next: receiving.next, key: receiving.dh };
}

/** Whether one side has received what the other, as it stands, never sent: another copy of it did. */
export function isBehind(sent: Position, received: Position): boolean {
  if (received.chain !== sent.chain) return received.chain > sent.chain;
  // Each copy draws a ratchet key of its own for a chain.
  const isOther = received.key !== null && sent.key !== null && !equal(received.key, sent.key);
  return isOther || received.next > sent.next;
}

/**
 * Seals a body. `message` is the flight, where one is given, and the ratchet message; its length is a bucket. Draws 24 random bytes;
 * before them 32 where a chain begins, and then 32 where the other has answered and it is our turn to make a post-quantum key.
 * Throws `message-too-large` above BODY_MAX_BYTES, and `session-exhausted` after 10,000 messages without an answer.
 */
export function encrypt(stored: Session, body: Uint8Array, random: Random, now: number, flight: Uint8Array = NO_FLIGHT): Sealed {
  if (body.length > BODY_MAX_BYTES) throw new SottoError('message-too-large');
  const session = begin(forget(stored, now), random);
  const { headerKey, previous, begun } = session.sending;
  const { secret, dh, nextHeaderKey, chainKey, next } = begun ?? refuse();
  if (next >= CHAIN_MAX_MESSAGES) throw new SottoError('session-exhausted');
  // The first flight has a secret of this kind already; an epoch that begins with it would only make it dear.
  const prepared = session.isAnswered ? prepareBraid(session.braid, random) : session.braid;
  const needed = flight.length + MESSAGE_OVERHEAD_BYTES + PLAINTEXT_HEAD_BYTES + body.length;
  const smallest = bucketFor(Math.max(needed, flight.length > 0 ? FLIGHT_BUCKET : 0));
  const isLarger = next < LARGER_MAX && isCramped(prepared, smallest - needed, now);
  const bucket = isLarger ? bucketAfter(smallest) : smallest;

  const message = allocate(bucket);
  message.set(flight);
  const parts = splitMessage(message.subarray(flight.length));
  const plaintext = plaintextOf(parts);
  const { braid, piece } = takePiece(prepared, pieceRoom(plaintext, body.length));
  packPlaintext(plaintext, body, piece);

  const nonce = random(NONCE_BYTES);
  parts.nonce.set(nonce);
  sealHeader(headerKey, nonce, session.transcript, { dh, previous, n: next, epoch: braid.epoch }, parts.header);
  const step = stepChain(chainKey);
  sealBody(step.messageKey, parts);
  step.messageKey.fill(0);
  const sending = { headerKey, previous, begun: { secret, dh, nextHeaderKey, chainKey: step.chainKey, next: next + 1 } };
  return { session: session.with({ sending, braid: countMessage(braid, now) }), message };
}

/** The session in which our newest chain has begun: upon the other's newest, with the secret of an epoch that is agreed. Draws 32 random bytes if it had not. */
export function begin(session: Session, random: Random): Session {
  if (session.hasBegun) return session;
  const { root, sending, receiving, braid } = session;
  const secret = random(32);
  // Never of low order: one result with this key was there already.
  const shared = (receiving && x25519(secret, receiving.dh)) ?? refuse();
  const { step, braid: joined } = mixAgreed(braid, stepRoot(root, shared));
  const begun = { secret, dh: x25519PublicKey(secret), nextHeaderKey: step.nextHeaderKey, chainKey: step.chainKey, next: 0 };
  return session.with({ root: step.root, sending: { ...sending, begun }, braid: joined });
}

/**
 * Opens a ratchet message (without a flight before it). Draws 64 random bytes where a post-quantum key is complete. Throws `duplicate` if the message's place in the session was used or given up already, and
 * `undecryptable` for everything else that is wrong.
 */
export function decrypt(stored: Session, message: Uint8Array, random: Random, now: number): Opened {
  if (message.length < MESSAGE_OVERHEAD_BYTES || message.length > LARGEST_BUCKET) refuse();
  const session = forget(stored, now);
  const { changes, epoch, plaintext } = receive(session, splitMessage(message), now);
  const { body, piece } = unpackPlaintext(plaintext) ?? refuse();
  const braid = countMessage(receivePiece(changes.braid ?? session.braid, epoch, piece, random), now);
  // All fields by name: objects that are spread and grown cost the engine more than the rest of a message.
  const { root, nextHeaderKey, sending, receiving, past, skipped } = changes;
  return { session: session.with({ root, nextHeaderKey, sending, receiving, past, skipped, braid }), body };
}

/** What a message key opened, under which epoch, and what changes by it; the braid is yet to see the piece. */
interface Received {
  readonly changes: Changes;
  readonly epoch: number;
  readonly plaintext: Uint8Array;
}

function receive(session: Session, parts: MessageParts, now: number): Received {
  const headerUnder = (key: HeaderKey) => openHeader(key, parts.nonce, session.transcript, parts.header);
  const { receiving } = session;
  const current = receiving && headerUnder(receiving.headerKey);
  if (receiving && current) return receiveInChain(session, receiving, current, parts, now);
  const next = headerUnder(session.nextHeaderKey);
  if (next) return receiveNewChain(session, next, parts, now);
  for (const { ordinal, headerKey } of session.past.toReversed()) {
    const late = headerUnder(headerKey);
    if (late) return receiveSkipped(session, ordinal, late, parts);
  }
  return refuse();
}

function receiveInChain(session: Session, receiving: ReceivingChain, header: Header, parts: MessageParts, now: number): Received {
  if (!equal(header.dh, receiving.dh) || header.epoch !== receiving.epoch) refuse();
  if (header.n < receiving.next) return receiveSkipped(session, receiving.ordinal, header, parts);
  const walk = walkChain(receiving.chainKey, receiving.next, header.n, SKIPPED_MAX_PER_MESSAGE);
  const { chainKey, messageKey } = stepChain(walk.chainKey);
  const plaintext = openOnce(messageKey, parts);
  const skipped = walk.passed.length > 0 ? addSkipped(session.skipped, receiving.ordinal, walk.passed, now) : undefined;
  return { changes: { receiving: { ...receiving, chainKey, next: header.n + 1 }, skipped }, epoch: header.epoch, plaintext };
}

/** The other side has heard us and begins a chain: step the root for it. Ours begins with what we say next. */
function receiveNewChain(session: Session, header: Header, parts: MessageParts, now: number): Received {
  const { sending, receiving } = session;
  // Who begins a chain has seen the key of our newest.
  const begun = sending.begun ?? refuse();
  const { step, braid } = mixAnnounced(session.braid, header.epoch, stepRoot(session.root, x25519(begun.secret, header.dh) ?? refuse()));
  const walk = walkChain(step.chainKey, 0, header.n, SKIPPED_MAX_PER_MESSAGE);
  const { chainKey, messageKey } = stepChain(walk.chainKey);
  const rest = receiving && walkChain(receiving.chainKey, receiving.next, header.previous, SKIPPED_MAX_PER_MESSAGE);
  const plaintext = openOnce(messageKey, parts);

  const ended = receiving ? [{ ordinal: receiving.ordinal, headerKey: receiving.headerKey }] : [];
  const past = [...session.past, ...ended].slice(-PAST_MAX);
  const ordinal = receiving ? receiving.ordinal + 1 : 0;
  let skipped = dropSkipped(session.skipped, past[0]?.ordinal ?? 0, now);
  if (receiving && rest) skipped = addSkipped(skipped, receiving.ordinal, rest.passed, now);
  return {
    changes: {
      root: step.root,
      sending: { headerKey: begun.nextHeaderKey, previous: begun.next, begun: null },
      receiving: { ordinal, dh: header.dh, headerKey: session.nextHeaderKey, chainKey, epoch: header.epoch, next: header.n + 1 },
      nextHeaderKey: step.nextHeaderKey,
      past,
      skipped: addSkipped(skipped, ordinal, walk.passed, now),
      braid,
    },
    epoch: header.epoch,
    plaintext,
  };
}

/** The root step of a chain under whose header one epoch more may stand than we have: the one that we have answered. */
function mixAnnounced(braid: Braid, epoch: number, step: RootStep): { readonly step: RootStep; readonly braid: Braid } {
  if (epoch === braid.epoch) return { step, braid };
  if (epoch !== braid.epoch + 1 || braid.step.at !== 'answering') refuse();
  return { step: mixEpoch(step.root, braid.step.secret), braid: nextEpoch(braid) };
}

/** The root step of our next chain: with the secret of an epoch that we have agreed upon. */
function mixAgreed(braid: Braid, step: RootStep): { readonly step: RootStep; readonly braid: Braid } {
  return braid.step.at === 'agreed' ? { step: mixEpoch(step.root, braid.step.secret), braid: nextEpoch(braid) } : { step, braid };
}

/** A message that was passed over before, or has been here before. */
function receiveSkipped(session: Session, ordinal: number, header: Header, parts: MessageParts): Received {
  const index = session.skipped.findIndex((key) => key.chain === ordinal && key.n === header.n);
  const waiting = session.skipped[index];
  if (waiting === undefined) throw new SottoError('duplicate');
  const plaintext = openBody(waiting.key, parts) ?? refuse();
  return { changes: { skipped: session.skipped.toSpliced(index, 1) }, epoch: header.epoch, plaintext };
}

/** The session without keys that have waited too long. */
function forget(session: Session, now: number): Session {
  const { oldestSkipped } = session;
  return oldestSkipped && isStale(oldestSkipped, now) ? session.with({ skipped: dropSkipped(session.skipped, 0, now) }) : session;
}

function openOnce(key: MessageKey, parts: MessageParts): Uint8Array {
  const plaintext = openBody(key, parts);
  key.fill(0);
  return plaintext ?? refuse();
}

function refuse(): never {
  throw new SottoError('undecryptable');
}
