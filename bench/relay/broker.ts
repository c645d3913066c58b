// What the bench `relay` asks of every server that keeps messages until their receiver has them: to start over an empty folder, to
// take messages from senders and say that it has them, to give them to receivers that say the same. Payloads are ASCII texts.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Sender {
  /** Resolves when the server has said that it has the message. */
  send(payload: string): Promise<void>;
  close(): void;
}

export interface Receiver {
  /** Goes away without giving up what comes meanwhile. */
  leave(): Promise<void>;
}

export interface Broker {
  /** With its version and what it promises by its answer. */
  readonly name: string;
  /** Whether what it keeps is on the disk while it runs. */
  readonly isOnDisk: boolean;
  /** The program and its arguments; files it needs are written to the folder. */
  command(folder: string, port: number): readonly [program: string, ...args: string[]];
  /** Made before any receiver is away; a pair is named by its number. */
  receiver(port: number, pair: number, onMessage: (payload: string) => void): Promise<Receiver>;
  sender(port: number, pair: number): Promise<Sender>;
}

export interface Server {
  readonly port: number;
  /** CPU seconds of all its threads so far. */
  cpuSeconds(): number;
  /** Resident bytes. */
  rss(): number;
  end(): Promise<void>;
}

/** How long a server may take until it answers at its port. */
const START_MAX_MS = 15_000;

const NS_PER_S = 1e9;

const PAGE_BYTES = 4_096;

/** @param preload a library that is loaded into the server before its own, or none */
export async function startServer(broker: Pick<Broker, 'command' | 'name'>, folder: string, preload: string | null): Promise<Server> {
  const port = await freePort();
  const [program, ...args] = broker.command(folder, port);
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...preload === null ? {} : { LD_PRELOAD: preload } } });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => { words += text; });
  child.on('error', (error) => { words += error.message; });
  for (const end = performance.now() + START_MAX_MS; !await answers(port); await sleep(30)) {
    if (performance.now() > end || child.exitCode !== null) throw new Error(`${broker.name} does not start: ${words.slice(-500)}`);
  }
  const processOf = `/proc/${child.pid}`;
  // In nanoseconds, where the numbers of the process itself are in hundredths of a second.
  const cpuNs = (thread: string): number => Number(readFileSync(`${processOf}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
  return {
    port,
    cpuSeconds: () => readdirSync(`${processOf}/task`).reduce((sum, thread) => sum + cpuNs(thread), 0) / NS_PER_S,
    rss: () => Number(readFileSync(`${processOf}/statm`, 'latin1').split(' ')[1]) * PAGE_BYTES,
    end: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** Lets everything that is written to a socket in this turn of the event loop go in one call of the system, for every server alike. */
export function gather<Stream extends Duplex>(socket: Stream): Stream {
  if (socket.writableCorked > 0) return socket;
  socket.cork();
  process.nextTick(() => socket.uncork());
  return socket;
}

/** A connection that bears the end of its server, who says nothing when it ends. */
export function connectTo(port: number): Socket {
  return createConnection(port, '127.0.0.1').setNoDelay().on('error', () => {});
}

async function answers(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
