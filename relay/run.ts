// The relay's only loop: it owns the clock, the randomness, the sockets and the store, hands inputs to the brain and carries
// out what the brain says. It decides nothing, and writes down nothing that names a client.

import { lookup } from 'node:dns/promises';
import { mkdirSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { randomBytes } from 'node:crypto';
import type { AddressInfo, Server as Port } from 'node:net';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import { SottoError } from '../crypto/error.js';
import { ready } from '../crypto/sodium.js';
import { Connection } from './connection.js';
import type { Answer, Operation } from './core/operation.js';
import { Relay, type Input, type Output, type Role, type TurnOffer } from './core/relay.js';
import { createPage } from './page.js';
import { openLmdbStore } from './stores/lmdb.js';
import type { Store } from './stores/store.js';
import { CREDENTIAL_RANDOM_BYTES, rotatingSecrets, sharedSecret } from './turn/credential.js';
import { createDoor, type Tls } from './turn/door.js';
import { makeOffer, ownUrls, type Offering, type OwnPorts } from './turn/offer.js';
import { startTurn, type TurnServer, type TurnServerOptions } from './turn/server.js';
import { CHALLENGE_BYTES, COLLECT_PATH, DEPOSIT_PATH, FRAME_MAX_BYTES } from './wire/limits.js';

export interface RelayOptions {
  /** Name or IP address of this machine to listen at. */
  readonly host: string;
  /** TCP port of HTTP and WebSocket, 0 for any. */
  readonly port: number;
  /** UDP and TCP port of STUN and TURN, 0 for any; a taken one is replaced by a free one. */
  readonly stunPort: number;
  readonly turn?: TurnOptions;
  /** With a certificate the TCP port speaks TLS alone, HTTPS and TURN. */
  readonly tls?: Tls;
  /** Folder of the store; made if it is not there. */
  readonly data: string;
  /** Where failures go; fields never name a client. */
  readonly log?: Log;
}

/** What is relayed for clients that find no direct path; by default to nobody but each other. */
export interface TurnOptions extends Partial<Pick<TurnServerOptions, 'peers' | 'exempt' | 'announced' | 'relayPorts' | 'limits'>> {
  /** Another server, which clients are pointed to instead, and the secret that it shares with this relay. */
  readonly external?: { readonly urls: readonly string[]; readonly secret: string };
}

export interface Log {
  error(fields: object, text: string): void;
}

export interface RunningRelay {
  readonly scheme: 'http' | 'https';
  readonly port: number;
  readonly stunPort: number;
  /** Answers everything that was received, says goodbye to every client and closes the store. */
  close(): Promise<void>;
}

const ROLE_OF_PATH: ReadonlyMap<string, Role> = new Map([[COLLECT_PATH, 'collect'], [DEPOSIT_PATH, 'deposit']]);

/** How often each client is asked whether it is there; one that has not answered by the next time is gone. */
const PROBE_INTERVAL_MS = 30_000;

/** Connections that may wait to be accepted: all clients come back at once after a restart. */
const BACKLOG = 8_192;

/** Most operations in one group, so that the loop is never away for long. */
const GROUP_MAX = 1_000;

/** Longest sleep of the alarm: the machine's clock may be set, and a timer holds no more than 24 days. */
const ALARM_MAX_MS = 3_600_000;

/** Of the secret that credentials for TURN are made from. It ends with the process, and they soon after. */
const SECRET_BYTES = 32;

/** How long clients may take to answer our goodbye. */
const GOODBYE_MS = 2_000;

const NOT_FOUND = 'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
const SILENT: Log = { error: () => {} };

/**
 * Starts a relay; it serves when this resolves.
 * @throws SottoError `port-in-use`, `option-invalid` for a host or port that this machine does not give, `data-in-use`,
 *   `store-damaged`, `store-failed`
 */
export async function startRelay({ host, port, stunPort, data, turn: { external, ...turnOptions } = {}, tls, log = SILENT }: RelayOptions): Promise<RunningRelay> {
  await ready();
  const address = await resolveHost(host);
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    const store = openStore(data);
    closers.push(() => store.close());
    const secrets = rotatingSecrets(new Uint8Array(randomBytes(SECRET_BYTES)));
    const turn = await startTurn({ peers: 'clients', ...turnOptions, address, port: stunPort, secrets });
    closers.push(() => turn.close());
    const http = createServer(createPage());
    const door = createDoor(tls ?? null, { stun: turn.accept, http: (stream) => http.emit('connection', stream) });
    const own = (): OwnPorts => ({ udp: turn.port, tcp: turn.tcp ? turn.port : null, tls: tls === undefined ? null : portOf(door.server) });
    const offering = external === undefined
      ? { secrets, urlsFor: (name: string) => ownUrls(own(), name) }
      : { secrets: sharedSecret(external.secret), urlsFor: () => external.urls };
    const loop = new Loop(store, turn, offering, log);
    closers.push(() => loop.close());
    serveSockets(http, loop);
    await listen(door.server, address, port);
    // It has no port of its own, but watches over its connections from here on.
    http.emit('listening');
    closers.push(() => {
      door.close();
      http.close().closeAllConnections();
    });
    return { scheme: tls === undefined ? 'http' : 'https', port: portOf(door.server), stunPort: turn.port, close };
  } catch (error) {
    await close();
    throw error;
  }
}

