// `sotto requests`, `sotto approve ID` and `sotto refuse ID`: who has come by our address, and what becomes of them.

import { SottoError } from '../../crypto/error.js';
import type { RequestView } from '../client.js';
import { SHORT_ID } from './contacts.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { command, quoted, safeLine } from './text.js';
import { moment } from './time.js';

/** From so many on the list looks like a flood, and the person is told the way out. */
const MANY = 20;

export async function requests(options: HomeOptions): Promise<void> {
  const list = await withClient(options, 'brief', ({ client }) => client.requests());
  if (options.json) return writeJson({ requests: list });
  if (list.length === 0) return writeLine('Nobody waits for approval.');
  const now = Date.now();
  for (const request of list) await writeLine(requestWords(request, now));
  await writeLine(`\nNobody of them knows that you are there. Names are what they call themselves. ${command('approve ID', options.home)} or ${command('refuse ID', options.home)}`);
  if (list.length >= MANY) await writeLine(`If this is a flood: ${command('refuse --all', options.home)}, and take a new address: ${command('address --new', options.home)}`);
}

/** "1a2b3c4d  Bob, yesterday 14:02: hello", all on one line. */
export function requestWords({ id, name, at, text, messages }: RequestView, now: number): string {
  const more = messages > 1 ? `  (and ${messages - 1} more)` : '';
  return `${id.slice(0, SHORT_ID)}  ${safeLine(name)} asks to be your contact, ${moment(at, now)}${text === null ? '' : `: ${safeLine(text)}${more}`}`;
}

export async function approve(id: string, options: HomeOptions): Promise<void> {
  const { contact } = await withClient(options, 'brief', ({ client }) => client.approve(id));
  if (options.json) return writeJson({ contact });
  const name = safeLine(contact.name);
  await writeLine(`${name} is your contact now. Write with: ${command(`chat ${quoted(name)}`, options.home)}`);
  await writeLine(`Then compare numbers, so that you know it is them: ${command(`verify ${quoted(name)}`, options.home)}`);
}

export async function refuse(id: string | undefined, options: HomeOptions & { readonly all?: boolean }): Promise<void> {
  if ((id === undefined) !== (options.all ?? false)) throw new SottoError('option-invalid', 'Give one id, or --all.');
  const refused = await withClient(options, 'brief', async ({ client }) => {
    const ids = id === undefined ? (await client.requests()).map((request) => request.id) : [id];
    for (const one of ids) await client.refuse(one);
    return ids.length;
  });
  if (options.json) return writeJson({ refused });
  await writeLine(refused === 1 ? 'Forgotten; they are told nothing.' : `${refused} forgotten; they are told nothing.`);
}
