// The program of a thread of the TURN server (workers.ts): one whole server, told who is a client of the relay. It ends with whoever
// started it.

import { parentPort, workerData } from 'node:worker_threads';
import { Commons } from './commons.js';
import { rotatingSecrets } from './credential.js';
import { startTurn } from './server.js';
import type { TurnPorts, WorkerNews, WorkerTask } from './workers.js';

const { options, secret, memory, thread } = workerData as WorkerTask;
const server = await startTurn({ ...options, secrets: rotatingSecrets(secret), commons: new Commons(memory, thread) });
parentPort!.on('message', ({ kind, address }: WorkerNews) => server[kind](address));
parentPort!.postMessage({ udp: server.port, tcp: server.tcp ? server.port : null } satisfies TurnPorts, []);
