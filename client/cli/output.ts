// The two outputs of a command. Writing is synchronous, so that what is written is out before the process ends and before the
// next step is taken. Process output streams are never touched here: they would make the pipes non-blocking.

import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SottoError } from '../../crypto/error.js';
import { jsonLine } from './text.js';

/** How long to wait before a full pipe is tried again. */
const FULL_PIPE_MS = 10;

/** Whoever read our output has gone. */
export class ReaderGone extends Error {}

/** Writes text and a line feed to file descriptor 1, whole. Rejects with ReaderGone when nobody reads any more, and with `file-failed`. */
export async function writeLine(text: string): Promise<void> {
  await writeAll(1, `${text}\n`);
}

/** Writes one line of JSON to file descriptor 1. */
export async function writeJson(value: unknown): Promise<void> {
  await writeLine(jsonLine(value));
}

/** Writes a line for the person beside the output: progress, prompts, errors. */
export async function writeNote(text: string): Promise<void> {
  await writeAll(2, `${text}\n`);
}

async function writeAll(file: number, text: string): Promise<void> {
  let rest: Uint8Array = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(file, rest));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EPIPE') throw new ReaderGone();
      if (code !== 'EAGAIN') throw new SottoError('file-failed', `What there is to say could not be written (${code}); check where the output goes, and the free space there.`, error);
      await sleep(FULL_PIPE_MS);
    }
  }
}
