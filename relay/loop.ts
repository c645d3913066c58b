// The relay's only loop: it hands inputs to the brain and carries out what the brain says, with the clock, chance, sockets and store
// that it was given. It decides nothing, and writes down nothing that names a client.

import { randomBytes } from 'node:crypto';
import { STATUS_CODES, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import { SottoError } from '../crypto/error.js';
import type { Clock } from './clock.js';
import { Connection } from './connection.js';
import type { Answer, Operation } from './core/operation.js';
import type { Input, Output, Relay, Role, TurnOffer } from './core/relay.js';
import type { Gate, Status } from './gate.js';
import type { Guard, Shortage } from './guard.js';
import type { Log } from './log.js';
import type { Metrics } from './metrics.js';
import { FairQueue } from './queue.js';
import type { Store } from './stores/store.js';
import { CREDENTIAL_RANDOM_BYTES } from './turn/credential.js';
import { makeOffer, type Offering } from './turn/offer.js';
import type { TurnThreads } from './turn/workers.js';
import { CHALLENGE_BYTES, FRAME_MAX_BYTES } from './wire/limits.js';

/** How often each client is asked whether it is there; one that has not answered by the next time is gone. */
const PROBE_INTERVAL_MS = 30_000;

/** Parts of that interval, each for its part of the clients, so that not all of them are asked in one moment. */
const PROBE_TURNS = 30;

/** Most operations in one group, so that the loop is never away for long. */
const GROUP_MAX = 1_000;

/** Longest sleep of the alarm: the machine's clock may be set, and a timer holds no more than 24 days. */
const ALARM_MAX_MS = 3_600_000;

/** How long clients may take to answer our goodbye; whoever takes over from us waits for it. */
const GOODBYE_MS = 500;

export interface LoopParts {
  readonly store: Store;
  readonly turn: TurnThreads;
  readonly offering: Offering;
  readonly relay: Relay;
  readonly clock: Clock;
  readonly guard: Guard;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Who opens a connection. */
interface Caller {
  readonly role: Role;
  readonly source: number | null;
  readonly address: string;
  /** By which it calls this relay. */
  readonly name: string;
}

/** What the store is asked. */
interface Work {
  readonly reference: number;
  readonly operation: Operation;
}

export class Loop {
  readonly #parts: LoopParts;
  readonly #connections = new Map<number, Connection>();
  /** By which name each client calls this relay. */
  readonly #names = new Map<number, string>();
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
  open(socket: WebSocket, stream: Duplex, { role, source, address, name }: Caller): void {
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    // Where it is, only TURN knows, and only as long as it is there.
    this.#parts.turn.came(address);
    this.#names.set(connection, name);
    this.#connections.set(connection, new Connection(socket, stream, {
      frame: (bytes) => this.#input({ kind: 'frame', connection, bytes }),
      stalled: () => this.#input({ kind: 'stalled', connection }),
      closed: () => {
        this.#connections.delete(connection);
        this.#names.delete(connection);
        this.#parts.turn.went(address);
        this.#input({ kind: 'closed', connection });
        if (this.#connections.size === 0) this.#emptied();
      },
    }));
    this.#input({ kind: 'opened', connection, role, challenge: new Uint8Array(randomBytes(CHALLENGE_BYTES)), source });
    if (this.#closing) this.#input({ kind: 'closing' });
  }

  /** The machine is short of something, or no longer so. */
  press(short: Shortage): void {
    if (short !== null) this.#parts.log.warn({ short }, `short of ${short}: nothing new is taken until there is more room`);
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
      case 'refused': return this.#parts.metrics.refused(output.code);
      case 'offer': return this.#input({ ...output, kind: 'offered', offer: this.#offer(output.connection) });
      case 'store':
        this.#waiting.push(output.connection, output);
        this.#storing ??= this.#runStore();
        return;
      case 'wake':
        clearTimeout(this.#alarm);
        this.#alarm = setTimeout(() => this.#input({ kind: 'wake' }), Math.min(output.at - this.#parts.clock.now(), ALARM_MAX_MS));
    }
  }

  #offer(connection: number): TurnOffer {
    return makeOffer(this.#parts.offering, this.#names.get(connection) ?? '', randomBytes(CREDENTIAL_RANDOM_BYTES));
  }

  /** Group commit: what is asked for while one group becomes durable is the next group. */
  async #runStore(): Promise<void> {
    // The first group is everything that this turn of the event loop reads, not its first frame alone.
    await nextTurn();
    while (this.#waiting.size > 0) {
      const group = this.#waiting.take(GROUP_MAX);
      await this.#parts.guard.expect(group.reduce((bytes, { operation }) => bytes + (operation.kind === 'put' ? operation.envelope.length : 0), 0));
      const answers = await this.#answersTo(group.map(({ operation }) => operation));
      group.forEach(({ reference }, index) => this.#input({ kind: 'answered', reference, answer: answers[index]! }));
    }
    this.#storing = null;
  }

  async #answersTo(operations: readonly Operation[]): Promise<readonly Answer[]> {
    const { store, clock, log, metrics } = this.#parts;
    const since = performance.now();
    const answers = await store.run(operations, clock.now()).catch((error: unknown): Answer[] => {
      log.error({ code: error instanceof SottoError ? error.code : 'internal', cause: databaseWords(error) }, 'the store failed');
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

/** What the database says of a failure, which names nobody; null if it says nothing. */
function databaseWords(error: unknown): string | null {
  return error instanceof SottoError && error.cause instanceof Error ? error.cause.message : null;
}

// Out here, as a function made beside a request would hold it for as long as the connection lasts.
const ignore = (): void => {};

export function serveSockets(server: Server, loop: Loop, gate: Gate, metrics: Metrics): void {
  const sockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: FRAME_MAX_BYTES });
  const refuse = (socket: Duplex, status: Status, more = ''): void => {
    metrics.refused(`http-${status}`);
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n${more}\r\n`, () => socket.destroy());
  };
  // Who asks for another version hears of ours (RFC 6455 §4.4).
  sockets.on('wsClientError', (_, socket) => refuse(socket, 400, 'Sec-WebSocket-Version: 13\r\n'));
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', ignore);
    void gate.judge(request, loop.connections).then((judged) => {
      const caller = { source: gate.sourceOf(request), address: gate.addressOf(request), name: request.headers.host ?? '' };
      if (typeof judged === 'string') return sockets.handleUpgrade(request, socket, head, (accepted) => loop.open(accepted, socket, { ...caller, role: judged }));
      refuse(socket, judged);
    });
  });
}
