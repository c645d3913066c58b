// What the tests of the core's functions share: two who are contacts, and what has come out of one of them.

import { hash } from '../../../crypto/hash.js';
import { onText } from '../../../client/core/conversation.js';
import type { Contact, Memory } from '../../../client/core/memory.js';
import type { Output } from '../../../client/core/output.js';
import { FAIR } from '../../support/network.js';
import { World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';

/** The fields of a text. */
export type Said = Parameters<typeof onText>[2];

/** Two who have met, and one of them from within: what the core's functions do to her memory stays there. */
export interface Meeting {
  readonly world: World;
  readonly alice: VirtualClient;
  readonly guest: VirtualClient;
  readonly memory: Memory;
  /** The guest as Alice's contact. */
  readonly bob: Contact;
}

/** Alice and her contact Bob, whose session works; they speak by the relay. */
export function meet(seed: number): Meeting {
  const world = new World(seed, { ...FAIR, direct: 0 });
  const [alice, guest] = [world.client('Alice'), world.client('Bob')];
  guest.accept(alice.invite());
  world.run(5_000);
  const { memory } = alice.core;
  return { world, alice, guest, memory, bob: memory.contacts.get(guest.core.memory.id)! };
}

export const textsOf = (outputs: readonly Output[]): string[] => outputs.filter((output) => output.type === 'message').map(({ message }) => message.text);
export const noticesOf = (outputs: readonly Output[]): string[] => outputs.filter((output) => output.type === 'notice').map(({ code }) => code);
export const typesOf = (outputs: readonly Output[]): string[] => outputs.map(({ type }) => type);
export const puts = (outputs: readonly Output[]): number => outputs.filter(({ type }) => type === 'put').length;

/** How long until a timer is due; undefined if it does not run. */
export function dueIn({ timers, now }: Memory, name: string): number | undefined {
  const all = new Map<string, number>();
  for (let at = timers.next(); at !== null; at = timers.next()) for (const due of timers.take(at)) all.set(due, at);
  for (const [due, at] of all) timers.set(due, at);
  return all.has(name) ? all.get(name)! - now : undefined;
}

/** Texts as somebody says them one after the other, from number 1 on. */
export function speech(length: number): Said[] {
  let chain: Uint8Array = new Uint8Array(8);
  return Array.from({ length }, (_, index) => {
    const [id, text] = [hash('id', Uint8Array.of(index >> 8, index)).slice(0, 16), `text ${index + 1}`];
    chain = hash('chain', chain, id, hash('text', new TextEncoder().encode(text))).slice(0, 8);
    return { id, number: index + 1, chain, text };
  });
}

/** What comes of texts that a contact says. */
export function hear(memory: Memory, contact: Contact, ...texts: readonly Said[]): Output[] {
  for (const said of texts) onText(memory, contact, said, 1, 'relay');
  return memory.takeOutputs();
}
