// One row of the screen: pieces of text, each with the way it looks. What a row says is not known here.

import { Text, type TextProps } from 'ink';
import { memo } from 'react';

/** A piece of a row. The text has passed safeLine() or safeText(). */
export interface Piece {
  readonly text: string;
  readonly look: Look;
}

export type Line = readonly Piece[];
export type Look = 'plain' | 'quiet' | 'own' | 'other' | 'warning' | 'failure';

/** No colours where the person has said so (no-color.org). These can be read on a dark and on a light ground; yellow, green and cyan can't. */
const coloured = process.env['NO_COLOR'] ? {} : { other: { color: 'magenta' }, warning: { color: 'magenta' }, failure: { color: 'red' } };

const LOOKS: Readonly<Record<Look, TextProps>> = {
  plain: {},
  quiet: { dimColor: true },
  own: { bold: true },
  other: { bold: true, ...coloured.other },
  warning: { bold: true, ...coloured.warning },
  failure: { bold: true, ...coloured.failure },
};

/** Memoised: a key press draws no row anew that has stayed the same. */
export const LineRow = memo(function LineRow({ pieces }: { pieces: Line }) {
  return (
    <Text wrap="truncate-end">
      {/* A row of no height would move those below it. */}
      {pieces.length === 0 && ' '}
      {pieces.map(({ text, look }, index) => <Text key={index} {...LOOKS[look]}>{text}</Text>)}
    </Text>
  );
});

/** A row that looks the same from end to end. */
export function line(text: string, look: Look = 'plain'): Line {
  return [{ text, look }];
}
