// The commands that look after a relay's data: `sotto relay inspect`, `backup` and `compact`. They print numbers; there is nothing
// else to see.

import type { Command } from 'commander';
import type { Inspection } from './stores/upkeep.js';

interface Flags extends Readonly<Record<string, unknown>> {
  readonly json?: boolean;
}

/** Says what was thrown, and sets the exit code. */
export type Tell = (thrown: unknown, json: boolean) => void;

const MIB = 1024 * 1024;
const DAY_MS = 24 * 3_600_000;

/** Adds the commands below `relay`, which knows --data and --json itself. @param dataOf the folder that flags and environment name */
export function addUpkeepCommands(relay: Command, dataOf: (flags: Flags) => Promise<string>, tell: Tell): void {
  const add = (usage: string, description: string, run: (data: string, json: boolean, target: string) => Promise<string>): void => {
    relay.command(usage).description(description).action(async (...given: unknown[]) => {
      const flags = (given.at(-1) as Command).optsWithGlobals<Flags>();
      try {
        process.stdout.write(`${await run(await dataOf(flags), flags.json ?? false, String(given[0]))}\n`);
      } catch (error) {
        tell(error, flags.json ?? false);
      }
    });
  };
  add('inspect', 'count what is kept in --data, also while a relay runs on it', async (data, json) => {
    const { inspect } = await import('./stores/upkeep.js');
    const inspection = await inspect(data, Date.now());
    return json ? JSON.stringify(inspection) : describe(inspection);
  });
  add('backup <file>', 'copy what is kept in --data to a new file, also while a relay runs on it', async (data, json, file) => {
    const { backup } = await import('./stores/upkeep.js');
    await backup(data, file);
    return json ? JSON.stringify({ file }) : `The backup is in ${file}. To restore it, stop the relay and put the file in its place as relay.mdb.`;
  });
  add('compact', 'give the disk back what was deleted; the relay must be stopped', async (data, json) => {
    const { compact } = await import('./stores/upkeep.js');
    const sizes = await compact(data);
    return json ? JSON.stringify(sizes) : `The file had ${mib(sizes.before)} and has ${mib(sizes.after)}.`;
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
