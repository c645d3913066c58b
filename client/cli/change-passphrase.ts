// `sotto passphrase`: locks a home with a passphrase, changes it, or takes it away. The store is not touched, so the home may be open.

import { changePassphrase, keyIsSealed } from '../home.js';
import { homeOf, type HomeOptions } from './open.js';
import { writeJson, writeLine } from './output.js';
import { askPassphrase, chooseNewPassphrase } from './passphrase.js';

export async function passphrase(options: HomeOptions & { readonly remove?: boolean }): Promise<void> {
  const home = homeOf(options);
  const current = keyIsSealed(home) ? await askPassphrase() : null;
  const next = options.remove ? null : await chooseNewPassphrase();
  await changePassphrase(home, current, next);
  if (options.json) return writeJson({ locked: next !== null });
  await writeLine(next === null
    ? 'The home opens without a passphrase now: whoever can read its files can read everything.'
    : 'The home is locked with the new passphrase. Copies of its old key file still open with what they had.');
}
