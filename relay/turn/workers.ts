// A TURN server of several threads, since one carries no more than one core does. Each is a whole server with ports of its own, and
// clients are pointed to one after the other; only the main one takes streams that others hand over. It sees no packet.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { SottoError } from '../../crypto/error.js';
import { causeOf } from './cause.js';
import { Commons, PORTS_EACH, type TurnTotals } from './commons.js';
import { rotatingSecrets } from './credential.js';
import { LIMITS, type Limits } from './limits.js';
import { startTurn, type TurnServer, type TurnServerOptions } from './server.js';

export interface TurnThreadsOptions extends Omit<TurnServerOptions, 'secrets' | 'commons'> {
  /** From which credentials are made; 32 bytes. */
  readonly secret: Uint8Array;
  /** Threads beside the main one, WORKERS_MAX at most. */
  readonly workers: number;
  readonly patience?: Patience;
}

/** With a worker that says nothing. */
export interface Patience {
  readonly askedEveryMs: number;
  /** Questions in a row that it may leave unanswered. */
  readonly unansweredMax: number;
}

/** Where a client is pointed to: UDP, and TCP where the same port was free. */
export interface TurnPorts {
  readonly udp: number;
  readonly tcp: number | null;
}

export interface TurnThreads extends Omit<TurnServer, 'close'> {
  /** Where clients are pointed to: the workers, if there are any, so that bulk keeps nobody's messages waiting. */
  readonly offered: readonly TurnPorts[];
  /** Those for one more client, each in its turn. */
  nextPorts(): TurnPorts;
  readonly totals: TurnTotals;
  /** Resolves with what to tell the operator when a worker has ended unasked or hangs: its clients are without TURN, and others are still pointed to it. */
  readonly failed: Promise<SottoError>;
  close(): Promise<void>;
}

/** What a worker is given. */
export interface WorkerTask {
  readonly options: Omit<TurnServerOptions, 'secrets' | 'commons'>;
  readonly secret: Uint8Array;
  readonly memory: SharedArrayBuffer;
  readonly thread: number;
}

/** What a worker is told: a client of the relay has connected from an address, or is gone; or that it is to answer. */
export type WorkerNews = { readonly kind: 'came' | 'went'; readonly address: string } | { readonly kind: 'asked' };

interface Crew {
  readonly worker: Worker;
  readonly ports: TurnPorts;
  readonly failed: Promise<SottoError>;
}

/**
 * A minute: nothing keeps a thread from both its work and an answer for so long. Questions are counted and not time, for a process that was
 * stopped, or a machine that slept, has asked no more than one meanwhile.
 */
const PATIENCE: Patience = { askedEveryMs: 5_000, unansweredMax: 12 };

/** How long a worker may take to end. One that runs, even in an endless loop, does so at once. */
const END_MS = 3_000;

/**
 * Starts the main thread's server, then those of the workers.
 * @throws SottoError `option-invalid` if the address is not of this machine, `internal` if a worker does not start.
 */
export async function startTurnThreads({ workers, secret, limits = LIMITS, patience = PATIENCE, ...rest }: TurnThreadsOptions): Promise<TurnThreads> {
  const options = { ...rest, limits: partOf(limits, workers + 1) };
  const commons = new Commons();
  const main = await startTurn({ ...options, secrets: rotatingSecrets(secret), commons });
  const crew: Crew[] = [];
  let isClosing = false;
  const close = async (): Promise<void> => {
    isClosing = true;
    main.close();
    await Promise.all(crew.map(({ worker }) => end(worker)));
  };
  try {
    for (let thread = 1; thread <= workers; thread += 1) {
      crew.push(await startWorker({ options: { ...options, port: main.port + PORTS_EACH * thread }, secret, memory: commons.memory, thread }, patience, commons));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const tell = (kind: 'came' | 'went', address: string): void => {
    main[kind](address);
    const news: WorkerNews = { kind, address };
    for (const { worker } of crew) worker.postMessage(news, []);
  };
  const offered: readonly TurnPorts[] = crew.length > 0 ? crew.map(({ ports }) => ports) : [{ udp: main.port, tcp: main.tcp ? main.port : null }];
  let pointed = 0;
  return {
    ...main,
    offered,
    nextPorts: () => offered[pointed++ % offered.length]!,
    came: (address) => tell('came', address),
    went: (address) => tell('went', address),
    get totals() {
      return commons.totals;
    },
    failed: new Promise((resolve) => {
      for (const { failed } of crew) void failed.then((why) => isClosing || resolve(why));
    }),
    close,
  };
}

/** What one of several threads may give: a machine has its sockets and its patience once, but as many cores as threads. */
function partOf({ allocations, allocationsPerSource, strangersPerSecond, ...each }: Limits, threads: number): Limits {
  const part = (limit: number): number => Math.ceil(limit / threads);
  return { ...each, allocations: part(allocations), allocationsPerSource: part(allocationsPerSource), strangersPerSecond: part(strangersPerSecond) };
}

async function startWorker(task: WorkerTask, patience: Patience, commons: Commons): Promise<Crew> {
  const worker = new Worker(program(), { workerData: task });
  const failed = new Promise<SottoError>((resolve) => {
    worker.once('error', (error) => resolve(failure(causeOf(error), error)));
    worker.once('exit', () => resolve(failure('it ended by itself')));
    watch(worker, patience, () => commons.inputsOf(task.thread), () => resolve(failure('it does not answer')));
  });
  const first = await Promise.race([once(worker, 'message'), failed]);
  if (first instanceof SottoError) {
    await end(worker);
    throw first;
  }
  return { worker, ports: first[0] as TurnPorts, failed };
}

/**
 * Asks a worker now and then whether it is there; whatever it says is an answer, and so is `work` that goes on: a question may wait for long
 * behind what thousands of streams bring.
 */
function watch(worker: Worker, { askedEveryMs, unansweredMax }: Patience, work: () => number, onSilence: () => void): void {
  let [unanswered, worked] = [0, work()];
  worker.on('message', () => {
    unanswered = 0;
  });
  const asking = setInterval(() => {
    if (work() !== worked) [unanswered, worked] = [0, work()];
    if (unanswered === unansweredMax) return onSilence();
    unanswered += 1;
    worker.postMessage({ kind: 'asked' } satisfies WorkerNews, []);
  }, askedEveryMs).unref();
  worker.once('exit', () => clearInterval(asking));
}

/** Ends a worker. One that hangs in a call of the system does not end, and Node would wait for it at the end of the process: that one is killed. */
async function end(worker: Worker): Promise<void> {
  const kill = (): void => void process.kill(process.pid, 'SIGKILL');
  await new Promise<void>((resolve) => {
    const impatience = setTimeout(() => {
      process.once('exit', kill);
      worker.unref();
      resolve();
    }, END_MS);
    void worker.terminate().then(() => {
      clearTimeout(impatience);
      process.off('exit', kill);
      resolve();
    });
  });
}

function failure(why: string, cause?: unknown): SottoError {
  return new SottoError('internal', `A thread of the TURN server has failed (${why}), so the relay has ended; what it accepted is kept. Start it again; if that happens often, start it with --turn-workers 0, and report it.`, cause);
}

// Built, the thread's file stands beside this one. Run from the source (tests), a thread has no loader but the one that it registers.
function program(): URL {
  if (!import.meta.url.endsWith('.ts')) return new URL('./worker.js', import.meta.url);
  const loader = import.meta.resolve('tsx/esm/api');
  const source = new URL('./worker.ts', import.meta.url);
  return new URL(`data:text/javascript,import { register } from '${loader}'; register(); await import('${source.href}');`);
}
