// `sotto backup FILE`: the whole home but its sessions in one sealed file, and the words that open it.

import { resolve } from 'node:path';
import { command, quoted } from './hint.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { chooseBackupPassphrase } from './passphrase.js';
import { safeLine } from './text.js';

const WORDS_PER_LINE = 6;

export async function backup(file: string, options: HomeOptions): Promise<void> {
  const path = resolve(file);
  const passphrase = options.passphrase ? await chooseBackupPassphrase() : null;
  const { words } = await withClient(options, 'brief', ({ client }) => client.backup(path, passphrase));
  if (options.json) return writeJson({ file: path, words });
  await writeLine(`Your identity, contacts, address and messages as they are now are in ${safeLine(path)}, sealed.`);
  if (words === null) await writeLine('Only the passphrase opens it. Nobody can help who forgets it.');
  else {
    await writeLine('These words open it, and nothing else does. Write them down now; they are not shown again:\n');
    const list = words.split(' ');
    for (let at = 0; at < list.length; at += WORDS_PER_LINE) await writeLine(`  ${list.slice(at, at + WORDS_PER_LINE).join(' ')}`);
    await writeLine('');
  }
  await writeLine(`When this home is lost: ${command(`restore ${quoted(file)}`, options.home)}`);
}
