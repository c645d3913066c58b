// The messages as rows of the screen, and the part of them that is seen. Only what is looked at is ever broken into rows, so that
// thousands of messages cost no more than a screenful. It knows nothing of keys.

import type { MessageView } from '../../client.js';
import { messageTime, reasonWords, stateWords } from '../message.js';
import { safeLine, safeText } from '../text.js';
import { clock, dayName } from '../time.js';
import { type Line, line, type Look, type Piece } from './line.js';
import { cut, rowsOf } from './rows.js';

const MINUTE_MS = 60_000;
/** From this width on there is room for "just now" beside each message. */
const WIDE_COLUMNS = 60;
/** Stands before each own message, where no text of another can come: a contact may be called "you". */
const OWN_MARK = '> ';

/** A row of a message that the screen stays on; null follows the newest. */
export type Place = { readonly id: string; readonly row: number } | null;

/** What is seen of a conversation. */
export interface View {
  readonly lines: readonly Line[];
  /** Whether the first row of all is among them. */
  readonly atTop: boolean;
}

/** The messages of a conversation as one long column of rows. */
export interface Transcript {
  /** @param end where the lowest row of the window is. */
  view(end: Place, height: number): View;
  /** The end of a window moved up (negative) or down by some rows. */
  move(end: Place, rows: number, height: number): Place;
}

interface Spot {
  readonly index: number;
  readonly row: number;
}

export function transcript(messages: readonly MessageView[], columns: number, now: number): Transcript {
  const rowsAt = (index: number) => rowsOfMessage(messages[index]!, messages[index - 1], columns, now);
  const newest = (): Spot => ({ index: messages.length - 1, row: rowsAt(messages.length - 1).length - 1 });
  const spotOf = (place: Place): Spot => {
    if (!place) return newest();
    const index = Math.max(0, messages.findIndex(({ id }) => id === place.id));
    return { index, row: Math.min(place.row, rowsAt(index).length - 1) };
  };
  const up = ({ index, row }: Spot, by: number): Spot => {
    if (by <= row) return { index, row: row - by };
    return index === 0 ? { index, row: 0 } : up({ index: index - 1, row: rowsAt(index - 1).length - 1 }, by - row - 1);
  };
  const down = ({ index, row }: Spot, by: number): Spot => {
    const below = rowsAt(index).length - 1 - row;
    if (by <= below) return { index, row: row + by };
    return index === messages.length - 1 ? newest() : down({ index: index + 1, row: 0 }, by - below - 1);
  };
  return {
    view: (end, height) => {
      if (messages.length === 0) return { lines: [], atTop: true };
      const top = up(spotOf(end), height - 1);
      const lines: Line[] = [];
      for (let { index, row } = top; index < messages.length && lines.length < height; index += 1, row = 0) lines.push(...rowsAt(index).slice(row));
      return { lines: lines.slice(0, height), atTop: top.index === 0 && top.row === 0 };
    },
    move: (end, rows, height) => {
      if (messages.length === 0) return null;
      const top = up(spotOf(end), height - 1);
      const moved = rows < 0 ? down(up(top, -rows), height - 1) : down(down(top, height - 1), rows);
      const last = newest();
      return moved.index === last.index && moved.row === last.row ? null : { id: messages[moved.index]!.id, row: moved.row };
    },
  };
}

/** What a message was broken into last. A message that changes is another object. */
const broken = new WeakMap<MessageView, { readonly key: string; readonly lines: readonly Line[] }>();

function rowsOfMessage(message: MessageView, previous: MessageView | undefined, columns: number, now: number): readonly Line[] {
  const at = messageTime(message);
  const day = dayName(at, now);
  const dayLine = previous && dayName(messageTime(previous), now) === day ? '' : `── ${day} ──`;
  const time = timeWord(at, now, columns >= WIDE_COLUMNS);
  const key = `${columns} ${time} ${dayLine}`;
  const known = broken.get(message);
  if (known?.key === key) return known.lines;
  const lines = [...(dayLine === '' ? [] : [line(cut(dayLine, columns), 'quiet')]), ...messageLines(message, time, columns)];
  broken.set(message, { key, lines });
  return lines;
}

function timeWord(at: number, now: number, wide: boolean): string {
  const word = Math.abs(now - at) >= MINUTE_MS ? clock(at) : wide ? 'just now' : 'now';
  return word.padEnd(wide ? 10 : 6);
}

/** A message's rows: time and mark in columns of their own, then the name, the text and, of an own message, its state. */
function messageLines(message: MessageView, time: string, columns: number): Line[] {
  const own = message.direction === 'out';
  const indent = ' '.repeat(time.length + OWN_MARK.length);
  const room = Math.max(2, columns - indent.length);
  const name = own ? 'you' : cut(safeLine(message.contact.name), Math.ceil(room / 2));
  // Spaces that don't break keep the state in one piece.
  const state = own ? `\u00a0${stateWords({ ...message, reason: null }).replaceAll(' ', '\u00a0')}` : '';
  const rows = rowsOf(`${name}  ${safeText(message.text)}${own ? ` ${state}` : ''}`, room, 'words');
  const lines = rows.map(({ text }, index): Line => {
    const first = index === 0 && text.startsWith(name);
    const last = own && index === rows.length - 1 && text.endsWith(state);
    const middle = text.slice(first ? name.length : 0, last ? -state.length : undefined);
    const pieces: Piece[] = [
      index === 0 ? { text: time + (own ? OWN_MARK : '  '), look: 'quiet' } : { text: indent, look: 'plain' },
      ...(first ? [{ text: name, look: own ? 'own' : 'other' } as const] : []),
      { text: middle, look: 'plain' },
      ...(last ? [{ text: state, look: lookOfState(message) }] : []),
    ];
    return pieces.filter(({ text: piece }) => piece !== '');
  });
  const why = whyWords(message);
  if (why === '') return lines;
  return [...lines, ...rowsOf(why, room, 'words').map(({ text }) => line(indent + text, lookOfState(message)))];
}

/** Why a message is not on its way; nothing where the heading says it: the relay can't be reached. */
function whyWords({ direction, state, reason }: MessageView): string {
  const said = direction === 'in' || reason === null || (state === 'queued' && reason === 'relay-unreachable');
  return said ? '' : `${reasonWords(reason)}.`;
}

function lookOfState({ state }: MessageView): Look {
  return state === 'failed' ? 'failure' : 'quiet';
}
