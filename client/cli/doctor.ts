// `sotto doctor`: what this network lets through, in plain words.

import { SottoError } from '../../crypto/error.js';
import { homeExists } from '../home.js';
import { relayOrigin } from '../../crypto/origin.js';
import { DEFAULT_RELAY } from './command.js';
import type { ExitCode } from './exit.js';
import { homeOf, type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { safeLine } from './text.js';

export async function doctor(options: HomeOptions & { readonly relay?: string }): Promise<ExitCode> {
  const relay = relayOrigin(options.relay ?? (await relayOfHome(options)));
  const { diagnose } = await import('../doctor.js');
  const diagnosis = await diagnose(relay);
  if (options.json) await writeJson(diagnosis);
  else for (const { ok, text } of diagnosis.findings) await writeLine(`${ok ? 'ok' : 'no'}  ${safeLine(text)}`);
  if (diagnosis.obstacle === null) return 0;
  return diagnosis.obstacle === 'relay' ? 4 : 5;
}

async function relayOfHome(options: HomeOptions): Promise<string> {
  if (!homeExists(homeOf(options))) {
    if (options.home !== undefined) throw new SottoError('home-missing');
    return DEFAULT_RELAY;
  }
  const { relays } = await withClient(options, 'offline', ({ client }) => client.status());
  return relays[0]?.url ?? DEFAULT_RELAY;
}
