// The conversation as a person sees it: who and by which path, the messages, and the line being typed. Everything it knows comes from
// a Client; everything others have written is made harmless before it is drawn.

import { Box, Text, useInput, useStdout } from 'ink';
import { useEffect, useRef, useState } from 'react';
import { SottoError } from '../../../crypto/error.js';
import type { Client, ContactView } from '../../client.js';
import { toSottoError } from '../exit.js';
import { STATE_WORDS } from '../message.js';
import { pathWords } from '../status.js';
import { safeLine, safeText } from '../text.js';
import { moment } from '../time.js';
import { numberLines } from '../verify.js';
import { type Conversation, useConversation } from './conversation.js';
import { type Draft, edit, EMPTY, firstCharacter, insert } from './draft.js';
import { MessageRows } from './message.js';
import { COLOUR } from './theme.js';
import { type Scroll, useScroll, Viewport } from './viewport.js';

/** How often the times in words are looked at. */
const CLOCK_MS = 15_000;
/** What a terminal puts around a pasted text (the painter asks for it), as Ink passes it on. */
const PASTE_BEGINS = '[200~';
const PASTE_ENDS = '[201~';
/** From this height on there is room for a line under the heading. */
const TALL_ROWS = 14;

/** At most 40 columns wide and 6 lines high, so that the smallest terminal shows it. */
const HELP = [
  'PageUp, PageDown: scroll; Esc: leave',
  'Alt-Enter: new line; //x sends /x',
  '/verify  /status  /quit',
  Object.entries(STATE_WORDS).map(([word, meaning]) => `${word}: ${meaning}`).join('; '),
].join('\n');

export interface ChatProps {
  /** Null while the home is being opened. */
  readonly client: Client | null;
  readonly contact: ContactView;
  readonly onLeave: () => void;
}

export function Chat({ client, contact, onLeave }: ChatProps) {
  const { columns, rows } = useTerminalSize();
  const now = useNow();
  const { conversation, loadOlder, dismiss } = useConversation(client, contact);
  const { messages } = conversation;
  const scroll = useScroll(messages.at(-1)?.id, loadOlder);
  const { draft, panel } = useTyping({ client, contact, conversation, scroll, dismiss, onLeave });
  const unseen = useUnseen(client, contact, conversation, scroll.up > 0);
  return (
    <Box flexDirection="column" width={columns} height={rows} overflow="hidden">
      <Heading contact={contact} conversation={conversation} opened={client !== null} now={now} />
      {rows >= TALL_ROWS && <Text dimColor>{'─'.repeat(columns)}</Text>}
      <Viewport scroll={scroll}>
        {messages.length === 0 && <Text dimColor>No messages yet. Say hello.</Text>}
        {/* While the end is followed no more messages can be seen than there are rows. */}
        <MessageRows messages={scroll.up > 0 ? messages : messages.slice(-rows)} now={now} columns={columns} />
      </Viewport>
      {panel !== null && (
        <Box flexShrink={1} overflow="hidden">
          <Text dimColor>{safeText(panel)}</Text>
        </Box>
      )}
      <Hint unseen={unseen} conversation={conversation} scrolled={scroll.up > 0} />
      <DraftLine draft={draft} />
    </Box>
  );
}

function Heading({ contact, conversation, opened, now }: { contact: ContactView; conversation: Conversation; opened: boolean; now: number }) {
  const { status, offline } = conversation;
  const path = !opened ? 'opening …' : status ? pathWords(status, now) : '';
  return (
    <Box flexShrink={0} flexDirection="column">
      <Text wrap="truncate-end">
        <Text bold {...COLOUR.other}>{safeLine(contact.name)}</Text>
        <Text dimColor>{`  ${path}`}</Text>
      </Text>
      {opened && offline.map((relay) => (
        <Text key={relay.url} {...COLOUR.warning} wrap="truncate-end">{`relay offline, messages stay queued: ${safeLine(relay.url)} ${safeLine(relay.reason ?? '')}`}</Text>
      ))}
    </Box>
  );
}

function Hint({ unseen, conversation, scrolled }: { unseen: number; conversation: Conversation; scrolled: boolean }) {
  const news = unseen === 1 ? '1 new message below; End shows it' : `${unseen} new messages below; End shows them`;
  const usual = scrolled ? 'PageDown and End go back to the newest' : 'Enter sends  /help  Esc leaves';
  const words = unseen > 0 ? news : (conversation.notice ?? usual);
  const striking = unseen > 0 || conversation.notice !== null;
  return (
    <Box flexShrink={0}>
      <Text wrap="truncate-end" dimColor={!striking} {...(striking ? COLOUR.warning : {})}>{safeLine(words)}</Text>
    </Box>
  );
}

