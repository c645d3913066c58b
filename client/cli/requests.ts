// `sotto requests`, `sotto approve ID` and `sotto refuse ID`: who has come by our address, and what becomes of them.

import { SottoError } from '../../crypto/error.js';
import type { RequestView } from '../client.js';
import { SHORT_ID } from '../core/records.js';
import { reference, welcomeWords } from './contacts.js';
import { command } from './hint.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine, writeNote } from './output.js';
import { safeLine } from './text.js';
import { stamp } from './time.js';

/** From so many on the list looks like a flood, and the person is told the way out. */
const MANY = 20;

export async function requests(options: HomeOptions): Promise<void> {
  const { list, own } = await withClient(options, 'brief', async ({ client }) => ({ list: await client.requests(), own: (await client.status()).relays[0] }));
  if (options.json) return writeJson({ requests: list });
  if (own !== undefined && own.reason !== null) await writeNote(`sotto: Whoever came lately may be missing: the relay ${safeLine(own.url)} brings nothing (${safeLine(own.reason)}).`);
  if (list.length === 0) return writeLine('Nobody waits for approval.');
  const now = Date.now();
  for (const request of list) await writeLine(`${stamp(request.at, now)}  ${requestWords(request)}`);
  await writeLine(`\nNobody of them knows that you are there. Names are what they call themselves. ${command('approve ID', options.home)} or ${command('refuse ID', options.home)}`);
  if (list.some(({ isContact }) => isContact)) await writeLine('A contact who asks to begin anew has removed you, or lost their home: what you have with them goes on in a new session once you approve.');
  if (list.length >= MANY) await writeLine(`If this is a flood: ${command('refuse --all', options.home)}, and take a new address: ${command('address --new', options.home)}`);
}

/** "Bob (1a2b3c4d) asks to be your contact: hello", all on one line. */
export function requestWords({ id, name, isContact, text, messages }: RequestView): string {
  const more = messages > 1 ? `  (and ${messages - 1} more)` : '';
  return `${safeLine(name)} (${id.slice(0, SHORT_ID)}) ${isContact ? 'is your contact and asks to begin anew' : 'asks to be your contact'}${text === null ? '' : `: ${safeLine(text)}${more}`}`;
}

export async function approve(id: string, options: HomeOptions): Promise<void> {
  const { accepted, all } = await withClient(options, 'brief', async ({ client }) => ({ accepted: await client.approve(id), all: await client.contacts() }));
  if (options.json) return writeJson(accepted);
  await writeLine(welcomeWords(accepted, reference(accepted.contact, all), options.home));
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
