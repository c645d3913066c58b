// A relay put together: its parts are opened one after the other, and closed in the other direction. What they do is in their own
// files; what a client or an operator sees of them is not decided here.

import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerOptions } from 'node:http';
import type { AddressInfo, Server as Port } from 'node:net';
import { dirname } from 'node:path';
import type { Server as TlsServer } from 'node:tls';
import { SottoError } from '../crypto/error.js';
import { ready } from '../crypto/sodium.js';
import { Clock } from './clock.js';
import type { Admission } from './core/admission.js';
import { LIMITS, type Limits } from './core/limits.js';
import { Relay } from './core/relay.js';
import { displacedOf, openingsOf, type Openings } from './firewall.js';
import { Gate, GATE, type GateOptions } from './gate.js';
import { Guard } from './guard.js';
import type { Log } from './log.js';
import { Loop, serveSockets } from './loop.js';
import { Metrics, type Standing } from './metrics.js';
import { createPage } from './page.js';
import { endPredecessor } from './predecessor.js';
import { createStatus } from './status.js';
import { openLmdbStore } from './stores/lmdb.js';
import type { Store } from './stores/store.js';
import { ensurePlain, isLoopback, readTls, watchTls, type Plain, type TlsFiles } from './tls.js';
import { steadyNow } from './turn/clock.js';
import { rotatingSecrets, sharedSecret } from './turn/credential.js';
import { createDoor, type Tls } from './turn/door.js';
import { ownUrls, type Offering } from './turn/offer.js';
import { startTurnThreads, type TurnThreads, type TurnThreadsOptions } from './turn/workers.js';

export interface RelayOptions {
  /** Name or IP address of this machine to listen at. */
  readonly host: string;
  /** TCP port of HTTP and WebSocket, 0 for any. */
  readonly port: number;
  /** How many ports are tried from that one on, where it is taken; 1 if not given. */
  readonly portsTried?: number;
  /** UDP and TCP port of STUN and TURN, 0 for any; a taken one is replaced by a free one. */
  readonly stunPort: number;
  /** Name or IP address to listen at for STUN and TURN; that of `host` if there is none. */
  readonly stunHost?: string;
  readonly turn?: TurnOptions;
  /** With a certificate the TCP port speaks TLS alone, HTTPS and TURN; without, plain HTTP where `plain` allows that. */
  readonly tls?: Tls | TlsFiles | null;
  readonly plain?: Plain;
  /** Folder of the store; made if it is not there. */
  readonly data: string;
  readonly limits?: Limits;
  /** Who may make mailboxes. */
  readonly admission?: Admission;
  readonly gate?: GateOptions;
  /** Where to answer /metrics and the status page, at any port if that one is taken; null for nowhere. */
  readonly metrics?: { readonly host: string; readonly port: number; readonly orAny: boolean } | null;
  /** Bytes of the data's disk that stay free. */
  readonly diskReserveBytes?: number;
  /** Bytes of memory from which on nothing new is taken; null for what suits the machine. */
  readonly memoryMaxBytes?: number | null;
  /** Ends the relay that uses the folder, and takes its place as soon as it is gone. */
  readonly takeOver?: boolean;
  /** Ours, for metrics and status page. */
  readonly version?: string;
  readonly log?: Log;
}

/** What is relayed for clients that find no direct path; by default to nobody but each other. */
export interface TurnOptions extends Partial<Pick<TurnThreadsOptions, 'peers' | 'exempt' | 'announced' | 'relayPorts' | 'limits' | 'workers'>> {
  /** Another server, which clients are pointed to instead, and the secret that it shares with this relay. */
  readonly external?: { readonly urls: readonly string[]; readonly secret: string };
}

export interface RunningRelay {
  readonly scheme: 'http' | 'https';
  readonly port: number;
  readonly stunPort: number;
  /** Port of the metrics and the status page, null without. */
  readonly metricsPort: number | null;
  /** What a firewall must let through. */
  readonly openings: Openings;
  /** What is to be said of ports that another program has. */
  readonly displaced: readonly string[];
  /** DNS names by which clients may call this relay; none without a certificate. */
  readonly names: readonly string[];
  /** Resolves when the relay cannot go on, with what to tell the operator; it is to be closed then. */
  readonly failed: Promise<SottoError>;
  /** Answers everything that was received, says goodbye to every client and closes the store. */
  close(): Promise<void>;
}

