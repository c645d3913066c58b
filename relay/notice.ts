// The notice that a relay leaves in its data folder while it runs: its URL, for other commands of the same machine. It is a courtesy,
// and nothing depends on it.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export function leaveNotice(data: string, url: string): void {
  try {
    writeFileSync(fileIn(data), url);
  } catch {
    // A disk that cannot be written is told when something must be kept.
  }
}

/** Where the relay that uses this data says that it is; null if it says nothing. One that was killed says it still. */
export function noticeIn(data: string): string | null {
  try {
    return readFileSync(fileIn(data), 'utf8');
  } catch {
    return null;
  }
}

export function takeNotice(data: string): void {
  rmSync(fileIn(data), { force: true });
}

function fileIn(data: string): string {
  return join(data, 'url');
}
