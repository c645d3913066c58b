// `sotto listen`: every received message, in order, exactly once, and what happens beside. It keeps its place in a cursor (cursor.ts)
// and takes messages from the history alone; a live event only says that there is something to take.

import { SottoError } from '../../crypto/error.js';
import type { ClientEvent, ContactStatus, MessageView } from '../client.js';
import { homeFiles, lockHome } from '../home.js';
import { type Cursor, openCursor } from './cursor.js';
import { messageLine, stateWords } from './message.js';
import { homeOf, type HomeOptions, type Opened, stayWithClient } from './open.js';
import { writeLine, writeNote } from './output.js';
import { requestWords } from './requests.js';
import { PATH_NAMES, relayWords } from './status.js';
import { stopRequested } from './stop.js';
import { jsonLine, safeLine, safeText } from './text.js';
import { clock } from './time.js';

const PAGE = 100;
/** How long a path has to hold before a person is told of it: one that comes and goes is no news. */
const PATH_SETTLE_MS = 2_000;

export async function listen(options: HomeOptions): Promise<void> {
  const json = options.json ?? false;
  const stop = stopRequested();
  await stayWithClient(options, async (opened) => {
    const home = homeOf(options);
    const unlock = lockHome(home, 'listen');
    const cursor = openCursor(homeFiles(home).shown);
    try {
      if (!json) await writeNote(`Listening as ${safeLine((await opened.client.status()).identity.name)}; Ctrl-C ends.`);
      return await show(opened, cursor, json, stop, writeLine);
    } finally {
      cursor.close();
      unlock();
    }
  });
}

/** Shows everything past the cursor, then whatever happens, until the owner of the home is gone or the person has had enough. */
export async function show(
  { client, gone }: Pick<Opened, 'client' | 'gone'>,
  cursor: Cursor,
  json: boolean,
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
        await write(json ? jsonLine(messageEvent(message, cursor)) : messageLine(message, Date.now()));
        cursor.finish(message.position);
      }
      more = messages.length === PAGE;
    }
  };
  const { add, failed, rest } = inOrder();
  const paths = settledPaths((contact) => add(() => write(pathLine(contact))));
  const unsubscribe = client.subscribe((event) => {
    if (event.type === 'message') add(showNew);
    // Nothing more will come: end, so that whoever watches this command notices.
    else if (event.type === 'notice' && event.code === 'store-failed') add(() => Promise.reject(new SottoError('store-failed')));
    else if (json) add(() => write(jsonLine(plainEvent(event))));
    else if (event.type === 'path') paths.changed(event.contact);
    else if (!isOwnDoing(event)) add(() => write(eventLine(event, Date.now())));
  });
  add(showNew);
  try {
    return await Promise.race([stop.then(() => 'ended' as const), gone.then(() => 'gone' as const), failed]);
  } finally {
    over = true;
    unsubscribe();
    paths.stop();
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

/** Tells which path a contact has when it has held for a while, and never the same path twice in a row. */
function settledPaths(tell: (contact: ContactStatus) => void) {
  const timers = new Map<string, NodeJS.Timeout>();
  const told = new Map<string, string>();
  const settle = (contact: ContactStatus) => {
    if (told.get(contact.id) === contact.path) return;
    told.set(contact.id, contact.path);
    tell(contact);
  };
  return {
    changed(contact: ContactStatus) {
      clearTimeout(timers.get(contact.id));
      timers.set(contact.id, setTimeout(settle, PATH_SETTLE_MS, contact));
    },
    stop: () => timers.forEach((timer) => clearTimeout(timer)),
  };
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
function eventLine(event: Exclude<OtherEvent, { readonly type: 'path' }>, now: number): string {
  return `${clock(now)}  * ${eventWords(event)}`;
}

function eventWords(event: Exclude<OtherEvent, { readonly type: 'path' }>): string {
  switch (event.type) {
    case 'state': return `to ${safeLine(event.message.contact.name)}: ${stateWords(event.message)}`;
    case 'contact': return `${safeLine(event.contact.name)} is your contact now`;
    case 'request': return requestWords(event.request);
    case 'relay': return relayWords(event.relay);
    case 'notice': return `${event.contact ? `${safeLine(event.contact.name)}: ` : ''}${safeText(event.text)}`;
  }
}
