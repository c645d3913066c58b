// `sotto init`: makes an identity in an empty home.

import { SottoError } from '../../crypto/error.js';
import { isName } from '../../crypto/name.js';
import { relayOrigin } from '../../crypto/origin.js';
import { homeOf, type HomeOptions } from './open.js';
import { writeJson, writeLine } from './output.js';
import { newPassphrase } from './passphrase.js';
import { command, safeLine } from './text.js';

/** Where a relay listens that was started on this machine without options. */
export const DEFAULT_RELAY = 'http://127.0.0.1:8080';

export async function init(options: HomeOptions & { readonly name: string; readonly relay: string }): Promise<void> {
  const name = checkedName(options.name);
  const relay = relayOrigin(options.relay);
  const home = homeOf(options);
  const passphrase = await newPassphrase(options.passphrase ?? false);
  const { createNodeHome } = await import('../node.js');
  await createNodeHome(home, { name, relay, passphrase });
  if (options.json) return writeJson({ home, name, relay });
  await writeLine(`You are ${safeLine(name)}. Your identity and messages are in ${safeLine(home)}, and nowhere else.`);
  await writeLine(`Next, make a link for a contact: ${command('invite', options.home)}`);
  await writeLine(`Or take theirs: ${command('accept LINK', options.home)}`);
}

/** A name as contacts may see it. Throws `name-invalid`. */
export function checkedName(name: string): string {
  const trimmed = name.trim().normalize('NFC');
  if (!isName(trimmed)) throw new SottoError('name-invalid');
  return trimmed;
}
