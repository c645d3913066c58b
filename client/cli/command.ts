// What all client commands share: the options of the home, the two forms of output, and the way they end. It knows no command.

import type { Command, CommanderError } from 'commander';
import { SottoError } from '../../crypto/error.js';
import { defaultHome } from '../folder.js';
import { type ExitCode, exitCodeOf, toSottoError } from './exit.js';
import { withCommands } from './hint.js';
import type { HomeOptions } from './open.js';
import { ReaderGone, writeJson, writeNote } from './output.js';
import { endProcess } from './stop.js';
import { safeText } from './text.js';

/** Where a relay listens that was started on this machine without options. */
export const DEFAULT_RELAY = 'http://127.0.0.1:8080';

/** Adds a command with the options that every client command has. */
export function addCommand(program: Command, name: string, description: string): Command {
  return addScreen(program, name, description).option('--json', 'write JSON for programs');
}

/** Adds a command that is for people alone. */
export function addScreen(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--home <dir>', `folder of the identity (or set SOTTO_HOME; else ${defaultHome({ ...process.env, SOTTO_HOME: '' })})`)
    .option('--passphrase', 'lock a new home, or a backup, with a passphrase; what is locked asks by itself (scripts set SOTTO_PASSPHRASE)');
}

/**
 * Wraps the action of a command: its errors are told in the wanted form, and the process ends with the right code. The process is
 * ended by hand, because a library's thread may outlive its use.
 * @param load brings the action in when the command runs, so that no command waits for what others need.
 */
export function action<Arguments extends unknown[]>(load: () => Promise<(...args: Arguments) => Promise<ExitCode | void>>) {
  return async (...args: unknown[]): Promise<void> => {
    // Commander passes the arguments, the options, and itself, which knows the options of the commands around it too.
    const options = (args.at(-1) as Command).optsWithGlobals<HomeOptions>();
    // What nobody foresaw is told as every other error. What was accepted is on the disk.
    process.once('uncaughtException', (thrown) => void tell(thrown, options).then(endProcess));
    let code: ExitCode;
    try {
      const run = await load();
      code = (await run(...([...args.slice(0, -2), options] as Arguments))) ?? 0;
    } catch (thrown) {
      code = await tell(thrown, options);
    }
    endProcess(code);
  };
}

/** Says what went wrong, as JSON on the output or as a sentence beside it, and gives the exit code. */
export async function tell(thrown: unknown, { json = false, home }: HomeOptions): Promise<ExitCode> {
  if (thrown instanceof ReaderGone) return 0;
  const error = toSottoError(thrown);
  const message = withCommands(error.message, home);
  try {
    if (json) await writeJson({ error: { code: error.code, message } });
    else await writeNote(`sotto: ${safeText(message)}`);
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

/** What is wrong with a command line, by commander's code; the subject is what it quotes. */
const REFUSALS: Readonly<Record<string, (subject: string, command: Command) => string>> = {
  'commander.unknownCommand': (word) => `There is no command ${word}`,
  'commander.unknownOption': (word, command) => {
    if (command.commands.some(({ options }) => options.some(({ long }) => long === word))) return `There is no option ${word} before the command; it goes behind it`;
    return `There is no option ${word}${word.startsWith('--') ? '' : '; a name or text that begins with - goes behind all options and --'}`;
  },
  'commander.missingArgument': (name, command) => `The ${name} is missing: ${command.registeredArguments.find((argument) => argument.name() === name)?.description}`,
  'commander.missingMandatoryOptionValue': (option) => `${option} is missing`,
  'commander.optionMissingArgument': (option) => `${option} needs a value`,
  'commander.excessArguments': () => 'There are more words than it takes; a name or text with spaces goes in quotes',
};

/** Which of some words may be meant by a wrong one; null for none. */
type Nearest = (wrong: string, words: readonly string[]) => string | null;

/** Lets the program and its commands refuse a wrong command line as every other error is told. */
export function refuseInOurWords(program: Command, nearest: Nearest): void {
  program.configureOutput({ outputError: () => {} }).exitOverride((refusal) => endRefused(refusal, program, nearest));
  for (const command of program.commands) refuseInOurWords(command, nearest);
}

function endRefused({ code, exitCode, message }: CommanderError, command: Command, nearest: Nearest): never {
  if (exitCode === 0) process.exit(0);
  // The help was shown in place of a command.
  if (code === 'commander.help') process.exit(2);
  // A command that does something without a word takes a wrong one for one too many.
  const [word] = code === 'commander.excessArguments' && command.commands.length > 0 ? command.args : [];
  // Commander guesses too freely: of what it thinks of, only what is near is said.
  const [subject = '', guesses = ''] = [word ?? /'(.*)'/.exec(message)?.[1], /Did you mean (?:one of )?(.+)\?/.exec(message)?.[1]];
  const outer = command.commands.find(({ commands }) => commands.some((each) => each.name() === subject));
  const guess = outer ? `${outer.name()} ${subject}` : nearest(subject, word === undefined ? guesses.split(', ') : command.commands.map((each) => each.name()));
  const sentence = word === undefined ? REFUSALS[code]?.(subject, command) ?? message : `There is no command ${command.name()} ${word}`;
  const help = `sotto ${wordsOf(command)}--help`;
  const error = new SottoError('option-invalid', `${sentence}${guess === null ? '' : ` (did you mean ${guess}?)`}; see "${help}".`);
  // Commander wants no promise here, and a line this short is written before tell() first waits.
  void tell(error, { json: process.argv.includes('--json') });
  process.exit(exitCodeOf(error.code));
}

/** "contacts remove ", as it is typed behind the word for the program. */
function wordsOf(command: Command): string {
  return command.parent === null ? '' : `${wordsOf(command.parent)}${command.name()} `;
}
