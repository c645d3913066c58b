// What is asked for and what comes of it: texts that expired come after all, and what cannot come is asked for no longer.

import { beforeAll, describe, expect, it } from 'vitest';
import { ready } from '../../../crypto/sodium.js';
import { sendReceipt } from '../../../client/core/conversation.js';
import { FAIR } from '../../support/network.js';
import { World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';

beforeAll(ready);

const DAY = 86_400_000;

function acquaint(seed: number): { world: World; alice: VirtualClient; bob: VirtualClient; atAlice: string; atBob: string } {
  const world = new World(seed, { ...FAIR, direct: 0 });
  const [alice, bob] = [world.client('Alice'), world.client('Bob')];
  const atBob = bob.accept(alice.invite());
  world.run(5_000);
  return { world, alice, bob, atAlice: bob.core.memory.id, atBob };
}

/** The relay refuses the next text for Bob for good. */
function refuseNext(world: World, bob: VirtualClient): void {
  const put = world.put.bind(world);
  let isRefusing = true;
  world.put = (mailbox, token, bytes, ttlSeconds) => {
    if (!isRefusing || ttlSeconds <= 60 || world.mailboxes.get(mailbox)?.owner !== bob) return put(mailbox, token, bytes, ttlSeconds);
    isRefusing = false;
    return 'envelope-too-large';
  };
}

describe('a text that has expired', () => {
  it('is sent again when it is asked for, and is `failed` until a receipt proves otherwise', () => {
    const { world, alice, bob, atAlice } = acquaint(1);
    bob.crash(31 * DAY);
    alice.send(atAlice, 'one');
    world.run(30 * DAY + 7_200_000);
    expect(alice.states()).toEqual(['failed']);
    alice.send(atAlice, 'two');
    world.run(DAY);
    expect(bob.shown()).toEqual(['one', 'two']);
    expect(alice.states()).toEqual(['delivered', 'delivered']);
  });
});

describe('a number that cannot be given', () => {
  it('is settled: what waited behind it is shown, it is asked for no longer, and its text stays `failed` for ever', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(2);
    refuseNext(world, bob);
    alice.send(atAlice, 'refused');
    world.run(1_000);
    alice.send(atAlice, 'taken');
    world.run(3_600_000);
    const record = () => bob.core.memory.contacts.get(atBob)!.record;
    expect([bob.shown(), record().lacking, record().unread]).toEqual([['taken'], [], 1]);
    expect(alice.states()).toEqual(['failed', 'delivered']);
    alice.crash();
    world.run(5_000);
    bob.input({ type: 'read', contact: atBob, number: 2 });
    alice.send(atAlice, 'later');
    world.run(3_600_000);
    expect([bob.shown(), alice.states(), record().unread]).toEqual([['taken', 'later'], ['failed', 'read', 'delivered'], 1]);
  });

  it('is settled for a contact that has lost what it had', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(3);
    alice.send(atAlice, 'one');
    world.run(5_000);
    bob.input({ type: 'read', contact: atBob, number: 1 });
    world.run(5_000);
    const { memory } = bob.core;
    memory.update(memory.contacts.get(atBob)!, { lacking: [1] });
    alice.send(atAlice, 'two');
    world.run(DAY);
    expect(memory.contacts.get(atBob)!.record.lacking).toEqual([]);
    expect(bob.shown()).toEqual(['one', 'two']);
  });
});

describe('a contact that asks without end', () => {
  it('is answered now and then', () => {
    const { world, alice, bob, atAlice, atBob } = acquaint(4);
    refuseNext(world, bob);
    alice.send(atAlice, 'refused');
    alice.send(atAlice, 'taken');
    world.run(200);
    const { memory } = bob.core;
    const contact = memory.contacts.get(atBob)!;
    const put = world.put.bind(world);
    let answers = 0;
    world.put = (mailbox, ...rest) => {
      if (world.mailboxes.get(mailbox)?.owner === bob) answers += 1;
      return put(mailbox, ...rest);
    };
    for (let time = 0; time < 200; time += 1) {
      memory.update(contact, { lacking: [1] });
      sendReceipt(memory, contact, true);
      bob.input({ type: 'wake' });
      world.run(10);
    }
    expect(answers).toBeLessThan(10);
  });
});
