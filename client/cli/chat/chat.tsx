// The conversation as a person sees it: who and by which path, the messages, and the line being typed. Everything it knows comes from
// a Client; everything others have written is made harmless before it is drawn.

import { Box, Text, useInput, useStdout } from 'ink';
import { useEffect, useRef, useState } from 'react';
import { SottoError } from '../../../crypto/error.js';
import type { Client, ContactView } from '../../client.js';
import { toSottoError } from '../exit.js';
import { STATE_WORDS } from '../message.js';
import { pathWords, relayWords } from '../status.js';
import { safeLine, safeText } from '../text.js';
import { duration, moment } from '../time.js';
import { numberLines } from '../verify.js';
import { type Conversation, useConversation } from './conversation.js';
import { type Draft, edit, EMPTY, firstCharacter, sends } from './draft.js';
import { MessageRows } from './message.js';
import { COLOUR } from './theme.js';
import { useScroll, Viewport } from './viewport.js';

/** How often the times in words are looked at. */
const CLOCK_MS = 15_000;
/** From this height on there is room for a line under the heading. */
const TALL_ROWS = 14;

const HELP = [
  'Enter sends, Alt-Enter begins a new line, PageUp and PageDown scroll, Esc leaves.',
  '/verify  /status  /quit   a text that begins with / is sent with //',
  ...Object.entries(STATE_WORDS).map(([word, meaning]) => `${word}: ${meaning}`),
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
  const { conversation, loadOlder } = useConversation(client, contact);
  const { messages } = conversation;
  const scroll = useScroll(messages.at(-1)?.id, loadOlder);
  const { draft, panel } = useTyping({ client, contact, conversation, scroll, onLeave });
  const unseen = useUnseen(client, contact, conversation, scroll.up > 0);
  return (
    // One row less than the terminal has: a frame of its full height would be drawn anew whole each time.
    <Box flexDirection="column" width={columns} height={rows - 1}>
      <Heading contact={contact} conversation={conversation} opened={client !== null} now={now} />
      {rows >= TALL_ROWS && <Text dimColor>{'─'.repeat(columns)}</Text>}
      <Viewport scroll={scroll}>
        {messages.length === 0 && <Text dimColor>No messages yet. Say hello.</Text>}
        {/* While the end is followed no more messages can be seen than there are rows. */}
        <MessageRows messages={scroll.up > 0 ? messages : messages.slice(-rows)} now={now} columns={columns} />
      </Viewport>
      {panel !== null && <Text dimColor>{safeText(panel)}</Text>}
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
      {opened && offline.map((relay) => <Text key={relay.url} {...COLOUR.warning} wrap="truncate-end">{relayWords(relay)}</Text>)}
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
    <Box flexShrink={0}>
      <Text {...COLOUR.own}>{'> '}</Text>
      <Text wrap="wrap">
        {safeText(draft.before)}
        <Text inverse>{visible}</Text>
        {safeText(visible === ' ' ? draft.after : draft.after.slice(atCursor.length))}
      </Text>
    </Box>
  );
}

interface Typing extends ChatProps {
  readonly conversation: Conversation;
  readonly scroll: ReturnType<typeof useScroll>;
}

/** The line being typed and what its commands have shown. */
function useTyping({ client, contact, conversation, scroll, onLeave }: Typing): { readonly draft: Draft; readonly panel: string | null } {
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
    if (text === '/quit') return onLeave();
    const answer = text.startsWith('/') && !text.startsWith('//')
      ? runCommand(text, client, contact, conversation)
      : sendText(text.replace(/^\/\//, '/'), client, contact);
    scroll.toEnd();
    answer.then(setPanel, (error: unknown) => {
      setPanel(toSottoError(error).message);
      if (latest.current === EMPTY) change({ before: text, after: '' });
    });
  };
  useInput((input, key) => {
    if (key.escape || (key.ctrl && input === 'c')) return onLeave();
    if (key.pageUp) return scroll.page(1);
    if (key.pageDown) return scroll.page(-1);
    if (key.end && scroll.up > 0) return scroll.toEnd();
    const sending = sends(input, key);
    if (!sending) return change(edit(latest.current, input, key));
    const { before, after } = latest.current;
    const text = (before + sending.typed + after).trim();
    if (text !== '') submit(text);
  });
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
      return [`${status.path === 'direct' ? 'Direct' : 'By the relay'} for ${duration(Date.now() - status.since)}: ${status.why}`,
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
