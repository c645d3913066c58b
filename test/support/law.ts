// What must hold in the virtual world at every moment, whatever happens to its clients: watched from outside, after every commit
// and for every envelope that leaves. It knows the disks, and nothing of how a core works.

import { toHex } from '../../crypto/bytes.js';
import { hash } from '../../crypto/hash.js';
import type { MessageRecord, MessageState } from '../../client/core/records.js';
import type { Observer, VirtualClient, World } from './world.js';

/** A message that was sealed: its key is named by the ratchet key of its chain and its number there. */
export interface SealedAt {
  readonly key: string;
  readonly nonce: string;
}

/** What may follow what (PROTOCOL.md §7). */
const NEXT: Record<MessageState, readonly MessageState[]> = {
  queued: ['accepted', 'delivered', 'read', 'failed'],
  accepted: ['delivered', 'read', 'failed'],
  delivered: ['read'],
  read: [],
  failed: ['delivered', 'read'],
  received: [],
};

/** What is known of one client, that its disk may have forgotten. */
interface Known {
  readonly states: Map<string, MessageState>;
  /** Ids of texts that were ever durable here, and of those that the person saw. */
  readonly received: Set<string>;
  readonly seen: Set<string>;
  /** Envelopes that carried each own text. */
  readonly carriers: Map<string, Set<string>>;
  /** The contact's texts that the person has read, at most. */
  read: number;
  isRolledBack: boolean;
}

export class Law implements Observer {
  /** By the last 32 bytes of a message: where it was sealed. Filled by whoever watches the sealing. */
  readonly sealed = new Map<string, SealedAt>();
  /** What has left under each key and each nonce. */
  readonly #left = new Map<string, string>();
  /** Envelopes that the relay has taken. */
  readonly #accepted = new Set<string>();
  readonly #known = new Map<VirtualClient, Known>();

  /** Watches a world from now on. */
  constructor(world: World) {
    world.observer = this;
    const put = world.put.bind(world);
    world.put = (mailbox, token, bytes, ttlSeconds) => {
      const error = put(mailbox, token, bytes, ttlSeconds);
      if (error === null) this.accepts(bytes);
      return error;
    };
  }

  /** The relay says that it has an envelope. */
  accepts(envelope: Uint8Array): void {
    this.#accepted.add(idOf(envelope));
  }

  /** From now on less can be asked: who loses what it knew gives out numbers and keys twice. */
  rolledBack(client: VirtualClient): void {
    const known = this.#of(client);
    known.isRolledBack = true;
    known.states.clear();
    known.seen.clear();
  }

  left(client: VirtualClient, envelope: Uint8Array): void {
    const tail = tailOf(envelope);
    const { key, nonce } = this.sealed.get(tail) ?? broken('an envelope leaves that nobody sealed');
    // An old copy does not know which keys it has used; then only the nonce keeps two messages apart.
    if (this.#isTaken(key, tail) && !this.#of(client).isRolledBack) broken(`${client.name} lets two messages out under the same key`);
    if (this.#isTaken(nonce, tail)) broken(`${client.name} lets two messages out with the same nonce`);
  }

  #isTaken(name: string, tail: string): boolean {
    const before = this.#left.get(name) ?? tail;
    this.#left.set(name, tail);
    return before !== tail;
  }

  shown(client: VirtualClient, { id, text }: MessageRecord): void {
    const { seen } = this.#of(client);
    if (seen.has(id)) broken(`${client.name} is shown "${text}" twice`);
    seen.add(id);
    if (client.disk.messages.get(`in ${id}`)?.position === undefined) broken(`${client.name} is shown "${text}", which is not durable`);
  }

  committed(client: VirtualClient): void {
    const known = this.#of(client);
    for (const { envelope, number, contact } of client.disk.outgoing.values()) {
      if (number !== null) setOf(known.carriers, `${contact} ${number}`).add(envelope);
    }
    for (const { readNumber } of client.disk.contacts.values()) known.read = Math.max(known.read, readNumber);
    const numbers = new Set<string>();
    for (const message of client.disk.messages.values()) {
      if (message.direction === 'out') {
        this.#checkState(client, known, message);
        continue;
      }
      known.received.add(message.id);
      const number = `${message.contact} ${message.number}`;
      if (numbers.has(number)) broken(`${client.name} has two texts with the number ${message.number}`);
      numbers.add(number);
    }
  }

  #checkState(client: VirtualClient, { states, carriers, isRolledBack }: Known, { id, contact, number, text, state }: MessageRecord): void {
    const before = states.get(id) ?? 'queued';
    if (state === before) return;
    states.set(id, state);
    if (!NEXT[before].includes(state)) broken(`"${text}" of ${client.name} goes from ${before} to ${state}`);
    const [peer] = [...this.#known].filter(([other]) => other.core.memory.id === contact).map(([, known]) => known);
    const hasProof = {
      queued: () => true,
      failed: () => true,
      received: () => false,
      accepted: () => [...setOf(carriers, `${contact} ${number}`)].some((envelope) => this.#accepted.has(envelope)),
      delivered: () => peer?.received.has(id) ?? false,
      read: () => (peer?.received.has(id) ?? false) && peer!.read >= number,
    }[state]();
    // A copy that was put back gives numbers out again, so that a receipt may mean another text.
    if (!hasProof && !isRolledBack) broken(`"${text}" of ${client.name} says ${state} without proof`);
  }

  #of(client: VirtualClient): Known {
    const known = this.#known.get(client) ?? { states: new Map(), received: new Set(), seen: new Set(), carriers: new Map(), read: 0, isRolledBack: false };
    this.#known.set(client, known);
    return known;
  }
}

/** Names a message by its end, which is the same with and without a flight before it. */
export function tailOf(message: Uint8Array): string {
  return toHex(message.subarray(-32));
}

function idOf(envelope: Uint8Array): string {
  return toHex(hash('envelope', envelope).subarray(0, 16));
}

function setOf(map: Map<string, Set<string>>, key: string): Set<string> {
  const set = map.get(key) ?? new Set();
  map.set(key, set);
  return set;
}

function broken(law: string): never {
  throw new Error(law);
}
