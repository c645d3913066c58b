// `sotto listen`: every received message, in order, exactly once but for one in doubt, which says so, and what happens beside. It keeps its place in a cursor (cursor.ts)
// and takes messages from the history alone; a live event only says that there is something to take.

import type { Client, ClientEvent, ContactStatus, MessageView, RelayStatus, StatusView } from '../client.js';
import { homeFiles, lockHome } from '../home.js';
import { type Cursor, openCursor } from './cursor.js';
import { failureIn } from './exit.js';
import { withCommands } from './hint.js';
import { messageLine, stateWords } from './message.js';
import { homeOf, type HomeOptions, type Opened, stayWithClient } from './open.js';
import { writeLine, writeNote } from './output.js';
import { requestWords } from './requests.js';
import { PATH_NAMES, relayWords } from './status.js';
import { stopRequested } from './stop.js';
import { jsonLine, safeLine, safeText } from './text.js';
import { clock } from './time.js';

const PAGE = 100;
/** How long a path or a relay has to hold before a person is told of it: one that comes and goes is no news. */
const SETTLE_MS = 2_000;

export async function listen(options: HomeOptions): Promise<void> {
  const json = options.json ?? false;
  const stop = stopRequested();
  await stayWithClient(options, async (opened) => {
    const home = homeOf(options);
    const unlock = lockHome(home, 'listen');
    const cursor = openCursor(homeFiles(home).shown);
    try {
      if (!json) await writeNote(await greeting(opened.client, cursor));
      return await show(opened, cursor, options, stop, writeLine);
    } finally {
      cursor.close();
      unlock();
    }
  });
}

// The place is the listener's own: what another program has shown is shown by this one too, or a bot would lose what its owner reads.
async function greeting(client: Client, cursor: Cursor): Promise<string> {
  const [waiting] = await client.history(null, { after: cursor.done, direction: 'in', limit: 1 });
  const { identity } = await client.status();
  const first = waiting === undefined ? '' : ' What "listen" has not shown yet comes first, though "chat" may have shown it.';
  return `Listening as ${safeLine(identity.name)}; Ctrl-C ends.${first}`;
}

/** Shows everything past the cursor, then whatever happens, until the owner of the home is gone or the person has had enough. */
export async function show(
  { client, gone }: Pick<Opened, 'client' | 'gone'>,
  cursor: Cursor,
  { json = false, home }: HomeOptions,
  stop: Promise<void>,
  write: (line: string) => Promise<void>,
): Promise<'ended' | 'gone'> {
  let over = false;
  const showNew = async () => {
    for (let more = true; more;) {
      const messages = await client.history(null, { after: cursor.done, direction: 'in', limit: PAGE });
      for (const message of messages) {
        if (over) return;
        cursor.intend(message.position);
        await write(json ? jsonLine(messageEvent(message, cursor)) : `${messageLine(message, Date.now())}${message.position === cursor.doubtful ? '  [perhaps shown before]' : ''}`);
        cursor.finish(message.position);
      }
      more = messages.length === PAGE;
    }
  };
  const { add, failed, rest } = inOrder();
  const news = settled();
  // What a person finds at the beginning is told if it is in their way; later only what has changed.
  const showState = ({ relays, contacts }: StatusView) => {
    if (over) return;
    for (const { id, path } of contacts) news.known(id, path);
    for (const relay of relays) {
      news.known(relay.url, relayState(relay));
      if (relay.reason !== null) add(() => write(json ? jsonLine({ type: 'relay', relay }) : eventLine({ type: 'relay', relay }, home)));
    }
  };
  const tellPath = (contact: ContactStatus) => {
    // That a relay is away is told of the relay.
    if (contact.connected) news.changed(contact.id, contact.path, () => add(() => write(pathLine(contact))));
    else news.cancel(contact.id);
  };
  const unsubscribe = client.subscribe((event) => {
    const failure = failureIn(event);
    if (event.type === 'message') add(showNew);
    // Nothing more will come: end, so that whoever watches this command notices.
    else if (failure !== null) add(() => Promise.reject(failure));
    else if (json) add(() => write(jsonLine(plainEvent(event))));
    else if (event.type === 'path') tellPath(event.contact);
    else if (event.type === 'relay') news.changed(event.relay.url, relayState(event.relay), () => add(() => write(eventLine(event, home))));
    else if (!isOwnDoing(event)) add(() => write(eventLine(event, home)));
  });
  add(showNew);
  // Beside the messages, for it waits until the relays have answered.
  client.status().then(showState, () => {});
  try {
    return await Promise.race([stop.then(() => 'ended' as const), gone.then(() => 'gone' as const), failed]);
  } finally {
    over = true;
    unsubscribe();
    news.stop();
    await rest();
  }
}

