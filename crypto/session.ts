// The ratchet: a Double Ratchet with encrypted headers (PROTOCOL.md §5). Bytes and a session in, bytes and the next session out;
// the session that was given never changes, and whoever stores the next one before letting its bytes go loses nothing.
// It must never know who the two are, or how bytes travel.

import { concat, equal } from './bytes.js';
import { SottoError } from './error.js';
import { FLIGHT_BYTES } from './handshake.js';
import { BUCKETS, bucketFor, pad, unpad } from './padding.js';
import type { Random } from './random.js';
import { CHAIN_MAX_MESSAGES, stepChain, walkChain } from './ratchet/chain.js';
import { type Header, type HeaderKey, openHeader, sealHeader } from './ratchet/header.js';
import { MESSAGE_OVERHEAD_BYTES, type MessageKey, type MessageParts, openBody, sealBody, splitMessage } from './ratchet/message.js';
import { stepRoot } from './ratchet/root.js';
import { addSkipped, dropSkipped, SKIPPED_MAX_PER_MESSAGE } from './ratchet/skipped.js';
import { PAST_MAX, type ReceivingChain, type Session } from './ratchet/state.js';
import { NONCE_BYTES, x25519, x25519PublicKey } from './sodium.js';

export { packSession, type Session, unpackSession } from './ratchet/state.js';

const LARGEST_BUCKET = Math.max(...BUCKETS);

/** A message behind a first flight is at least so long, whatever it says. */
const FLIGHT_BUCKET = 4096;

/** Longest body in bytes, the same with and without a first flight. */
export const BODY_MAX_BYTES = LARGEST_BUCKET - FLIGHT_BYTES - MESSAGE_OVERHEAD_BYTES - 1;

const SESSION_ID_BYTES = 16;

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

/**
 * Seals a body. `message` is the flight, where one is given, and the ratchet message; its length is a bucket. Draws 24
 * random bytes. Throws `message-too-large` above BODY_MAX_BYTES, and `session-exhausted` after 10,000 messages without an answer.
 */
export function encrypt(session: Session, body: Uint8Array, random: Random, now: number, flight: Uint8Array = NO_FLIGHT): Sealed {
  const { sending } = session;
  if (body.length > BODY_MAX_BYTES) throw new SottoError('message-too-large');
  if (sending.next >= CHAIN_MAX_MESSAGES) throw new SottoError('session-exhausted');
  const overhead = flight.length + MESSAGE_OVERHEAD_BYTES;
  const bucket = bucketFor(Math.max(overhead + body.length + 1, flight.length > 0 ? FLIGHT_BUCKET : 0));

  const { chainKey, messageKey } = stepChain(sending.chainKey);
  const nonce = random(NONCE_BYTES);
  const { dh, previous, next: n } = sending;
  const header = sealHeader(sending.headerKey, nonce, session.transcript, { dh, previous, n });
  const message = concat(flight, nonce, header, sealBody(messageKey, nonce, header, pad(body, bucket - overhead)));
  messageKey.fill(0);
  return { session: { ...forget(session, now), sending: { ...sending, chainKey, next: n + 1 } }, message };
}

/**
 * Opens a ratchet message (without a flight before it). Draws 32 random bytes where a new chain begins. Throws `duplicate` if the
 * message's place in the session was used or given up already, and `undecryptable` for everything else that is wrong.
 */
export function decrypt(stored: Session, message: Uint8Array, random: Random, now: number): Opened {
  const session = forget(stored, now);
  const parts = (message.length <= LARGEST_BUCKET ? splitMessage(message) : null) ?? refuse();
  const headerUnder = (key: HeaderKey) => openHeader(key, parts.nonce, session.transcript, parts.header);

  const { receiving } = session;
  const current = receiving && headerUnder(receiving.headerKey);
  if (receiving && current) return receiveInChain(session, receiving, current, parts, now);
  const next = headerUnder(session.nextHeaderKey);
  if (next) return receiveNewChain(session, next, parts, random, now);
  for (const { ordinal, headerKey } of session.past.toReversed()) {
    const late = headerUnder(headerKey);
    if (late) return receiveSkipped(session, ordinal, late.n, parts);
  }
  return refuse();
}

