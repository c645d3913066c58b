// The conversation as a person sees it: who and by which path, the messages, and the text being typed. Everything it knows comes from
// a Client; everything others have written is made harmless before it is drawn.

import { Box } from 'ink';
import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { SottoError } from '../../../crypto/error.js';
import type { Client, ContactView } from '../../client.js';
import { TEXT_MAX_BYTES } from '../../core/body.js';
import { withCommands } from '../hint.js';
import { pathWords } from '../status.js';
import { safeLine, safeText } from '../text.js';
import { bytesOver, count } from './commands.js';
import { type Conversation, unreadOf, useConversation } from './conversation.js';
import { type Draft, draftRows } from './draft.js';
import type { Keyboard } from './keyboard.js';
import { type Line, line, LineRow, type Piece } from './line.js';
import { cut, rowsOf, widthOf } from './rows.js';
import { type Place, type Transcript, transcript } from './transcript.js';
import { type Scroll, useTyping } from './typing.js';
import { troubleWords } from './words.js';

/** How often the times in words are looked at. */
const CLOCK_MS = 15_000;
/** From this height on there is room for a line under the heading. */
const TALL_ROWS = 14;
/** Relays that are away are told of in so many lines at most; /status names all. */
const TROUBLES_MAX = 3;
/** Rows of the longest warning, with a command to type at its end; and those that it leaves to everything else. */
const HINT_ROWS_MAX = 6;
const ROWS_BESIDE_HINT = 4;
/** What of a long name is always shown in the heading. */
const NAME_COLUMNS = 12;
const PROMPT = '> ';
/** From here on the person is told how much more can be typed. */
const NEAR_LIMIT_BYTES = 2_000;

export interface ChatProps {
  /** Null while the home is being opened. */
  readonly client: Client | null;
  readonly contact: ContactView;
  /** The home that was given to this command, for commands to type next. */
  readonly home: string | undefined;
  readonly keyboard: Keyboard;
  readonly columns: number;
  readonly rows: number;
  /** Where the cursor stands from now on, counted from 0. */
  readonly onCursor: (row: number, column: number) => void;
  readonly onLeave: () => void;
  /** Nothing more can be shown or sent. */
  readonly onFailure: (error: SottoError) => void;
}

export function Chat({ client, contact, home, keyboard, columns, rows, onCursor, onLeave, onFailure }: ChatProps) {
  const now = useNow();
  const { conversation, loadOlder, dismiss } = useConversation(client, contact, onFailure);
  const { messages } = conversation;
  const column = transcript(messages, columns, now);
  const height = useRef(1);
  const { end, scroll } = useScroll(column, height, loadOlder);
  // What the person reads beside the messages now.
  const told = useRef<string | null>(null);
  const onEnter = () => {
    if (told.current !== null) dismiss(told.current);
    scroll.move('end');
  };
  const draftColumns = columns - PROMPT.length;
  const { draft, panel } = useTyping({ keyboard, client, contact, columns: draftColumns, scroll, onEnter, onLeave, onFailure });
  const unseen = useUnseen(client, contact, conversation, end !== null);

  const head = headLines(contact, conversation, client !== null, { columns, rows, now });
  const typed = draftLines(draft, draftColumns, Math.max(1, Math.floor(rows / 3)));
  const unread = unreadOf(conversation);
  const pressing = pressingOf(draft, unseen);
  told.current = pressing === null ? unread[0] ?? null : null;
  const hint = pressing === null && unread.length > 0
    ? unreadLines(unread, home, columns, rows)
    : hintLines(pressing ?? quietHint(draft, end !== null, panel !== null), columns, rows);
  const room = rows - head.length - hint.length - typed.lines.length;
  const said = panel === null ? [] : rowsOf(withCommands(safeText(panel), home), columns, 'words').slice(0, Math.max(0, room - 1)).map(({ text }) => line(text, 'quiet'));
  height.current = Math.max(1, room - said.length);
  const isNew = messages.length === 0 && conversation.status !== null;
  const seen = isNew ? [line('No messages yet. Say hello.', 'quiet')] : column.view(end, height.current).lines;
  const blank: Line[] = Array.from({ length: Math.max(0, height.current - seen.length) }, () => []);
  // In a terminal of three lines what is typed is worth most.
  const screen = [...head, ...blank, ...seen, ...said, ...hint, ...typed.lines].slice(-rows);

  useLayoutEffect(() => {
    onCursor(screen.length - typed.lines.length + typed.row, PROMPT.length + typed.column);
  });
  return (
    <Box flexDirection="column" width={columns} height={rows} overflow="hidden">
      {screen.map((each, index) => <LineRow key={index} pieces={each} />)}
    </Box>
  );
}

