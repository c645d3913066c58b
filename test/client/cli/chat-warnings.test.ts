// What a person is to read in a conversation stays readable, however much a relay or other contacts give cause to warn of.

import { expect, it } from 'vitest';
import type { ContactView } from '../../../client/client.js';
import { afterEvent, afterReading, type Conversation, NOTHING, unreadOf } from '../../../client/cli/chat/conversation.js';
import { BOB, CAROL } from '../../support/memory-client.js';

const GARBAGE = 'A message could not be read.';
const BETWEEN = 'Somebody stood between you.';

const others = (count: number): ContactView[] => Array.from({ length: count }, (_, index) => ({ id: `${index}`, name: `Other ${index}` }));

function warn(before: Conversation, text: string, contact: ContactView | null): Conversation {
  return afterEvent(before, { type: 'notice', contact, code: 'undecryptable', text }, BOB);
}

/** What a relay can do to everybody at once. */
const flood = (before: Conversation, count: number): Conversation => others(count).reduce((conversation, other) => warn(conversation, GARBAGE, other), before);

it('tells what is the same of two hundred others once, and forgets it at once', () => {
  const flooded = flood(flood(NOTHING, 200), 200);
  expect(unreadOf(flooded)).toEqual([`Other 0, Other 1, Other 2 and 197 more: ${GARBAGE}`]);
  expect(afterReading(flooded, unreadOf(flooded)[0]!)).toEqual(NOTHING);
});

it('tells what is of this conversation, or of nobody, before what is of others', () => {
  const warned = warn(warn(flood(NOTHING, 2), BETWEEN, BOB), 'The store is full.', null);
  expect(unreadOf(warned)).toEqual([BETWEEN, 'The store is full.', `Other 0, Other 1: ${GARBAGE}`]);
});

it('keeps one that came while a shorter list was read', () => {
  const [read] = unreadOf(flood(NOTHING, 2));
  const grown = flood(NOTHING, 3);
  expect(unreadOf(afterReading(grown, read!))).toEqual([`Other 0, Other 1, Other 2: ${GARBAGE}`]);
});

it('tells the same of two who have one name, and keeps it of the one when the other is removed', () => {
  const [first, second] = [{ id: '1', name: 'Ann' }, { id: '2', name: 'Ann' }];
  const warned = warn(warn(NOTHING, GARBAGE, first), GARBAGE, second);
  expect(unreadOf(warned)).toEqual([`Ann, Ann: ${GARBAGE}`]);
  expect(unreadOf(afterEvent(warned, { type: 'removed', contact: first }, BOB))).toEqual([`Ann: ${GARBAGE}`]);
});

it('drops what it warned of a contact who is removed, and nothing of others', () => {
  const warnings = [{ contact: CAROL.id, other: 'Carol', text: 'of Carol' }, { contact: null, other: null, text: 'of nobody' }, { contact: BOB.id, other: null, text: 'of Bob' }];
  const before = { ...NOTHING, warnings };
  expect(afterEvent(before, { type: 'removed', contact: CAROL }, BOB).warnings.map(({ text }) => text)).toEqual(['of nobody', 'of Bob']);
  expect(afterEvent(before, { type: 'removed', contact: BOB }, BOB).warnings.map(({ text }) => text)).toEqual(['of Carol', 'of nobody']);
});
