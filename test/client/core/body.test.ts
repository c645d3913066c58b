// Every field of a body at the edge of what it may be: what is just inside is read, what is just outside is malformed.

import { describe, expect, it } from 'vitest';
import { BODY_MAX_BYTES } from '../../../crypto/session.js';
import { decodeBody, encodeBody, LACKING_MAX, NUMBER_MAX, TEXT_MAX_BYTES } from '../../../client/core/body.js';
import type { Content } from '../../../client/core/body.js';
import { CANDIDATES_MAX } from '../../../client/core/description.js';

type Fields = Record<string, unknown>;

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7);
const numbers = (length: number): number[] => Array.from({ length }, (_, index) => index + 1);
const texts = (length: number): string[] => numbers(length).map(String);

const DESCRIPTION = { ufrag: 'abcd', pwd: 'x'.repeat(22), fingerprint: bytes(32), setup: 'actpass', candidates: [] };

/** One body of each kind, as it is well-formed. */
const WHOLE = {
  text: { id: bytes(16), number: 1, chain: bytes(8), text: 'hello' },
  receipt: { delivered: 1, lacking: [], read: 1, again: false, last: 1, lastId: bytes(16) },
  settled: { numbers: [1] },
  presence: { answer: false, last: 0 },
  offer: { call: bytes(16), description: DESCRIPTION, relayRttMs: 1 },
  answer: { call: bytes(16), offerHash: bytes(32), description: DESCRIPTION },
  candidates: { call: bytes(16), candidates: [] },
  bind: { call: bytes(16), proof: bytes(32) },
};

function decode(kind: keyof typeof WHOLE, fields: Fields): unknown {
  return decodeBody(encodeBody(1, { case: kind, value: { ...WHOLE[kind], ...fields } } as Content, null));
}

it('counts by the numbers of PROTOCOL.md', () => {
  expect([LACKING_MAX, CANDIDATES_MAX, NUMBER_MAX]).toEqual([1_000, 30, 0x7fff_ffff]);
  expect(BODY_MAX_BYTES - TEXT_MAX_BYTES).toBe(1_024);
});

describe('a body', () => {
  it.each<[string, keyof typeof WHOLE, Fields]>([
    ['a text without chain value', 'text', { chain: bytes(0) }],
    ['the last number of all', 'text', { number: NUMBER_MAX }],
    ['a receipt of the last number of all', 'receipt', { delivered: NUMBER_MAX, read: NUMBER_MAX, last: NUMBER_MAX }],
    ['a receipt of nothing', 'receipt', { last: 0, lastId: bytes(0) }],
    ['a receipt that lacks as many as are remembered', 'receipt', { lacking: numbers(LACKING_MAX) }],
    ['as many settled numbers as are remembered', 'settled', { numbers: numbers(LACKING_MAX) }],
    ['a presence after the last number of all', 'presence', { last: NUMBER_MAX }],
    ['an offer', 'offer', {}],
    ['an offer of as many candidates as are taken', 'offer', { description: { ...DESCRIPTION, candidates: texts(CANDIDATES_MAX) } }],
    ['an answer', 'answer', {}],
    ['an answer of the DTLS client', 'answer', { description: { ...DESCRIPTION, setup: 'active' } }],
    ['an answer of the DTLS server', 'answer', { description: { ...DESCRIPTION, setup: 'passive' } }],
    ['as many candidates as are taken', 'candidates', { candidates: texts(CANDIDATES_MAX) }],
    ['a proof', 'bind', {}],
  ])('with %s is read', (_what, kind, fields) => {
    expect(decode(kind, fields)).toMatchObject({ content: { case: kind } });
  });

  it.each<[string, keyof typeof WHOLE, Fields]>([
    ['a text of a short id', 'text', { id: bytes(15) }],
    ['a text of a short chain value', 'text', { chain: bytes(7) }],
    ['a text of number 0', 'text', { number: 0 }],
    ['a text past the last number', 'text', { number: NUMBER_MAX + 1 }],
    ['an empty text', 'text', { text: '' }],
    ['a receipt that has more than there can be', 'receipt', { delivered: NUMBER_MAX + 1 }],
    ['a receipt of more read than there can be', 'receipt', { read: NUMBER_MAX + 1 }],
    ['a receipt of a newest past the last number', 'receipt', { last: NUMBER_MAX + 1 }],
    ['a receipt of a newest without id', 'receipt', { lastId: bytes(0) }],
    ['a receipt of an id without a newest', 'receipt', { last: 0 }],
    ['a receipt that lacks more than is remembered', 'receipt', { lacking: numbers(LACKING_MAX + 1) }],
    ['a receipt that lacks number 0, too', 'receipt', { lacking: [1, 0] }],
    ['more settled numbers than are remembered', 'settled', { numbers: numbers(LACKING_MAX + 1) }],
    ['a settled number 0, too', 'settled', { numbers: [1, 0] }],
    ['a presence past the last number', 'presence', { last: NUMBER_MAX + 1 }],
    ['an offer of a short call id', 'offer', { call: bytes(15) }],
    ['an offer of no description', 'offer', { description: undefined }],
    ['an offer of more candidates than are taken', 'offer', { description: { ...DESCRIPTION, candidates: texts(CANDIDATES_MAX + 1) } }],
    ['an answer of a short call id', 'answer', { call: bytes(15) }],
    ['an answer to a short hash', 'answer', { offerHash: bytes(31) }],
    ['an answer of no description', 'answer', { description: undefined }],
    ['an answer of an unknown role', 'answer', { description: { ...DESCRIPTION, setup: 'holdconn' } }],
    ['candidates of a short call id', 'candidates', { call: bytes(15) }],
    ['more candidates than are taken', 'candidates', { candidates: texts(CANDIDATES_MAX + 1) }],
    ['a proof of a short call id', 'bind', { call: bytes(15) }],
    ['a short proof', 'bind', { proof: bytes(31) }],
  ])('with %s is malformed', (_what, kind, fields) => {
    expect(() => decode(kind, fields)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it('that says nothing is read, at the last moment that a calendar has', () => {
    expect(decodeBody(encodeBody(8.64e15, null, null)).content.case).toBeUndefined();
  });
});

describe('a greeting', () => {
  const reply = { relay: 'https://relay.test', mailbox: bytes(16), token: bytes(16) };

  it.each([
    ['the last number of all', { first: NUMBER_MAX }],
    ['no reply address', { reply: undefined }],
    ['a reply address at a host without a name', { reply: { ...reply, relay: 'http://[::1]:8080' } }],
  ])('with %s is read', (_what, fields) => {
    expect(decodeBody(encodeBody(1, null, { name: 'Alice', ...fields })).hello?.name).toBe('Alice');
  });

  it.each([
    ['no name', { name: '' }],
    ['a number past the last', { first: NUMBER_MAX + 1 }],
    ['a short mailbox', { reply: { ...reply, mailbox: bytes(15) } }],
    ['a long token', { reply: { ...reply, token: bytes(17) } }],
    ['a relay that has a path', { reply: { ...reply, relay: 'https://relay.test/path' } }],
  ])('with %s is malformed', (_what, fields) => {
    expect(() => decodeBody(encodeBody(1, null, { name: 'Alice', ...fields }))).toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});