function receiveInChain(session: Session, receiving: ReceivingChain, header: Header, parts: MessageParts, now: number): Opened {
  if (!equal(header.dh, receiving.dh)) refuse();
  if (header.n < receiving.next) return receiveSkipped(session, receiving.ordinal, header.n, parts);
  const walk = walkChain(receiving.chainKey, receiving.next, header.n, SKIPPED_MAX_PER_MESSAGE);
  const { chainKey, messageKey } = stepChain(walk.chainKey);
  const body = openOnce(messageKey, parts);
  const skipped = addSkipped(session.skipped, receiving.ordinal, walk.passed, now);
  return { session: { ...session, receiving: { ...receiving, chainKey, next: header.n + 1 }, skipped }, body };
}

/** The other side has heard us and begins a chain: step the root for it, and once more for our next chain. */
function receiveNewChain(session: Session, header: Header, parts: MessageParts, random: Random, now: number): Opened {
  const { sending, receiving } = session;
  const inbound = stepRoot(session.root, x25519(sending.secret, header.dh) ?? refuse());
  const walk = walkChain(inbound.chainKey, 0, header.n, SKIPPED_MAX_PER_MESSAGE);
  const { chainKey, messageKey } = stepChain(walk.chainKey);
  const rest = receiving && walkChain(receiving.chainKey, receiving.next, header.previous, SKIPPED_MAX_PER_MESSAGE);
  const body = openOnce(messageKey, parts);

  const secret = random(32);
  const outbound = stepRoot(inbound.root, x25519(secret, header.dh) ?? refuse());
  const ended = receiving ? [{ ordinal: receiving.ordinal, headerKey: receiving.headerKey }] : [];
  const past = [...session.past, ...ended].slice(-PAST_MAX);
  const ordinal = receiving ? receiving.ordinal + 1 : 0;
  let skipped = dropSkipped(session.skipped, past[0]?.ordinal ?? 0, now);
  if (receiving && rest) skipped = addSkipped(skipped, receiving.ordinal, rest.passed, now);
  return {
    session: {
      ...session,
      root: outbound.root,
      sending: {
        secret,
        dh: x25519PublicKey(secret),
        headerKey: sending.nextHeaderKey,
        nextHeaderKey: outbound.nextHeaderKey,
        chainKey: outbound.chainKey,
        next: 0,
        previous: sending.next,
      },
      receiving: { ordinal, dh: header.dh, headerKey: session.nextHeaderKey, chainKey, next: header.n + 1 },
      nextHeaderKey: inbound.nextHeaderKey,
      past,
      skipped: addSkipped(skipped, ordinal, walk.passed, now),
    },
    body,
  };
}

/** A message that was passed over before, or has been here before. */
function receiveSkipped(session: Session, ordinal: number, n: number, parts: MessageParts): Opened {
  const index = session.skipped.findIndex((key) => key.chain === ordinal && key.n === n);
  const waiting = session.skipped[index];
  if (waiting === undefined) throw new SottoError('duplicate');
  return { body: openPadded(waiting.key, parts), session: { ...session, skipped: session.skipped.toSpliced(index, 1) } };
}

/** The session without keys that have waited too long. */
function forget(session: Session, now: number): Session {
  const skipped = dropSkipped(session.skipped, 0, now);
  return skipped === session.skipped ? session : { ...session, skipped };
}

function openOnce(key: MessageKey, parts: MessageParts): Uint8Array {
  try {
    return openPadded(key, parts);
  } finally {
    key.fill(0);
  }
}

function openPadded(key: MessageKey, parts: MessageParts): Uint8Array {
  return unpad(openBody(key, parts) ?? refuse()) ?? refuse();
}

function refuse(): never {
  throw new SottoError('undecryptable');
}
