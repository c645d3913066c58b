// The body of a ratchet message: message.proto with every length and range checked. What passes decodeBody is well-formed;
// whether it is true is for others to find out.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { SottoError } from '../../crypto/error.js';
import { BODY_MAX_BYTES } from '../../crypto/session.js';
import { isName } from '../../crypto/name.js';
import { LOOKUP_BYTES, MAILBOX_BYTES, TOKEN_BYTES } from '../../relay/wire/limits.js';
import { CANDIDATES_MAX, isDescription } from './description.js';
import { BodySchema } from './message_pb.js';
import type { Body, Hello } from './message_pb.js';

/** Most numbers in Receipt.lacking and in Settled: a gap longer than this is given up from its old end. */
export const LACKING_MAX = 1_000;
/** Length of a call id and of a message id: random, unguessable. */
export const ID_BYTES = LOOKUP_BYTES;
/** Length of a chain value: evidence, not a commitment. */
export const CHAIN_BYTES = 8;
/** Highest text number: leaves room in a signed 32-bit integer. */
export const NUMBER_MAX = 0x7fff_ffff;
/** Latest sent_at that a JavaScript Date can show. */
const TIME_MAX_MS = 8_640_000_000_000_000n;

/** What a message says; the cases of Body.content in message.proto. */
export type Content = NonNullable<MessageInitShape<typeof BodySchema>['content']>;

/** Longest text in bytes: leaves room for what goes beside it in a body, a Hello with the longest names and device list included. */
export const TEXT_MAX_BYTES = BODY_MAX_BYTES - 1_024;

/** Encodes a body; `sentAt` in ms since 1970. */
export function encodeBody(sentAt: number, content: Content | null, hello: MessageInitShape<typeof BodySchema>['hello'] | null): Uint8Array {
  return toBinary(BodySchema, create(BodySchema, { sentAt: BigInt(sentAt), ...(content && { content }), ...(hello && { hello }) }));
}

/** Decodes a body. Throws `malformed`. */
export function decodeBody(bytes: Uint8Array): Body {
  let body: Body;
  try {
    body = fromBinary(BodySchema, bytes);
  } catch (cause) {
    throw new SottoError('malformed', undefined, cause);
  }
  if (body.sentAt > TIME_MAX_MS || !isHelloValid(body.hello) || !isContentValid(body.content)) throw new SottoError('malformed');
  return body;
}

function isHelloValid(hello: Hello | undefined): boolean {
  if (hello === undefined) return true;
  const reply = hello.reply;
  return isName(hello.name) && hello.first <= NUMBER_MAX
    && (reply === undefined || (reply.mailbox.length === MAILBOX_BYTES && reply.token.length === TOKEN_BYTES && /^https?:\/\/[^\s/]+$/.test(reply.relay)));
}

function isContentValid(content: Body['content']): boolean {
  switch (content.case) {
    case undefined:
      return true;
    case 'text':
      return content.value.id.length === ID_BYTES && (content.value.chain.length === CHAIN_BYTES || content.value.chain.length === 0) && isNumber(content.value.number) && content.value.text !== '';
    case 'receipt':
      return content.value.delivered <= NUMBER_MAX && content.value.read <= NUMBER_MAX && content.value.last <= NUMBER_MAX
        && content.value.lastId.length === (content.value.last === 0 ? 0 : ID_BYTES)
        && content.value.lacking.length <= LACKING_MAX && content.value.lacking.every(isNumber);
    case 'settled':
      return content.value.numbers.length <= LACKING_MAX && content.value.numbers.every(isNumber);
    case 'presence':
      return content.value.last <= NUMBER_MAX;
    case 'offer':
      return isCall(content.value.call) && isPresent(content.value.description);
    case 'answer':
      return isCall(content.value.call) && content.value.offerHash.length === 32 && isPresent(content.value.description);
    case 'candidates':
      return isCall(content.value.call) && content.value.candidates.length <= CANDIDATES_MAX;
    case 'bind':
      return isCall(content.value.call) && content.value.proof.length === 32;
  }
}

function isNumber(number: number): boolean {
  return number >= 1 && number <= NUMBER_MAX;
}

function isCall(call: Uint8Array): boolean {
  return call.length === ID_BYTES;
}

function isPresent(description: Parameters<typeof isDescription>[0] | undefined): boolean {
  return description !== undefined && isDescription(description);
}
