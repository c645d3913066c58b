// The command `sotto relay`: options in, a relay that runs until it is told to end, and where it is in words or JSON. The relay
// itself is loaded only when the command runs, so that `sotto --help` need not wait for it.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, networkInterfaces } from 'node:os';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Command } from 'commander';
import { SottoError, type Fault } from '../crypto/error.js';
import type { Log, RelayOptions, RunningRelay, TurnOptions } from './run.js';
import type { Tls } from './turn/door.js';

interface Flags {
  readonly host: string;
  readonly port: string;
  readonly stunPort: string;
  readonly turnPeers: string;
  readonly turnAddress?: string[];
  readonly turnPorts?: string;
  readonly turnUrl?: string[];
  readonly turnSecretFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly data: string;
  readonly json?: boolean;
  readonly log?: boolean;
  readonly guide?: boolean;
}

interface RelayLog extends Log {
  info(fields: object, text: string): void;
}

const DEFAULT_PORT = '8080';
const DEFAULT_STUN_PORT = '3478';

/** How many ports the guide tries from the default one on. */
const PORTS_TRIED = 20;

/** Exit codes by fault, the same as those of the client's commands. */
const EXIT_CODES: Readonly<Record<Fault, number>> = { caller: 2, peer: 3, relay: 4, network: 5, disk: 6 };

/** Adds `relay` to the program. */
export function addRelayCommand(program: Command): void {
  program
    .command('relay')
    .description('run a relay: sealed mailboxes, STUN and TURN, in one process')
    .option('--host <address>', 'address to listen at; 0.0.0.0 for every one of this machine', '127.0.0.1')
    .option('--port <number>', 'TCP port of HTTP and WebSocket, 0 for any', DEFAULT_PORT)
    .option('--stun-port <number>', 'UDP and TCP port of STUN and TURN, 0 for any', DEFAULT_STUN_PORT)
    .option('--turn-peers <whom>', 'to whom TURN relays: "clients" of this relay, or "open" for every public address', 'clients')
    .option('--turn-address <address...>', 'public IP addresses of this machine, where it does not have them itself')
    .option('--turn-ports <first-last>', 'UDP ports of relayed connections; 49152-65535 if not given')
    .option('--turn-url <url...>', 'another TURN server to point clients to, with --turn-secret-file')
    .option('--turn-secret-file <file>', 'file with the secret that the other TURN server shares with this relay')
    .option('--tls-cert <file>', 'certificate in PEM: the TCP port speaks TLS alone, for HTTPS and TURN')
    .option('--tls-key <file>', 'key of the certificate in PEM')
    .option('--data <dir>', 'folder of the mailboxes', dataFolder(process.platform, process.env, homedir()))
    .option('--json', 'write one line of JSON instead of words')
    .option('--log', 'write the log on a terminal too; elsewhere it is always written, to the error output')
    .option('--guide', 'say what two people type to talk; takes the next port where the default one is taken')
    .action(async (flags: Flags, command: Command) => {
      try {
        await run(flags, command.getOptionValueSource('port') === 'default', program.name());
      } catch (error) {
        tell(error, flags.json ?? false);
      }
    });
}

/** Where a relay keeps its data if nobody says otherwise. */
export function dataFolder(platform: NodeJS.Platform, env: NodeJS.ProcessEnv, home: string): string {
  switch (platform) {
    case 'win32': return join(env['LOCALAPPDATA'] || join(home, 'AppData', 'Local'), 'sotto-relay');
    case 'darwin': return join(home, 'Library', 'Application Support', 'sotto-relay');
    default: return join(env['XDG_DATA_HOME'] || join(home, '.local', 'share'), 'sotto-relay');
  }
}

