// STUN messages (RFC 8489 §5, §14) as bytes and back. Pure: no socket, no clock, and of secrets only the key that it is
// given. What is not exactly one well-formed message is null, so that a server can pass over it in silence.
//
//   type 2 | length 2 | magic cookie 4 | transaction 12 | attributes: type 2 | length 2 | value, padded to 4

import { createHmac, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** Methods with their class (RFC 8489 §5): what an answer to a request is called. */
export const BINDING_REQUEST = 0x0001;
export const BINDING_SUCCESS = 0x0101;
export const BINDING_ERROR = 0x0111;
export const ALLOCATE = 0x0003;
export const REFRESH = 0x0004;
export const CREATE_PERMISSION = 0x0008;
export const CHANNEL_BIND = 0x0009;
export const SEND_INDICATION = 0x0016;
export const DATA_INDICATION = 0x0017;
export const SUCCESS = 0x0100;
export const ERROR = 0x0110;

export const MESSAGE_INTEGRITY = 0x0008;
export const FINGERPRINT = 0x8028;

/** Attributes below this must be understood (RFC 8489 §14). */
export const OPTIONAL_FROM = 0x8000;

export interface Attribute {
  readonly type: number;
  /** Without padding. */
  readonly value: Uint8Array;
}

export interface StunMessage {
  /** Method and class as one number: BINDING_REQUEST … */
  readonly type: number;
  /** 12 bytes. */
  readonly transaction: Uint8Array;
  /** In order, up to MESSAGE-INTEGRITY or FINGERPRINT and without them: what follows is vouched for by nobody (RFC 8489 §14.5). */
  readonly attributes: readonly Attribute[];
  /** Whether the message ends in a FINGERPRINT; one that is wrong is no message. */
  readonly fingerprint: boolean;
}

/** A message that was read. */
export interface ReadMessage extends StunMessage {
  /** Where MESSAGE-INTEGRITY begins, in bytes; null if there is none. Only isIntact() says whether it is right. */
  readonly integrityAt: number | null;
}

export const HEADER_BYTES = 20;
export const TRANSACTION_BYTES = 12;
export const MAGIC_COOKIE = 0x2112a442;
const ATTRIBUTE_HEADER_BYTES = 4;
const DIGEST_BYTES = 20;
const INTEGRITY_BYTES = ATTRIBUTE_HEADER_BYTES + DIGEST_BYTES;
const FINGERPRINT_BYTES = 8;
const FINGERPRINT_XOR = 0x5354554e;

/** Reads one message. Values are views of `bytes`. Null unless every byte is accounted for. */
export function parseMessage(bytes: Uint8Array): ReadMessage | null {
  if (bytes.length < HEADER_BYTES || bytes.length % 4 !== 0) return null;
  const view = viewOf(bytes);
  const type = view.getUint16(0);
  if (type > 0x3fff || view.getUint16(2) !== bytes.length - HEADER_BYTES || view.getUint32(4) !== MAGIC_COOKIE) return null;

  const attributes: Attribute[] = [];
  let integrityAt: number | null = null;
  let fingerprint = false;
  for (let at = HEADER_BYTES; at < bytes.length;) {
    const attribute = view.getUint16(at);
    const length = view.getUint16(at + 2);
    const start = at + ATTRIBUTE_HEADER_BYTES;
    if (start + padded(length) > bytes.length) return null;
    if (attribute === FINGERPRINT) {
      if (length !== 4 || start + 4 !== bytes.length || view.getUint32(start) !== fingerprintOf(bytes)) return null;
      fingerprint = true;
    } else if (integrityAt === null && attribute === MESSAGE_INTEGRITY) {
      if (length !== DIGEST_BYTES) return null;
      integrityAt = at;
    } else if (integrityAt === null) {
      attributes.push({ type: attribute, value: bytes.subarray(start, start + length) });
    }
    at = start + padded(length);
  }
  return { type, transaction: bytes.subarray(8, HEADER_BYTES), attributes, fingerprint, integrityAt };
}

/** Whether the MESSAGE-INTEGRITY of a message, over its bytes as they came, was made with this key. */
export function isIntact(bytes: Uint8Array, { integrityAt }: ReadMessage, key: Uint8Array): boolean {
  if (integrityAt === null) return false;
  const start = integrityAt + ATTRIBUTE_HEADER_BYTES;
  return timingSafeEqual(bytes.subarray(start, start + DIGEST_BYTES), digest(bytes, integrityAt, key));
}

/** Writes one message, with MESSAGE-INTEGRITY if a key is given. */
export function writeMessage({ type, transaction, attributes, fingerprint }: StunMessage, key?: Uint8Array): Uint8Array {
  const body = attributes.reduce((total, { value }) => total + ATTRIBUTE_HEADER_BYTES + padded(value.length), 0);
  const length = body + (key === undefined ? 0 : INTEGRITY_BYTES) + (fingerprint ? FINGERPRINT_BYTES : 0);
  const bytes = new Uint8Array(HEADER_BYTES + length);
  const view = viewOf(bytes);
  view.setUint16(0, type);
  view.setUint16(2, length);
  view.setUint32(4, MAGIC_COOKIE);
  bytes.set(transaction, 8);
  let at = HEADER_BYTES;
  const append = (attribute: number, value: Uint8Array): void => {
    view.setUint16(at, attribute);
    view.setUint16(at + 2, value.length);
    bytes.set(value, at + ATTRIBUTE_HEADER_BYTES);
    at += ATTRIBUTE_HEADER_BYTES + padded(value.length);
  };
  for (const attribute of attributes) append(attribute.type, attribute.value);
  if (key !== undefined) append(MESSAGE_INTEGRITY, digest(bytes, at, key));
  if (fingerprint) {
    append(FINGERPRINT, new Uint8Array(4));
    view.setUint32(at - 4, fingerprintOf(bytes));
  }
  return bytes;
}

/** The value of the first attribute of a type, which is the one that counts (RFC 8489 §14). */
export function valueOf({ attributes }: StunMessage, type: number): Uint8Array | undefined {
  return attributes.find((attribute) => attribute.type === type)?.value;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** RFC 8489 §14.5: over all that stands before the attribute, with a length that ends behind it. */
function digest(bytes: Uint8Array, integrityAt: number, key: Uint8Array): Uint8Array {
  const length = integrityAt - HEADER_BYTES + INTEGRITY_BYTES;
  const hmac = createHmac('sha1', key).update(bytes.subarray(0, 2)).update(Uint8Array.of(length >> 8, length));
  return hmac.update(bytes.subarray(4, integrityAt)).digest();
}

/** RFC 8489 §14.7, of a message whose last 8 bytes are the attribute itself. */
function fingerprintOf(bytes: Uint8Array): number {
  return (crc32(bytes.subarray(0, bytes.length - FINGERPRINT_BYTES)) ^ FINGERPRINT_XOR) >>> 0;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
