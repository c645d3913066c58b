// Where a passphrase comes from: the environment, or a person who types it unseen. It is never an argument, which others could read.

import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { SottoError } from '../../crypto/error.js';
import { RECOVERY_KEY_WORDS } from '../backup/recovery.js';
import { writeNote } from './output.js';

let remembered: string | null = null;

/** The passphrase of an existing home; asked for once per process. Rejects with `passphrase-required` or `interrupted`. */
export async function askPassphrase(): Promise<string> {
  return remembered ??= process.env['SOTTO_PASSPHRASE'] || (await readHidden('Passphrase: ', 'SOTTO_PASSPHRASE'));
}

/** The passphrase of a new home, typed twice; null if the person wants none. Rejects with `passphrase-required`, `passphrase-wrong` or `interrupted`. */
export async function newPassphrase(wanted: boolean): Promise<string | null> {
  if (process.env['SOTTO_PASSPHRASE']) return process.env['SOTTO_PASSPHRASE'];
  return wanted ? typeTwice('SOTTO_PASSPHRASE') : null;
}

/** A passphrase that takes the place of what a home has now: from SOTTO_NEW_PASSPHRASE, or typed twice. */
export async function chooseNewPassphrase(): Promise<string> {
  return process.env['SOTTO_NEW_PASSPHRASE'] || typeTwice('SOTTO_NEW_PASSPHRASE');
}

/** The passphrase that locks a new backup: from SOTTO_BACKUP_PASSPHRASE, or typed twice. */
export async function chooseBackupPassphrase(): Promise<string> {
  return process.env['SOTTO_BACKUP_PASSPHRASE'] || typeTwice('SOTTO_BACKUP_PASSPHRASE');
}

/** What opens a backup: from SOTTO_RECOVERY_KEY or SOTTO_BACKUP_PASSPHRASE, or typed. */
export async function askBackupSecret(kind: 'recovery-key' | 'passphrase'): Promise<string> {
  if (kind === 'recovery-key') return process.env['SOTTO_RECOVERY_KEY'] || readHidden('The 24 words of the recovery key, in one line or several: ', 'SOTTO_RECOVERY_KEY', hasAllWords);
  return process.env['SOTTO_BACKUP_PASSPHRASE'] || readHidden('Passphrase of the backup: ', 'SOTTO_BACKUP_PASSPHRASE');
}

async function typeTwice(variable: string): Promise<string> {
  const passphrase = await readHidden('New passphrase: ', variable);
  if (passphrase === '') throw new SottoError('passphrase-required', 'An empty passphrase protects nothing; type one.');
  if ((await readHidden('The same again: ', variable)) !== passphrase) throw new SottoError('passphrase-wrong', 'The two passphrases differ; try again.');
  return passphrase;
}

// An empty line ends them too, for whoever has fewer; one before them is only in the way.
function hasAllWords(typed: readonly string[]): boolean {
  const words = typed.join(' ').split(/\s+/).filter((word) => word !== '').length;
  return words >= RECOVERY_KEY_WORDS || (words > 0 && typed.at(-1)!.trim() === '');
}

/**
 * @param variable where a script gives what is asked for.
 * @param isWhole whether these lines are all of it.
 */
async function readHidden(prompt: string, variable: string, isWhole = (_typed: readonly string[]) => true): Promise<string> {
  if (!process.stdin.isTTY) throw new SottoError('passphrase-required', `This asks for a secret (${prompt.trim().replace(/:$/, '')}); type the command on a terminal, or set ${variable}.`);
  await writeNote(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  const typed: string[] = [];
  try {
    for await (const line of lines) {
      typed.push(line);
      if (isWhole(typed)) return typed.join(' ');
    }
  } finally {
    lines.close();
  }
  // Ctrl-C and Ctrl-D close the lines.
  throw new SottoError('interrupted');
}
