// The text that a person is typing: pure text and a cursor, moved by whole characters as a person sees them. It knows no screen but
// the width at which its rows break.

import type { Press } from './keyboard.js';
import { type Row, rowsOf, widthOf } from './rows.js';

export interface Draft {
  /** The text before and behind the cursor. */
  readonly before: string;
  readonly after: string;
}

export const EMPTY: Draft = { before: '', after: '' };

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** What a press makes of the draft; null where the press means nothing to it. */
export function edit(draft: Draft, press: Press): Draft | null {
  if (press.type === 'text') return insert(draft, press.text);
  const { before, after } = draft;
  const byWord = press.ctrl || press.meta;
  const wordLeft = { before: before.slice(0, wordStart(before)), after };
  const wordRight = { before, after: after.slice(wordEnd(after)) };
  switch (`${press.ctrl ? 'ctrl-' : ''}${press.meta ? 'meta-' : ''}${press.name}`) {
    case 'ctrl-b': return moveTo(draft, lastStart(before));
    case 'ctrl-f': return moveTo(draft, before.length + firstEnd(after));
    case 'meta-b': return moveTo(draft, wordStart(before));
    case 'meta-f': return moveTo(draft, before.length + wordEnd(after));
    case 'ctrl-a': return moveTo(draft, lineStart(before));
    case 'ctrl-e': return moveTo(draft, before.length + lineEnd(after));
    case 'ctrl-d': return { before, after: after.slice(firstEnd(after)) };
    case 'ctrl-w': return wordLeft;
    case 'meta-d': return wordRight;
    // A second time at the beginning of a line takes the line feed before it, and so on to the beginning of all.
    case 'ctrl-u': return { before: before.slice(0, before.endsWith('\n') ? -1 : lineStart(before)), after };
    case 'ctrl-k': return { before, after: after.slice(lineEnd(after)) };
    case 'meta-return':
    case 'meta-enter': return insert(draft, '\n');
  }
  switch (press.name) {
    case 'left': return moveTo(draft, byWord ? wordStart(before) : lastStart(before));
    case 'right': return moveTo(draft, before.length + (byWord ? wordEnd(after) : firstEnd(after)));
    case 'home': return moveTo(draft, byWord ? 0 : lineStart(before));
    case 'end': return moveTo(draft, before.length + (byWord ? after.length : lineEnd(after)));
    case 'backspace': return byWord ? wordLeft : { before: before.slice(0, lastStart(before)), after };
    case 'delete': return byWord ? wordRight : { before, after: after.slice(firstEnd(after)) };
    default: return null;
  }
}

/** Types or pastes a text: only what can be seen of it, and line feeds. */
export function insert({ before, after }: Draft, text: string): Draft {
  const seen = text.replaceAll(/\r\n?/g, '\n').replaceAll('\t', '    ').replaceAll(/[^\P{Cc}\n]/gu, '');
  return { before: before + seen, after };
}

/** A draft as rows of a width, and where the cursor is among them: always within the width, because no row is full. */
export interface DraftRows {
  readonly rows: readonly Row[];
  readonly row: number;
  readonly column: number;
}

export function draftRows({ before, after }: Draft, columns: number): DraftRows {
  const rows = rowsOf(before + after, columns - 1, 'anywhere');
  const row = rows.findLastIndex(({ start }) => start <= before.length);
  return { rows, row, column: widthOf(before.slice(rows[row]?.start)) };
}

/** Moves the cursor a row up (-1) or down (1), as far right as it was; null where there is no such row. */
export function moveByRow(draft: Draft, direction: -1 | 1, columns: number): Draft | null {
  const { rows, row, column } = draftRows(draft, columns);
  const target = rows[row + direction];
  if (!target) return null;
  let offset = 0;
  for (const { segment } of graphemes.segment(target.text)) {
    if (widthOf(target.text.slice(0, offset + segment.length)) > column) break;
    offset += segment.length;
  }
  return moveTo(draft, target.start + offset);
}

function moveTo({ before, after }: Draft, offset: number): Draft {
  const text = before + after;
  return { before: text.slice(0, offset), after: text.slice(offset) };
}

/** Longest character that is looked for at the end of a text, so that the whole of a long one need not be read at each key. */
const CHARACTER_MAX = 256;

function lastStart(text: string): number {
  const end = text.slice(-CHARACTER_MAX);
  return text.length - end.length + ([...graphemes.segment(end)].at(-1)?.index ?? 0);
}

function firstEnd(text: string): number {
  return graphemes.segment(text)[Symbol.iterator]().next().value?.segment.length ?? 0;
}

function wordStart(text: string): number {
  let start = text.trimEnd().length;
  while (start > 0 && /\S/.test(text.charAt(start - 1))) start -= 1;
  return start;
}

function wordEnd(text: string): number {
  return /^\s*\S*/.exec(text)?.[0].length ?? 0;
}

function lineStart(before: string): number {
  return before.lastIndexOf('\n') + 1;
}

function lineEnd(after: string): number {
  const end = after.indexOf('\n');
  return end < 0 ? after.length : end;
}
