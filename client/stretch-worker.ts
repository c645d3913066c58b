// The thread of client/stretch.ts: stretches one passphrase, hands the key over without keeping a copy, and is ended.

import { parentPort, workerData } from 'node:worker_threads';
import { stretch } from '../crypto/passphrase.js';
import type { Stretching } from './stretch.js';

const { passphrase, salt, cost } = workerData as Stretching;
const key = await stretch(passphrase, salt, cost);
parentPort?.postMessage(key, [key.buffer as ArrayBuffer]);
