// The command `sotto relay`: options in, a relay that runs until it is told to end, and where it is in words or JSON. The relay
// itself is loaded only when the command runs, so that `sotto --help` need not wait for it.

import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { SottoError, type Fault } from '../crypto/error.js';
import type { RelayOptions, RunningRelay } from './run.js';
import { addUpkeepCommands } from './upkeep.js';

interface Flags {
  readonly host: string;
  readonly port: string;
  readonly stunPort: string;
  readonly data: string;
  readonly json?: boolean;
  readonly guide?: boolean;
}

const DEFAULT_PORT = '8080';
const DEFAULT_STUN_PORT = '3478';

/** How many ports the guide tries from the default one on. */
const PORTS_TRIED = 20;

/** Exit codes by fault, the same as those of the client's commands. */
const EXIT_CODES: Readonly<Record<Fault, number>> = { caller: 2, peer: 3, relay: 4, network: 5, disk: 6 };

/** Adds `relay` to the program. */
export function addRelayCommand(program: Command): void {
  const relay = program
    .command('relay')
    .description('run a relay: sealed mailboxes and STUN, in one process')
    .option('--host <address>', 'address to listen at; 0.0.0.0 for every one of this machine', '127.0.0.1')
    .option('--port <number>', 'TCP port of HTTP and WebSocket, 0 for any', DEFAULT_PORT)
    .option('--stun-port <number>', 'UDP port of STUN, 0 for any', DEFAULT_STUN_PORT)
    .option('--data <dir>', 'folder of the mailboxes', dataFolder(process.platform, process.env, homedir()))
    .option('--json', 'write one line of JSON instead of words')
    .option('--guide', 'say what two people type to talk; takes the next port where the default one is taken')
    .action(async (flags: Flags, command: Command) => {
      try {
        await run(flags, command.getOptionValueSource('port') === 'default');
      } catch (error) {
        tell(error, flags.json ?? false);
      }
    });
  addUpkeepCommands(relay, tell);
}

/** Where a relay keeps its data if nobody says otherwise. */
export function dataFolder(platform: NodeJS.Platform, env: NodeJS.ProcessEnv, home: string): string {
  switch (platform) {
    case 'win32': return join(env['LOCALAPPDATA'] || join(home, 'AppData', 'Local'), 'sotto-relay');
    case 'darwin': return join(home, 'Library', 'Application Support', 'sotto-relay');
    default: return join(env['XDG_DATA_HOME'] || join(home, '.local', 'share'), 'sotto-relay');
  }
}

async function run(flags: Flags, anyPort: boolean): Promise<void> {
  const { host, data } = flags;
  const port = portOf('--port', flags.port);
  const stunPort = portOf('--stun-port', flags.stunPort);
  const { pino } = await import('pino');
  // Synchronous, so that the last line before an end is not lost; without the name of the machine.
  const log = pino({ base: null, level: flags.guide ? 'warn' : 'info' }, pino.destination({ fd: 2, sync: true }));
  const relay = await start({ host, port, stunPort, data, log }, flags.guide && anyPort ? PORTS_TRIED : 1);
  log.info({ port: relay.port, stunPort: relay.stunPort }, 'relay started');

  // Once: whoever asks a second time does not want to wait.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop(relay, () => log.info('relay stopped')));

  if (flags.json) return say(JSON.stringify({ type: 'listening', url: urlOf(host, relay.port), port: relay.port, stunPort: relay.stunPort, data }));
  if (stunPort !== 0 && relay.stunPort !== stunPort) say(`UDP port ${stunPort} is taken, so STUN answers at port ${relay.stunPort}.`);
  say(flags.guide ? guide(urlOf(host, relay.port)) : whereabouts(host, relay, data));
}

async function start(options: RelayOptions, tries: number): Promise<RunningRelay> {
  const { startRelay } = await import('./run.js');
  try {
    return await startRelay(options);
  } catch (error) {
    if (tries === 1 || !(error instanceof SottoError) || error.code !== 'port-in-use') throw error;
    return start({ ...options, port: options.port + 1 }, tries - 1);
  }
}

async function stop(relay: RunningRelay, stopped: () => void): Promise<void> {
  try {
    await relay.close();
    stopped();
    process.exit(0);
  } catch (error) {
    tell(error, false);
    process.exit();
  }
}

function whereabouts(host: string, relay: RunningRelay, data: string): string {
  const everywhere = isEverywhere(host) ? ', and every other address of this machine' : '';
  return `Sotto relay is running; Ctrl-C ends it.

  clients  ${urlOf(host, relay.port)}${everywhere}
  STUN     UDP port ${relay.stunPort}
  data     ${data}`;
}

/** What two people on this machine type to talk. */
export function guide(url: string): string {
  const [alice, bob] = [homeOf('alice'), homeOf('bob')];
  return `Sotto relay is running at ${url}; Ctrl-C ends it.

Two people can talk now. Open two more terminals in this folder.

  Alice  npx sotto init   --home ${alice} --name Alice --relay ${url}
         npx sotto invite --home ${alice}

  Bob    npx sotto init   --home ${bob} --name Bob --relay ${url}
         npx sotto accept --home ${bob} "LINK"    (the link that Alice got)
         npx sotto chat   --home ${bob} Alice

  Alice  npx sotto chat   --home ${alice} Bob
`;
}

/** A home folder as a shell takes it. */
function homeOf(name: string): string {
  return process.platform === 'win32' ? `"${join(homedir(), `sotto-${name}`)}"` : `~/sotto-${name}`;
}

function urlOf(host: string, port: number): string {
  const name = isEverywhere(host) ? '127.0.0.1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

function isEverywhere(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function portOf(option: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Infinity;
  if (port > 65_535) throw new SottoError('option-invalid', `${option} takes a port, a whole number from 0 to 65535.`);
  return port;
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