function headLines(contact: ContactView, { status, blocked, relays }: Conversation, opened: boolean, { columns, rows, now }: { columns: number; rows: number; now: number }): Line[] {
  const path = !opened ? 'opening …' : blocked ? 'blocked; /unblock takes them back' : status ? pathWords(status, now) : '';
  const name = cut(safeLine(contact.name), Math.max(NAME_COLUMNS, columns - widthOf(path) - 2));
  const troubles = opened ? relays.map(troubleWords).filter((words) => words !== '') : [];
  return [
    [{ text: name, look: 'other' }, { text: `  ${path}`, look: 'quiet' }],
    ...troubles.slice(0, rows >= TALL_ROWS ? TROUBLES_MAX : 1).map((words) => line(words, 'warning')),
    ...(rows >= TALL_ROWS ? [line('─'.repeat(columns), 'quiet')] : []),
  ];
}

/** What is more worth saying now than any warning; null if nothing is. */
function pressingOf(draft: Draft, unseen: number): Piece | null {
  const over = overOf(draft);
  if (over > 0) return { text: `${count(over)} too long to be sent`, look: 'failure' };
  if (unseen > 0) return { text: unseen === 1 ? '1 new message below; End shows it' : `${unseen} new messages below; End shows them`, look: 'warning' };
  return null;
}

function quietHint(draft: Draft, scrolled: boolean, answered: boolean): Piece {
  const over = overOf(draft);
  if (over > -NEAR_LIMIT_BYTES) return { text: `room for ${count(-over)} more of ${count(TEXT_MAX_BYTES)}`, look: 'quiet' };
  return { text: scrolled ? 'PageDown and End go back to the newest' : `Enter sends  /help  Esc ${answered ? 'closes this' : 'leaves'}`, look: 'quiet' };
}

function overOf({ before, after }: Draft): number {
  return bytesOver((before + after).trimEnd());
}

function hintLines({ text, look }: Piece, columns: number, rows: number): Line[] {
  return rowsOf(text, columns, 'words').slice(0, rows >= TALL_ROWS ? HINT_ROWS_MAX : 1).map((row) => line(row.text, look));
}

/** The first of what is to be read, as much of it as the screen has room for, and that there is more. */
function unreadLines([first = '', ...others]: readonly string[], home: string | undefined, columns: number, rows: number): Line[] {
  const words = others.length === 1 ? 'Enter shows one more' : `Enter shows the next of ${others.length} more`;
  const more = others.length === 0 ? [] : [line(cut(words, columns), 'quiet')];
  const room = Math.max(1, Math.min(HINT_ROWS_MAX, rows - ROWS_BESIDE_HINT) - more.length);
  return [...rowsOf(withCommands(safeLine(first), home), columns, 'words').slice(0, room).map(({ text }) => line(text, 'warning')), ...more];
}

/** The part of a draft around its cursor, and where the cursor is in it. */
function draftLines(draft: Draft, columns: number, height: number): { readonly lines: readonly Line[]; readonly row: number; readonly column: number } {
  const { rows, row, column } = draftRows({ before: safeText(draft.before), after: safeText(draft.after) }, columns);
  const first = Math.max(0, Math.min(row - Math.floor(height / 2), rows.length - height));
  const lines = rows.slice(first, first + height).map(({ text }, index): Line => [
    { text: first + index === 0 ? PROMPT : ' '.repeat(PROMPT.length), look: 'own' }, { text, look: 'plain' },
  ]);
  return { lines, row: row - first, column };
}

/** Which part of the messages is seen, in a window of the height that it had when it was last drawn. */
function useScroll(column: Transcript, height: RefObject<number>, onTop: () => void): { readonly end: Place; readonly scroll: Scroll } {
  const [end, setEnd] = useState<Place>(null);
  // Several presses may come between two drawings.
  const latest = useRef(end);
  const move: Scroll['move'] = (by) => {
    const page = Math.max(1, height.current - 1);
    const rows = by === 'page-up' ? -page : by === 'page-down' ? page : by;
    latest.current = rows === 'end' ? null : column.move(latest.current, rows, height.current);
    setEnd(latest.current);
    if (column.view(latest.current, height.current).atTop) onTop();
  };
  return { end, scroll: { move, isUp: () => latest.current !== null } };
}

/** Tells the contact what the person has seen, and counts what came while they were reading further up. */
function useUnseen(client: Client | null, contact: ContactView, { messages }: Conversation, scrolled: boolean): number {
  const [seen, setSeen] = useState(0);
  const last = messages.findLast(({ direction }) => direction === 'in')?.position ?? 0;
  useEffect(() => {
    if (scrolled || !client || last === 0) return;
    setSeen(last);
    client.markRead(contact.id, last).catch(() => {});
  }, [client, contact, last, scrolled]);
  return scrolled ? messages.filter(({ direction, position }) => direction === 'in' && position > seen).length : 0;
}

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), CLOCK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}