/** Connections that may wait to be accepted: all clients come back at once after a restart. */
const BACKLOG = 8_192;

/** Of the secret that credentials for TURN are made from. It ends with the process, and they soon after. */
const SECRET_BYTES = 32;

/** Room to acknowledge, expire and compact in. */
const DISK_RESERVE_BYTES = 256 * 1024 * 1024;

/** A request over HTTP must have arrived whole within this; nobody needs a tenth of it. */
const HTTP_LIMITS: ServerOptions = { headersTimeout: 10_000, requestTimeout: 10_000 };

const SILENT: Log = { error: () => {}, warn: () => {}, info: () => {} };

/**
 * Starts a relay; it serves when this resolves.
 * @throws SottoError `port-in-use`, `option-invalid` for a host, port or certificate that will not do, `data-in-use`,
 *   `store-damaged`, `store-failed`
 */
export async function startRelay(options: RelayOptions): Promise<RunningRelay> {
  const { host, port, data, limits = LIMITS, admission = { kind: 'open' }, gate: gateOptions = GATE, log = SILENT, version = 'unknown' } = options;
  const { diskReserveBytes = DISK_RESERVE_BYTES, memoryMaxBytes = null, plain = 'loopback', portsTried = 1 } = options;
  const startedAt = performance.now();
  await ready();
  const address = await resolveHost(host);
  const tls = options.tls ? readTls(options.tls) : null;
  if (tls === null) ensurePlain(address, plain);
  // Not before all that may be wrong has been looked at: from here on clients wait.
  if (options.takeOver) await endPredecessor(data);

  const closers: (() => unknown)[] = [];
  const close = enderOf(closers);
  try {
    const clock = new Clock({ wall: Date.now, steady: () => performance.now(), onJump: (byMs) => log.warn({ byMs }, 'the clock has jumped; it is believed when it stays so for an hour') });
    const store = openStore(data, limits, clock.now());
    closers.push(() => store.close());
    const stunAddress = await resolveHost(options.stunHost ?? host, '--stun-host');
    const { turn, offering } = await openTurn(options, stunAddress, clock, () => tls === null ? null : portOf(door.server));
    closers.push(() => turn.close());
    const guard = new Guard({ folder: data, diskReserveBytes, memoryMaxBytes, reusableBytes: () => store.reusableBytes, onPressure: (short) => loop.press(short) });
    closers.push(() => guard.stop());
    const look = (): Standing => ({ connections: loop.connections, waiting: loop.waiting, totals: store.totals, turn: turn.totals, diskFreeBytes: guard.diskFreeBytes, short: guard.short, certificateEndsAt: certificate?.endsAt() ?? null });
    const problems = (): string[] => [...loop.problems, ...guard.short === null ? [] : [`short of ${guard.short}`]];
    const metrics = new Metrics(version, look);
    const loop = new Loop({ relay: new Relay(turn.port, turn.otherPort, limits, admission), store, turn, offering, clock, guard, log, metrics });
    closers.push(() => loop.close());

    const gate = new Gate(gateOptions);
    const admits = async (request: IncomingMessage): Promise<boolean> => {
      const admitted = await gate.admits(request);
      if (!admitted) metrics.refused('http-429');
      return admitted;
    };
    const http = createServer(HTTP_LIMITS, createPage(problems, admits));
    const door = createDoor(tls, { stun: turn.accept, http: (stream) => http.emit('connection', stream) });
    const certificate = tls === null ? null : watchTls(options.tls!, door.server as TlsServer, log);
    if (certificate !== null) closers.push(() => certificate.stop());
    serveSockets(http, loop, gate, metrics);
    await Promise.all([guard.look(), listenNear(door.server, address, port, portsTried)]);
    // It has no port of its own, but watches over its connections from here on.
    http.emit('listening');
    closers.push(() => {
      door.close();
      http.close().closeAllConnections();
    });

    let metricsPort: number | null = null;
    if (options.metrics) {
      const { host: at, port: first, orAny } = options.metrics;
      const status = createStatus({ metrics, look, version, problems, limits: { ...limits, connections: gateOptions.connections }, upMs: () => performance.now() - startedAt });
      closers.push(() => status.close().closeAllConnections());
      await listen(status, at, first, METRICS_FLAGS).catch((error: unknown) => (orAny ? listen(status, at, 0, METRICS_FLAGS) : Promise.reject(error)));
      metricsPort = portOf(status);
    }
    const bound = portOf(door.server);
    const places = options.turn?.external === undefined ? turn : { ...turn, offered: [] };
    const openings = openingsOf(isLoopback(address) ? null : bound, isLoopback(stunAddress) ? null : places);
    return { scheme: tls === null ? 'http' : 'https', port: bound, stunPort: turn.port, metricsPort, openings, displaced: displacedOf(places), names: certificate?.names ?? [], failed: turn.failed, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Closes in the other direction, and once: whoever asks again, as a signal after a failure, waits for the same end. */
function enderOf(closers: readonly (() => unknown)[]): () => Promise<void> {
  let closing: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    for (const closer of closers.toReversed()) await closer();
  };
  return () => closing ??= closeAll();
}

/** Our own server, and what clients are offered: that one, or another. */
async function openTurn({ turn: { external, ...turnOptions } = {}, stunPort }: RelayOptions, address: string, clock: Clock, tlsPort: () => number | null): Promise<{ readonly turn: TurnThreads; readonly offering: Offering }> {
  const secret = new Uint8Array(randomBytes(SECRET_BYTES));
  const turn = await startTurnThreads({ peers: 'clients', workers: 0, ...turnOptions, address, port: stunPort, secret });
  if (external !== undefined) return { turn, offering: { secrets: sharedSecret(external.secret), urlsFor: () => external.urls, now: () => clock.now() } };
  return { turn, offering: { secrets: rotatingSecrets(secret), urlsFor: (name) => ownUrls({ ...turn.nextPorts(), tls: tlsPort() }, name), now: steadyNow } };
}

function openStore(data: string, limits: Limits, now: number): Store {
  try {
    makeFolder(data);
  } catch (error) {
    throw new SottoError('store-failed', `The folder ${data} cannot be made (${(error as NodeJS.ErrnoException).code}); choose another with --data DIR.`, error);
  }
  return openLmdbStore(data, limits, now);
}

// Node's own way to make a folder with its parents never ends where the system denies that a parent exists, as in /proc.
function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

async function resolveHost(host: string, flag = '--host'): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new SottoError('option-invalid', `${host} is no address of this machine; give one with ${flag}.`, error);
  }
}

function portOf(door: Port): number {
  return (door.address() as AddressInfo).port;
}

/** By which an operator sets where a server listens. */
interface Flags {
  readonly host: string;
  readonly port: string;
}

const FLAGS: Flags = { host: '--host', port: '--port' };
const METRICS_FLAGS: Flags = { host: '--metrics-host', port: '--metrics-port' };

async function listenNear(server: Port, host: string, port: number, tries: number): Promise<void> {
  try {
    await listen(server, host, port, FLAGS);
  } catch (error) {
    if (tries <= 1 || !(error instanceof SottoError && error.code === 'port-in-use')) throw error;
    await listenNear(server, host, port + 1, tries - 1);
  }
}

async function listen(server: Port, host: string, port: number, flags: Flags): Promise<void> {
  try {
    server.listen({ host, port, backlog: BACKLOG });
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') throw new SottoError('port-in-use', `Another program uses port ${port}; choose another with ${flags.port}.`, error);
    throw new SottoError('option-invalid', `This machine does not let Sotto listen at ${host}, port ${port}; choose others with ${flags.host} and ${flags.port}.`, error);
  }
}
