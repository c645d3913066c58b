// Our invitations, and links that we accept, one step after the other: what the relay is asked, what is on the disk, what the person is told.

import { beforeAll, describe, expect, it } from 'vitest';
import { SottoError } from '../../../crypto/error.js';
import { ready } from '../../../crypto/sodium.js';
import type { Input } from '../../../client/core/input.js';
import type { Output } from '../../../client/core/output.js';
import { RELAY, World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';

beforeAll(ready);

function home(seed: number): { world: World; alice: VirtualClient; handle(input: Input): Output[] } {
  const world = new World(seed);
  const alice = world.client('Alice');
  world.run(1_000);
  return { world, alice, handle: (input) => alice.core.handle(input, world.now) };
}

const changesOf = (outputs: readonly Output[]): unknown[] => outputs.flatMap((output) => (output.type === 'save' ? [output.change] : []));
const answersOf = (outputs: readonly Output[]): unknown[] => outputs.flatMap((output) => (output.type === 'answer' ? [output.result instanceof SottoError ? output.result.code : output.result] : []));

describe('an invitation of ours', () => {
  it('is on the disk before the relay is given its card, which is for one guest and as long as the invitation lives', () => {
    const { alice, handle } = home(1);
    const outputs = handle({ type: 'invite', request: 5, lifetimeMs: 59_001 });
    const [record] = alice.core.memory.invitations.values();
    expect(changesOf(outputs)).toContainEqual({ kind: 'invitation', record });
    expect(outputs).toContainEqual({ type: 'publish', relay: RELAY, lookup: record!.lookup, card: record!.card, reusable: false, ttlSeconds: 60 });
    const published = { ...record, published: true };
    expect(changesOf(handle({ type: 'published', lookup: record!.lookup, error: null }))).toEqual([{ kind: 'invitation', record: published }]);
    expect([...alice.core.memory.invitations.values()]).toEqual([published]);
  });

  it('whose card is refused is gone from the disk, and the person is told why, once', () => {
    const { alice, handle } = home(2);
    handle({ type: 'invite', request: 5, lifetimeMs: 60_000 });
    const { lookup } = [...alice.core.memory.invitations.values()][0]!;
    const outputs = handle({ type: 'published', lookup, error: 'relay-busy' });
    expect([changesOf(outputs), answersOf(outputs)]).toEqual([[{ kind: 'invitation-removed', lookup }], ['relay-busy']]);
    expect([alice.core.memory.invitations.size, alice.core.memory.inviting.size]).toEqual([0, 0]);
  });
});

describe('a link', () => {
  it('is taken by a claim of ours, and its maker is a contact to whom nothing is owed yet', () => {
    const { world, alice, handle } = home(3);
    const link = world.client('Bob').invite();
    const asking = handle({ type: 'accept', request: 5, link });
    expect(asking).toContainEqual({ type: 'link', relay: RELAY, role: 'deposit' });
    const take = asking.find((output) => output.type === 'take')!;
    expect(take.claim.length).toBe(16);
    const card = world.cards.get(Buffer.from(take.lookup).toString('hex'))!;
    const outputs = handle({ type: 'card', request: 5, card, error: null });
    const { record } = [...alice.core.memory.contacts.values()][0]!;
    expect([answersOf(outputs), record.receiptOwed, alice.core.memory.accepting.size]).toEqual([[{ type: 'accepted', contact: record.id, isBack: false }], false, 0]);
  });

  it('whose card the relay does not have, or does not give, leads to nothing but that answer', () => {
    const { world, alice, handle } = home(4);
    const link = world.client('Bob').invite();
    for (const [error, told] of [[null, 'card-unknown'], ['card-taken', 'card-taken']] as const) {
      handle({ type: 'accept', request: 5, link });
      expect([answersOf(handle({ type: 'card', request: 5, card: null, error })), alice.core.memory.accepting.size, alice.core.memory.contacts.size]).toEqual([[told], 0, 0]);
    }
  });
});
