// `sotto accept LINK`: makes a contact of an invitation.

import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { safeLine } from './text.js';

export async function accept(link: string, options: HomeOptions): Promise<void> {
  const { contact } = await withClient(options, 'brief', ({ client }) => client.accept(link));
  if (options.json) return writeJson({ contact });
  const name = safeLine(contact.name);
  await writeLine(`${name} is your contact now. Write with "sotto chat ${quoted(name)}", and compare numbers with "sotto verify ${quoted(name)}".`);
}

/** A name as a shell takes it. */
function quoted(name: string): string {
  return /^[\p{L}\p{N}_.-]+$/u.test(name) ? name : `'${name.replaceAll("'", String.raw`'\''`)}'`;
}
