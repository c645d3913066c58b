// What a person does at the keyboard, as whole key presses and texts: bytes of a terminal in, presses out, all of one reading at once.
// It knows keys, not what they do.

import { EventEmitter } from 'node:events';
import { emitKeypressEvents, type Interface, type Key } from 'node:readline';
import { createPasteFilter, PAUSE_MS } from './paste.js';

/** A character typed, a text pasted, or a key that is not a text. Names as Node's readline gives them: `pageup`, `w` with ctrl. */
export type Press =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'key'; readonly name: string; readonly ctrl: boolean; readonly meta: boolean };

/** How long an escape character waits for the rest of a key before it is the Esc key. A distant terminal sends keys in one piece. */
const ESCAPE_MS = 50;

export interface Keyboard {
  /** Takes what the terminal has sent. */
  read(chunk: string): void;
  /** Calls back with the presses of each reading, in order, until the returned function is called. */
  subscribe(listener: (presses: readonly Press[]) => void): () => void;
}

export function createKeyboard(): Keyboard {
  const listeners = new Set<(presses: readonly Press[]) => void>();
  const filter = createPasteFilter();
  const keys = new EventEmitter();
  let presses: Press[] = [];
  let pasted: string | null = null;
  let reading = false;

  const flush = () => {
    const done = presses;
    presses = [];
    if (done.length > 0) for (const listener of listeners) listener(done);
  };
  keys.on('keypress', (text: string | undefined, { name, sequence = '', ctrl = false, meta = false }: Key) => {
    if (name === 'paste-start') {
      pasted = '';
    } else if (name === 'paste-end') {
      presses.push({ type: 'text', text: pasted ?? '' });
      pasted = null;
    } else if (pasted !== null) {
      pasted += sequence;
    } else if (text !== undefined && /^\P{Cc}/u.test(text)) {
      presses.push({ type: 'text', text });
    } else {
      presses.push({ type: 'key', name: name ?? '', ctrl, meta });
    }
    // A lone escape character becomes a key only after a while.
    if (!reading) flush();
  });
  // Both ask for more than they use: an input stream of which only events are taken, and an interface of which only the time is read.
  emitKeypressEvents(keys as NodeJS.ReadableStream, { escapeCodeTimeout: ESCAPE_MS } as unknown as Interface);

  const take = (text: string) => {
    reading = true;
    keys.emit('data', text);
    reading = false;
    flush();
  };
  let readings = 0;
  return {
    read: (chunk) => {
      const count = (readings += 1);
      take(filter.read(chunk));
      const pause = () => {
        if (count === readings) take(filter.pause());
      };
      // What has come while this process was busy is read before a pause is believed.
      setTimeout(() => setImmediate(pause), PAUSE_MS);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
