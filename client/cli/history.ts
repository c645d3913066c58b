// `sotto history CONTACT`: what was said, oldest first.

import type { Client, MessageView } from '../client.js';
import { numberOption } from './command.js';
import { messageLine } from './message.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';

const LIMIT_MAX = 1_000;
/** Matches of all contacts that are looked through for those of one. */
const SEARCH_MAX = 1_000;

export async function history(contact: string, options: HomeOptions & { readonly limit: string; readonly search?: string }): Promise<void> {
  const limit = numberOption('--limit', options.limit, { min: 1, max: LIMIT_MAX, whole: true });
  const { search } = options;
  const messages = await withClient(options, 'brief', ({ client }) =>
    search === undefined ? client.history(contact, { limit }) : searchOne(client, contact, search, limit));
  if (options.json) return writeJson({ messages });
  if (messages.length === 0) return writeLine(search === undefined ? 'No messages yet.' : 'No message has these words.');
  const now = Date.now();
  for (const message of messages) await writeLine(messageLine(message, now));
}

async function searchOne(client: Client, contact: string, words: string, limit: number): Promise<readonly MessageView[]> {
  // Names and beginnings of ids are the Client's to resolve, and verify() is the question that answers with a contact.
  const { contact: { id } } = await client.verify(contact);
  const matches = await client.search(words, SEARCH_MAX);
  return matches.filter((message) => message.contact.id === id).slice(0, limit).toSorted((a, b) => a.position - b.position);
}
