// The vectors of PROTOCOL.md §12: stretched passphrases, headers, and whole archives, which are given by a rule and their hash.

import { createHash } from 'node:crypto';
import { type Lock, makeHeader, openRecords, readHeader, sealRecords, stretch, toWords, unwrap, withCheck } from '../oracle/archive.js';
import { firstDevices, idOf, packIdentity } from '../oracle/identity.js';
import { be, join } from '../oracle/notation.js';
import { noting, seeded } from './chance.js';
import { hex } from './conversation.js';
import { ANN, BEA, NOW, refusal } from './people.js';

const [HEADER, CHUNK] = [122, 65_552];

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** The records of a person with one contact, and a text of so many letters. */
function recordsOf(letters: number): readonly [string, string, string] {
  const contact = hex(idOf(BEA));
  const person = { name: 'Ann', relay: 'https://relay.example', identity: base64(packIdentity(ANN)), devices: base64(firstDevices(ANN, NOW)), createdAt: NOW, position: 1 };
  const mailbox = { relay: 'https://relay.example', mailbox: '01'.repeat(16) };
  const known = {
    id: contact, name: 'Béa', identity: base64(join(BEA.ed, BEA.x)), devices: base64(firstDevices(BEA, NOW)), createdAt: NOW, policy: 'direct', blocked: false, begunAt: NOW, resumptions: base64(seeded('resumption')(32)), resetTakenAt: 0,
    inbox: { ...mailbox, ownerSeed: base64(seeded('owner')(32)), token: base64(seeded('inbox')(16)) }, outbox: { ...mailbox, token: base64(seeded('outbox')(16)) },
    sentFirst: 1, sentNumber: 1, sentChain: base64(new Uint8Array(8).fill(1)), receivedNumber: 3, lacking: [2], readyNumber: 1, readyChain: base64(new Uint8Array(8).fill(2)), readNumber: 1, unread: 2, heardAt: NOW,
  };
  const said = {
    id: 'ab'.repeat(16), contact, direction: 'out', number: 1, text: 'ü'.repeat(letters), state: 'accepted', path: 'relay', reason: null,
    sentAt: NOW, receivedAt: null, acceptedAt: NOW + 1, deliveredAt: null, readAt: null, position: 0,
  };
  const json = (kind: string, record: unknown): string => JSON.stringify({ kind, record });
  return [json('owner', person), json('contact', known), json('message', said)];
}

/** What is changed in an archive: a bit of the byte at an offset, its length, or the order of two chunks. */
export type Alteration = { readonly flips: number } | { readonly length: number } | { readonly swaps: readonly [number, number] };

export function alter(archive: Uint8Array, alteration: Alteration): Uint8Array {
  if ('flips' in alteration) return archive.with(alteration.flips, archive[alteration.flips]! ^ 1);
  if ('length' in alteration) return join(archive, new Uint8Array(CHUNK)).slice(0, alteration.length);
  const chunk = (index: number): Uint8Array => archive.slice(HEADER + index * CHUNK, HEADER + (index + 1) * CHUNK);
  const count = (archive.length - HEADER) / CHUNK;
  const [one, other] = alteration.swaps;
  return join(archive.slice(0, HEADER), ...Array.from({ length: count }, (_, index) => chunk(index === one ? other : index === other ? one : index)));
}

/** Records as they stand in a vector: each so many times. */
export const unrolled = (records: readonly { readonly json: string; readonly times: number }[]): string[] => records.flatMap(({ json, times }) => Array.from({ length: times }, () => json));

export function archiveVectors() {
  const [recovery, salt] = [seeded('recovery key')(32), seeded('salt')(16)];
  const locked: Lock = { kind: 1, passes: 2, memory: 64, salt };
  const stretched = stretch('zwo\u0308lf Boxka\u0308mpfer', locked);
  return {
    recovery: { key: hex(recovery), words: toWords(recovery) },
    stretched: ['zwo\u0308lf Boxka\u0308mpfer', 'zwölf Boxkämpfer', ' x '].map((passphrase) => ({ passphrase, passes: 2, memory: 64, salt: hex(salt), key: hex(stretch(passphrase, locked)) })),
    archives: [
      archiveOf('three records, with a recovery key', { kind: 0, passes: 0, memory: 0, salt: new Uint8Array(16) }, recovery, 5, 1),
      archiveOf('nine chunks, and a tenth of zeros, with a passphrase', locked, stretched, 1_400, 180),
    ],
    ...headers(recovery),
  };
}

