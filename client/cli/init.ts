// `sotto init`: makes an identity in an empty home.

import { SottoError } from '../../crypto/error.js';
import { isName, NAME_MAX_BYTES } from '../../crypto/name.js';
import { relayOrigin } from '../../crypto/origin.js';
import { askHealth } from '../health.js';
import { homeExists } from '../home.js';
import { command } from './hint.js';
import { homeOf, type HomeOptions } from './open.js';
import { writeJson, writeLine, writeNote } from './output.js';
import { newPassphrase } from './passphrase.js';
import { safeLine } from './text.js';

/** How long a person who makes an identity waits to hear whether the relay is there. */
const RELAY_WAIT_MS = 4_000;

export async function init(options: HomeOptions & { readonly name: string; readonly relay: string }): Promise<void> {
  const name = checkedName(options.name);
  const relay = relayOrigin(options.relay);
  const home = homeOf(options);
  // Said before anybody types a passphrase in vain.
  if (homeExists(home)) throw new SottoError('home-exists');
  const passphrase = await newPassphrase(options.passphrase ?? false);
  const { createNodeHome } = await import('../node.js');
  await createNodeHome(home, { name, relay, passphrase });
  const health = await askHealth(relay, RELAY_WAIT_MS);
  if (options.json) return writeJson({ home, name, relay, online: health.state === 'well' });
  await writeLine(`You are ${safeLine(name)}. Your identity and messages are in ${safeLine(home)}, and nowhere else.`);
  if (health.state !== 'well') await writeNote(`Take care: ${health.text} If it is the wrong address, delete that folder and make the identity again with --relay URL.`);
  await writeLine(`Next, make a link for a contact: ${command('invite', options.home)}`);
  await writeLine(`Or take theirs: ${command('accept LINK', options.home)}`);
}

/** A name as contacts may see it. Throws `name-invalid`. */
export function checkedName(name: string): string {
  const trimmed = name.trim().normalize('NFC');
  const over = Buffer.byteLength(trimmed) - NAME_MAX_BYTES;
  if (over > 0) throw new SottoError('name-invalid', `The name is too long by ${over} ${over === 1 ? 'byte' : 'bytes'}; it may have ${NAME_MAX_BYTES}.`);
  if (!isName(trimmed)) throw new SottoError('name-invalid');
  return trimmed;
}
