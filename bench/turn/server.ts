// The program of our TURN server, in a process of its own, without the limits that would end the load.

import { randomBytes } from 'node:crypto';
import type * as Credentials from '../../relay/turn/credential.js';
import type * as Limits from '../../relay/turn/limits.js';
import type * as Workers from '../../relay/turn/workers.js';
import { obey } from '../process.js';
import { shipped } from '../shipped.js';
import { cpuOf, type ServerMethods } from './place.js';

const { startTurnThreads } = await shipped<typeof Workers>('relay/turn/workers.js');
const { mintCredential, rotatingSecrets } = await shipped<typeof Credentials>('relay/turn/credential.js');
const { LIMITS } = await shipped<typeof Limits>('relay/turn/limits.js');

const methods: ServerMethods = {
  start: async (_, workers = 0) => {
    const secret = randomBytes(32);
    const limits = { ...LIMITS, strangersPerSecond: 1e6, allocationsPerCredential: 1e6, allocationsPerSource: 1e6, bytesPerSecondPerAllocation: 1e12, bytesPerSecond: 1e12 };
    const server = await startTurnThreads({ address: '127.0.0.1', port: 0, secret, workers, peers: 'clients', exempt: ['127.0.0.0/8'], limits });
    const ports = Array.from({ length: Math.max(workers, 1) }, () => server.nextPorts().udp);
    return { ports, ...mintCredential(rotatingSecrets(secret), Date.now(), randomBytes(9)) };
  },
  cpuMs: () => cpuOf(process),
};

obey(methods);
