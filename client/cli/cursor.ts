// How far `sotto listen` has shown the messages: one small file of two positions, so that a listener that is killed at any moment
// neither loses a message nor shows one twice unknowingly. It knows positions, not messages.
//
//   before a line is written   done 41, intent 42
//   after it is written        done 42, intent 42
//
// A process that is killed leaves one of the two; only the first leaves a doubt, and that message is shown once more, marked.
// A page written to the kernel outlives the process, so nothing is flushed.

import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { SottoError } from '../../crypto/error.js';

/** Two decimal positions of fixed width, a space between and a line feed: one write, never torn by a kill. */
const DIGITS = 16;
const FILE_BYTES = 2 * DIGITS + 2;

export interface Cursor {
  /** Everything up to this position has been shown. */
  readonly done: number;
  /** The position of the message that was being shown when the last listener was killed; 0 if none is in doubt. */
  readonly doubtful: number;
  /** Remembers that this message is about to be shown. */
  intend(position: number): void;
  /** Remembers that it was. */
  finish(position: number): void;
  close(): void;
}

/** Opens the cursor; a file that does not exist starts at 0. Throws `store-damaged` if it does not read as ours. */
export function openCursor(path: string): Cursor {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  let { done, intent } = read(file, path);
  const doubtful = intent > done ? intent : 0;
  const write = () => void writeSync(file, `${digits(done)} ${digits(intent)}\n`, 0);
  return {
    get done() {
      return done;
    },
    doubtful,
    intend(position) {
      intent = position;
      write();
    },
    finish(position) {
      done = position;
      intent = position;
      write();
    },
    close: () => closeSync(file),
  };
}

function read(file: number, path: string): { done: number; intent: number } {
  const bytes = Buffer.alloc(FILE_BYTES + 1);
  const text = bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0));
  if (text === '') return { done: 0, intent: 0 };
  const match = /^(\d{16}) (\d{16})\n$/.exec(text);
  if (!match) throw new SottoError('store-damaged', `${path} is damaged; delete it, and "sotto listen" shows everything once more.`);
  return { done: Number(match[1]), intent: Number(match[2]) };
}

function digits(position: number): string {
  return String(position).padStart(DIGITS, '0');
}
