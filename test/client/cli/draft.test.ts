import type { Key } from 'ink';
import { describe, expect, it } from 'vitest';
import { type Draft, edit, EMPTY, insert } from '../../../client/cli/chat/draft.js';

const key = (given: Partial<Key> = {}) => given as Key;

/** A draft written with | at the cursor, after some keys. */
function after(text: string, ...keys: readonly (readonly [input: string, key?: Partial<Key>])[]): string {
  const [before = '', behind = ''] = text.split('|');
  const draft = keys.reduce<Draft>((current, [input, given]) => edit(current, input, key(given)), { before, after: behind });
  return `${draft.before}|${draft.after}`;
}

describe('the line being typed', () => {
  it('takes text at the cursor', () => {
    expect(after('ab|d', ['c'])).toBe('abc|d');
    expect(after('|', ['日本'])).toBe('日本|');
  });

  it('moves and deletes by characters as a person sees them', () => {
    expect(after('a👩‍👩‍👧|b', ['', { leftArrow: true }])).toBe('a|👩‍👩‍👧b');
    expect(after('a|👩‍👩‍👧b', ['', { rightArrow: true }])).toBe('a👩‍👩‍👧|b');
    expect(after('aé|b', ['', { delete: true }])).toBe('a|b');
    expect(after('|b', ['', { backspace: true }], ['', { leftArrow: true }])).toBe('|b');
    expect(after('a|bc', ['d', { ctrl: true }])).toBe('a|c');
  });

  it('moves and deletes by words and to the ends', () => {
    expect(after('one two| three', ['', { leftArrow: true, ctrl: true }])).toBe('one |two three');
    expect(after('one| two three', ['', { rightArrow: true, meta: true }])).toBe('one two| three');
    expect(after('one two|', ['w', { ctrl: true }])).toBe('one |');
    expect(after('one| two', ['a', { ctrl: true }])).toBe('|one two');
    expect(after('one| two', ['', { end: true }])).toBe('one two|');
    expect(after('one| two', ['u', { ctrl: true }])).toBe('| two');
    expect(after('one| two', ['k', { ctrl: true }])).toBe('one|');
  });

  it('takes nothing that cannot be seen, and keeps the line feeds of a pasted text', () => {
    expect(insert(EMPTY, 'a\r\nb\rc\u001b[31m\u0007').before).toBe('a\nb\nc[31m');
    expect(after('a|', ['x', { ctrl: true }], ['', { escape: true }])).toBe('a|');
    expect(after('a|', ['', { return: true, meta: true }])).toBe('a\n|');
  });
});
