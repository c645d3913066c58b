// What all client commands share: the options of the home, the two forms of output, and the way they end. It knows no command.

import { type Command, type CommanderError, Option } from 'commander';
import { SottoError } from '../../crypto/error.js';
import { type ExitCode, exitCodeOf, toSottoError } from './exit.js';
import type { HomeOptions } from './open.js';
import { ReaderGone, writeJson, writeNote } from './output.js';
import { safeText } from './text.js';

/** Adds a command with the options that every client command has. */
export function addCommand(program: Command, nameAndArguments: string, description: string): Command {
  return program
    .command(nameAndArguments)
    .description(description)
    .addOption(new Option('--home <dir>', 'folder of the identity').env('SOTTO_HOME'))
    .option('--passphrase', 'ask for the passphrase of the home (or set SOTTO_PASSPHRASE)')
    .option('--json', 'write JSON for programs')
    .configureOutput({ outputError: () => {} })
    .exitOverride(endRefused);
}

/**
 * Wraps the action of a command: its errors are told in the wanted form, and the process ends with the right code. The process is
 * ended by hand, because a library's thread may outlive its use.
 */
export function action<Arguments extends unknown[]>(run: (...args: Arguments) => Promise<ExitCode | void>) {
  return async (...args: unknown[]): Promise<void> => {
    // Commander passes the arguments, the options, and itself.
    const options = args.at(-2) as HomeOptions;
    let code: ExitCode;
    try {
      code = (await run(...(args as Arguments))) ?? 0;
    } catch (thrown) {
      code = await tell(thrown, options.json ?? false);
    }
    process.exit(code);
  };
}

/** Says what went wrong, as JSON on the output or as a sentence beside it, and gives the exit code. */
export async function tell(thrown: unknown, json: boolean): Promise<ExitCode> {
  if (thrown instanceof ReaderGone) return 0;
  const error = toSottoError(thrown);
  try {
    if (json) await writeJson({ error: { code: error.code, message: error.message } });
    else await writeNote(`sotto: ${safeText(error.message)}`);
  } catch {
    // Nobody reads; the exit code still tells.
  }
  return exitCodeOf(error.code);
}

/** A number given as an option. Throws `option-invalid` outside the bounds. */
export function numberOption(name: string, text: string, { min, max, whole }: { min: number; max: number; whole: boolean }): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  throw new SottoError('option-invalid', `${name} takes a ${whole ? 'whole ' : ''}number from ${min} to ${max}.`);
}

/** One of a closed set of words given as an option or argument. Throws `option-invalid`. */
export function wordOption<Word extends string>(name: string, text: string, words: readonly Word[]): Word {
  const word = words.find((candidate) => candidate === text);
  if (word !== undefined) return word;
  throw new SottoError('option-invalid', `${name} is one of: ${words.join(', ')}.`);
}

function endRefused(refusal: CommanderError): never {
  if (refusal.exitCode === 0) process.exit(0);
  const sentence = refusal.message.replace(/^error: /, '');
  const error = new SottoError('option-invalid', `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}; see --help.`);
  // Commander wants no promise here, and a line this short is written before tell() first waits.
  void tell(error, process.argv.includes('--json'));
  process.exit(exitCodeOf(error.code));
}
