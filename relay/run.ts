// The relay's only loop: it owns the clock, the randomness, the sockets and the store, hands inputs to the brain and carries
// out what the brain says. It decides nothing, and writes down nothing that names a client.

import { lookup } from 'node:dns/promises';
import { mkdirSync } from 'node:fs';
import { STATUS_CODES, type Server } from 'node:http';
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import { SottoError } from '../crypto/error.js';
import { ready } from '../crypto/sodium.js';
import { Clock } from './clock.js';
import { Connection } from './connection.js';
import type { Admission } from './core/admission.js';
import { LIMITS, type Limits } from './core/limits.js';
import type { Answer, Operation } from './core/operation.js';
import { Relay, type Input, type Output, type Role } from './core/relay.js';
import { Door, DOOR, type DoorOptions } from './door.js';
import { Guard, type Shortage } from './guard.js';
import { Metrics, type Standing } from './metrics.js';
import { createPage } from './page.js';
import { endPredecessor } from './predecessor.js';
import { FairQueue } from './queue.js';
import { createStatus } from './status.js';
import { openLmdbStore } from './stores/lmdb.js';
import type { Store } from './stores/store.js';
import { openListener, type Plain, type TlsFiles } from './tls.js';
import { startStun } from './turn/server.js';
import { CHALLENGE_BYTES, FRAME_MAX_BYTES } from './wire/limits.js';

export interface RelayOptions {
  /** Name or IP address of this machine to listen at. */
  readonly host: string;
  /** TCP port of HTTP and WebSocket, 0 for any. */
  readonly port: number;
  /** UDP port of STUN, 0 for any; a taken one is replaced by a free one. */
  readonly stunPort: number;
  /** Folder of the store; made if it is not there. */
  readonly data: string;
  readonly limits?: Limits;
  /** Who may make mailboxes. */
  readonly admission?: Admission;
  readonly door?: DoorOptions;
  /** Without it the relay speaks plain HTTP, where `plain` allows that. */
  readonly tls?: TlsFiles | null;
  readonly plain?: Plain;
  /** Where to answer /metrics and the status page, at any port if that one is taken; null for nowhere. */
  readonly metrics?: { readonly host: string; readonly port: number; readonly orAny: boolean } | null;
  /** Ours, for metrics and status page. */
  readonly version?: string;
  /** Bytes of the data's disk that stay free. */
  readonly diskReserveBytes?: number;
  /** Bytes of memory from which on nothing new is taken; null for what suits the machine. */
  readonly memoryMaxBytes?: number | null;
  /** Ends the relay that uses the folder, and takes its place as soon as it is gone. */
  readonly takeOver?: boolean;
  /** Where failures go; fields never name a client. */
  readonly log?: Log;
}