function archiveOf(name: string, lock: Lock, secret: Uint8Array, letters: number, times: number) {
  const draws: string[] = [];
  const { header, key } = makeHeader(lock, secret, noting(seeded(name), draws));
  const [owner, contact, message] = recordsOf(letters);
  const records = [{ json: owner, times: 1 }, { json: contact, times: 1 }, { json: message, times }];
  const bytes = join(header, sealRecords(header, key, unrolled(records)));
  const chunks = (bytes.length - HEADER) / CHUNK;
  const altered: (readonly [string, Alteration])[] = [
    ['a changed bit in the header', { flips: 20 }], ['a changed bit in the first chunk', { flips: HEADER + 100 }], ['a changed bit in the zeros at the end', { flips: bytes.length - 100 }], ['a changed bit in the last tag', { flips: bytes.length - 1 }],
    ['a byte less', { length: bytes.length - 1 }], ['a byte more', { length: bytes.length + 1 }], ['the last chunk is missing', { length: bytes.length - CHUNK }], ['a chunk of zeros behind the last', { length: bytes.length + CHUNK }],
    ['nothing but the header', { length: HEADER }], ['nothing', { length: 0 }],
    ...(chunks > 1 ? [['two chunks have changed places', { swaps: [1, 2] }] as const, ['the last chunk has changed places with another', { swaps: [3, chunks - 1] }] as const] : []),
  ];
  return {
    name, kind: lock.kind, passes: lock.passes, memory: lock.memory, salt: hex(lock.salt), secret: hex(secret), draws, records, header: hex(header), chunks, sha256: createHash('sha256').update(bytes).digest('hex'),
    wrongSecret: { secret: hex(secret.with(0, secret[0]! ^ 1)), code: refusal(() => openRecords(bytes, secret.with(0, secret[0]! ^ 1))) },
    altered: altered.map(([what, alteration]) => ({ name: what, alteration, code: refusal(() => openRecords(alter(bytes, alteration), secret)) })),
  };
}

/** Headers that say anything, each with the check that belongs to it. */
function headers(secret: Uint8Array) {
  const salt = seeded('salt of a header')(16);
  const of = (kind: number, passes: number, memory: number): Uint8Array => makeHeader({ kind, passes, memory, salt: kind === 0 ? new Uint8Array(16) : salt }, secret, seeded('header')).header;
  const fields = of(1, 3, 262_144).slice(0, -16);
  const fair = [[0, 0, 0], [1, 1, 8], [1, 3, 262_144], [1, 64, 2 ** 20]].map(([kind, passes, memory]) => of(kind!, passes!, memory!));
  const wrong: (readonly [string, Uint8Array])[] = [
    ['no passes', of(1, 0, 64)], ['65 passes', of(1, 65, 64)], ['7 KiB', of(1, 1, 7)], ['more than 1 GiB', of(1, 1, 2 ** 20 + 1)], ['another kind', of(2, 1, 64)],
    ['another version', withCheck(fields.with(8, 2))], ['another beginning', withCheck(fields.with(0, 0x73))], ['a changed salt under the old check', of(1, 1, 64).with(20, 0)], ['a byte less', of(1, 1, 64).slice(0, -1)], ['a byte more', join(of(1, 1, 64), be(0, 1))],
  ];
  return {
    headers: fair.map((header) => {
      const { kind, passes, memory, salt: salted } = readHeader(header);
      return { header: hex(header), kind, passes, memory, salt: hex(salted), key: hex(unwrap(header, secret)) };
    }),
    refusedHeaders: wrong.map(([name, header]) => ({ name, header: hex(header), code: refusal(() => readHeader(header)) })),
  };
}