/** Steps that run one after the other; `failed` rejects with the first that fails, and none runs after it. */
function inOrder() {
  let last = Promise.resolve();
  let fail: (error: unknown) => void;
  const failed = new Promise<never>((_resolve, reject) => (fail = reject));
  const add = (step: () => Promise<void>) => {
    last = last.then(step);
    last.catch(fail);
  };
  return { add, failed, rest: () => last.catch(() => {}) };
}

/** Tells the state of a subject when it has held for a while, and never the same state twice in a row. */
function settled() {
  const timers = new Map<string, NodeJS.Timeout>();
  const told = new Map<string, string>();
  const cancel = (subject: string) => clearTimeout(timers.get(subject));
  const settle = (subject: string, state: string, tell: () => void) => {
    if (told.get(subject) === state) return;
    told.set(subject, state);
    tell();
  };
  return {
    cancel,
    known: (subject: string, state: string) => void told.set(subject, state),
    changed(subject: string, state: string, tell: () => void) {
      cancel(subject);
      timers.set(subject, setTimeout(settle, SETTLE_MS, subject, state, tell));
    },
    stop: () => timers.forEach((timer) => clearTimeout(timer)),
  };
}

function relayState({ online, reason }: RelayStatus): string {
  return `${online} ${reason}`;
}

function messageEvent({ id, contact, text, sentAt, receivedAt, path, position }: MessageView, cursor: Cursor): object {
  const again = position === cursor.doubtful ? { again: true } : {};
  return { type: 'message', id, contact, text, sentAt, receivedAt, path, ...again };
}

type OtherEvent = Exclude<ClientEvent, { readonly type: 'message' }>;

function plainEvent(event: OtherEvent): object {
  if (event.type !== 'state') return event;
  const { id, contact, state, path, reason } = event.message;
  return { type: 'state', id, contact, state, path, reason };
}

function pathLine({ name, path, since, why }: ContactStatus): string {
  return `${clock(since)}  * ${safeLine(name)}: ${PATH_NAMES[path]}: ${safeLine(why)}`;
}

/** Whether an own message has just been written, which is no news to whoever wrote it. */
function isOwnDoing(event: OtherEvent): boolean {
  return event.type === 'state' && event.message.state === 'queued' && event.message.reason === null;
}

/** "14:02  * to Bob: delivered, direct". */
function eventLine(event: Exclude<OtherEvent, { readonly type: 'path' }>, home: string | undefined): string {
  return `${clock(Date.now())}  * ${eventWords(event, home)}`;
}

function eventWords(event: Exclude<OtherEvent, { readonly type: 'path' }>, home: string | undefined): string {
  switch (event.type) {
    case 'state': return `to ${safeLine(event.message.contact.name)}: ${stateWords(event.message)}`;
    case 'contact': return `${safeLine(event.contact.name)} is your contact now`;
    case 'removed': return `${safeLine(event.contact.name)} is removed from your contacts`;
    case 'request': return requestWords(event.request);
    case 'relay': return relayWords(event.relay);
    case 'notice': return `${event.contact ? `${safeLine(event.contact.name)}: ` : ''}${withCommands(safeText(event.text), home)}`;
  }
}
