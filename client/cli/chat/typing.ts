// What the keys do: the draft, what its commands have answered, and where the person looks. It draws nothing.

import { useEffect, useRef, useState } from 'react';
import type { SottoError } from '../../../crypto/error.js';
import type { Client, ContactView } from '../../client.js';
import { toSottoError } from '../exit.js';
import { NotBegun } from '../rpc.js';
import { bytesOver, count, perform } from './commands.js';
import { type Draft, edit, EMPTY, moveByRow } from './draft.js';
import type { Keyboard, Press } from './keyboard.js';

/** Longest draft in characters of UTF-16: what a person pastes by mistake must not stop the program. */
export const DRAFT_MAX_LENGTH = 1_000_000;

const OPENING = 'One moment: the home is being opened. Press Enter again then.';
const LEAVING = 'Press Esc or Ctrl-C again to leave without sending what you have typed.';
const PASTE_TOO_LONG = 'That is too much to be pasted here; nothing of it was taken.';

/** What is seen of the messages. */
export interface Scroll {
  /** Moves it by rows (negative: up), by a windowful, or to the newest. */
  readonly move: (by: number | 'page-up' | 'page-down' | 'end') => void;
  /** Whether the newest messages are out of sight. */
  readonly isUp: () => boolean;
}

export interface TypingOptions {
  readonly keyboard: Keyboard;
  readonly client: Client | null;
  readonly contact: ContactView;
  /** Columns in which the draft is shown. */
  readonly columns: number;
  readonly scroll: Scroll;
  /** Something was entered, or nothing: what stands on the screen beside the messages has been read. */
  readonly onEnter: () => void;
  readonly onLeave: () => void;
  readonly onFailure: (error: SottoError) => void;
}

export interface Typing {
  readonly draft: Draft;
  /** What the last command has answered, or why nothing was sent; null if there is nothing to say. */
  readonly panel: string | null;
}

export function useTyping(options: TypingOptions): Typing {
  const [shown, setShown] = useState<Typing>({ draft: EMPTY, panel: null });
  // Several presses may come between two drawings; each must see what the one before it did.
  const latest = useRef(shown);
  const change = (next: Partial<Typing>) => setShown(latest.current = { ...latest.current, ...next });

  const enter = () => {
    const { client, contact, onEnter, onFailure } = options;
    const { before, after } = latest.current.draft;
    const text = (before + after).trimEnd();
    if (text === '') {
      onEnter();
      return change({ panel: null });
    }
    if (text.trim() === '/quit') return options.onLeave();
    if (!client) return change({ panel: OPENING });
    if (bytesOver(text) > 0) return change({ panel: `Not sent: this is ${count(bytesOver(text))} too long. Shorten it, or send it in parts.` });
    change({ draft: EMPTY, panel: null });
    onEnter();
    perform(text, client, contact).then((panel) => panel !== null && change({ panel }), (thrown: unknown) => {
      const error = toSottoError(thrown);
      if (error.fault === 'disk') return onFailure(error);
      // What was not sent stands before what has been typed since.
      const { draft } = latest.current;
      const behind = draft.before + draft.after === '' ? '' : '\n';
      change({ draft: { before: text + behind + draft.before, after: draft.after }, panel: thrown instanceof NotBegun ? OPENING : error.message });
    });
  };
  const escape = () => {
    const { panel } = latest.current;
    if (panel !== null && panel !== LEAVING) change({ panel: null });
    else if (options.scroll.isUp()) options.scroll.move('end');
    else leave();
  };
  // What has been typed is not thrown away by one key.
  const leave = () => {
    const { draft, panel } = latest.current;
    if (draft.before + draft.after === '' || panel === LEAVING) options.onLeave();
    else change({ panel: LEAVING });
  };
  const moveRow = (direction: -1 | 1) => {
    const draft = moveByRow(latest.current.draft, direction, options.columns);
    if (draft) change({ draft });
    else options.scroll.move(direction);
  };
  const type = (press: Press) => {
    const { draft } = latest.current;
    if (press.type === 'text' && draft.before.length + draft.after.length + press.text.length > DRAFT_MAX_LENGTH) return change({ panel: PASTE_TOO_LONG });
    const edited = edit(draft, press);
    if (edited) change({ draft: edited });
  };
  const press = (given: Press) => {
    if (given.type === 'text') return type(given);
    const { name, ctrl, meta } = given;
    if (ctrl && name === 'c') return leave();
    if (ctrl && name === 'x') return change({ draft: EMPTY, panel: null });
    if (name === 'escape') return escape();
    if (name === 'pageup') return options.scroll.move('page-up');
    if (name === 'pagedown') return options.scroll.move('page-down');
    if (name === 'end' && options.scroll.isUp()) return options.scroll.move('end');
    if (name === 'up') return moveRow(-1);
    if (name === 'down') return moveRow(1);
    if ((name === 'return' || name === 'enter') && !meta) return enter();
    type(given);
  };

  const handle = useRef(press);
  handle.current = press;
  const { keyboard } = options;
  useEffect(() => keyboard.subscribe((presses) => {
    for (const each of presses) handle.current(each);
  }), [keyboard]);
  return shown;
}
