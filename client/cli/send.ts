// `sotto send CONTACT TEXT`: one message, and a true word about how far it came.

import { SottoError } from '../../crypto/error.js';
import type { MessageView, Wait } from '../client.js';
import { numberOption, wordOption } from './command.js';
import { type ExitCode, exitCodeOf } from './exit.js';
import { command } from './hint.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine, writeNote } from './output.js';
import { reasonWords, stateWords } from './message.js';
import { safeLine } from './text.js';
import { duration } from './time.js';

const STATES: readonly Wait[] = ['queued', 'accepted', 'delivered', 'read'];
const TIMEOUT_MAX_SECONDS = 24 * 3600;
/** No message is longer, so no more than this is read. */
const INPUT_MAX_BYTES = 65_536;

export async function send(contact: string, text: string, options: HomeOptions & { readonly wait: string; readonly timeout: string }): Promise<ExitCode> {
  const wait = wordOption('--wait', options.wait, STATES);
  const timeoutMs = 1000 * numberOption('--timeout', options.timeout, { min: 0, max: TIMEOUT_MAX_SECONDS, whole: false });
  const body = text === '-' ? (await readInput()).replace(/\r?\n$/, '') : text;
  if (body.trim() === '') throw new SottoError('message-empty');
  return withClient(options, 'brief', async ({ client, owned }) => {
    const message = await client.send(contact, body, { wait, timeoutMs });
    const code = exitCode(message, wait);
    const { id, state, path, reason } = message;
    if (options.json) await writeJson({ id, state, path, reason });
    else if (code === 0) await writeLine(stateWords(message));
    else await writeNote(`sotto: ${explain(message, wait, timeoutMs, owned ? command('listen', options.home) : null)}`);
    return code;
  });
}

/** The standard input, whole. Throws `message-too-large`, or `option-invalid` if it is not UTF-8. */
async function readInput(): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > INPUT_MAX_BYTES) throw new SottoError('message-too-large');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new SottoError('option-invalid', 'The standard input is no text in UTF-8; nothing was sent.', cause);
  }
}

function exitCode({ state, reason }: MessageView, wait: Wait): ExitCode {
  if (state === 'failed') return exitCodeOf(reason ?? 'internal');
  return STATES.indexOf(state as Wait) >= STATES.indexOf(wait) ? 0 : 7;
}

/**
 * What is true of a message that did not come as far as was asked.
 * @param keeper the command to type that keeps trying; null if a process does so already.
 */
function explain(message: MessageView, wait: Wait, timeoutMs: number, keeper: string | null): string {
  if (message.state === 'failed') return `The message was not sent. ${reasonWords(message.reason ?? 'internal')}.`;
  const name = safeLine(message.contact.name);
  const late = `Not ${wait} within ${duration(timeoutMs)}`;
  if (message.state === 'delivered') return `${late}: ${name} has it and has not read it.`;
  if (message.state === 'accepted') return `${late}: it waits sealed at the relay until ${name} comes online.`;
  const why = message.reason ? ` ${reasonWords(message.reason)}.` : '';
  const next = keeper ? `the next command with this home sends it, and ${keeper} keeps trying` : 'the Sotto that runs with this home keeps trying';
  return `${late}: it stays queued here.${why} Do not send it again: ${next}.`;
}