class Loop {
  readonly #relay: Relay;
  readonly #store: Store;
  readonly #log: Log;
  readonly #turn: TurnServer;
  readonly #offering: Offering;
  readonly #connections = new Map<number, Connection>();
  /** By which name each client calls this relay. */
  readonly #names = new Map<number, string>();
  readonly #probes: NodeJS.Timeout;
  #lastConnection = 0;
  #alarm: NodeJS.Timeout | undefined;
  #waiting: { readonly reference: number; readonly operation: Operation }[] = [];
  #storing: Promise<void> | null = null;
  #closing = false;
  #emptied: () => void = () => {};

  constructor(store: Store, turn: TurnServer, offering: Offering, log: Log) {
    this.#relay = new Relay(turn.port, turn.otherPort);
    this.#turn = turn;
    this.#offering = offering;
    this.#store = store;
    this.#log = log;
    this.#probes = setInterval(() => this.#connections.forEach((connection) => connection.probe()), PROBE_INTERVAL_MS);
    this.#input({ kind: 'wake' });
  }

  /** Takes over a socket that has just been opened. */
  open(socket: WebSocket, role: Role, { headers, socket: { remoteAddress } }: IncomingMessage): void {
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    // Where it is, only TURN knows, and only as long as it is there.
    const went = this.#turn.came(remoteAddress ?? '');
    this.#names.set(connection, headers.host ?? '');
    this.#connections.set(connection, new Connection(socket, {
      frame: (bytes) => this.#input({ kind: 'frame', connection, bytes }),
      closed: () => {
        this.#connections.delete(connection);
        this.#names.delete(connection);
        went();
        this.#input({ kind: 'closed', connection });
        if (this.#connections.size === 0) this.#emptied();
      },
    }));
    this.#input({ kind: 'opened', connection, role, challenge: new Uint8Array(randomBytes(CHALLENGE_BYTES)) });
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

  #input(input: Input): void {
    for (const output of this.#relay.handle(input, Date.now())) this.#carryOut(output);
  }

  #carryOut(output: Output): void {
    switch (output.kind) {
      case 'send': return this.#connections.get(output.connection)?.send(output.frame);
      case 'close': return this.#connections.get(output.connection)?.close();
      case 'hold': return this.#connections.get(output.connection)?.hold(output.held || this.#closing);
      case 'offer': return this.#input({ ...output, kind: 'offered', offer: this.#offer(output.connection) });
      case 'store':
        this.#waiting.push(output);
        this.#storing ??= this.#runStore();
        return;
      case 'wake':
        clearTimeout(this.#alarm);
        this.#alarm = setTimeout(() => this.#input({ kind: 'wake' }), Math.min(output.at - Date.now(), ALARM_MAX_MS));
    }
  }

  #offer(connection: number): TurnOffer {
    return makeOffer(this.#offering, this.#names.get(connection) ?? '', Date.now(), randomBytes(CREDENTIAL_RANDOM_BYTES));
  }

  /** Group commit: what is asked for while one group becomes durable is the next group. */
  async #runStore(): Promise<void> {
    // The first group is everything that this turn of the event loop reads, not its first frame alone.
    await nextTurn();
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, GROUP_MAX);
      const answers = await this.#answersTo(group.map(({ operation }) => operation));
      for (const [index, { reference }] of group.entries()) this.#input({ kind: 'answered', reference, answer: answers[index]! });
    }
    this.#storing = null;
  }

  async #answersTo(operations: readonly Operation[]): Promise<readonly Answer[]> {
    try {
      return await this.#store.run(operations, Date.now());
    } catch (error) {
      this.#log.error({ code: error instanceof SottoError ? error.code : 'internal' }, 'the store failed');
      return operations.map(() => ({ kind: 'refused', code: 'relay-failed' }));
    }
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

function serveSockets(server: Server, loop: Loop): void {
  const sockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: FRAME_MAX_BYTES });
  server.on('upgrade', (request, socket, head) => {
    const role = ROLE_OF_PATH.get(request.url ?? '');
    if (role !== undefined) return sockets.handleUpgrade(request, socket, head, (accepted) => loop.open(accepted, role, request));
    socket.on('error', () => {});
    socket.end(NOT_FOUND, () => socket.destroy());
  });
}

function openStore(data: string): Store {
  try {
    makeFolder(data);
  } catch (error) {
    throw new SottoError('store-failed', `The folder ${data} cannot be made (${(error as NodeJS.ErrnoException).code}); choose another with --data DIR.`, error);
  }
  return openLmdbStore(data);
}

// Node's own way to make a folder with its parents never ends where the system denies that a parent exists, as in /proc.
function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

async function resolveHost(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new SottoError('option-invalid', `${host} is no address of this machine; give one with --host.`, error);
  }
}

function portOf(door: Port): number {
  return (door.address() as AddressInfo).port;
}

async function listen(server: Port, host: string, port: number): Promise<void> {
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
