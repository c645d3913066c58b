// The command `sotto relay`: options in, a relay that runs until it is told to end, and where it is in words or JSON. The relay
// itself is loaded only when the command runs, so that `sotto --help` need not wait for it.

import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { SottoError, type Fault } from '../crypto/error.js';
import type { Configuration } from './config.js';
import type { RelayOptions, RunningRelay } from './run.js';
import { addSettings, type Config } from './settings.js';
import { addUpkeepCommands } from './upkeep.js';

interface Flags extends Readonly<Record<string, unknown>> {
  readonly json?: boolean;
  readonly guide?: boolean;
  readonly takeOver?: boolean;
  readonly printConfig?: boolean;
}

/** How many ports the guide tries from the default one on. */
const PORTS_TRIED = 20;

/** Exit codes by fault, the same as those of the client's commands. */
const EXIT_CODES: Readonly<Record<Fault, number>> = { caller: 2, peer: 3, relay: 4, network: 5, disk: 6 };

/** Adds `relay` to the program. */
export function addRelayCommand(program: Command): void {
  const relay = program
    .command('relay')
    .description('run a relay: sealed mailboxes and STUN, in one process')
    .option('--json', 'write one line of JSON instead of words')
    .option('--guide', 'say what two people type to talk; takes the next port where the default one is taken')
    .option('--take-over', 'end the relay that uses --data, and take its place')
    .option('--print-config', 'print all settings as they would be used, and end')
    .action(async (flags: Flags) => {
      try {
        await run(flags, program.version() ?? 'unknown');
      } catch (error) {
        tell(error, flags.json ?? false);
      }
    });
  addSettings(relay);
  addUpkeepCommands(relay, async (flags) => (await configOf(flags)).config, tell);
}

/** Where a relay keeps its data if nobody says otherwise. */
export function dataFolder(platform: NodeJS.Platform, env: NodeJS.ProcessEnv, home: string): string {
  switch (platform) {
    case 'win32': return join(env['LOCALAPPDATA'] || join(home, 'AppData', 'Local'), 'sotto-relay');
    case 'darwin': return join(home, 'Library', 'Application Support', 'sotto-relay');
    default: return join(env['XDG_DATA_HOME'] || join(home, '.local', 'share'), 'sotto-relay');
  }
}

async function configOf(flags: Readonly<Record<string, unknown>>): Promise<Configuration> {
  const { readConfig } = await import('./config.js');
  return readConfig(flags, process.env, dataFolder(process.platform, process.env, homedir()));
}

async function run(flags: Flags, version: string): Promise<void> {
  const { config, given } = await configOf(flags);
  if (flags.printConfig) return say((await import('./config.js')).printConfig(config));
  const { pino } = await import('pino');
  // Synchronous, so that the last line before an end is not lost; without the name of the machine.
  const level = flags.guide && !given.has('logLevel') ? 'warn' : config.logLevel;
  const log = pino({ base: null, level }, pino.destination({ fd: 2, sync: true }));
  const { optionsOf } = await import('./options.js');
  const options = await optionsOf(config, given);
  const relay = await start({ ...options, version, log, takeOver: flags.takeOver ?? false }, flags.guide && !given.has('port') ? PORTS_TRIED : 1);
  log.info({ port: relay.port, stunPort: relay.stunPort }, 'relay started');

  // Once: whoever asks a second time does not want to wait.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop(relay, () => log.info('relay stopped')));

  const { data, stunPort } = config;
  const url = urlOf(config, relay.port);
  if (flags.json) return say(JSON.stringify({ type: 'listening', url, port: relay.port, stunPort: relay.stunPort, metricsPort: relay.metricsPort, data }));
  if (stunPort !== 0 && relay.stunPort !== stunPort) say(`UDP port ${stunPort} is taken, so STUN answers at port ${relay.stunPort}.`);
  say(flags.guide ? guide(url) : whereabouts(url, isEverywhere(config.host), relay, data));
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

function whereabouts(url: string, isOpen: boolean, relay: RunningRelay, data: string): string {
  const everywhere = isOpen ? ', and every other address of this machine' : '';
  return `Sotto relay is running; Ctrl-C ends it.

  clients  ${url}${everywhere}
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

function urlOf({ host, tlsCert }: Config, port: number): string {
  const name = isEverywhere(host) ? '127.0.0.1' : host;
  return `${tlsCert === '' ? 'http' : 'https'}://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

function isEverywhere(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
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
