// `sotto policy CONTACT direct|relay-only`: whether a contact may see our network address.

import { wordOption } from './command.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { safeLine } from './text.js';

const MEANING = {
  'direct': 'A direct path may be opened: it is faster, and each of you sees the network address of the other.',
  'relay-only': 'No direct path is opened from now on: your network address goes to relays only, yours and the one your contact uses.',
} as const;

export async function policy(contact: string, word: string, options: HomeOptions): Promise<void> {
  const wanted = wordOption('The policy', word, ['direct', 'relay-only']);
  const known = await withClient(options, 'brief', async ({ client }) => {
    // verify() is the question that answers with the contact that is meant.
    const { contact: resolved } = await client.verify(contact);
    await client.setPolicy(resolved.id, wanted);
    return resolved;
  });
  if (options.json) return writeJson({ contact: known, policy: wanted });
  await writeLine(`${safeLine(known.name)}: ${wanted}. ${MEANING[wanted]}`);
}
