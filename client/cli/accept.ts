// `sotto accept LINK`: makes a contact of an invitation, or asks the owner of an address.

import { isAddress } from '../../crypto/address.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { command, quoted, safeLine } from './text.js';

export async function accept(link: string, options: HomeOptions): Promise<void> {
  const { contact } = await withClient(options, 'brief', ({ client }) => client.accept(link));
  if (options.json) return writeJson({ contact });
  const name = safeLine(contact.name);
  if (isAddress(link)) {
    await writeLine(`${name} sees what you write when they look, and answers only if they approve you. Write with: ${command(`chat ${quoted(name)}`, options.home)}`);
    return;
  }
  await writeLine(`${name} is your contact now. Write with: ${command(`chat ${quoted(name)}`, options.home)}`);
  await writeLine(`Then compare numbers, so that you know it is them: ${command(`verify ${quoted(name)}`, options.home)}`);
}
