// The settings put together: flags before environment before file before what they are at first. Whatever is not in the table of
// settings is an error that names what may have been meant.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { SottoError } from '../crypto/error.js';
import { nearest } from './nearest.js';
import { flagOf, NAMES, SETTINGS, type Config, type Form, type Name, type Setting } from './settings.js';

const ENV_PREFIX = 'SOTTO_RELAY_';

/** The settings, and which of them were given by somebody. */
export interface Configuration {
  readonly config: Config;
  readonly given: ReadonlySet<string>;
}

/**
 * Puts the settings together.
 * @param flags what commander has read
 * @throws SottoError `option-invalid`, with where the wrong setting stands and what it may be
 */
export function readConfig(flags: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv, dataFolder: string): Configuration {
  const fromFlags = Object.fromEntries(NAMES.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]));
  const file = flags['config'] ?? env[`${ENV_PREFIX}CONFIG`];
  const fromFile = typeof file === 'string' ? readSettings(file) : {};
  const sources = [
    parse(fromFile, (name) => `"${name}" in ${String(file)}`),
    parse(settingsOf(env), (name) => ENV_PREFIX + snakeOf(name)),
    parse(fromFlags, flagOf),
  ];
  const initial = Object.fromEntries(NAMES.map((name) => [name, SETTINGS[name].initial]));
  const given = Object.assign({}, ...sources) as Record<string, unknown>;
  const config = { ...initial, data: dataFolder, ...given } as Config;
  check(config);
  return { config, given: new Set(Object.keys(given)) };
}

/** The settings as a file would have them, without secrets. */
export function printConfig(config: Config): string {
  return JSON.stringify(config, (name, value: unknown) => ((SETTINGS as Record<string, Setting<unknown>>)[name]?.isSecret && value !== '' ? '(secret)' : value), 2);
}

function check({ tlsCert, tlsKey, admission, admissionToken, behindProxy, lan, origins }: Config): void {
  if ((tlsCert === '') !== (tlsKey === '')) throw new SottoError('option-invalid', '--tls-cert and --tls-key belong together; give both.');
  if (tlsCert !== '' && (behindProxy || lan)) throw new SottoError('option-invalid', '--tls-cert stands alone: a proxy or a LAN without TLS needs none.');
  if (admission === 'token' && !/^.{16,64}$/.test(admissionToken)) throw new SottoError('option-invalid', '--admission token needs --admission-token with 16 to 64 characters.');
  // What a browser says is compared as it is: anything else lets nobody in.
  if (!origins.every((origin) => /^(\*|null|[a-z][a-z\d+.-]*:\/\/[^\s/A-Z]+)$/.test(origin))) throw new SottoError('option-invalid', '--origins takes origins as browsers say them, as in https://app.example, or *.');
}

function parse(source: Readonly<Record<string, unknown>>, label: (name: string) => string): Record<string, unknown> {
  const parsed: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(source)) {
    if (!isName(name)) throw unknown(name, label);
    const { form, takes }: Setting<unknown> = SETTINGS[name];
    const result = schemaOf(form).safeParse(value);
    if (!result.success) throw new SottoError('option-invalid', `${label(name)} takes ${takes}.`);
    parsed[name] = result.data;
  }
  return parsed;
}

function unknown(name: string, label: (name: string) => string): SottoError {
  const guess = nearest(name, NAMES);
  return new SottoError('option-invalid', `${label(name)} is no setting; ${guess === null ? '"sotto relay --help" lists them all.' : `did you mean ${label(guess)}?`}`);
}

/** Text is what flags and the environment give, other JSON what a file gives. */
function schemaOf(form: Form): z.ZodType {
  switch (form.kind) {
    case 'number': return z.union([z.number(), z.string().regex(/^\d{1,15}$/).transform(Number)]).pipe(z.int().min(form.min).max(form.max));
    case 'choice': return z.enum(form.values);
    case 'words': return z.string();
    case 'switch': return z.union([z.boolean(), z.stringbool({ truthy: ['true'], falsy: ['false'] })]);
    case 'list': return z.union([z.array(z.string()), z.string().transform((text) => [text])]).transform((texts) => texts.flatMap((text) => text.split(',')).map((item) => item.trim()).filter(Boolean));
  }
}

function readSettings(file: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is no JSON' : error instanceof z.ZodError ? 'it is no object' : (error as NodeJS.ErrnoException).code;
    throw new SottoError('option-invalid', `The file ${file} of --config cannot be read as JSON with settings (${why}).`, error);
  }
}

function settingsOf(env: NodeJS.ProcessEnv): Record<string, unknown> {
  const entries = Object.entries(env).filter(([name]) => name.startsWith(ENV_PREFIX) && name !== `${ENV_PREFIX}CONFIG`);
  return Object.fromEntries(entries.map(([name, value]) => [camelOf(name.slice(ENV_PREFIX.length)), value]));
}

function isName(name: string): name is Name {
  return Object.hasOwn(SETTINGS, name);
}

function snakeOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

function camelOf(name: string): string {
  return name.toLowerCase().replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
