// `sotto contacts`: who may write to us, how they are named in a command, and how one parts with them.

import type { Accepted, ContactView } from '../client.js';
import { SHORT_ID } from '../core/records.js';
import { command, quoted } from './hint.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { askYes } from './question.js';
import { safeLine } from './text.js';

export async function contacts(options: HomeOptions): Promise<void> {
  const list = await withClient(options, 'brief', ({ client }) => client.contacts());
  if (options.json) return writeJson({ contacts: list });
  if (list.length === 0) return writeLine(`No contacts yet. Make a link for one: ${command('invite', options.home)}`);
  for (const { id, name, blocked } of list) await writeLine(`${id.slice(0, SHORT_ID)}  ${safeLine(name)}${blocked ? '  (blocked)' : ''}`);
}

export async function remove(contact: string, options: HomeOptions & { readonly yes?: boolean }): Promise<void> {
  const removed = await withClient(options, 'brief', async ({ client }) => {
    // verify() is the question that answers with the contact that is meant.
    const { contact: known } = await client.verify(contact);
    const who = `${safeLine(known.name)} (${known.id.slice(0, SHORT_ID)})`;
    if (!options.yes) await askYes(`Remove ${who}? All messages with them go, the keys of the session, what has not left yet, and the mailbox where they write. It cannot be undone, and they are told nothing.`);
    await client.remove(known.id);
    return known;
  });
  if (options.json) return writeJson({ contact: removed });
  await writeLine(`${safeLine(removed.name)} is removed. The relay refuses what they write, once it has heard of it. To talk again, accept a new link of theirs, or their address; before they can accept one of yours, they must have removed you.`);
}

export async function block(contact: string, options: HomeOptions): Promise<void> {
  const blocked = await part(contact, options, 'block');
  if (options.json) return writeJson({ contact: blocked, blocked: true });
  await writeLine(`${safeLine(blocked.name)} is blocked: what they write waits unread at the relay, as if you were away, and nothing goes to them. They are told nothing.`);
  await writeLine(`To take it back: ${command(`contacts unblock ${blocked.id.slice(0, SHORT_ID)}`, options.home)}`);
}

export async function unblock(contact: string, options: HomeOptions): Promise<void> {
  const taken = await part(contact, options, 'unblock');
  if (options.json) return writeJson({ contact: taken, blocked: false });
  await writeLine(`${safeLine(taken.name)} is not blocked any more. What they wrote meanwhile comes as far as the relay still has it; the rest is asked for.`);
}

/** What is told of whoever is a contact from now on, or again: the way to write to them and, of somebody new, to know them. */
export function welcomeWords({ contact, isBack }: Accepted, call: string, home: string | undefined): string {
  const name = safeLine(contact.name);
  const write = `Write with: ${command(`chat ${call}`, home)}`;
  if (isBack) return `${name} is back: what you have with them goes on in a new session. The safety number is the same. ${write}`;
  return `${name} is your contact now. ${write}\n${compareWords(call, home)}`;
}

export function compareWords(call: string, home: string | undefined): string {
  return `Then compare numbers, so that you know it is them: ${command(`verify ${call}`, home)}`;
}

async function part(contact: string, options: HomeOptions, wish: 'block' | 'unblock'): Promise<ContactView> {
  return withClient(options, 'brief', async ({ client }) => {
    const { contact: known } = await client.verify(contact);
    await client[wish](known.id);
    return known;
  });
}

/** A contact as a shell and a command take it: by name, or by id where the name belongs to several or would be an option. */
export function reference({ id, name }: ContactView, all: readonly ContactView[]): string {
  const isPlain = !name.startsWith('-') && all.every((other) => other.id === id || other.name.toLowerCase() !== name.toLowerCase());
  return isPlain ? quoted(safeLine(name)) : id.slice(0, SHORT_ID);
}