export interface Log {
  error(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  info(fields: object, text: string): void;
}

export interface RunningRelay {
  readonly port: number;
  readonly stunPort: number;
  /** Port of the metrics and the status page, null without. */
  readonly metricsPort: number | null;
  /** Answers everything that was received, says goodbye to every client and closes the store. */
  close(): Promise<void>;
}

/** How often each client is asked whether it is there; one that has not answered by the next time is gone. */
const PROBE_INTERVAL_MS = 30_000;

/** Parts of that interval, each for its part of the clients, so that not all of them are asked in one moment. */
const PROBE_TURNS = 30;

/** Connections that may wait to be accepted: all clients come back at once after a restart. */
const BACKLOG = 8_192;

/** Most operations in one group, so that the loop is never away for long. */
const GROUP_MAX = 1_000;

/** Longest sleep of the alarm: the machine's clock may be set, and a timer holds no more than 24 days. */
const ALARM_MAX_MS = 3_600_000;

/** How long clients may take to answer our goodbye; whoever takes over from us waits for it. */
const GOODBYE_MS = 500;

/** Room to acknowledge, expire and compact in. */
const DISK_RESERVE_BYTES = 256 * 1024 * 1024;

const SILENT: Log = { error: () => {}, warn: () => {}, info: () => {} };

/**
 * Starts a relay; it serves when this resolves.
 * @throws SottoError `port-in-use`, `option-invalid` for a host or port that this machine does not give, `data-in-use`,
 *   `store-damaged`, `store-failed`
 */
export async function startRelay(options: RelayOptions): Promise<RunningRelay> {
  const { host, port, stunPort, data, limits = LIMITS, admission = { kind: 'open' }, log = SILENT, version = 'unknown' } = options;
  const { diskReserveBytes = DISK_RESERVE_BYTES, memoryMaxBytes = null, tls = null, plain = 'loopback', takeOver = false } = options;
  const doorOptions = options.door ?? DOOR;
  const startedAt = performance.now();
  await ready();
  const address = await resolveHost(host);
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    const door = new Door(doorOptions);
    const problems = (): string[] => [...loop.problems, ...guard.short === null ? [] : [`short of ${guard.short}`]];
    const reloaded = (problem: unknown): void => (problem === null ? log.info({}, 'the certificate was read again') : log.error({}, 'the new certificate cannot be read, the old one stays'));
    const listener = openListener(address, tls, plain, reloaded, createPage(problems, async (request) => door.isNear(request) && await door.admits(request)));
    closers.push(listener.stop);
    // Not before all that may be wrong has been looked at: from here on clients wait.
    if (takeOver) await endPredecessor(data);
    const clock = new Clock({ wall: Date.now, steady: () => performance.now(), onJump: (byMs) => log.warn({ byMs }, 'the clock has jumped; it is believed when it stays so for an hour') });
    const store = openStore(data, limits, clock.now());
    closers.push(() => store.close());
    const look = (): Standing => ({ connections: loop.connections, waiting: loop.waiting, totals: store.totals, diskFreeBytes: guard.diskFreeBytes, short: guard.short, certificateEndsAt: listener.certificateEndsAt() });
    const metrics = new Metrics(version, look);
    const stun = await startStun(address, stunPort);
    closers.push(() => stun.close());
    const guard = new Guard({ folder: data, diskReserveBytes, memoryMaxBytes, reusableBytes: () => store.reusableBytes, onPressure: (short) => loop.press(short) });
    closers.push(() => guard.stop());
    const loop = new Loop({ relay: new Relay(stun.port, limits, admission), store, clock, guard, log, metrics });
    closers.push(() => loop.close());
    serveSockets(listener.server, loop, door, metrics);
    await Promise.all([guard.look(), listen(listener.server, address, port)]);
    closers.push(() => listener.server.close().closeAllConnections());
    const status = createStatus({ registry: metrics.registry, look, version, problems, limits: { ...limits, connections: doorOptions.connections }, upMs: () => performance.now() - startedAt });
    if (options.metrics) {
      const { host: at, port: first, orAny } = options.metrics;
      await listen(status, at, first).catch((error: unknown) => (orAny ? listen(status, at, 0) : Promise.reject(error)));
      closers.push(() => status.close().closeAllConnections());
    }
    return { port: portOf(listener.server), stunPort: stun.port, metricsPort: options.metrics ? portOf(status) : null, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

interface LoopParts {
  readonly relay: Relay;
  readonly store: Store;
  readonly clock: Clock;
  readonly guard: Guard;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** What the store is asked. */
interface Work {
  readonly reference: number;
  readonly operation: Operation;
}

class Loop {
  readonly #parts: LoopParts;
  readonly #connections = new Map<number, Connection>();
  readonly #probes: NodeJS.Timeout;
  readonly #waiting = new FairQueue<Work>();
  #lastConnection = 0;
  #turn = 0;
  #alarm: NodeJS.Timeout | undefined;
  #storing: Promise<void> | null = null;
  #closing = false;
  #hasFailed = false;
  #emptied: () => void = () => {};

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#probes = setInterval(() => this.#probe(), PROBE_INTERVAL_MS / PROBE_TURNS);
    this.#input({ kind: 'wake' });
  }

  /** How many clients there are. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Operations that wait for the store. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Why nothing new is taken, as far as it is for us to say. */
  get problems(): string[] {
    return [...this.#closing ? ['closing'] : [], ...this.#hasFailed ? ['the store fails'] : []];
  }

  /** Takes over a socket that has just been opened. */
  open(socket: WebSocket, role: Role, source: number | null): void {
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    this.#connections.set(connection, new Connection(socket, {
      frame: (bytes) => this.#input({ kind: 'frame', connection, bytes }),
      stalled: () => this.#input({ kind: 'stalled', connection }),
      closed: () => {
        this.#connections.delete(connection);
        this.#input({ kind: 'closed', connection });
        if (this.#connections.size === 0) this.#emptied();
      },
    }));
    this.#input({ kind: 'opened', connection, role, challenge: new Uint8Array(randomBytes(CHALLENGE_BYTES)), source });
    if (this.#closing) this.#input({ kind: 'closing' });
  }

  /** The machine is short of something, or no longer so. */
  press(short: Shortage): void {
    if (short !== null) this.#parts.log.warn({ short }, 'nothing new is taken until there is more room');
    this.#input({ kind: 'pressure', pressed: short !== null });
  }

  /** Resolves when everything read is answered and every client is gone. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#probes);
    for (const connection of this.#connections.values()) connection.hold(true);
    await this.#storing;
    this.#input({ kind: 'closing' });
    await this.#everybodyGone();
    await this.#storing;
    clearTimeout(this.#alarm);
  }

  #probe(): void {
    this.#turn = (this.#turn + 1) % PROBE_TURNS;
    for (const [number, connection] of this.#connections) if (number % PROBE_TURNS === this.#turn) connection.probe();
  }

  #input(input: Input): void {
    const { relay, clock } = this.#parts;
    for (const output of relay.handle(input, clock.now())) this.#carryOut(output);
  }

  #carryOut(output: Output): void {
    switch (output.kind) {
      case 'send': return this.#connections.get(output.connection)?.send(output.frame);
      case 'close': return this.#connections.get(output.connection)?.close();
      case 'hold': return this.#connections.get(output.connection)?.hold(output.held || this.#closing);
      case 'store':
        this.#waiting.push(output.connection, output);
        this.#storing ??= this.#runStore();
        return;
      case 'wake':
        clearTimeout(this.#alarm);
        this.#alarm = setTimeout(() => this.#input({ kind: 'wake' }), Math.min(output.at - this.#parts.clock.now(), ALARM_MAX_MS));
    }
  }

  /** Group commit: what is asked for while one group becomes durable is the next group. */
  async #runStore(): Promise<void> {
    // The first group is everything that this turn of the event loop reads, not its first frame alone.
    await nextTurn();
    while (this.#waiting.size > 0) {
      const group = this.#waiting.take(GROUP_MAX);
      await this.#parts.guard.expect(group.reduce((bytes, { operation }) => bytes + (operation.kind === 'put' ? operation.envelope.length : 0), 0));
      const answers = await this.#answersTo(group.map(({ operation }) => operation));
      for (const [index, { reference }] of group.entries()) this.#input({ kind: 'answered', reference, answer: answers[index]! });
    }
    this.#storing = null;
  }

  async #answersTo(operations: readonly Operation[]): Promise<readonly Answer[]> {
    const { store, clock, log, metrics } = this.#parts;
    const since = performance.now();
    const answers = await store.run(operations, clock.now()).catch((error: unknown): Answer[] => {
      log.error({ code: error instanceof SottoError ? error.code : 'internal' }, 'the store failed');
      return operations.map(() => ({ kind: 'refused', code: 'relay-failed' }));
    });
    this.#hasFailed = answers.every((answer) => answer.kind === 'refused' && answer.code === 'relay-failed');
    metrics.group(operations, answers, (performance.now() - since) / 1_000);
    return answers;
  }

  async #everybodyGone(): Promise<void> {
    if (this.#connections.size === 0) return;
    const impatience = setTimeout(() => this.#connections.forEach((connection) => connection.terminate()), GOODBYE_MS);
    await new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    clearTimeout(impatience);
  }
}

function serveSockets(server: Server, loop: Loop, door: Door, metrics: Metrics): void {
  const sockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: FRAME_MAX_BYTES });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    void door.judge(request, loop.connections).then((judged) => {
      if (typeof judged === 'string') return sockets.handleUpgrade(request, socket, head, (accepted) => loop.open(accepted, judged, door.sourceOf(request)));
      metrics.refused(judged);
      socket.end(`HTTP/1.1 ${judged} ${STATUS_CODES[judged]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
    });
  });
}

function openStore(data: string, limits: Limits, now: number): Store {
  try {
    mkdirSync(data, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new SottoError('store-failed', `The folder ${data} cannot be made; choose another with --data DIR.`, error);
  }
  return openLmdbStore(data, limits, now);
}

async function resolveHost(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new SottoError('option-invalid', `${host} is no address of this machine; give one with --host.`, error);
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, backlog: BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') throw new SottoError('port-in-use', `Another program uses port ${port}; choose another with --port.`, error);
    throw new SottoError('option-invalid', `This machine does not let Sotto listen at ${host}, port ${port}; choose others with --host and --port.`, error);
  }
}
