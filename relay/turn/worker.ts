// The program of a thread of the TURN server (workers.ts): one whole server, told who is a client of the relay, and asked whether it is
// there. It ends with whoever started it.

import { parentPort, workerData } from 'node:worker_threads';
import { Commons } from './commons.js';
import { rotatingSecrets } from './credential.js';
import { startTurn } from './server.js';
import type { TurnPorts, WorkerNews, WorkerTask } from './workers.js';

const { options, secret, memory, thread } = workerData as WorkerTask;
const server = await startTurn({ ...options, secrets: rotatingSecrets(secret), commons: new Commons(memory, thread) });
parentPort!.on('message', (news: WorkerNews) => {
  if (news.kind === 'asked') parentPort!.postMessage(null, []);
  else server[news.kind](news.address);
});
parentPort!.postMessage({ udp: server.port, tcp: server.tcp ? server.port : null } satisfies TurnPorts, []);
