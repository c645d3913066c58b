// The root key: every Diffie-Hellman result and every epoch's post-quantum secret is mixed into it, and each mix gives a chain
// (PROTOCOL.md §5.3).

import { derive } from '../hash.js';
import type { EpochSecret } from './braid.js';
import type { ChainKey } from './chain.js';
import type { HeaderKey } from './header.js';

/** 32 bytes that join all secrets that the two sides of a session have shared so far. */
export type RootKey = Uint8Array & { readonly brand?: 'RootKey' };

/** The root after a step, and the chain that begins there with the header key of the chain after it. */
export interface RootStep {
  readonly root: RootKey;
  readonly chainKey: ChainKey;
  readonly nextHeaderKey: HeaderKey;
}

/** Mixes a Diffie-Hellman result into the root, and erases it. */
export function stepRoot(root: RootKey, shared: Uint8Array): RootStep {
  const step = mix(root, 'rk', shared);
  shared.fill(0);
  return step;
}

/** Mixes an epoch's secret into a root that has just been stepped: its chain and header key take the place of that step's. */
export function mixEpoch(root: RootKey, secret: EpochSecret): RootStep {
  return mix(root, 'pq', secret.shared, secret.binding);
}

function mix(root: RootKey, label: string, ...secrets: readonly Uint8Array[]): RootStep {
  const { left, right } = derive(root, label, ...secrets);
  const { left: chainKey, right: nextHeaderKey } = derive(right, 'hk');
  right.fill(0);
  return { root: left, chainKey, nextHeaderKey };
}
