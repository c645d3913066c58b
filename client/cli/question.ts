// A question that a person answers with yes before something is done that cannot be undone. It knows nothing of what.

import { createInterface } from 'node:readline/promises';
import { SottoError } from '../../crypto/error.js';
import { writeNote } from './output.js';

/** Resolves when the person says yes. Rejects with `interrupted` for anything else, and with `option-invalid` where nobody can be asked. */
export async function askYes(question: string): Promise<void> {
  if (!process.stdin.isTTY) throw new SottoError('option-invalid', 'Nobody can be asked here; add --yes if it is meant.');
  await writeNote(`${question} Type yes or no:`);
  // The terminal itself shows what is typed.
  const lines = createInterface({ input: process.stdin, terminal: false });
  const closed = new Promise<string>((resolve) => {
    lines.once('close', () => resolve(''));
  });
  const answer = await Promise.race([lines.question(''), closed]);
  lines.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new SottoError('interrupted', 'Nothing was changed.');
}
