// What is left of a contact that was removed. Who becomes a contact again has texts of us under the numbers of before and would take new
// ones under the same numbers for those: so the numbers go on. Without the contact's id nothing here says whose they are.

import { fromHex, toHex } from '../../crypto/bytes.js';
import { hash } from '../../crypto/hash.js';
import type { Memory } from './memory.js';
import type { ContactId, ContactRecord } from './records.js';

const KEY_BYTES = 16;

/** A contact is removed: how far the numbers have come is kept, and nothing else. */
export function keepPast(memory: Memory, contact: ContactRecord): void {
  const { sentNumber, sentChain, receivedNumber, lacking, readyNumber, readyChain, readNumber } = contact;
  if (sentNumber === 0 && receivedNumber === 0) return;
  const receivedChain = readyNumber === receivedNumber ? readyChain : new Uint8Array();
  const record = { key: keyOf(memory, contact.id), sentNumber, sentChain, receivedNumber, lacking, receivedChain, readNumber };
  memory.past.set(record.key, record);
  memory.emit({ type: 'save', change: { kind: 'past', record } });
}

/** Where the numbers of a new contact begin, if it was one before. What was kept is done with. */
export function takePast(memory: Memory, id: ContactId): Partial<ContactRecord> {
  const key = keyOf(memory, id);
  const past = memory.past.get(key);
  if (past === undefined) return {};
  memory.past.delete(key);
  memory.emit({ type: 'save', change: { kind: 'past-removed', key } });
  const { sentNumber, sentChain, receivedNumber, lacking, receivedChain, readNumber } = past;
  return { sentFirst: sentNumber + 1, sentNumber, sentChain, receivedNumber, lacking, readyNumber: receivedNumber, readyChain: receivedChain, readNumber };
}

function keyOf(memory: Memory, id: ContactId): string {
  return toHex(hash('past', memory.identity.edSeed, fromHex(id)).subarray(0, KEY_BYTES));
}
