// The second implementation, §12: a passphrase stretched, and a backup as bytes.

import { argon2id } from '@noble/hashes/argon2.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { be, type Draw, Fields, h32, join, k, orRefuse, refuse, same, seal, unseal, utf8 } from './notation.js';

const CHUNK = 65_536;
const KEY_AD = utf8('sotto1/key');

/** What a header says of its secret; memory in KiB. */
export interface Lock {
  readonly kind: number;
  readonly passes: number;
  readonly memory: number;
  readonly salt: Uint8Array;
}

export function stretch(passphrase: string, { passes, memory, salt }: Omit<Lock, 'kind'>): Uint8Array {
  return argon2id(utf8(passphrase.normalize('NFC')), salt, { t: passes, m: memory, p: 1, dkLen: 32 });
}

const checkOf = (fields: Uint8Array): Uint8Array => h32('backup', fields).slice(0, 16);

export function makeHeader({ kind, passes, memory, salt }: Lock, secret: Uint8Array, draw: Draw): { header: Uint8Array; key: Uint8Array } {
  const [key, nonce] = [draw(32), draw(24)];
  const wrapped = join(nonce, seal(k(secret, 'backup')[0], nonce, key, KEY_AD));
  const fields = join(utf8('SOTTOBAK'), be(1, 1), be(kind, 1), be(passes, 4), be(memory, 4), salt, wrapped);
  return { header: join(fields, checkOf(fields)), key };
}

/** A header whose fields are these, with the check that belongs to them. */
export const withCheck = (fields: Uint8Array): Uint8Array => join(fields, checkOf(fields));

export function readHeader(header: Uint8Array): Lock & { readonly wrapped: Uint8Array } {
  return orRefuse('backup-invalid', () => {
    const fields = new Fields(header);
    const [magic, version, kind, passes, memory] = [fields.take(8), fields.number(1), fields.number(1), fields.number(4), fields.number(4)];
    const [salt, wrapped, check] = [fields.take(16), fields.take(72), fields.take(16)];
    fields.done();
    const isFair = kind === 0 || (kind === 1 && passes >= 1 && passes <= 64 && memory >= 8 && memory <= 2 ** 20);
    if (!same(magic, utf8('SOTTOBAK')) || version !== 1 || !isFair || !same(check, checkOf(header.slice(0, -16)))) refuse('backup-invalid');
    return { kind, passes, memory, salt, wrapped };
  });
}

export function unwrap(header: Uint8Array, secret: Uint8Array): Uint8Array {
  const { wrapped } = readHeader(header);
  return unseal(k(secret, 'backup')[0], wrapped.slice(0, 24), wrapped.slice(24), KEY_AD) ?? refuse('backup-key-wrong');
}

/** How many chunks there are where so many are needed. */
export function padme(needed: number): number {
  if (needed < 2) return needed;
  const e = Math.floor(Math.log2(needed));
  const s = Math.floor(Math.log2(e)) + 1;
  const step = e > s ? 2 ** (e - s) : 1;
  return Math.ceil(needed / step) * step;
}

const nonceOf = (index: number, isLast: boolean): Uint8Array => join(new Uint8Array(17), be(isLast ? 1 : 0, 1), be(index, 6));

/** Records, each a text of JSON, as the chunks behind a header. */
export function sealRecords(header: Uint8Array, key: Uint8Array, records: readonly string[]): Uint8Array {
  const said = join(...records.map(utf8).flatMap((json) => [be(json.length, 4), json]), be(0, 4));
  const count = padme(Math.ceil(said.length / CHUNK));
  const plain = join(said, new Uint8Array(count * CHUNK - said.length));
  return join(...Array.from({ length: count }, (_, i) => seal(key, nonceOf(i, i === count - 1), plain.slice(i * CHUNK, (i + 1) * CHUNK), header.slice(-16))));
}

/** The records of an archive; every chunk opens before one is believed. */
export function openRecords(archive: Uint8Array, secret: Uint8Array): string[] {
  const header = archive.slice(0, 122);
  const key = unwrap(header, secret);
  const chunks = archive.slice(122);
  const count = chunks.length / (CHUNK + 16);
  if (!Number.isInteger(count) || count === 0) refuse('backup-invalid');
  const opened = Array.from({ length: count }, (_, i) => unseal(key, nonceOf(i, i === count - 1), chunks.slice(i * (CHUNK + 16), (i + 1) * (CHUNK + 16)), header.slice(-16)));
  const plain = new Fields(join(...opened.map((chunk) => chunk ?? refuse('backup-invalid'))));
  const records: string[] = [];
  return orRefuse('backup-invalid', () => {
    for (let length = plain.number(4); length > 0; length = plain.number(4)) records.push(new TextDecoder().decode(plain.take(length)));
    return records;
  });
}

/** A recovery key as 24 words: 256 bits and 8 of their SHA-256, eleven at a time. */
export function toWords(key: Uint8Array): string {
  const bits = Array.from(join(key, sha256(key).slice(0, 1)), (byte) => byte.toString(2).padStart(8, '0')).join('');
  return bits.match(/.{11}/g)!.map((index) => wordlist[Number.parseInt(index, 2)]).join(' ');
}
