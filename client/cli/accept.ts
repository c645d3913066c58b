// `sotto accept LINK`: makes a contact of an invitation, or asks the owner of an address.

import { SottoError } from '../../crypto/error.js';
import { SHORT_ID } from '../core/records.js';
import { homeExists } from '../home.js';
import { compareWords, reference, welcomeWords } from './contacts.js';
import { command } from './hint.js';
import { homeOf, type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { safeLine } from './text.js';

export async function accept(pasted: string, options: HomeOptions): Promise<void> {
  // Terminals and letters break a long line; a link has no spaces of its own.
  const link = pasted.replaceAll(/\s/g, '');
  const home = homeOf(options);
  if (!homeExists(home)) await refuseStranger(link, home);
  const { accepted, all } = await withClient(options, 'brief', async ({ client }) => ({ accepted: await client.accept(link), all: (await client.status()).contacts }));
  if (options.json) return writeJson(accepted);
  const { contact } = accepted;
  const [name, call] = [safeLine(contact.name), reference(contact, all)];
  const { isAddress } = await import('../../crypto/address.js');
  // Somebody who had asked us is a contact already.
  if (isAddress(link) && all.find(({ id }) => id === contact.id)?.heardAt === null) {
    await writeLine(`${name} answers only after approving you; until then what you write waits. Write with: ${command(`chat ${call}`, options.home)}`);
    await writeLine(compareWords(call, options.home));
  } else {
    await writeLine(welcomeWords(accepted, call, options.home));
  }
  const namesakes = all.filter((other) => other.id !== contact.id && other.name.toLowerCase() === contact.name.toLowerCase());
  if (namesakes.length === 0) return;
  const ids = namesakes.map(({ id }) => id.slice(0, SHORT_ID)).join(', ');
  await writeLine(`Take care: you have another contact of this name. The new one is ${contact.id.slice(0, SHORT_ID)}, not ${ids}.`);
}

/** Throws `home-missing` with the way to an identity at the relay of the link, or `link-invalid`. */
async function refuseStranger(link: string, home: string): Promise<never> {
  const [{ parseAnyLink }, { ready }] = await Promise.all([import('../../crypto/address.js'), import('../../crypto/sodium.js')]);
  await ready();
  const { relay } = parseAnyLink(link, Date.now());
  throw new SottoError('home-missing', `There is no identity in ${home} yet; make one with "sotto init --name NAME --relay ${relay}", then accept again.`);
}
