// The direct path dies in the middle of a stream: everything arrives, once and in order, by whichever path is left.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Neighbourhood, until, untilDirect } from '../support/people.js';
import type { Person } from '../support/people.js';

const MESSAGES = 1_000;
const NUMBERS = Array.from({ length: MESSAGES }, (_, number) => String(number));

let neighbourhood: Neighbourhood;
let alice: Person;
let bob: Person;

beforeEach(async () => {
  neighbourhood = new Neighbourhood();
  await neighbourhood.start();
  [alice, bob] = [await neighbourhood.person('Alice'), await neighbourhood.person('Bob')];
  await bob.client.accept((await alice.client.invite()).link);
  await untilDirect(alice, bob);
});
afterEach(() => neighbourhood.end());

/** Sends all numbers; half way, when some have come, some are on the wire and some are not, something happens. */
async function stream(atHalf: () => void): Promise<void> {
  for (const number of NUMBERS) {
    await alice.client.send('Bob', number);
    await nextTurn();
    if (Number(number) !== MESSAGES / 2) continue;
    await until(() => bob.shown().length > 0, 'a first text');
    atHalf();
  }
}

async function allDelivered(): Promise<void> {
  await until(async () => (await alice.client.status()).contacts[0]!.undelivered === 0, 'everything delivered');
  expect(bob.shown()).toEqual(NUMBERS);
  const states = new Set((await alice.client.history('Bob', { limit: 2 * MESSAGES, direction: 'out' })).map(({ state }) => state));
  expect(states).toEqual(new Set(['delivered']));
}

describe(`a stream of ${MESSAGES} messages`, () => {
  it('survives the end of the peer connection in its middle', async () => {
    await stream(() => alice.peers.at(-1)!.close());
    await allDelivered();
    expect(new Set(bob.events.filter((event) => event.type === 'message').map(({ message }) => message.path))).toContain('direct');
  });

  it('survives a network that takes everything and delivers nothing', async () => {
    await stream(() => {
      bob.isDeaf = true;
    });
    await allDelivered();
    expect(new Set(bob.events.filter((event) => event.type === 'message').map(({ message }) => message.path))).toEqual(new Set(['direct', 'relay']));
  });

  it('comes back to the direct path by itself', async () => {
    alice.peers.at(-1)!.close();
    await until(async () => (await alice.client.status()).contacts[0]!.path === 'relay', 'the relay');
    await untilDirect(alice, bob);
    await alice.client.send('Bob', 'direct again', { wait: 'delivered' });
    expect(bob.events.findLast((event) => event.type === 'message')).toMatchObject({ message: { text: 'direct again', path: 'direct' } });
  });
});
