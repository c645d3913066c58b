// The commands that look after a relay: `sotto relay inspect`, `backup`, `compact` and `doctor`. They print numbers and what to do;
// there is nothing else to see.

import type { Command } from 'commander';
import { SottoError } from '../crypto/error.js';
import { noticeIn } from './notice.js';
import type { Config } from './settings.js';
import type { Inspection } from './stores/upkeep.js';

interface Flags extends Readonly<Record<string, unknown>> {
  readonly json?: boolean;
}

/** Says what was thrown, and sets the exit code. */
export type Tell = (thrown: unknown, json: boolean) => void;

const MARKS = { good: '+', bad: '!', unknown: '?' } as const;

/** The relay is not as it should be: the relay's fault, as all exit codes have it. */
const EXIT_BAD = 4;

const MIB = 1024 * 1024;
const DAY_MS = 24 * 3_600_000;

/** Adds the commands below `relay`, which knows --data and --json itself. @param configOf what flags and environment set */
export function addUpkeepCommands(relay: Command, configOf: (flags: Flags) => Promise<Config>, tell: Tell): void {
  const add = (usage: string, description: string, run: (config: Config, json: boolean, target: string | undefined) => Promise<string>): void => {
    relay.command(usage).description(description).action(async (...given: unknown[]) => {
      const flags = (given.at(-1) as Command).optsWithGlobals<Flags>();
      try {
        process.stdout.write(`${await run(await configOf(flags), flags.json ?? false, given[0] as string | undefined)}\n`);
      } catch (error) {
        tell(error, flags.json ?? false);
      }
    });
  };
  add('inspect', 'count what is kept in --data, also while a relay runs on it', async ({ data }, json) => {
    const { inspect } = await import('./stores/upkeep.js');
    const inspection = await inspect(data, Date.now());
    return json ? JSON.stringify(inspection) : describe(inspection);
  });
  add('backup <file>', 'copy what is kept in --data to a new file, also while a relay runs on it', async ({ data }, json, file = '') => {
    const { backup } = await import('./stores/upkeep.js');
    await backup(data, file);
    return json ? JSON.stringify({ file }) : `The backup is in ${file}. To restore it, stop the relay and put the file in its place as relay.mdb.`;
  });
  add('compact', 'give the disk back what was deleted; the relay must be stopped', async ({ data }, json) => {
    const { compact } = await import('./stores/upkeep.js');
    const sizes = await compact(data);
    return json ? JSON.stringify(sizes) : `The file had ${mib(sizes.before)} and has ${mib(sizes.after)}.`;
  });
  add('doctor [url]', 'look at a relay as its clients do, and say what to do; at the one that uses --data, if no URL is given', async (config, json, given) => {
    const url = given ?? noticeIn(config.data) ?? `${config.tlsCert === '' ? 'http' : 'https'}://127.0.0.1:${config.port}`;
    if (!/^https?:\/\/./.test(url) || !URL.canParse(url)) throw new SottoError('relay-url-invalid');
    const { examine } = await import('./doctor.js');
    const findings = await examine({ ...config, url });
    if (findings.some(({ state }) => state === 'bad')) process.exitCode = EXIT_BAD;
    return json ? JSON.stringify(findings) : findings.map(({ what, state, sentence }) => `${MARKS[state]} ${what.padEnd(12)}${sentence}`).join('\n');
  });
}

function describe({ format, fileBytes, totals, emptyMailboxes, fullestMailbox, oldestEnvelopeMs, ages, expired, nextUnusedMs }: Inspection): string {
  const rows: readonly (readonly [string, string])[] = [
    ['file', `${mib(fileBytes)}, format ${format}`],
    ['mailboxes', `${totals.mailboxes}, of which ${emptyMailboxes} are empty; the fullest has ${fullestMailbox} envelopes`],
    ['unused', nextUnusedMs === null ? 'none' : `the next one is removed in ${days(nextUnusedMs)}`],
    ['cards', `${totals.cards}`],
    ['envelopes', `${totals.envelopes}, ${mib(totals.bytes)} with the cards; ${expired} are over and not yet swept`],
    ['oldest', oldestEnvelopeMs === null ? 'none' : days(oldestEnvelopeMs)],
    ...ages.map(({ label, envelopes, bytes }) => [label, `${envelopes}, ${mib(bytes)}`] as const),
  ];
  return rows.map(([name, value]) => `${name.padEnd(18)}${value}`).join('\n');
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function days(ms: number): string {
  return `${(ms / DAY_MS).toFixed(1)} days`;
}