function DraftLine({ draft }: { draft: Draft }) {
  const atCursor = firstCharacter(draft.after);
  const visible = atCursor === '' || atCursor === '\n' ? ' ' : atCursor;
  return (
    // A draft of more lines than there is room for shows its last ones.
    <Box flexShrink={1} minHeight={1} overflow="hidden" alignItems="flex-end">
      <Box flexShrink={0}>
        <Text {...COLOUR.own}>{'> '}</Text>
      </Box>
      <Box flexShrink={1}>
        <Text wrap="wrap">
          {safeText(draft.before)}
          <Text inverse>{visible}</Text>
          {safeText(visible === ' ' ? draft.after : draft.after.slice(atCursor.length))}
        </Text>
      </Box>
    </Box>
  );
}

interface Typing extends ChatProps {
  readonly conversation: Conversation;
  readonly scroll: Scroll;
  readonly dismiss: () => void;
}

/** The line being typed and what its commands have shown. */
function useTyping({ client, contact, conversation, scroll, dismiss, onLeave }: Typing): { readonly draft: Draft; readonly panel: string | null } {
  const [draft, setDraft] = useState(EMPTY);
  const [panel, setPanel] = useState<string | null>(null);
  // Several keys may come between two drawings; each must see what the one before it did.
  const latest = useRef(draft);
  const change = (next: Draft) => {
    latest.current = next;
    setDraft(next);
  };
  const submit = (text: string) => {
    change(EMPTY);
    setPanel(null);
    dismiss();
    if (text === '/quit') return onLeave();
    const answer = text.startsWith('/') && !text.startsWith('//')
      ? runCommand(text, client, contact, conversation)
      : sendText(text.replace(/^\/\//, '/'), client, contact);
    scroll.toEnd();
    answer.then(setPanel, (error: unknown) => {
      setPanel(toSottoError(error).message);
      if (latest.current.before + latest.current.after === '') change({ before: text, after: '' });
    });
  };
  const enter = () => {
    const text = (latest.current.before + latest.current.after).trim();
    if (text === '') setPanel(null);
    else submit(text);
  };
  const pasting = useRef(false);
  useInput((input, key) => {
    if (input === PASTE_BEGINS || input === PASTE_ENDS) pasting.current = input === PASTE_BEGINS;
    else if (pasting.current) change(insert(latest.current, key.return ? '\n' : input));
    else if (key.escape || (key.ctrl && input === 'c')) onLeave();
    else if (key.pageUp) scroll.page(1);
    else if (key.pageDown) scroll.page(-1);
    else if (key.end && scroll.up > 0) scroll.toEnd();
    else if (key.return && !key.meta) enter();
    else if (key.meta || !input.includes('\r')) change(edit(latest.current, input, key));
    else typeLines(input);
  });
  // A quick typist, or a program, may give several keys at once.
  const typeLines = (input: string) => {
    for (const [index, line] of input.split('\r').entries()) {
      if (index > 0) enter();
      change(insert(latest.current, line));
    }
  };
  return { draft, panel };
}

async function sendText(text: string, client: Client | null, contact: ContactView): Promise<null> {
  await open(client).send(contact.id, text, { wait: 'queued' });
  return null;
}

async function runCommand(text: string, client: Client | null, contact: ContactView, { status }: Conversation): Promise<string> {
  switch (text) {
    case '/help':
      return HELP;
    case '/verify': {
      const { number } = await open(client).verify(contact.id);
      return ['Compare in person or on a call; both of you must see the same:', ...numberLines(number)].join('\n');
    }
    case '/status': {
      if (!status) return 'Not known yet.';
      const heard = status.heardAt === null ? 'never' : moment(status.heardAt, Date.now());
      return [`${pathWords(status, Date.now())}: ${status.why}`,
        ...(status.pair ? [`between ${status.pair.local} and ${status.pair.remote}`] : []),
        `policy ${status.policy}; heard from ${heard}; ${status.undelivered} not delivered yet`].join('\n');
    }
    default:
      return `There is no ${text.split(' ', 1)[0]}; /help lists what there is.`;
  }
}

function open(client: Client | null): Client {
  if (client) return client;
  throw new SottoError('owner-gone', 'One moment: the home is being opened again.');
}

/** Tells the contact what the person has seen, and counts what came while they were reading further up. */
function useUnseen(client: Client | null, contact: ContactView, { messages }: Conversation, scrolled: boolean): number {
  const [seen, setSeen] = useState(0);
  const received = messages.filter(({ direction }) => direction === 'in');
  const last = received.at(-1)?.position ?? 0;
  useEffect(() => {
    if (scrolled || !client || last === 0) return;
    setSeen(last);
    client.markRead(contact.id, last).catch(() => {});
  }, [client, contact, last, scrolled]);
  return scrolled ? received.filter(({ position }) => position > seen).length : 0;
}

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), CLOCK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function useTerminalSize(): { readonly columns: number; readonly rows: number } {
  const { stdout } = useStdout();
  const read = () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 });
  const [size, setSize] = useState(read);
  useEffect(() => {
    const update = () => setSize(read());
    stdout.on('resize', update);
    return () => void stdout.off('resize', update);
  }, [stdout]);
  return size;
}
