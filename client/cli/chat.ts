// `sotto chat CONTACT`: a conversation in the terminal. Here it begins and ends; what it looks like is in chat/.

import { isatty } from 'node:tty';
import { SottoError } from '../../crypto/error.js';
import type { Screen } from './chat/screen.js';
import { quoted } from './hint.js';
import { type HomeOptions, stayWithClient } from './open.js';
import { stopRequested } from './stop.js';

export async function chat(contact: string, options: HomeOptions): Promise<void> {
  if (!isatty(0) || !isatty(1)) throw new SottoError('option-invalid', `A conversation needs a terminal; programs use "sotto send ${quoted(contact)} -" and "sotto listen --json".`);
  const { openScreen } = await import('./chat/screen.js');
  const stop = stopRequested();
  let screen: Screen | null = null;
  try {
    await stayWithClient(options, async ({ client, gone }) => {
      const answer = await client.verify(contact);
      screen ??= openScreen(answer.contact, options.home);
      screen.show(client);
      const end = await Promise.race([screen.left.then(() => 'ended' as const), stop.then(() => 'ended' as const), gone.then(() => 'gone' as const)]);
      // Closing the home may take a moment, which the person need not watch.
      if (end === 'ended') screen.close();
      else screen.show(null);
      return end;
    });
  } catch (error) {
    if (screen === null || !(error instanceof SottoError && error.code === 'store-failed')) throw error;
    throw new SottoError(error.code, `${error.message} What was typed last may not be kept; "sotto history ${quoted(contact)}" shows what is.`, error);
  } finally {
    (screen as Screen | null)?.close();
  }
}
