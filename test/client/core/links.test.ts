// What a core does when a link is back or a mailbox lost, when the person's policy changes, and with what is left of people who were removed, after a start.

import { beforeAll, describe, expect, it } from 'vitest';
import { ready } from '../../../crypto/sodium.js';
import { Core } from '../../../client/core/core.js';
import { keepPast } from '../../../client/core/past.js';
import * as reset from '../../../client/core/reset.js';
import { RELAY } from '../../support/world.js';
import { meetAs, opened } from './calls.js';
import { meet, puts, typesOf } from './support.js';

beforeAll(ready);

describe('a link by which we write', () => {
  it('that is back brings what waits, a greeting, and a reset that nobody has answered', () => {
    const { alice, memory, bob } = meet(1);
    const back = (): number => {
      alice.core.handle({ type: 'link', relay: RELAY, role: 'deposit', online: false, rttMs: 1 }, memory.now);
      if (bob.session !== null) alice.core.handle({ type: 'send', request: 7, contact: bob.record.id, text: 'waits' }, memory.now);
      return puts(alice.core.handle({ type: 'link', relay: RELAY, role: 'deposit', online: true, rttMs: 1 }, memory.now));
    };
    expect(back()).toBe(2);
    reset.begin(memory, bob, 'restored');
    memory.takeOutputs();
    expect(back()).toBe(1);
  });
});

describe('a link by which we collect', () => {
  it('that is back closes what its own relay has still to close', () => {
    const { alice, memory, bob } = meet(3);
    for (const [mailbox, relay] of [['aa', RELAY], ['bb', 'https://old.test']] as const) memory.closing.set(mailbox, { ...bob.record.inbox, mailbox, relay });
    alice.core.handle({ type: 'link', relay: RELAY, role: 'collect', online: false, rttMs: 1 }, memory.now);
    const outputs = alice.core.handle({ type: 'link', relay: RELAY, role: 'collect', online: true, rttMs: 1 }, memory.now);
    expect(outputs.flatMap((output) => (output.type === 'close-mailbox' ? [output.mailbox.mailbox] : []))).toEqual(['aa']);
  });
});

describe('a mailbox that is lost', () => {
  it('is not collected, and is news of its contact, or of none, and of nothing else', () => {
    const { alice, memory, bob } = meet(4);
    alice.core.handle({ type: 'invite', request: 7, lifetimeMs: 60_000 }, memory.now);
    memory.inviting.clear();
    memory.addressing.add(8);
    const [invitation] = memory.invitations.values();
    for (const [mailbox, contact] of [[bob.record.inbox.mailbox, bob.record.id], [invitation!.mailbox.mailbox, null]] as const) {
      memory.collected.delete(mailbox);
      const outputs = alice.core.handle({ type: 'collected', mailbox, error: 'mailbox-taken' }, memory.now).filter(({ type }) => type !== 'wake');
      expect([outputs, memory.collected.has(mailbox)]).toEqual([[{ type: 'notice', contact, code: 'mailbox-lost' }], false]);
    }
  });
});

describe('a contact who may not see our address any more', () => {
  it('has no direct path from that moment on, and none after a start', () => {
    const meeting = meetAs('offerer');
    const { alice, memory, bob } = meeting;
    const call = opened(meeting);
    const outputs = alice.core.handle({ type: 'policy', contact: bob.record.id, policy: 'relay-only' }, memory.now);
    expect(outputs).toContainEqual({ type: 'hang-up', call: call.id });
    expect([memory.calls.size, bob.openCall, bob.record.policy]).toEqual([0, null, 'relay-only']);
    expect(outputs).toContainEqual({ type: 'save', change: { kind: 'contact', record: bob.record } });
    expect(typesOf(outputs)).not.toContain('dial');
  });
});

describe('whoever was removed', () => {
  it('goes on with the numbers of before also after a start', () => {
    const { alice, memory, bob } = meet(2);
    keepPast(memory, { ...bob.record, id: 'ff'.repeat(32), sentNumber: 3 });
    const past = [...memory.past.values()];
    const core = new Core({ ...alice.disk.snapshot(), past }, { random: memory.random, direct: true }, memory.now);
    expect([...core.memory.past]).toEqual([...memory.past]);
  });
});
