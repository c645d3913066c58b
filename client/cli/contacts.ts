// `sotto contacts`: who may write to us, and how they are named in a command.

import type { ContactView } from '../client.js';
import { command, quoted } from './hint.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { safeLine } from './text.js';

/** As many characters of an id as tell contacts apart at sight. */
export const SHORT_ID = 8;

export async function contacts(options: HomeOptions): Promise<void> {
  const list = await withClient(options, 'brief', ({ client }) => client.contacts());
  if (options.json) return writeJson({ contacts: list });
  if (list.length === 0) return writeLine(`No contacts yet. Make a link for one: ${command('invite', options.home)}`);
  for (const { id, name } of list) await writeLine(`${id.slice(0, SHORT_ID)}  ${safeLine(name)}`);
}

/** A contact as a shell and a command take it: by name, or by id where the name belongs to several or would be an option. */
export function reference({ id, name }: ContactView, all: readonly ContactView[]): string {
  const isPlain = !name.startsWith('-') && all.every((other) => other.id === id || other.name.toLowerCase() !== name.toLowerCase());
  return isPlain ? quoted(safeLine(name)) : id.slice(0, SHORT_ID);
}