async function run(flags: Flags, anyPort: boolean, program: string): Promise<void> {
  const { host, data } = flags;
  const port = portOf('--port', flags.port);
  const stunPort = portOf('--stun-port', flags.stunPort);
  const log = await openLog(flags);
  const tls = tlsOf(flags);
  const relay = await start({ host, port, stunPort, turn: turnOf(flags), ...tls !== null && { tls }, data, log }, flags.guide && anyPort ? PORTS_TRIED : 1);
  const url = urlOf(host, relay);
  leaveUrl(data, url);
  log.info({ port: relay.port, stunPort: relay.stunPort }, 'relay started');

  const stopped = () => {
    log.info({}, 'relay stopped');
    if (!flags.json) say('Sotto relay has stopped.');
  };
  // Once: whoever asks a second time does not want to wait.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop(relay, data, stopped));

  if (flags.json) return say(JSON.stringify({ type: 'listening', url, port: relay.port, stunPort: relay.stunPort, data }));
  if (port !== 0 && relay.port !== port) say(`TCP port ${port} is taken, so the relay answers at port ${relay.port}.`);
  if (stunPort !== 0 && relay.stunPort !== stunPort) say(`UDP port ${stunPort} is taken, so STUN answers at port ${relay.stunPort}.`);
  say(flags.guide ? guide(url, program) : whereabouts(host, relay, data));
}

/** Lines of JSON for whoever keeps logs. A person at a terminal, who has not asked for them, is told of failures only. */
async function openLog({ log, guide: guided }: Flags): Promise<RelayLog> {
  if (process.stderr.isTTY && !log) return { info: () => {}, error: (_, text) => void process.stderr.write(`sotto: ${text}; --log says more\n`) };
  const { pino } = await import('pino');
  // Synchronous, so that the last line before an end is not lost; without the name of the machine.
  const lines: RelayLog = pino({ base: null, level: guided && !log ? 'warn' : 'info' }, pino.destination({ fd: 2, sync: true }));
  return lines;
}

async function start(options: RelayOptions, tries: number): Promise<RunningRelay> {
  const { startRelay } = await import('./run.js');
  try {
    return await startRelay(options);
  } catch (error) {
    if (!(error instanceof SottoError)) throw error;
    if (error.code === 'port-in-use' && tries > 1) return start({ ...options, port: options.port + 1 }, tries - 1);
    throw error.code === 'data-in-use' ? whoUses(options.data, error) : error;
  }
}

/** Where a relay that runs says its URL to one that is started on the same data. */
function urlFile(data: string): string {
  return join(data, 'url');
}

function leaveUrl(data: string, url: string): void {
  try {
    writeFileSync(urlFile(data), url);
  } catch {
    // It is a courtesy to a person; a disk that cannot be written is told when something must be kept.
  }
}

function whoUses(data: string, error: SottoError): SottoError {
  try {
    const url = readFileSync(urlFile(data), 'utf8');
    return new SottoError('data-in-use', `A relay with the data in ${data} runs already, at ${url}. Use that one, or end it with Ctrl-C where it runs, or give this one another folder with --data DIR.`, error);
  } catch {
    return error;
  }
}

async function stop(relay: RunningRelay, data: string, stopped: () => void): Promise<void> {
  try {
    // While the folder is still ours.
    rmSync(urlFile(data), { force: true });
    await relay.close();
    stopped();
    process.exit(0);
  } catch (error) {
    tell(error, false);
    process.exit();
  }
}

function whereabouts(host: string, relay: RunningRelay, data: string): string {
  const others = isEverywhere(host) ? addressesOfMachine(host) : [];
  return `Sotto relay is running; Ctrl-C ends it.

  clients  ${[host, ...others].map((address) => urlOf(address, relay)).join('\n           ')}
  STUN     UDP port ${relay.stunPort}, with TURN
  data     ${data}

${reach(host, others)}`;
}

/** Who can use the relay, and what it takes that others can. */
function reach(host: string, others: readonly string[]): string {
  if (isLoopback(host)) return 'Only this machine reaches it; --host 0.0.0.0 lets others in.';
  if (isEverywhere(host) && others.length === 0) return 'This machine has no address that others could reach.';
  return 'Others make their identity with --relay and the address that they reach. A firewall must let both ports through.';
}

