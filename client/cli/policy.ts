// `sotto policy CONTACT direct|relay-only`: whether a contact may see our network address.

import { wordOption } from './command.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { safeLine } from './text.js';

const MEANING = {
  'direct': 'A direct path may be opened: it is faster, and each of you sees the network address of the other.',
  'relay-only': 'Everything goes by the relay from now on: your contact does not learn your network address.',
} as const;

export async function policy(contact: string, word: string, options: HomeOptions): Promise<void> {
  const wanted = wordOption('The policy', word, ['direct', 'relay-only']);
  await withClient(options, 'brief', ({ client }) => client.setPolicy(contact, wanted));
  if (options.json) return writeJson({ contact, policy: wanted });
  await writeLine(`${safeLine(contact)}: ${wanted}. ${MEANING[wanted]}`);
}
