// Frames of relay.proto as bytes and back. The one place where a frame's form is judged: whoever has decoded a frame
// need not look at lengths again. Knows nothing of connections, signatures or mailboxes.

import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { SottoError } from '../../crypto/error.js';
import {
  ACKNOWLEDGE_MAX,
  ADMISSION_MAX_BYTES,
  CARD_MAX_BYTES,
  CARD_MAX_TTL_SECONDS,
  CHALLENGE_BYTES,
  CLAIM_BYTES,
  ENVELOPE_MAX_BYTES,
  ENVELOPE_MAX_TTL_SECONDS,
  FRAME_MAX_BYTES,
  LOOKUP_BYTES,
  MAILBOX_BYTES,
  OWNER_BYTES,
  REUSABLE_CARD_MAX_TTL_SECONDS,
  SIGNATURE_BYTES,
  TOKEN_BYTES,
  TOKEN_HASH_BYTES,
  WORK_MAX_BITS,
  TURN_TEXT_MAX_LENGTH,
  TURN_URLS_MAX,
} from './limits.js';
import { ClientFrameSchema, RelayFrameSchema, type ClientFrame, type RelayFrame } from './relay_pb.js';

/** What a client may say: the cases of ClientFrame. */
export type ClientBody = Exclude<ClientFrame['body'], { case: undefined }>;
/** What a relay may say: the cases of RelayFrame. */
export type RelayBody = Exclude<RelayFrame['body'], { case: undefined }>;

/** A client's frame whose every field has the length and range of the contract. */
export interface ClientMessage {
  readonly request: number;
  readonly body: ClientBody;
}

/** A relay's frame whose every field has the length and range of the contract. */
export interface RelayMessage {
  readonly request: number;
  readonly body: RelayBody;
}

/** Longest code in Refused and Goodbye; ours have at most 19 characters. */
const CODE_MAX_LENGTH = 64;

export function encodeClientFrame(request: number, body: MessageInitShape<typeof ClientFrameSchema>['body'] & {}): Uint8Array {
  return toBinary(ClientFrameSchema, create(ClientFrameSchema, { request, body }));
}

export function encodeRelayFrame(request: number, body: MessageInitShape<typeof RelayFrameSchema>['body'] & {}): Uint8Array {
  return toBinary(RelayFrameSchema, create(RelayFrameSchema, { request, body }));
}

/**
 * Reads a frame that a client sent. Byte fields are views of `bytes`.
 * @throws SottoError `frame-malformed`, or `envelope-too-large` where that alone is wrong.
 */
export function decodeClientFrame(bytes: Uint8Array): ClientMessage {
  const { request, body } = parse(ClientFrameSchema, bytes);
  ensure(request !== 0);
  ensure(body.case !== undefined);
  checkClientBody(body);
  return { request, body };
}

/**
 * Reads a frame that a relay sent. Byte fields are views of `bytes`.
 * @throws SottoError `frame-malformed`.
 */
export function decodeRelayFrame(bytes: Uint8Array): RelayMessage {
  const { request, body } = parse(RelayFrameSchema, bytes);
  ensure(body.case !== undefined);
  checkRelayBody(body);
  return { request, body };
}

/** The request number of a frame that decodeClientFrame refused, so that the refusal can name it; 0 if there is none. */
export function readRequest(bytes: Uint8Array): number {
  try {
    return parse(ClientFrameSchema, bytes).request;
  } catch {
    return 0;
  }
}

function checkClientBody(body: ClientBody): void {
  switch (body.case) {
    case 'collect':
      ensure(body.value.mailbox.length === MAILBOX_BYTES);
      ensure(body.value.owner.length === OWNER_BYTES);
      ensure(body.value.tokenHash.length === TOKEN_HASH_BYTES);
      ensure(body.value.signature.length === SIGNATURE_BYTES);
      ensure(body.value.admission.length <= ADMISSION_MAX_BYTES);
      return;
    case 'acknowledge':
      ensure(body.value.mailbox.length === MAILBOX_BYTES);
      ensure(body.value.sequences.length <= ACKNOWLEDGE_MAX);
      ensure(body.value.sequences.every(isSequence));
      return;
    case 'close':
      ensure(body.value.mailbox.length === MAILBOX_BYTES);
      return;
    case 'put':
      ensure(body.value.mailbox.length === MAILBOX_BYTES);
      ensure(body.value.token.length === TOKEN_BYTES);
      ensure(body.value.ttlSeconds > 0 && body.value.ttlSeconds <= ENVELOPE_MAX_TTL_SECONDS);
      ensure(body.value.envelope.length > 0);
      if (body.value.envelope.length > ENVELOPE_MAX_BYTES) throw new SottoError('envelope-too-large');
      return;
    case 'putCard':
      ensure(body.value.lookup.length === LOOKUP_BYTES);
      ensure(body.value.card.length > 0 && body.value.card.length <= CARD_MAX_BYTES);
      ensure(body.value.ttlSeconds > 0 && body.value.ttlSeconds <= (body.value.reusable ? REUSABLE_CARD_MAX_TTL_SECONDS : CARD_MAX_TTL_SECONDS));
      return;
    case 'takeCard':
      ensure(body.value.lookup.length === LOOKUP_BYTES);
      ensure(body.value.claim.length === CLAIM_BYTES);
      return;
    case 'ping':
    case 'askTurn':
      return;
  }
}

function checkRelayBody(body: RelayBody): void {
  switch (body.case) {
    case 'welcome':
      ensure(body.value.challenge.length === CHALLENGE_BYTES);
      ensure(body.value.stunPort <= 65_535 && body.value.stunOtherPort <= 65_535);
      ensure(body.value.workBits <= WORK_MAX_BITS);
      return;
    case 'refused':
    case 'goodbye':
      ensure(body.value.code.length > 0 && body.value.code.length <= CODE_MAX_LENGTH);
      return;
    case 'delivery':
      ensure(body.value.mailbox.length === MAILBOX_BYTES);
      ensure(isSequence(body.value.sequence));
      ensure(body.value.envelope.length > 0 && body.value.envelope.length <= ENVELOPE_MAX_BYTES);
      ensure(body.value.ageMs <= BigInt(Number.MAX_SAFE_INTEGER));
      return;
    case 'card':
      ensure(body.value.card.length > 0 && body.value.card.length <= CARD_MAX_BYTES);
      return;
    case 'turn':
      ensure(body.value.urls.length <= TURN_URLS_MAX);
      ensure([...body.value.urls, body.value.username, body.value.password].every(({ length }) => length <= TURN_TEXT_MAX_LENGTH));
      return;
    case 'done':
      return;
  }
}

/** Sequences start at 1 and stay exact as a number. */
function isSequence(sequence: bigint): boolean {
  return sequence > 0n && sequence <= BigInt(Number.MAX_SAFE_INTEGER);
}

function parse<Schema extends typeof ClientFrameSchema | typeof RelayFrameSchema>(schema: Schema, bytes: Uint8Array) {
  ensure(bytes.length <= FRAME_MAX_BYTES);
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw new SottoError('frame-malformed', undefined, error);
  }
}

function ensure(holds: boolean): asserts holds {
  if (!holds) throw new SottoError('frame-malformed');
}
