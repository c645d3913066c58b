// What is left of a contact who was removed: what is kept of the numbers, what is not, and what a new contact begins with.

import { beforeAll, describe, expect, it } from 'vitest';
import { ready } from '../../../crypto/sodium.js';
import { keepPast, takePast } from '../../../client/core/past.js';
import type { ContactRecord } from '../../../client/core/records.js';
import { meet } from './support.js';

beforeAll(ready);

const CHAIN = new Uint8Array(8).fill(3);

describe('what is left of a contact', () => {
  it('is nothing where nothing was said, and how far both have come otherwise, on the disk too', () => {
    const { memory, bob } = meet(1);
    const kept = (fields: Partial<ContactRecord>): unknown => {
      memory.past.clear();
      keepPast(memory, { ...bob.record, readyChain: CHAIN, ...fields });
      const [record] = memory.past.values();
      expect(memory.takeOutputs()).toEqual(record === undefined ? [] : [{ type: 'save', change: { kind: 'past', record } }]);
      return record;
    };
    expect(kept({})).toBeUndefined();
    expect(kept({ sentNumber: 2, sentChain: CHAIN })).toMatchObject({ sentNumber: 2, sentChain: CHAIN, receivedNumber: 0 });
    expect(kept({ receivedNumber: 4, readyNumber: 4, lacking: [2], readNumber: 1 })).toMatchObject({ sentNumber: 0, receivedNumber: 4, lacking: [2], readNumber: 1, receivedChain: CHAIN });
    // Of the last text nothing is known that the next could continue.
    expect(kept({ receivedNumber: 4, readyNumber: 3 })).toMatchObject({ receivedNumber: 4, receivedChain: new Uint8Array() });
  });

  it('is taken once, by that contact alone', () => {
    const { memory, bob } = meet(2);
    keepPast(memory, { ...bob.record, sentNumber: 2, receivedNumber: 4, readyNumber: 3, readNumber: 1 });
    const [key] = memory.past.keys();
    memory.takeOutputs();
    expect([takePast(memory, 'ff'.repeat(32)), memory.takeOutputs()]).toEqual([{}, []]);
    expect(takePast(memory, bob.record.id)).toMatchObject({ sentFirst: 3, sentNumber: 2, receivedNumber: 4, readyNumber: 4, readyChain: new Uint8Array(), readNumber: 1 });
    expect(memory.takeOutputs()).toEqual([{ type: 'save', change: { kind: 'past-removed', key } }]);
    expect(takePast(memory, bob.record.id)).toEqual({});
  });
});
