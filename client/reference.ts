// Whom a person means: a contact or somebody who waits, out of what was typed. It reads the memory and asks nobody.

import { SottoError } from '../crypto/error.js';
import type { Contact, Memory } from './core/memory.js';
import { SHORT_ID } from './core/records.js';
import type { ContactId } from './core/records.js';

/** The contact that a reference means. Throws `contact-unknown` or `contact-ambiguous`. */
export function contactOf(memory: Memory, reference: string): Contact {
  const [contact, ...others] = contactsOf(memory, reference);
  if (contact === undefined) throw new SottoError('contact-unknown');
  if (others.length > 0) {
    const matches = [contact, ...others].map(({ record }) => `${record.id.slice(0, SHORT_ID)} ${record.name}`);
    throw new SottoError('contact-ambiguous', `Several contacts match: ${matches.join(', ')}. Give the beginning of the id instead.`);
  }
  return contact;
}

/** By as much of the id as is shown, else by name, else by name in any case, else by less of the id: no name can stand before an id. */
export function contactsOf(memory: Memory, reference: string): readonly Contact[] {
  const contacts = [...memory.contacts.values(), ...memory.blocked.values()];
  const lower = reference.toLowerCase();
  const byName = contacts.filter(({ record }) => record.name === reference);
  const byFoldedName = contacts.filter(({ record }) => record.name.toLowerCase() === lower);
  const byId = /^[0-9a-f]{2,64}$/.test(lower) ? contacts.filter(({ record }) => record.id.startsWith(lower)) : [];
  const order = lower.length >= SHORT_ID ? [byId, byName, byFoldedName] : [byName, byFoldedName, byId];
  return order.find((matches) => matches.length > 0) ?? [];
}

/**
 * Who waits for approval, by the beginning of the id alone: whoever comes by an address chooses their name, and may choose another's.
 * Throws `request-unknown` or `contact-ambiguous`.
 */
export function requestOf(memory: Memory, beginning: string): ContactId {
  const [id, ...others] = [...memory.requests.keys()].filter((whole) => beginning !== '' && whole.startsWith(beginning.toLowerCase()));
  if (id === undefined) throw new SottoError('request-unknown');
  if (others.length > 0) throw new SottoError('contact-ambiguous', 'Several who wait have an id that begins so; give more of it, as "sotto requests --json" shows it.');
  return id;
}
