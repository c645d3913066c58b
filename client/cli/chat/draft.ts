// The line that a person is typing: pure text and a cursor, moved by whole characters as a person sees them.

import type { Key } from 'ink';

export interface Draft {
  /** The text before and behind the cursor. */
  readonly before: string;
  readonly after: string;
}

export const EMPTY: Draft = { before: '', after: '' };

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** What a key makes of the draft; the draft itself where the key means nothing to it. */
export function edit(draft: Draft, input: string, key: Key): Draft {
  const { before, after } = draft;
  if (key.leftArrow) return moveTo(draft, key.ctrl || key.meta ? wordStart(before) : lastStart(before));
  if (key.rightArrow) return moveTo(draft, before.length + (key.ctrl || key.meta ? wordEnd(after) : firstEnd(after)));
  if (key.home || (key.ctrl && input === 'a')) return moveTo(draft, 0);
  if (key.end || (key.ctrl && input === 'e')) return moveTo(draft, before.length + after.length);
  // Terminals send the same for backspace as others for delete; a person who types means backspace.
  if (key.backspace || key.delete) return { before: before.slice(0, key.meta ? wordStart(before) : lastStart(before)), after };
  if (key.ctrl && input === 'd') return { before, after: after.slice(firstEnd(after)) };
  if (key.ctrl && input === 'w') return { before: before.slice(0, wordStart(before)), after };
  if (key.ctrl && input === 'u') return { before: '', after };
  if (key.ctrl && input === 'k') return { before, after: '' };
  if (key.return) return insert(draft, '\n');
  if (key.ctrl || key.escape || key.tab || input === '') return draft;
  return insert(draft, input);
}

/** Types or pastes a text: only what can be seen of it, and line feeds. */
export function insert({ before, after }: Draft, text: string): Draft {
  const seen = text.replaceAll(/\r\n?/g, '\n').replaceAll('\t', '    ').replaceAll(/[^\P{Cc}\n]/gu, '');
  return { before: before + seen, after };
}

function moveTo({ before, after }: Draft, offset: number): Draft {
  const text = before + after;
  return { before: text.slice(0, offset), after: text.slice(offset) };
}

function lastStart(text: string): number {
  return [...graphemes.segment(text)].at(-1)?.index ?? 0;
}

/** The first character of a text as a person sees it. */
export function firstCharacter(text: string): string {
  return graphemes.segment(text)[Symbol.iterator]().next().value?.segment ?? '';
}

function firstEnd(text: string): number {
  return firstCharacter(text).length;
}

function wordStart(text: string): number {
  return text.search(/\S*\s*$/);
}

function wordEnd(text: string): number {
  return /^\s*\S*/.exec(text)?.[0].length ?? 0;
}
