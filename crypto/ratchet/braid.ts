// The braid: how two sides come to a post-quantum secret, epoch after epoch, by what their messages carry anyway
// (PROTOCOL.md §5.8). In each epoch one side generates an X-Wing key and the other encapsulates to it; then they change roles.
// It must never know the root that the secret goes into, or what the messages say.

import { Writer } from '../bytes.js';
import { SottoError } from '../error.js';
import { hash } from '../hash.js';
import type { Random } from '../random.js';
import { XWING_CIPHERTEXT_BYTES, XWING_PUBLIC_BYTES, XWING_RANDOM_BYTES, xwingDecapsulate, xwingEncapsulate, xwingPublicKey } from '../sodium.js';
import { addPiece, cutPiece, joinUnits, NO_PIECE, noUnits, type Piece, unitAfter, type Units } from './piece.js';

/** What an epoch gives to the root. */
export interface EpochSecret {
  /** X-Wing shared secret, 32 bytes. */
  readonly shared: Uint8Array;
  /** Hash of epoch, key and ciphertext, 32 bytes. */
  readonly binding: Uint8Array;
}

/** One side of the braid. */
export interface Braid {
  /** Epochs that are in the root. The braid is at work on the next. */
  readonly epoch: number;
  /** Messages sent and opened since that epoch was in the root, counted to EPOCH_MESSAGES. */
  readonly messages: number;
  /** When the first of them was, ms since 1970. */
  readonly since: number;
  readonly step: Step;
}

/** How far a side is in its epoch: the first four are the generator's, the last two the encapsulator's. */
export type Step =
  /** Nothing is drawn before there is a message to carry it. */
  | { readonly at: 'idle' }
  | { readonly at: 'offering'; readonly seed: Uint8Array; readonly key: Uint8Array; readonly next: number }
  /** A piece of the ciphertext has come, so the other side has the whole key. */
  | { readonly at: 'waiting'; readonly seed: Uint8Array; readonly key: Uint8Array; readonly ciphertext: Units }
  | { readonly at: 'agreed'; readonly secret: EpochSecret }
  | { readonly at: 'collecting'; readonly key: Units }
  | { readonly at: 'answering'; readonly ciphertext: Uint8Array; readonly next: number; readonly secret: EpochSecret };

/** The last epoch that a header can name. */
const EPOCH_MAX = 0xff_ffff;

/** An epoch with so many messages, or so old, is overdue: three times as many as a conversation needs. */
export const EPOCH_MESSAGES = 50;
const EPOCH_AGE_MS = 24 * 3600 * 1000;

const NO_KEY = noUnits(XWING_PUBLIC_BYTES);
const NO_CIPHERTEXT = noUnits(XWING_CIPHERTEXT_BYTES);

/** The guest's braid in a new session: it generates in the first epoch, which begins when the inviter has answered. */
export const GUEST_BRAID: Braid = { epoch: 0, messages: 0, since: 0, step: { at: 'idle' } };

/** The inviter's braid in a new session. */
export const INVITER_BRAID: Braid = { ...GUEST_BRAID, step: { at: 'collecting', key: NO_KEY } };

/** The braid with a key to offer, where it is its turn to make one. Draws 32 random bytes if so. */
export function prepareBraid(braid: Braid, random: Random): Braid {
  if (braid.step.at !== 'idle' || braid.epoch === EPOCH_MAX) return braid;
  const seed = random(32);
  return { ...braid, step: { at: 'offering', seed, key: xwingPublicKey(seed), next: 0 } };
}

/** Whether `room` bytes are too few for all that there is to send, in an epoch that is overdue. */
export function isCramped(braid: Braid, room: number, now: number): boolean {
  const { step, messages, since } = braid;
  const isOverdue = messages >= EPOCH_MESSAGES || (messages > 0 && now - since >= EPOCH_AGE_MS);
  return isOverdue && 'next' in step && room < wholeOf(step).length;
}

/** What the next message carries, which lies in its `room` then, and the braid after it. */
export function takePiece(braid: Braid, room: Uint8Array): { readonly braid: Braid; readonly piece: Piece } {
  const { step } = braid;
  if (!('next' in step)) return { braid, piece: NO_PIECE };
  const piece = cutPiece(wholeOf(step), step.next, room);
  return { braid: { ...braid, step: { ...step, next: unitAfter(wholeOf(step), piece) } }, piece };
}

/**
 * The braid after a piece that came under a header of `epoch`. A piece that is not waited for (late, repeated, of an epoch that
 * is over) changes nothing. Draws 64 random bytes where it completes a key. Throws `undecryptable` where what it completes is no
 * key or no ciphertext.
 */
export function receivePiece(braid: Braid, epoch: number, piece: Piece, random: Random): Braid {
  if (epoch !== braid.epoch || piece.bytes.length === 0) return braid;
  const { step } = braid;
  switch (step.at) {
    case 'offering': return { ...braid, step: decapsulate(epoch, step, addPiece(NO_CIPHERTEXT, piece)) };
    case 'waiting': return { ...braid, step: decapsulate(epoch, step, addPiece(step.ciphertext, piece)) };
    case 'collecting': return { ...braid, step: encapsulate(epoch, addPiece(step.key, piece), random) };
    case 'idle': case 'agreed': case 'answering': return braid;
  }
}

/** The braid after one more message, sent or opened. */
export function countMessage(braid: Braid, now: number): Braid {
  const { epoch, messages, since, step } = braid;
  return { epoch, messages: Math.min(messages + 1, EPOCH_MESSAGES), since: messages === 0 ? now : since, step };
}

/** The braid after the root took the epoch's secret, which is forgotten here: who generated encapsulates now. */
export function nextEpoch(braid: Braid): Braid {
  const first = braid.step.at === 'agreed' ? INVITER_BRAID : GUEST_BRAID;
  return { ...first, epoch: braid.epoch + 1 };
}

function wholeOf(step: Extract<Step, { readonly next: number }>): Uint8Array {
  return step.at === 'offering' ? step.key : step.ciphertext;
}

function decapsulate(epoch: number, { seed, key }: { readonly seed: Uint8Array; readonly key: Uint8Array }, units: Units): Step {
  const ciphertext = joinUnits(units);
  if (ciphertext === null) return { at: 'waiting', seed, key, ciphertext: units };
  const shared = xwingDecapsulate(ciphertext, seed) ?? refuse();
  return { at: 'agreed', secret: { shared, binding: bind(epoch, key, ciphertext) } };
}

function encapsulate(epoch: number, units: Units, random: Random): Step {
  const key = joinUnits(units);
  if (key === null) return { at: 'collecting', key: units };
  const { ciphertext, sharedSecret: shared } = xwingEncapsulate(key, random(XWING_RANDOM_BYTES)) ?? refuse();
  return { at: 'answering', ciphertext, next: 0, secret: { shared, binding: bind(epoch, key, ciphertext) } };
}

/** @param epoch the epochs before this one. */
function bind(epoch: number, key: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return hash('pq', new Writer(3).number(epoch + 1, 3).finish(), key, ciphertext);
}

function refuse(): never {
  throw new SottoError('undecryptable');
}
