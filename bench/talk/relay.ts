// The program of our relay, in a process of its own.

import type * as Run from '../../relay/run.js';
import { obey } from '../process.js';
import { shipped } from '../shipped.js';

const { startRelay } = await shipped<typeof Run>('relay/run.js');

const methods = {
  /** Starts it over a folder; resolves with its port. */
  start: async (data: string): Promise<number> => (await startRelay({ host: '127.0.0.1', port: 0, stunPort: 0, data })).port,
};

export type RelayMethods = typeof methods;

obey(methods);
