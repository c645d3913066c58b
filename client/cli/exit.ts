// How a command ends: the table of exit codes and the one way to say what went wrong. It never decides what is wrong.

import { type ErrorCode, ERRORS, type Fault, isErrorCode, SottoError, unforeseen } from '../../crypto/error.js';
import type { ClientEvent } from '../client.js';
import { safeLine } from './text.js';

/** Every exit code of the command, as --help shows them. */
export const EXIT_CODES = {
  0: 'done',
  1: 'something went wrong inside Sotto',
  2: 'the command, an argument or the state of the home does not allow it',
  3: 'the other side is to blame',
  4: 'the relay is to blame',
  5: 'the network is to blame',
  6: 'the disk is to blame',
  7: 'the message did not reach the wanted state in time; it stays queued',
  130: 'ended with Ctrl-C',
} as const;

export type ExitCode = keyof typeof EXIT_CODES;

const BY_FAULT: Readonly<Record<Fault, ExitCode>> = { caller: 2, peer: 3, relay: 4, network: 5, disk: 6 };
const BY_CODE: Partial<Readonly<Record<ErrorCode, ExitCode>>> = { 'internal': 1, 'owner-gone': 1, 'timed-out': 7, 'interrupted': 130 };

/** The exit code of an error code; a reason that is no error code is nobody's fault but ours. */
export function exitCodeOf(code: string): ExitCode {
  if (!isErrorCode(code)) return 1;
  return BY_CODE[code] ?? BY_FAULT[ERRORS[code].fault];
}

/** Anything thrown, as an error of the table. */
export function toSottoError(thrown: unknown): SottoError {
  if (thrown instanceof SottoError) return thrown;
  const what = thrown instanceof Error ? thrown.message : String(thrown);
  return unforeseen(safeLine(what), thrown);
}

/** What ends the client itself: its store, or something that nobody foresaw. */
const FATAL: ReadonlySet<string> = new Set<ErrorCode>(['store-failed', 'store-damaged', 'internal']);

/** The error of a notice after which nothing more comes; null for every other event. */
export function failureIn(event: ClientEvent): SottoError | null {
  return event.type === 'notice' && isErrorCode(event.code) && FATAL.has(event.code) ? new SottoError(event.code, event.text) : null;
}
