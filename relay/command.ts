// The command `sotto relay`: options in, a relay that runs until it is told to end, and where it is in words or JSON. The relay
// itself is loaded only when the command runs, so that `sotto --help` need not wait for it.

import { writeFileSync } from 'node:fs';
import { homedir, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { SottoError, type Fault } from '../crypto/error.js';
import type { Configuration } from './config.js';
import { describe } from './firewall.js';
import type { Log } from './log.js';
import { leaveNotice, noticeIn, takeNotice } from './notice.js';
import type { RelayOptions, RunningRelay } from './run.js';
import { addSettings, type Config } from './settings.js';
import { causeOf } from './turn/cause.js';
import { addUpkeepCommands } from './upkeep.js';

interface Flags extends Readonly<Record<string, unknown>> {
  readonly json?: boolean;
  readonly log?: boolean;
  readonly guide?: boolean;
  readonly takeOver?: boolean;
  readonly printConfig?: boolean;
}

/** How many ports are tried from the default one on, where nobody has chosen another. */
const PORTS_TRIED = 20;

/** Why a folder cannot be made, by what the system says. */
const FOLDER_CAUSES: Readonly<Record<string, string>> = {
  EEXIST: 'it is a file',
  ENOTDIR: 'a part of its path is a file',
  ENOENT: 'the system lets nobody make one there',
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'nothing can be written there',
};

/** How long a relay may take to close in which something has failed that nobody foresaw: it may be what closes. */
const BROKEN_MAX_MS = 5_000;

/** Exit codes by fault, the same as those of the client's commands. */
const EXIT_CODES: Readonly<Record<Fault, number>> = { caller: 2, peer: 3, relay: 4, network: 5, disk: 6 };

/** Adds `relay` to the program. */
export function addRelayCommand(program: Command): void {
  const relay = program
    .command('relay')
    .description('run a relay: sealed mailboxes, STUN and TURN, in one process')
    .option('--json', 'write one line of JSON instead of words')
    .option('--log', 'write the log on a terminal too; elsewhere it is always written, to the error output')
    .option('--guide', 'say what two people type to talk')
    .option('--take-over', 'end the relay that uses --data, and take its place')
    .option('--print-config', 'print all settings as they would be used, and end')
    .hook('preAction', () => {
      // Whoever reads what is said may have gone, or the disk that it goes to be full: a relay is there for others.
      for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
    })
    .action(async (flags: Flags) => {
      try {
        await run(flags, program);
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

async function run(flags: Flags, program: Command): Promise<void> {
  const { config, given } = await configOf(flags);
  if (flags.printConfig) return say((await import('./config.js')).printConfig(config));
  const { optionsOf } = await import('./options.js');
  const options = await optionsOf(config, given);
  const log = await openLog(flags, config.logLevel);
  const version = program.version() ?? 'unknown';
  const { host, port, stunPort, data } = config;
  // A port that nobody has chosen may be replaced where it is taken.
  const relay = await start({ ...options, portsTried: given.has('port') ? 1 : PORTS_TRIED, version, log, takeOver: flags.takeOver ?? false }).catch((error: unknown) => {
    const running = flags.guide && error instanceof SottoError && error.code === 'data-in-use' ? noticeIn(data) : null;
    if (running === null) throw error;
    say(`It runs already, in another terminal; this one is free.\n\n${guide(running, program.name())}`);
    return null;
  });
  if (relay === null) return;
  if (given.has('stunPort') && stunPort !== 0 && relay.stunPort !== stunPort) {
    await relay.close();
    throw new SottoError('port-in-use', `Another program uses UDP port ${stunPort}; choose another with --stun-port.`);
  }
  const url = urlOf(relay.names[0] ?? host, relay);
  leaveNotice(data, url);
  log.info({ port: relay.port, stunPort: relay.stunPort }, 'relay started');

  const stopped = () => {
    log.info({}, 'relay stopped');
    if (!flags.json) say('Sotto relay has stopped.');
  };
  // Once: whoever asks a second time does not want to wait.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => void stop(relay, data, stopped, signal));
  process.on('uncaughtException', (error) => {
    tell(broken(error), flags.json ?? false);
    setTimeout(() => process.exit(), BROKEN_MAX_MS);
    void stop(relay, data, () => {});
  });
  void relay.failed.then((why) => stop(relay, data, () => tell(why, flags.json ?? false)));

  if (flags.json) return say(JSON.stringify({ type: 'listening', url, port: relay.port, stunPort: relay.stunPort, metricsPort: relay.metricsPort, data, openings: relay.openings, displaced: relay.displaced }));
  if (port !== 0 && relay.port !== port) say(`TCP port ${port} is taken, so the relay answers at port ${relay.port}.\nHomes made for another port do not find it: free that port for them.`);
  if (stunPort !== 0 && relay.stunPort !== stunPort) say(`UDP port ${stunPort} is taken, so STUN answers at port ${relay.stunPort}.`);
  if (stunPort !== 0 && relay.displaced.length > 0) say(relay.displaced.join('\n'));
  say(flags.guide ? guide(url, program.name()) : whereabouts(config, relay));
}

/** Lines of JSON for whoever keeps logs. A person at a terminal, who has not asked for them, is told of failures only. */
async function openLog({ log, guide: guided }: Flags, level: Config['logLevel']): Promise<Log> {
  if (process.stderr.isTTY && !log) return terseLog();
  const { pino } = await import('pino');
  // Synchronous, so that the last line before an end is not lost; without the name of the machine.
  const lines: Log = pino({ base: null, level: guided && !log && level === 'info' ? 'warn' : level }, { write: writeLog });
  return {
    info: (fields, text) => lines.info(fields, text),
    warn: (fields, text) => lines.warn(fields, text),
    error: (fields, text) => {
      // The database says by itself that a disk is full, and leaves its line open.
      writeLog('\n');
      lines.error(fields, text);
    },
  };
}

/** Writes to the error output what it takes: a log on a disk that is full says so when there is room again. */
function writeLog(text: string): void {
  try {
    writeFileSync(2, text);
  } catch {
    // Nobody is told, and the relay goes on.
  }
}

function terseLog(): Log {
  const tellShortly = (_: object, text: string): void => void process.stderr.write(`sotto: ${text}; --log says more\n`);
  return { info: () => {}, warn: tellShortly, error: tellShortly };
}

async function start(options: RelayOptions): Promise<RunningRelay> {
  const { startRelay } = await import('./run.js');
  try {
    return await startRelay(options);
  } catch (error) {
    if (!(error instanceof SottoError)) throw error;
    const why = FOLDER_CAUSES[(error.cause as NodeJS.ErrnoException | undefined)?.code ?? ''];
    if (error.code === 'store-failed' && why !== undefined) throw new SottoError('store-failed', `The folder ${options.data} cannot be made: ${why}; choose another with --data DIR.`, error);
    const url = error.code === 'data-in-use' ? noticeIn(options.data) : null;
    throw url === null ? error : new SottoError('data-in-use', `A relay with the data in ${options.data} runs already, at ${url}. Use that one, or end it with Ctrl-C where it runs, or give this one another folder with --data DIR.`, error);
  }
}

/** An error that nobody foresaw, without its words: they may hold a client's address. */
function broken(error: unknown): SottoError {
  const why = error instanceof Error ? causeOf(error) : 'something was thrown that is no error';
  return new SottoError('internal', `Something has failed inside the relay (${why}), so it has ended; what it accepted is kept. Start it again; if that happens often, report it.`, error);
}

/** @param signal by which it was asked to */
async function stop(relay: RunningRelay, data: string, stopped: () => void, signal?: NodeJS.Signals): Promise<void> {
  try {
    // While the folder is still ours.
    takeNotice(data);
    await relay.close();
    stopped();
  } catch (error) {
    tell(error, false);
  }
  // By the signal itself where the terminal is gone: Node aborts where it cannot give one back.
  if (signal === 'SIGHUP') process.kill(process.pid, signal);
  else process.exit();
}

function whereabouts(config: Config, relay: RunningRelay): string {
  const { host, data } = config;
  const others = isEverywhere(host) ? addressesOfMachine(host) : [];
  const hosts = relay.names.length > 0 ? relay.names : [host, ...others];
  const metrics = relay.metricsPort === null ? '' : `\n  status   port ${relay.metricsPort} of this machine, with metrics`;
  return `Sotto relay is running; Ctrl-C ends it.

  clients  ${hosts.map((name) => urlOf(name, relay)).join('\n           ')}
  STUN     UDP port ${relay.stunPort}, with TURN${metrics}
  data     ${data}

${reach(config, others, describe(relay.openings))}`;
}

/** Who can use the relay, and what it takes that others can. @param openings what a firewall must let through */
function reach({ host, stunHost, behindProxy }: Config, others: readonly string[], openings: string): string {
  const firewall = openings === '' ? '' : `\nA firewall must let through ${openings}.`;
  if (behindProxy) return `Others reach it by the proxy in front${stunHost === '' ? '; --stun-host 0.0.0.0 gives them STUN and TURN' : ''}.${firewall}`;
  if (openings === '') return 'Only this machine reaches it; --host 0.0.0.0 with a certificate or --lan lets others in.';
  if (isEverywhere(host) && others.length === 0) return 'This machine has no address that others could reach.';
  return `Others make their identity with --relay and the address that they reach.${firewall}`;
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

The next time start this relay again, and type the two chat commands alone.
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
