// `sotto send CONTACT TEXT`: one message, and a true word about how far it came.

import { SottoError } from '../../crypto/error.js';
import type { Client, MessageView, Wait } from '../client.js';
import { TEXT_MAX_BYTES } from '../core/body.js';
import { relaysAway } from './away.js';
import { numberOption, wordOption } from './command.js';
import { type ExitCode, exitCodeOf } from './exit.js';
import { command, withCommands } from './hint.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine, writeNote } from './output.js';
import { reasonWords, stateWords } from './message.js';
import { stopRequested } from './stop.js';
import { safeLine } from './text.js';
import { duration } from './time.js';

const STATES: readonly Wait[] = ['queued', 'accepted', 'delivered', 'read'];
const TIMEOUT_MAX_SECONDS = 24 * 3600;
const UNKNOWN = 'Whether the message is queued is not known; look at "sotto history" before you send it again.';
/** No message is longer, so no more than this is read. */
const INPUT_MAX_BYTES = 65_536;

export async function send(contact: string, text: string, options: HomeOptions & { readonly wait: string; readonly timeout: string }): Promise<ExitCode> {
  const wait = wordOption('--wait', options.wait, STATES);
  const timeoutMs = 1000 * numberOption('--timeout', options.timeout, { min: 0, max: TIMEOUT_MAX_SECONDS, whole: false });
  const body = text === '-' ? (await readInput()).replace(/\r?\n$/, '') : text;
  if (body.trim() === '') throw new SottoError('message-empty');
  return withClient(options, 'brief', async ({ client, owned }) => {
    const { message, isStopped } = await untilStopped(client, body, () => client.send(contact, body, { wait, timeoutMs }).catch((error: unknown) => refuse(error, body)));
    if (isStopped && !(options.json && message)) await writeNote(`sotto: Ended. ${message ? `The message is ${stateWords(message)}; do not send it again.` : withCommands(UNKNOWN, options.home)}`);
    if (message === null) return 130;
    const code = isStopped ? 130 : exitCode(message, wait);
    const { id, state, path, reason } = message;
    if (options.json) await writeJson({ id, state, path, reason });
    else if (isStopped) return code;
    else if (code === 0) await writeLine(stateWords(message));
    else await writeNote(`sotto: ${explain(message, wait, timeoutMs, await causeOf(message, client), owned ? command('listen', options.home) : null)}`);
    return code;
  });
}

type Outcome = { readonly message: MessageView; readonly isStopped: false } | { readonly message: MessageView | null; readonly isStopped: true };

/** What sending resolves with or, if the person ends it first, how far the message is; null if that is not known. */
async function untilStopped(client: Client, text: string, begin: () => Promise<MessageView>): Promise<Outcome> {
  let latest: MessageView | null = null;
  const unsubscribe = client.subscribe((event) => {
    if (event.type !== 'state') return;
    const isOurs = latest === null ? event.message.state === 'queued' && event.message.text === text : event.message.id === latest.id;
    if (isOurs) latest = event.message;
  });
  const message = await Promise.race([begin(), stopRequested().then(() => null)]).finally(unsubscribe);
  return message === null ? { message: latest, isStopped: true } : { message, isStopped: false };
}

/** Says of a text that is too long how long it is. */
function refuse(error: unknown, body: string): never {
  if (!(error instanceof SottoError) || error.code !== 'message-too-large') throw error;
  throw tooLarge(`${Buffer.byteLength(body).toLocaleString('en-US')} bytes`);
}

function tooLarge(size: string): SottoError {
  return new SottoError('message-too-large', `The message is too long: it has ${size}, and one takes ${TEXT_MAX_BYTES.toLocaleString('en-US')}; split it into shorter ones.`);
}

/** The standard input, whole. Throws `message-too-large`, or `option-invalid` if it is not UTF-8. */
async function readInput(): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > INPUT_MAX_BYTES) throw tooLarge(`more than ${INPUT_MAX_BYTES.toLocaleString('en-US')} bytes`);
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

/** Why a message is still here, as a sentence; empty if nothing is known. */
async function causeOf({ state, reason }: MessageView, client: Client): Promise<string> {
  if (state !== 'queued' || reason === null) return '';
  if (reason !== 'relay-unreachable') return ` ${reasonWords(reason)}.`;
  return ` ${safeLine(relaysAway(await client.status())) || reasonWords(reason)}.`;
}

/**
 * What is true of a message that did not come as far as was asked.
 * @param why what is known of the cause, as causeOf() says it.
 * @param keeper the command to type that keeps trying; null if a process does so already.
 */
function explain(message: MessageView, wait: Wait, timeoutMs: number, why: string, keeper: string | null): string {
  if (message.state === 'failed') return `The message was not sent. ${reasonWords(message.reason ?? 'internal')}.`;
  const name = safeLine(message.contact.name);
  const late = `Not ${wait} within ${duration(timeoutMs)}`;
  if (message.state === 'delivered') return `${late}: ${name} has it and has not read it.`;
  if (message.state === 'accepted') return `${late}: it waits sealed at the relay until ${name} comes online.`;
  const next = keeper ? `the next command with this home tries again, and "${keeper}" keeps trying` : 'the Sotto that runs with this home keeps trying';
  return `${late}: it stays queued here.${why} Do not send it again: ${next}.`;
}
