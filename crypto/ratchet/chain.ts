// A chain: the keys of the messages that one side sends between two answers of the other (PROTOCOL.md §5.3). It only goes
// forward: from a chain key nobody finds an earlier message key.

import { SottoError } from '../error.js';
import { derive } from '../hash.js';
import type { MessageKey } from './message.js';

/** 32 bytes from which the rest of one chain follows. */
export type ChainKey = Uint8Array & { readonly brand?: 'ChainKey' };

/** Most messages in one chain, that is without an answer: so many hashes are the dearest thing that a contact can make us do. */
export const CHAIN_MAX_MESSAGES = 10_000;

/** The key of a chain's next message, and the chain after it. */
export function stepChain(chainKey: ChainKey): { chainKey: ChainKey; messageKey: MessageKey } {
  const { left, right } = derive(chainKey, 'ck');
  return { chainKey: left, messageKey: right };
}

/** A message key with its number in the chain. */
export interface NumberedKey {
  readonly n: number;
  readonly key: MessageKey;
}

/** Walks a chain from message `from` to `to`, keeping the newest `keep` of the keys passed over. Throws `undecryptable` beyond the limit. */
export function walkChain(chainKey: ChainKey, from: number, to: number, keep: number): { chainKey: ChainKey; passed: NumberedKey[] } {
  if (to > CHAIN_MAX_MESSAGES) throw new SottoError('undecryptable');
  const passed: NumberedKey[] = [];
  let rest = chainKey;
  for (let n = from; n < to; n++) {
    const step = stepChain(rest);
    rest = step.chainKey;
    if (n >= to - keep) passed.push({ n, key: step.messageKey });
  }
  return { chainKey: rest, passed };
}
