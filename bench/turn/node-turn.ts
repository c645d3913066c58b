// The program of node-turn, which is installed beside this file when the bench is run for the first time.

import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { obey } from '../process.js';
import { cpuOf, type ServerMethods } from './place.js';

/** A variable, so that the compiler does not look for a package that need not be here. */
const PACKAGE: string = 'node-turn';
const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const INSTALL = ['ci', '--prefix', FOLDER, '--ignore-scripts', '--no-audit', '--no-fund'];
const CREDENTIAL = { username: 'bench', password: 'bench' };

interface NodeTurn {
  readonly default: new (options: object) => { start(): void };
}

const methods: ServerMethods = {
  start: async () => {
    // What npm says is no part of the result, which has stdout.
    if (!existsSync(`${FOLDER}node_modules/${PACKAGE}`)) execFileSync('npm', INSTALL, { stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
    const { default: Server } = await import(PACKAGE) as NodeTurn;
    const port = await freePort();
    const credentials = { [CREDENTIAL.username]: CREDENTIAL.password };
    new Server({ listeningPort: port, listeningIps: ['127.0.0.1'], relayIps: ['127.0.0.1'], authMech: 'long-term', credentials, realm: 'bench', debugLevel: 'OFF' }).start();
    return { ports: [port], ...CREDENTIAL };
  },
  cpuMs: () => cpuOf(process),
};

/** One that is free now; the library takes no 0. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

obey(methods);
