// The values of STUN attributes as bytes and back (RFC 8489 §14, RFC 8656 §18, RFC 5780 §7). Pure. Readers give null for what
// has another form.

import { formatIp, parseIp, type Endpoint } from './address.js';
import { MAGIC_COOKIE, viewOf } from './message.js';

export const CHANGE_REQUEST = 0x0003;
export const USERNAME = 0x0006;
export const ERROR_CODE = 0x0009;
export const UNKNOWN_ATTRIBUTES = 0x000a;
export const CHANNEL_NUMBER = 0x000c;
export const LIFETIME = 0x000d;
export const XOR_PEER_ADDRESS = 0x0012;
export const DATA = 0x0013;
export const REALM = 0x0014;
export const NONCE = 0x0015;
export const XOR_RELAYED_ADDRESS = 0x0016;
export const REQUESTED_ADDRESS_FAMILY = 0x0017;
export const EVEN_PORT = 0x0018;
export const REQUESTED_TRANSPORT = 0x0019;
export const XOR_MAPPED_ADDRESS = 0x0020;
export const RESERVATION_TOKEN = 0x0022;
export const RESPONSE_ORIGIN = 0x802b;
export const OTHER_ADDRESS = 0x802c;

/** The only transport that is relayed, by IANA's number (RFC 8656 §18.7). */
export const UDP = 17;

/** The address families of RFC 8489 §14.1. */
export type Family = 4 | 6;
const FAMILY_V4 = 0x01;
const FAMILY_V6 = 0x02;

const ADDRESS_HEADER_BYTES = 4;

/** XOR-MAPPED-ADDRESS and its kin (RFC 8489 §14.2). */
export function xorAddress({ address, port }: Endpoint, transaction: Uint8Array): Uint8Array {
  return plainAddress(xorIp(ipOf(address), transaction), port ^ (MAGIC_COOKIE >>> 16));
}

/** OTHER-ADDRESS and RESPONSE-ORIGIN (RFC 5780 §7.3, §7.4), which are not hidden from anybody. */
export function clearAddress({ address, port }: Endpoint): Uint8Array {
  return plainAddress(ipOf(address), port);
}

/** The endpoint in an XOR-MAPPED-ADDRESS or one of its kin. */
export function readXorAddress(value: Uint8Array, transaction: Uint8Array): Endpoint | null {
  const ipBytes = value[1] === FAMILY_V4 ? 4 : 16;
  if (value.length !== ADDRESS_HEADER_BYTES + ipBytes || (value[1] !== FAMILY_V4 && value[1] !== FAMILY_V6)) return null;
  const address = formatIp(xorIp(value.subarray(ADDRESS_HEADER_BYTES), transaction));
  return { address, port: viewOf(value).getUint16(2) ^ (MAGIC_COOKIE >>> 16) };
}

/** ERROR-CODE (RFC 8489 §14.8) with an empty reason, which keeps answers short. */
export function errorCode(code: number): Uint8Array {
  return Uint8Array.of(0, 0, Math.floor(code / 100), code % 100);
}

/** The code of an ERROR-CODE. */
export function readErrorCode(value: Uint8Array): number {
  return ((value[2] ?? 0) & 7) * 100 + (value[3] ?? 0);
}

/** UNKNOWN-ATTRIBUTES (RFC 8489 §14.9). */
export function unknownAttributes(types: readonly number[]): Uint8Array {
  return Uint8Array.from(types.flatMap((type) => [type >> 8, type & 0xff]));
}

/** USERNAME, REALM, NONCE: text whose every byte is one of ASCII; nothing else can be right here. */
export function text(value: string): Uint8Array {
  return Buffer.from(value, 'latin1');
}

export function readText(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1');
}

/** LIFETIME (RFC 8656 §18.2), in seconds. */
export function lifetime(seconds: number): Uint8Array {
  return Uint8Array.of(seconds >>> 24, seconds >>> 16, seconds >>> 8, seconds);
}

export function readLifetime(value: Uint8Array): number | null {
  return value.length === 4 ? viewOf(value).getUint32(0) : null;
}

/** CHANNEL-NUMBER (RFC 8656 §18.1): two bytes and two reserved ones, which are passed over. */
export function readChannelNumber(value: Uint8Array): number | null {
  return value.length === 4 ? viewOf(value).getUint16(0) : null;
}

/** REQUESTED-TRANSPORT (RFC 8656 §18.8): a protocol number of IP and three reserved bytes. */
export function readTransport(value: Uint8Array): number | null {
  return value.length === 4 ? value[0]! : null;
}

/** REQUESTED-ADDRESS-FAMILY (RFC 8656 §18.6); 0 for a family that nobody knows. */
export function readFamily(value: Uint8Array): Family | 0 | null {
  if (value.length !== 4) return null;
  if (value[0] === FAMILY_V4) return 4;
  return value[0] === FAMILY_V6 ? 6 : 0;
}

/** EVEN-PORT (RFC 8656 §18.5): whether the next port is to be reserved, too. Padded values of 4 bytes are about. */
export function readEvenPort(value: Uint8Array): boolean | null {
  return value.length >= 1 ? (value[0]! & 0x80) !== 0 : null;
}

/** CHANGE-REQUEST (RFC 5780 §7.2). */
export function readChangeRequest(value: Uint8Array): { readonly ip: boolean; readonly port: boolean } | null {
  if (value.length !== 4) return null;
  return { ip: (value[3]! & 0x04) !== 0, port: (value[3]! & 0x02) !== 0 };
}

export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

function plainAddress(ip: Uint8Array, port: number): Uint8Array {
  const value = new Uint8Array(ADDRESS_HEADER_BYTES + ip.length);
  value[1] = ip.length === 4 ? FAMILY_V4 : FAMILY_V6;
  viewOf(value).setUint16(2, port);
  value.set(ip, ADDRESS_HEADER_BYTES);
  return value;
}

function ipOf(address: string): Uint8Array {
  const ip = parseIp(address);
  if (ip === null) throw new TypeError('not an IP address of the operating system');
  return ip;
}

/** XOR with the magic cookie and, beyond its four bytes, with the transaction. Its own inverse. */
function xorIp(ip: Uint8Array, transaction: Uint8Array): Uint8Array {
  const key = new Uint8Array(16);
  viewOf(key).setUint32(0, MAGIC_COOKIE);
  key.set(transaction, 4);
  return ip.map((byte, index) => byte ^ key[index]!);
}