/** The addresses at which others may reach this machine, those of IPv6 only if they are listened at. */
function addressesOfMachine(host: string): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family, address }) => !internal && (family === 'IPv4' || (host === '::' && !/^fe[89ab]/i.test(address))))
    .map(({ address }) => address);
}

/**
 * What two people on this machine type to talk; no line is longer than 80 characters where the home folder is short.
 * @param program the word that runs it
 */
function guide(url: string, program: string): string {
  const [alice, bob] = [homeOf('alice'), homeOf('bob')];
  return `Sotto relay is running at ${url}; Ctrl-C ends it.

Two people can talk now. Open two more terminals in this folder. Alice types

${program} init --home ${alice} --name Alice --relay ${url}
${program} invite --home ${alice}

and Bob, with the link that Alice got in the place of LINK,

${program} init --home ${bob} --name Bob --relay ${url}
${program} accept --home ${bob} "LINK"
${program} chat --home ${bob} Alice

and then Alice

${program} chat --home ${alice} Bob
`;
}

/** A home folder as a shell takes it. */
function homeOf(name: string): string {
  return process.platform === 'win32' ? `"${join(homedir(), `sotto-${name}`)}"` : `~/sotto-${name}`;
}

function urlOf(host: string, { scheme, port }: RunningRelay): string {
  const name = isEverywhere(host) ? '127.0.0.1' : host;
  return `${scheme}://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function isEverywhere(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function portOf(option: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Infinity;
  if (port > 65_535) throw new SottoError('option-invalid', `${option} takes a port, a whole number from 0 to 65535.`);
  return port;
}

function turnOf({ turnPeers, turnAddress = [], turnPorts, turnUrl, turnSecretFile }: Flags): TurnOptions {
  if (turnPeers !== 'clients' && turnPeers !== 'open') throw new SottoError('option-invalid', '--turn-peers takes "clients" or "open".');
  if (turnAddress.some((address) => isIP(address) === 0)) throw new SottoError('option-invalid', '--turn-address takes IP addresses.');
  if ((turnUrl === undefined) !== (turnSecretFile === undefined)) throw new SottoError('option-invalid', '--turn-url and --turn-secret-file go together.');
  return {
    peers: turnPeers,
    announced: turnAddress,
    ...turnPorts !== undefined && { relayPorts: portsOf('--turn-ports', turnPorts) },
    ...turnUrl !== undefined && turnSecretFile !== undefined && { external: { urls: turnUrl, secret: read('--turn-secret-file', turnSecretFile).trim() } },
  };
}

function tlsOf({ tlsCert, tlsKey }: Flags): Tls | null {
  if (tlsCert === undefined && tlsKey === undefined) return null;
  if (tlsCert === undefined || tlsKey === undefined) throw new SottoError('option-invalid', '--tls-cert and --tls-key go together.');
  const tls = { cert: read('--tls-cert', tlsCert), key: read('--tls-key', tlsKey) };
  try {
    createSecureContext(tls);
  } catch (error) {
    throw new SottoError('option-invalid', '--tls-cert and --tls-key take a certificate and its key, in PEM.', error);
  }
  return tls;
}

function portsOf(option: string, text: string): [number, number] {
  const [first = '', last = '', ...more] = text.split('-');
  const ports: [number, number] = [portOf(option, first), portOf(option, last)];
  if (more.length > 0 || ports[0] === 0 || ports[0] >= ports[1]) throw new SottoError('option-invalid', `${option} takes two ports, the first one below the last one, as in 50000-50999.`);
  return ports;
}

function read(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new SottoError('option-invalid', `The file ${file} of ${option} cannot be read (${(error as NodeJS.ErrnoException).code}).`, error);
  }
}

function tell(thrown: unknown, json: boolean): void {
  const error = thrown instanceof SottoError ? thrown : new SottoError('internal', undefined, thrown);
  if (json) say(JSON.stringify({ error: { code: error.code, message: error.message } }));
  else process.stderr.write(`sotto: ${error.message}\n`);
  process.exitCode = error.code === 'internal' ? 1 : EXIT_CODES[error.fault];
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
