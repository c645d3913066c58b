// `sotto send CONTACT TEXT`: one message, and a true word about how far it came.

import { text as readText } from 'node:stream/consumers';
import type { MessageView, Wait } from '../client.js';
import { numberOption, wordOption } from './command.js';
import { type ExitCode, exitCodeOf } from './exit.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine, writeNote } from './output.js';
import { stateWords } from './message.js';
import { safeLine } from './text.js';
import { duration } from './time.js';

const STATES: readonly Wait[] = ['queued', 'accepted', 'delivered', 'read'];
const TIMEOUT_MAX_SECONDS = 24 * 3600;

export async function send(contact: string, text: string, options: HomeOptions & { readonly wait: string; readonly timeout: string }): Promise<ExitCode> {
  const wait = wordOption('--wait', options.wait, STATES);
  const timeoutMs = 1000 * numberOption('--timeout', options.timeout, { min: 0, max: TIMEOUT_MAX_SECONDS, whole: false });
  const body = text === '-' ? (await readText(process.stdin)).replace(/\r?\n$/, '') : text;
  return withClient(options, 'brief', async ({ client, owned }) => {
    const message = await client.send(contact, body, { wait, timeoutMs });
    const code = exitCode(message, wait);
    const { id, state, path, reason } = message;
    if (options.json) await writeJson({ id, state, path, reason });
    else if (code === 0) await writeLine(stateWords(message));
    else await writeNote(`sotto: ${explain(message, wait, timeoutMs, owned)}`);
    return code;
  });
}

function exitCode({ state, reason }: MessageView, wait: Wait): ExitCode {
  if (state === 'failed') return exitCodeOf(reason ?? 'internal');
  return STATES.indexOf(state as Wait) >= STATES.indexOf(wait) ? 0 : 7;
}

/** What is true of a message that did not come as far as was asked. */
function explain(message: MessageView, wait: Wait, timeoutMs: number, owned: boolean): string {
  if (message.state === 'failed') return `The message ${stateWords(message)}.`;
  const name = safeLine(message.contact.name);
  const late = `Not ${wait} within ${duration(timeoutMs)}`;
  if (message.state === 'delivered') return `${late}: ${name} has it and has not read it.`;
  if (message.state === 'accepted') return `${late}: it waits sealed at the relay until ${name} comes online.`;
  const why = message.reason ? ` (${safeLine(message.reason)})` : '';
  const next = owned ? 'the next Sotto command with this home sends it, and "sotto listen" keeps trying' : 'the Sotto that runs with this home keeps trying';
  return `${late}${why}: it stays queued here; ${next}.`;
}
