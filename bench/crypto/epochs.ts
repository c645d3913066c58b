// How many messages an epoch of the post-quantum ratchet takes, and how many bytes a message, between two people who write texts
// of the usual lengths. The lengths and turns are the same in every run; nothing here measures time.

import { utf8 } from '../../crypto/bytes.js';
import { firstDevices } from '../../crypto/devices.js';
import { initiate, respond } from '../../crypto/handshake.js';
import { createIdentity } from '../../crypto/identity.js';
import { createInvitation, openCard, parseLink } from '../../crypto/invitation.js';
import { decrypt, encrypt, type Session } from '../../crypto/session.js';
import { ready } from '../../crypto/sodium.js';
import { encodeBody } from '../../client/core/body.js';
import { percentile } from '../figure.js';

/** Lengths of texts: log-normal, half of them below 45 bytes, 5 % above 198, 1 % above 365. */
const TEXT_MEDIAN_BYTES = 45;
const TEXT_SIGMA = 0.9;
const TEXT_MAX_BYTES = 4_000;

/** What an envelope has before it on its way to a mailbox: address and send token. */
const ADDRESS_BYTES = 32;

/** Texts for which the size of an envelope is promised. */
const ORDINARY_TEXT_BYTES = [45, 250] as const;

const START_MS = Date.UTC(2026, 0, 1);
/** Between two texts: an epoch is never overdue by its age. */
const STEP_MS = 10_000;

export interface EpochFigures {
  readonly epochs: number;
  /** From the message by which both sides have an epoch to the one by which they have the next. */
  readonly messagesPerEpoch: { readonly mean: number; readonly p50: number; readonly p95: number };
  /** Mean bytes of an envelope with its address. */
  readonly wireBytes: number;
  /** The same, of texts of 45 to 250 bytes. */
  readonly ordinaryWireBytes: number;
}

/** A text of a conversation. */
export interface Text {
  readonly writer: 0 | 1;
  readonly length: number;
}

/** Whose turn it is and how much they write. Who writes goes on with the chance 1 - 1 / `burst`: 1 is one text each, 3 is three at a time on average. */
export function* converse(messages: number, burst: number): Generator<Text> {
  const chance = repeatable(1);
  let writer: Text['writer'] = 0;
  for (let message = 0; message < messages; message += 1) {
    yield { writer, length: textLength(chance) };
    if (chance() < 1 / burst) writer = writer === 0 ? 1 : 0;
  }
}

/** Whether the size of an envelope is promised for a text of so many bytes. */
export function isOrdinary(length: number): boolean {
  return length >= ORDINARY_TEXT_BYTES[0] && length <= ORDINARY_TEXT_BYTES[1];
}

/** Carries `messages` texts; see converse(). */
export async function measureEpochs(messages: number, burst: number): Promise<EpochFigures> {
  await ready();
  const sides = introduce();
  const epochs: number[] = [];
  const wires: number[] = [];
  const ordinary: number[] = [];
  let message = 0;
  let lastEpochAt = 0;
  for (const { writer, length } of converse(messages, burst)) {
    message += 1;
    const now = START_MS + message * STEP_MS;
    const sealed = encrypt(sides[writer], textBody(now, message, length), random, now);
    sides[writer] = sealed.session;
    const before = sides[1 - writer]!;
    const after = decrypt(before, sealed.message, random, now).session;
    sides[1 - writer] = after;
    // The side that generated has the epoch first; the other's step is the end.
    if (before.braid.step.at === 'answering' && after.braid.epoch > before.braid.epoch) {
      epochs.push(message - lastEpochAt);
      lastEpochAt = message;
    }
    const wire = sealed.message.length + ADDRESS_BYTES;
    wires.push(wire);
    if (isOrdinary(length)) ordinary.push(wire);
  }
  return {
    epochs: epochs.length,
    messagesPerEpoch: { mean: mean(epochs), p50: percentile(epochs, 50), p95: percentile(epochs, 95) },
    wireBytes: mean(wires),
    ordinaryWireBytes: mean(ordinary),
  };
}

/** A session whose first messages have gone both ways. */
function introduce(): [Session, Session] {
  const [host, guest] = [createIdentity(random), createIdentity(random)];
  const terms = { identity: host, devices: firstDevices(host, START_MS), name: 'Bea', relay: 'https://relay.example', mailbox: random(16), token: random(16), expiresAt: START_MS + 1 };
  const { link, card, secret } = createInvitation(terms, random);
  const { session, flight } = initiate(guest, firstDevices(guest, START_MS), openCard(parseLink(link), card, START_MS), random);
  const first = encrypt(session, textBody(START_MS, 1, TEXT_MEDIAN_BYTES), random, START_MS, flight);
  const inviter = decrypt(respond(host, secret, flight).session, first.message.subarray(flight.length), random, START_MS);
  const answer = encrypt(inviter.session, textBody(START_MS, 1, TEXT_MEDIAN_BYTES), random, START_MS);
  return [decrypt(first.session, answer.message, random, START_MS).session, answer.session];
}

/** A text as the client frames it. */
function textBody(now: number, number: number, length: number): Uint8Array {
  const text = 'x'.repeat(length);
  return encodeBody(now, { case: 'text', value: { id: random(16), number, chain: utf8('eight by'), text } }, null);
}

function textLength(chance: () => number): number {
  // Box and Muller: a normal number of two even ones.
  const normal = Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
  return Math.min(Math.max(1, Math.round(TEXT_MEDIAN_BYTES * Math.exp(TEXT_SIGMA * normal))), TEXT_MAX_BYTES);
}

function random(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** Numbers from 0 to 1, the same in every run (Park and Miller). */
function repeatable(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 0x7fff_ffff) / 0x7fff_ffff;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
