// `sotto contacts`: who may write to us.

import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { command, safeLine } from './text.js';

/** As many characters of an id as tell contacts apart at sight. */
export const SHORT_ID = 8;

export async function contacts(options: HomeOptions): Promise<void> {
  const list = await withClient(options, 'brief', ({ client }) => client.contacts());
  if (options.json) return writeJson({ contacts: list });
  if (list.length === 0) return writeLine(`No contacts yet. Make a link for one: ${command('invite', options.home)}`);
  for (const { id, name } of list) await writeLine(`${id.slice(0, SHORT_ID)}  ${safeLine(name)}`);
}
