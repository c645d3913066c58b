// Our invitations, and links that we accept, one step after the other: what the relay is asked, what is on the disk, what the person is told.

import { beforeAll, describe, expect, it } from 'vitest';
import { SottoError } from '../../../crypto/error.js';
import { hash } from '../../../crypto/hash.js';
import { ready } from '../../../crypto/sodium.js';
import { createContact } from '../../../client/core/contacts.js';
import type { Input } from '../../../client/core/input.js';
import { expireInvitations } from '../../../client/core/invitations.js';
import type { Output } from '../../../client/core/output.js';
import { keepPast } from '../../../client/core/past.js';
import { RELAY, World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';
import { dueIn } from './support.js';

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
  it('is answered once, when both its card and its mailbox are there', () => {
    for (const order of [['published', 'collected'], ['collected', 'published']] as const) {
      const { world, alice } = home(10);
      alice.core.handle({ type: 'invite', request: 5, lifetimeMs: 60_000 }, world.now);
      const { lookup, mailbox: { mailbox } } = [...alice.core.memory.invitations.values()][0]!;
      const answers = [...order, ...order].map((type) => {
        const outputs = alice.core.handle(type === 'published' ? { type, lookup, error: null } : { type, mailbox, error: null }, world.now);
        return outputs.filter((output) => output.type === 'answer').length;
      });
      expect(answers).toEqual([0, 1, 0, 0]);
    }
  });

  it('that the relay refuses is forgotten, but not one that worked before', () => {
    const { world, alice } = home(11);
    alice.invite();
    const { lookup, mailbox: { mailbox } } = [...alice.core.memory.invitations.values()][0]!;
    for (const input of [{ type: 'published', lookup, error: 'relay-busy' }, { type: 'collected', mailbox, error: 'relay-busy' }] as const) {
      expect(alice.core.handle(input, world.now).filter((output) => output.type === 'answer')).toEqual([]);
    }
    expect(alice.core.memory.invitations.size).toBe(1);
    for (const error of ['relay-busy', 'mailbox-taken'] as const) {
      alice.core.handle({ type: 'invite', request: 6, lifetimeMs: 60_000 }, world.now);
      const fresh = [...alice.core.memory.invitations.values()].at(-1)!;
      const outputs = alice.core.handle({ type: 'collected', mailbox: fresh.mailbox.mailbox, error }, world.now);
      expect(outputs.find((output) => output.type === 'answer')?.result).toBeInstanceOf(SottoError);
      expect(alice.core.memory.invitations.size).toBe(1);
    }
  });

  it('is gone when nothing that was put in time can wait any more, not before', () => {
    const { alice } = home(12);
    alice.invite();
    const { expiresAt } = [...alice.core.memory.invitations.values()][0]!;
    const end = expiresAt + 30 * 86_400_000;
    const left = [end - 1, end].map((now) => {
      alice.core.memory.now = now;
      expireInvitations(alice.core.memory);
      return alice.core.memory.invitations.size;
    });
    expect([left, alice.core.memory.closing.size]).toEqual([[1, 0], 1]);
  });

  it('is not for ourselves', () => {
    const { alice } = home(13);
    expect(() => alice.accept(alice.invite())).toThrow(/your own invitation/);
  });

  it('is on the disk before the relay is given its card, which is for one guest and as long as the invitation lives', () => {
    const { alice, handle } = home(1);
    const lives = [59_001, 60_000, 60_001].map((lifetimeMs) => handle({ type: 'invite', request: 5, lifetimeMs }).find((output) => output.type === 'publish')!.ttlSeconds);
    expect(lives).toEqual([60, 60, 61]);
    alice.core.memory.invitations.clear();
    const outputs = handle({ type: 'invite', request: 5, lifetimeMs: 60_000 });
    const [record] = alice.core.memory.invitations.values();
    expect(record!.mailbox.ownerSeed.length).toBe(32);
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

  it('is looked after by itself when its time is over, with its mailbox', () => {
    const { world, alice, handle } = home(5);
    handle({ type: 'invite', request: 5, lifetimeMs: 60_000 });
    const outputs = alice.core.handle({ type: 'wake' }, world.now + 31 * 86_400_000);
    expect([alice.core.memory.invitations.size, outputs.some(({ type }) => type === 'close-mailbox')]).toEqual([0, true]);
  });
});

describe('a link', () => {
  it('is taken by a claim of ours, and its maker is a contact to whom nothing is owed yet, and who goes on with the numbers of before', () => {
    const { world, alice, handle } = home(3);
    const bob = world.client('Bob');
    const link = bob.invite();
    const { memory } = alice.core;
    const before = createContact(bob.core.memory.identity, new Uint8Array(), 'Bob', bob.core.memory.invitations.values().next().value!.mailbox, { relay: RELAY, mailbox: '', token: new Uint8Array() }, 0);
    keepPast(memory, { ...before, receivedNumber: 1, lacking: [1] });
    const asking = handle({ type: 'accept', request: 5, link });
    expect(asking).toContainEqual({ type: 'link', relay: RELAY, role: 'deposit' });
    const take = asking.find((output) => output.type === 'take')!;
    // The same again after a crash.
    expect(take.claim).toEqual(hash('claim', memory.identity.edSeed, take.lookup).slice(0, 16));
    const card = world.cards.get(Buffer.from(take.lookup).toString('hex'))!;
    const outputs = handle({ type: 'card', request: 5, card, error: null });
    const { record } = [...memory.contacts.values()][0]!;
    expect([answersOf(outputs), record.receiptOwed, memory.accepting.size]).toEqual([[{ type: 'accepted', contact: record.id, isBack: false }], false, 0]);
    expect(record).toMatchObject({ heardAt: 0, begunAt: 0, resetTakenAt: 0, unread: 0, unanswered: 1 });
    // What was missing before is asked for.
    expect([record.lacking, dueIn(memory, `gap:${record.id}`)]).toEqual([[1], 2_000]);
  });

  it('whose card the relay does not have, or does not give, leads to nothing but that answer', () => {
    const { world, alice, handle } = home(4);
    const link = world.client('Bob').invite();
    for (const [error, told] of [[null, 'card-unknown'], ['card-taken', 'card-taken']] as const) {
      handle({ type: 'accept', request: 5, link: link.replace(RELAY, 'https://old.test') });
      const outputs = handle({ type: 'card', request: 5, card: null, error });
      // Nothing else leads us to that relay.
      expect(outputs).toContainEqual({ type: 'unlink', relay: 'https://old.test', role: 'deposit' });
      expect([answersOf(outputs), alice.core.memory.accepting.size, alice.core.memory.contacts.size]).toEqual([[told], 0, 0]);
    }
  });
});
