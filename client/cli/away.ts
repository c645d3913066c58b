// Which relays are away, and why: what a person is told who has waited for one in vain.

import { SottoError } from '../../crypto/error.js';
import type { Client, StatusView } from '../client.js';

/** "The relay URL cannot be reached: why", for each of which that is known; empty if it is of none. */
export function relaysAway({ relays }: StatusView): string {
  return relays.filter(({ online, cause }) => !online && cause !== null).map(({ url, reason }) => `The relay ${url} cannot be reached: ${reason ?? ''}`).join('. ');
}

/** The same error, with the cause where a relay did not answer. */
export async function withCause(error: unknown, client: Client): Promise<unknown> {
  if (!(error instanceof SottoError && error.code === 'relay-unreachable')) return error;
  const away = await client.status().then(relaysAway, () => '');
  return away === '' ? error : new SottoError(error.code, `${away}; check the network and the address, then try again.`, error);
}
