// Two people who are each other's contact, in the virtual world.

import { FAIR } from '../../support/network.js';
import { World } from '../../support/world.js';
import type { VirtualClient } from '../../support/world.js';

export interface Couple {
  readonly world: World;
  readonly alice: VirtualClient;
  readonly bob: VirtualClient;
  readonly atAlice: string;
  readonly atBob: string;
}

export function acquaint(seed: number, direct: 0 | 1 = 0, isLive = true): Couple {
  const world = new World(seed, { ...FAIR, direct });
  const [alice, bob] = [world.client('Alice', isLive), world.client('Bob', isLive)];
  const atBob = bob.accept(alice.invite());
  world.run(5_000);
  return { world, alice, bob, atAlice: bob.core.memory.id, atBob };
}
