// coturn's server, where it is installed, on one thread and told to relay to loopback.

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Place } from './place.js';

const PROGRAM = '/usr/bin/turnserver';
const CREDENTIAL = { username: 'bench', password: 'bench' };

/** Ticks of Linux's clock per second, in which /proc counts. */
const TICKS_PER_SECOND = 100;

/** How long it may take to answer for the first time. */
const START_MS = 10_000;

export interface Coturn {
  readonly place: Place;
  cpuMs(): number;
  end(): Promise<void>;
}

/** Starts it; null where it is not installed. */
export async function startCoturn(): Promise<Coturn | null> {
  if (!existsSync(PROGRAM) || process.platform !== 'linux') return null;
  const folder = mkdtempSync(join(tmpdir(), 'sotto-coturn-'));
  const port = await freePort();
  const child = spawn(PROGRAM, [
    '-n', '-a', '-u', `${CREDENTIAL.username}:${CREDENTIAL.password}`, '-r', 'bench', '-L', '127.0.0.1', '-E', '127.0.0.1', '-p', `${port}`, '-m', '1', '--allow-loopback-peers',
    '--no-tls', '--no-dtls', '--no-cli', '--pidfile', join(folder, 'pid'), '--userdb', join(folder, 'db'), '--log-file', '/dev/null', '--simple-log',
  ], { stdio: 'ignore' });
  const gone = once(child, 'exit');
  await answers(port);
  return {
    place: { ports: [port], ...CREDENTIAL },
    cpuMs: () => {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' ');
      return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
    },
    async end() {
      child.kill('SIGKILL');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Asks for its address until it answers. */
async function answers(port: number): Promise<void> {
  const socket = createSocket('udp4');
  const asking = setInterval(() => socket.send(Buffer.from('000100002112a442000000000000000000000000', 'hex'), port, '127.0.0.1'), 50);
  try {
    await once(socket, 'message', { signal: AbortSignal.timeout(START_MS) });
  } finally {
    clearInterval(asking);
    socket.close();
  }
}
