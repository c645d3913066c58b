// Where the process that has a home open answers the others: a socket in the home, reachable by its owner alone. It knows paths and
// permissions, not what is spoken there.

import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SottoError } from '../../crypto/error.js';
import { homeFiles } from '../home.js';

/** Longest path of a Unix socket that every system takes (macOS 104 bytes with the final zero, Linux 108). */
const SOCKET_PATH_MAX_BYTES = 100;

/**
 * The path to serve and to connect to. A home whose path is too long for a socket has it in a closed folder of the temporary files,
 * named by a hash of the home. Windows has no socket files; there it is a pipe whose name nobody can guess without the key file.
 * @throws SottoError `store-failed` if somebody else has made that folder.
 */
export function socketPath(home: string): string {
  const files = homeFiles(resolve(home));
  if (process.platform === 'win32') return `\\\\.\\pipe\\sotto-${hash(files.socket, readFileSync(files.key))}`;
  if (Buffer.byteLength(files.socket) <= SOCKET_PATH_MAX_BYTES) return files.socket;
  const folder = join(tmpdir(), `sotto-${hash(files.socket)}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(folder);
  if (uid !== process.getuid?.() || (mode & 0o170077) !== 0o040000) {
    throw new SottoError('store-failed', `${folder} is not a folder of yours alone; remove it and try again.`);
  }
  chmodSync(folder, 0o700);
  return join(folder, 'socket');
}

function hash(...parts: readonly (string | Uint8Array)[]): string {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part).update('\0');
  return sum.digest('hex').slice(0, 32);
}
