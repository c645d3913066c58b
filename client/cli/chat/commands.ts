// What a person enters: a text for the contact, or a command of the conversation. It knows the Client and no screen.

import { SottoError } from '../../../crypto/error.js';
import type { Client, ContactView } from '../../client.js';
import { TEXT_MAX_BYTES } from '../../core/body.js';
import { numberLines } from '../verify.js';
import { HELP, statusWords } from './words.js';

/**
 * Does what was entered. Resolves with what is to be shown to the person, or null, once a text is queued.
 * @throws SottoError what the Client throws, and `option-invalid` for a command that does not exist
 */
export async function perform(entered: string, client: Client, contact: ContactView): Promise<string | null> {
  if (entered.startsWith('/') && !entered.startsWith('//')) return answer(entered.trim(), client, contact);
  try {
    await client.send(contact.id, entered.replace(/^\/\//, '/'), { wait: 'queued' });
  } catch (error) {
    // The same in the words of a conversation.
    if (error instanceof SottoError && error.code === 'contact-blocked') throw new SottoError(error.code, `You have blocked ${contact.name}; /unblock takes them back.`);
    throw error;
  }
  return null;
}

/** Bytes that a text is longer than what can be sent; negative where there is room. */
export function bytesOver(text: string): number {
  return Buffer.byteLength(text) - TEXT_MAX_BYTES;
}

/** "2,310 bytes". */
export function count(bytes: number): string {
  return `${bytes.toLocaleString('en-US')} ${bytes === 1 ? 'byte' : 'bytes'}`;
}

/** Said at once, and for a person who has just been annoyed: short. */
const BLOCKED = 'Blocked: what they write waits unread, nothing goes to them, they are told nothing. /unblock takes it back.';

async function answer(command: string, client: Client, contact: ContactView): Promise<string> {
  switch (command) {
    case '/help':
      return HELP;
    case '/verify': {
      const { number } = await client.verify(contact.id);
      return ['Compare in person or on a call; both of you must see the same:', ...numberLines(number)].join('\n');
    }
    case '/status': {
      const { relays, contacts } = await client.status();
      const status = contacts.find(({ id }) => id === contact.id);
      if (status) return statusWords(status, relays, Date.now());
      if ((await client.contacts()).some(({ id, blocked }) => id === contact.id && blocked)) return BLOCKED;
      throw new SottoError('contact-unknown');
    }
    case '/block':
      await client.block(contact.id);
      return BLOCKED;
    case '/unblock':
      await client.unblock(contact.id);
      return 'Not blocked any more.';
    default:
      throw new SottoError('option-invalid', `There is no ${command.split(/\s/, 1)[0] ?? ''}; /help lists what there is, and //${command.slice(1, 5)}… sends it as a text.`);
  }
}
