// `sotto accept LINK`: makes a contact of an invitation.

import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { command, quoted, safeLine } from './text.js';

export async function accept(link: string, options: HomeOptions): Promise<void> {
  const { contact } = await withClient(options, 'brief', ({ client }) => client.accept(link));
  if (options.json) return writeJson({ contact });
  const name = safeLine(contact.name);
  await writeLine(`${name} is your contact now. Write with: ${command(`chat ${quoted(name)}`, options.home)}`);
  await writeLine(`Then compare numbers, so that you know it is them: ${command(`verify ${quoted(name)}`, options.home)}`);
}
