// STUN messages (RFC 8489 §5, §14) as bytes and back. Pure: no socket, no clock, no secret. What is not exactly one
// well-formed message is null, so that a server can pass over it in silence.
//
//   type 2 | length 2 | magic cookie 4 | transaction 12 | attributes: type 2 | length 2 | value, padded to 4

import { crc32 } from 'node:zlib';
import type { Endpoint } from './address.js';

export const BINDING_REQUEST = 0x0001;
export const BINDING_SUCCESS = 0x0101;
export const BINDING_ERROR = 0x0111;

/** Attribute types (RFC 8489 §18.3) that are read or written here. */
export const ERROR_CODE = 0x0009;
export const UNKNOWN_ATTRIBUTES = 0x000a;
export const XOR_MAPPED_ADDRESS = 0x0020;
export const FINGERPRINT = 0x8028;

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
  /** In order, without FINGERPRINT. */
  readonly attributes: readonly Attribute[];
  /** Whether the message ends in a FINGERPRINT; one that is wrong is no message. */
  readonly fingerprint: boolean;
}

const HEADER_BYTES = 20;
const MAGIC_COOKIE = 0x2112a442;
const ATTRIBUTE_HEADER_BYTES = 4;
const FINGERPRINT_BYTES = 8;
const FINGERPRINT_XOR = 0x5354554e;
const FAMILY_V4 = 0x01;
const FAMILY_V6 = 0x02;

/** Reads one message. Values are views of `bytes`. Null unless every byte is accounted for. */
export function parseMessage(bytes: Uint8Array): StunMessage | null {
  if (bytes.length < HEADER_BYTES || bytes.length % 4 !== 0) return null;
  const view = viewOf(bytes);
  const type = view.getUint16(0);
  if (type > 0x3fff || view.getUint16(2) !== bytes.length - HEADER_BYTES || view.getUint32(4) !== MAGIC_COOKIE) return null;

  const attributes = parseAttributes(bytes);
  if (attributes === null) return null;
  const transaction = bytes.subarray(8, HEADER_BYTES);
  const at = attributes.findIndex((attribute) => attribute.type === FINGERPRINT);
  if (at === -1) return { type, transaction, attributes, fingerprint: false };
  if (at !== attributes.length - 1 || attributes[at]!.value.length !== 4) return null;
  if (view.getUint32(bytes.length - 4) !== fingerprintOf(bytes)) return null;
  return { type, transaction, attributes: attributes.slice(0, -1), fingerprint: true };
}

/** Writes one message. */
export function writeMessage({ type, transaction, attributes, fingerprint }: StunMessage): Uint8Array {
  const length = attributes.reduce((total, { value }) => total + ATTRIBUTE_HEADER_BYTES + padded(value.length), fingerprint ? FINGERPRINT_BYTES : 0);
  const bytes = new Uint8Array(HEADER_BYTES + length);
  const view = viewOf(bytes);
  view.setUint16(0, type);
  view.setUint16(2, length);
  view.setUint32(4, MAGIC_COOKIE);
  bytes.set(transaction, 8);
  let at = HEADER_BYTES;
  for (const attribute of attributes) {
    view.setUint16(at, attribute.type);
    view.setUint16(at + 2, attribute.value.length);
    bytes.set(attribute.value, at + ATTRIBUTE_HEADER_BYTES);
    at += ATTRIBUTE_HEADER_BYTES + padded(attribute.value.length);
  }
  if (fingerprint) {
    view.setUint16(at, FINGERPRINT);
    view.setUint16(at + 2, 4);
    view.setUint32(at + ATTRIBUTE_HEADER_BYTES, fingerprintOf(bytes));
  }
  return bytes;
}

/** The value of XOR-MAPPED-ADDRESS and its kin (RFC 8489 §14.2). Its own inverse is readXorAddress. */
export function xorAddress({ ip, port }: Endpoint, transaction: Uint8Array): Uint8Array {
  const value = new Uint8Array(4 + ip.length);
  value[1] = ip.length === 4 ? FAMILY_V4 : FAMILY_V6;
  viewOf(value).setUint16(2, port ^ (MAGIC_COOKIE >>> 16));
  value.set(xorIp(ip, transaction), 4);
  return value;
}

/** The address in an XOR-MAPPED-ADDRESS; null if it has another form. */
export function readXorAddress(value: Uint8Array, transaction: Uint8Array): Endpoint | null {
  const ipBytes = value[1] === FAMILY_V4 ? 4 : 16;
  if (value.length !== 4 + ipBytes || (value[1] !== FAMILY_V4 && value[1] !== FAMILY_V6)) return null;
  return { ip: xorIp(value.subarray(4), transaction), port: viewOf(value).getUint16(2) ^ (MAGIC_COOKIE >>> 16) };
}

/** The value of ERROR-CODE (RFC 8489 §14.8) with an empty reason, which keeps answers short. */
export function errorCode(code: number): Uint8Array {
  return Uint8Array.of(0, 0, Math.floor(code / 100), code % 100);
}

/** The value of UNKNOWN-ATTRIBUTES (RFC 8489 §14.9). */
export function unknownAttributes(types: readonly number[]): Uint8Array {
  return Uint8Array.from(types.flatMap((type) => [type >> 8, type & 0xff]));
}

function parseAttributes(bytes: Uint8Array): Attribute[] | null {
  const view = viewOf(bytes);
  const attributes: Attribute[] = [];
  let at = HEADER_BYTES;
  while (at < bytes.length) {
    const start = at + ATTRIBUTE_HEADER_BYTES;
    const length = view.getUint16(at + 2);
    at = start + padded(length);
    if (at > bytes.length) return null;
    attributes.push({ type: view.getUint16(start - ATTRIBUTE_HEADER_BYTES), value: bytes.subarray(start, start + length) });
  }
  return attributes;
}

/** RFC 8489 §14.7, of a message whose last 8 bytes are the attribute itself. */
function fingerprintOf(bytes: Uint8Array): number {
  return (crc32(bytes.subarray(0, bytes.length - FINGERPRINT_BYTES)) ^ FINGERPRINT_XOR) >>> 0;
}

/** XOR with the magic cookie and, beyond its four bytes, with the transaction. */
function xorIp(ip: Uint8Array, transaction: Uint8Array): Uint8Array {
  const key = new Uint8Array(16);
  viewOf(key).setUint32(0, MAGIC_COOKIE);
  key.set(transaction, 4);
  return ip.map((byte, index) => byte ^ key[index]!);
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
