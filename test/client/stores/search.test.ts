// What a search finds, and that no words can break it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openNodeStore } from '../../../client/stores/node.js';
import type { Store } from '../../../client/stores/store.js';
import { ALICE, BOB, KEY, textTo } from './records.js';

const TEXTS = [
  'The harbour at night',
  'night trains, night buses',
  "L'été à la plage",
  'key=value; DROP TABLE messages',
  'Быстрая лиса',
  'before\0after',
];

let folder: string;
let store: Store;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-search-'));
  store = await openNodeStore(join(folder, 'store.db'), KEY);
  await store.create(ALICE);
  await store.commit(TEXTS.map((text, index) => ({ kind: 'message', record: textTo(BOB, index + 1, text) })));
});

afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const found = async (words: string, limit = 10) => (await store.search(words, limit)).map((message) => message.text);

test.each([
  ['HARB', ['The harbour at night']],
  ['night harbour', ['The harbour at night']],
  ['night', ['night trains, night buses', 'The harbour at night']],
  ['ete', ["L'été à la plage"]],
  ['ÉTÉ plag', ["L'été à la plage"]],
  ['быстр', ['Быстрая лиса']],
  ['key=value', ['key=value; DROP TABLE messages']],
  ['after', ['before\0after']],
  ['arbour', []],
  ['night OR harbour', []],
  ['', []],
  ['!?', []],
])('the words %j are found where every one of them begins a word: %j', async (words, texts) => {
  expect((await found(words)).toSorted()).toEqual(texts.toSorted());
});

test('the best comes first, and no more than asked for', async () => {
  expect(await found('night', 1)).toEqual(['night trains, night buses']);
});

const HOSTILE = ['"', '""', '" OR "', '*', 'night*', '^night', 'NEAR(night harbour, 2)', 'text:night', 'NOT', 'AND AND', '(night', 'night)', '{text}: night', 'night -harbour', 'night + harbour',
  "'; DROP TABLE messages; --", '\0', 'night\0"', '\u{d800}', '🙂', 'night '.repeat(5000), 'night'.repeat(20_000), '"'.repeat(10_000)];

test.each(HOSTILE)('the input %j is words and nothing else', async (words) => {
  expect(Array.isArray(await found(words))).toBe(true);
  expect(await found('harbour')).toHaveLength(1);
});

test('no input at all is an error', async () => {
  const piece = fc.oneof(fc.constantFrom(...HOSTILE.slice(0, -3), ' ', 'night', 'harbour', ':', '('), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));
  await fc.assert(fc.asyncProperty(fc.array(piece), async (pieces) => {
    expect((await store.search(pieces.join(''), 5)).length).toBeLessThanOrEqual(5);
  }), { numRuns: 500 });
});
