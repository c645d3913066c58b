// The program of our TURN server, in a process of its own, without the limits that would end the load.

import { randomBytes } from 'node:crypto';
import type * as Credentials from '../../relay/turn/credential.js';
import type * as Limits from '../../relay/turn/limits.js';
import type * as Server from '../../relay/turn/server.js';
import { obey } from '../process.js';
import { shipped } from '../shipped.js';
import { cpuOf, type ServerMethods } from './place.js';

const { startTurn } = await shipped<typeof Server>('relay/turn/server.js');
const { mintCredential, rotatingSecrets } = await shipped<typeof Credentials>('relay/turn/credential.js');
const { LIMITS } = await shipped<typeof Limits>('relay/turn/limits.js');

const methods: ServerMethods = {
  start: async () => {
    const secrets = rotatingSecrets(randomBytes(32));
    const limits = { ...LIMITS, strangersPerSecond: 1e6, allocationsPerCredential: 1e6, bytesPerSecondPerAllocation: 1e12, bytesPerSecond: 1e12 };
    const { port } = await startTurn({ address: '127.0.0.1', port: 0, secrets, peers: 'clients', exempt: ['127.0.0.0/8'], limits });
    return { port, ...mintCredential(secrets, Date.now(), randomBytes(9)) };
  },
  cpuMs: () => cpuOf(process),
};

obey(methods);
