import { describe, expect, it } from 'vitest';
import { type Draft, draftRows, edit, EMPTY, insert, moveByRow } from '../../../client/cli/chat/draft.js';

/** A draft written with | at the cursor. */
function draft(text: string): Draft {
  const [before = '', behind = ''] = text.split('|');
  return { before, after: behind };
}

/** The draft after some keys, written as "ctrl-w" or "left". */
function after(text: string, ...keys: readonly string[]): string {
  const { before, after: behind } = keys.reduce((current, key) => {
    const [name = '', ...with_] = key.split('-').toReversed();
    return edit(current, { type: 'key', name, ctrl: with_.includes('ctrl'), meta: with_.includes('meta') }) ?? current;
  }, draft(text));
  return `${before}|${behind}`;
}

describe('the text being typed', () => {
  it('takes text at the cursor', () => {
    expect(edit(draft('ab|d'), { type: 'text', text: 'c' })).toEqual(draft('abc|d'));
    expect(edit(EMPTY, { type: 'text', text: '日本' })).toEqual(draft('日本|'));
  });

  it('moves and deletes by characters as a person sees them', () => {
    expect(after('a👩‍👩‍👧|b', 'left')).toBe('a|👩‍👩‍👧b');
    expect(after('a|👩‍👩‍👧b', 'right')).toBe('a👩‍👩‍👧|b');
    expect(after('aé|b', 'backspace')).toBe('a|b');
    expect(after('a|👩‍👩‍👧b', 'delete')).toBe('a|b');
    expect(after('|b', 'backspace', 'left')).toBe('|b');
    expect(after('a|bc', 'ctrl-d')).toBe('a|c');
  });

  it('moves and deletes by words', () => {
    expect(after('one two| three', 'ctrl-left')).toBe('one |two three');
    expect(after('one| two three', 'meta-right')).toBe('one two| three');
    expect(after('one two | three', 'meta-b', 'meta-b')).toBe('|one two  three');
    expect(after('one two |', 'ctrl-w')).toBe('one |');
    expect(after('one two|', 'meta-backspace')).toBe('one |');
    expect(after('one| two', 'ctrl-delete')).toBe('one|');
  });

  it('moves and deletes to the ends of a line, and of all', () => {
    expect(after('one| two', 'ctrl-a')).toBe('|one two');
    expect(after('one\ntwo| three\nfour', 'home')).toBe('one\n|two three\nfour');
    expect(after('one\ntwo| three\nfour', 'ctrl-e')).toBe('one\ntwo three|\nfour');
    expect(after('one\ntwo| three\nfour', 'ctrl-home')).toBe('|one\ntwo three\nfour');
    expect(after('one\ntwo| three\nfour', 'ctrl-end')).toBe('one\ntwo three\nfour|');
    expect(after('one\ntwo| three', 'ctrl-u')).toBe('one\n| three');
    expect(after('one\ntwo| three', 'ctrl-u', 'ctrl-u', 'ctrl-u')).toBe('| three');
    expect(after('one| two\nthree', 'ctrl-k')).toBe('one|\nthree');
  });

  it('takes nothing that cannot be seen, and keeps the line feeds of a pasted text', () => {
    expect(insert(EMPTY, 'a\r\nb\rc\u001b[31m\u0007').before).toBe('a\nb\nc[31m');
    expect(after('a|', 'ctrl-x', 'f5', 'tab')).toBe('a|');
    expect(after('a|', 'meta-return')).toBe('a\n|');
  });
});

describe('the rows of a draft', () => {
  it('hold the cursor, also behind a full row and before a wide character', () => {
    expect(draftRows(draft('abc|d'), 4)).toMatchObject({ row: 1, column: 0 });
    expect(draftRows(draft('日|本'), 4)).toMatchObject({ row: 1, column: 0 });
    expect(draftRows(draft('a日|本'), 4)).toMatchObject({ row: 1, column: 0 });
    expect(draftRows(draft('ab\nc|'), 4)).toMatchObject({ row: 1, column: 1 });
  });

  it('are walked by the keys up and down', () => {
    expect(moveByRow(draft('one\ntw|o'), -1, 80)).toEqual(draft('on|e\ntwo'));
    expect(moveByRow(draft('日本|語\nabcd'), 1, 80)).toEqual(draft('日本語\nabcd|'));
    expect(moveByRow(draft('abcdefg|h'), -1, 5)).toEqual(draft('abc|defgh'));
    expect(moveByRow(draft('on|e'), -1, 80)).toBeNull();
    expect(moveByRow(draft('on|e'), 1, 80)).toBeNull();
  });
});
