// One ratchet message as bytes: nonce 24 | sealed header 60 | sealed body. Every part looks uniformly random to those without
// its key (PROTOCOL.md §5.1).

import { NONCE_BYTES, open, sealInPlace, TAG_BYTES } from '../sodium.js';
import { SEALED_HEADER_BYTES } from './header.js';

/** 32 bytes that seal one body, once. */
export type MessageKey = Uint8Array & { readonly brand?: 'MessageKey' };

/** What a message is longer than its padded body. */
export const MESSAGE_OVERHEAD_BYTES = NONCE_BYTES + SEALED_HEADER_BYTES + TAG_BYTES;

/** A message cut at its fixed places. */
export interface MessageParts {
  readonly nonce: Uint8Array;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

/** The parts of a message, which has at least MESSAGE_OVERHEAD_BYTES. */
export function splitMessage(message: Uint8Array): MessageParts {
  const bodyAt = NONCE_BYTES + SEALED_HEADER_BYTES;
  return { nonce: message.subarray(0, NONCE_BYTES), header: message.subarray(NONCE_BYTES, bodyAt), body: message.subarray(bodyAt) };
}

/** The plaintext of a body that is not sealed yet: all but the room for the tag. */
export function plaintextOf({ body }: MessageParts): Uint8Array {
  return body.subarray(0, body.length - TAG_BYTES);
}

/** Seals the body where it lies, bound to its sealed header. The nonce is the header's: the two keys are independent. */
export function sealBody(key: MessageKey, parts: MessageParts): void {
  sealInPlace(key, parts.nonce, parts.body, parts.header);
}

/** The padded body, or null if it is not what this key sealed behind this header. */
export function openBody(key: MessageKey, parts: MessageParts): Uint8Array | null {
  return open(key, parts.nonce, parts.body, parts.header);
}
