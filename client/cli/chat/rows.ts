// Texts as rows of a terminal: how wide they are, and where they break. A character as a person sees it is never broken; what the text
// says is not known here.

import stringWidth from 'string-width';

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const PLAIN = /^[ -~]*$/;
/** Widths of characters met lately: a long draft is broken anew at each key. More than any language uses on one screen. */
const WIDTHS_MAX = 5_000;
const widths = new Map<string, number>();

export interface Row {
  /** Offset of its first character in the whole text. */
  readonly start: number;
  readonly text: string;
}

/** Columns that a text without line feeds takes. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

function widthOfCharacter(character: string): number {
  let width = widths.get(character);
  if (width === undefined) {
    width = stringWidth(character);
    if (widths.size >= WIDTHS_MAX) widths.clear();
    widths.set(character, width);
  }
  return width;
}

/** A text as rows, at least one, none wider than `columns` (at least 2: the widest character). Rows end at line feeds and, where there are
 *  some, behind spaces (`words`), or wherever they are full (`anywhere`). */
export function rowsOf(text: string, columns: number, breaks: 'words' | 'anywhere'): Row[] {
  const rows: Row[] = [];
  let start = 0;
  for (const line of text.split('\n')) {
    for (const row of breakLine(line, Math.max(2, columns), breaks)) rows.push({ start: start + row.start, text: row.text });
    start += line.length + 1;
  }
  return rows;
}

function breakLine(line: string, columns: number, breaks: 'words' | 'anywhere'): Row[] {
  if (PLAIN.test(line) && (breaks === 'anywhere' || line.length <= columns)) return breakPlain(line, columns);
  const rows: Row[] = [];
  let start = 0;
  let width = 0;
  // Behind the last space, and the width of the row up to there.
  let space = { end: 0, width: 0 };
  const finish = (end: number) => rows.push({ start, text: breaks === 'words' ? line.slice(start, end).trimEnd() : line.slice(start, end) });
  for (const { segment, index } of graphemes.segment(line)) {
    const wide = widthOfCharacter(segment);
    // A space that no longer fits hangs over the edge, where nobody sees it.
    const limit = breaks === 'words' && segment === ' ' ? Infinity : columns;
    while (width + wide > limit && index > start) {
      const at = breaks === 'words' && space.end > start ? space : { end: index, width };
      finish(at.end);
      start = at.end;
      width -= at.width;
    }
    width += wide;
    if (segment === ' ') space = { end: index + 1, width };
  }
  finish(line.length);
  return rows;
}

function breakPlain(line: string, columns: number): Row[] {
  const rows = [{ start: 0, text: line.slice(0, columns) }];
  for (let start = columns; start < line.length; start += columns) rows.push({ start, text: line.slice(start, start + columns) });
  return rows;
}

/** A text without line feeds cut to a width, with an ellipsis where something is missing. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  const [row] = rowsOf(text, columns - 1, 'anywhere');
  return `${row?.text ?? ''}…`;
}
