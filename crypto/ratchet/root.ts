// The root key: every Diffie-Hellman result is mixed into it, and each mix begins a chain (PROTOCOL.md §5.3).

import { derive } from '../hash.js';
import type { ChainKey } from './chain.js';
import type { HeaderKey } from './header.js';

/** 32 bytes that join all Diffie-Hellman results of a session so far. */
export type RootKey = Uint8Array & { readonly brand?: 'RootKey' };

/** Mixes a Diffie-Hellman result into the root, and erases it. There begin a chain and the header key of the chain after that. */
export function stepRoot(root: RootKey, shared: Uint8Array): { root: RootKey; chainKey: ChainKey; nextHeaderKey: HeaderKey } {
  const { left, right } = derive(root, 'rk', shared);
  shared.fill(0);
  const { left: chainKey, right: nextHeaderKey } = derive(right, 'hk');
  right.fill(0);
  return { root: left, chainKey, nextHeaderKey };
}
