// `sotto restore FILE`: a home out of a backup, in an empty folder. Its contacts are asked for new sessions when it first connects.

import { SottoError } from '../../crypto/error.js';
import { homeExists, homeFiles } from '../home.js';
import { openCursor } from './cursor.js';
import { command } from './hint.js';
import { homeOf, type HomeOptions } from './open.js';
import { writeJson, writeLine } from './output.js';
import { askBackupSecret, newPassphrase } from './passphrase.js';
import { safeLine } from './text.js';

export async function restore(file: string, options: HomeOptions): Promise<void> {
  const home = homeOf(options);
  // Said before anybody types 24 words in vain.
  if (homeExists(home)) throw new SottoError('home-exists');
  const { archiveKind, restoreNodeHome } = await import('../node.js');
  const secret = await askBackupSecret(await archiveKind(file));
  const passphrase = await newPassphrase(options.passphrase ?? false);
  const { name, contacts, messages, address, position } = await restoreNodeHome(home, file, secret, passphrase);
  // What was received before has been seen.
  const cursor = openCursor(homeFiles(home).shown);
  cursor.finish(position);
  cursor.close();
  if (options.json) return writeJson({ home, name, contacts, messages, address });
  await writeLine(`You are ${safeLine(name)} again, with ${counted(contacts, 'contact')} and ${counted(messages, 'message')}, in ${safeLine(home)}.`);
  await writeLine('Each contact is told, and a new session with them begins when both of you have been online. Use no other copy of this home from now on.');
  if (address !== null) await writeLine(`Your address goes on and leads to you: ${safeLine(address)}`);
  await writeLine(`Next: ${command('listen', options.home)}`);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
