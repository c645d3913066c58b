// Where the home of a person is who names none. It stands alone, because the help of every command tells it: what is in a home is known
// in home.ts, with all that this takes.

import { homedir } from 'node:os';
import { join } from 'node:path';

/** The home of a person who names none: $SOTTO_HOME, or the platform's folder for an application's data. */
export function defaultHome(env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): string {
  if (env['SOTTO_HOME']) return env['SOTTO_HOME'];
  if (platform === 'win32') return join(env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), 'sotto');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'sotto');
  return join(env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'sotto');
}
