// What an operator can set: one table, from which flags, environment, file and --help are made. It knows no setting's purpose
// beyond its form and its sentence, and loads nothing, since every command lists its flags.

import type { Command } from 'commander';
import { LIMITS, type Limits } from './core/limits.js';
import { WORKERS_MAX } from './turn/commons.js';
import { WORK_MAX_BITS } from './wire/limits.js';

const MIB = 1024 * 1024;

/** The forms that a setting's value may have. */
export type Form =
  | { readonly kind: 'number'; readonly min: number; readonly max: number }
  | { readonly kind: 'choice'; readonly values: readonly string[] }
  | { readonly kind: 'words' | 'switch' | 'list' };

/** One thing that can be set. */
export interface Setting<T> {
  readonly form: Form;
  readonly initial: T;
  /** What the setting is for, as --help has it. */
  readonly sentence: string;
  /** Completes the sentence "--name takes …". */
  readonly takes: string;
  /** Not to be printed. */
  readonly isSecret?: true;
}

function number(min: number, max: number, initial: number, sentence: string): Setting<number> {
  return { form: { kind: 'number', min, max }, initial, sentence, takes: `a whole number from ${min} to ${max}` };
}

function port(initial: number, sentence: string): Setting<number> {
  return { ...number(0, 65_535, initial, sentence), takes: 'a port, a whole number from 0 to 65535' };
}

function words(initial: string, sentence: string): Setting<string> {
  return { form: { kind: 'words' }, initial, sentence, takes: 'a text' };
}

function choice<const T extends string>(values: readonly [T, ...T[]], initial: NoInfer<T>, sentence: string): Setting<T> {
  return { form: { kind: 'choice', values }, initial, sentence, takes: `one of ${values.join(', ')}` };
}

function toggle(sentence: string): Setting<boolean> {
  return { form: { kind: 'switch' }, initial: false, sentence, takes: 'true or false' };
}

function list(sentence: string): Setting<readonly string[]> {
  return { form: { kind: 'list' }, initial: [], sentence, takes: 'one text or several' };
}

function limit(name: keyof Limits, sentence: string): Setting<number> {
  return number(1, Number.MAX_SAFE_INTEGER, LIMITS[name], sentence);
}

/** Every setting by its name in a file. */
export const SETTINGS = {
  host: words('127.0.0.1', 'address to listen at; 0.0.0.0 for every one of this machine'),
  port: port(8_080, 'TCP port of HTTP and WebSocket, 0 for any; the default one is replaced where it is taken'),
  stunPort: port(3_478, 'UDP and TCP port of STUN and TURN, 0 for any; the default one is replaced where it is taken'),
  stunHost: words('', 'address of STUN and TURN, where it is not that of --host: a relay behind a proxy listens at 127.0.0.1, and they do not go through it'),
  turnPeers: choice(['clients', 'open'], 'clients', 'to whom TURN relays: clients of this relay, or open for every public address'),
  turnAddress: list('public IP addresses of this machine, where it does not have them itself'),
  turnPorts: words('', 'UDP ports of relayed connections; 49152-65535 if not given'),
  turnWorkers: number(0, WORKERS_MAX, 0, 'threads that relay beside the main one, each at the next two ports after --stun-port; 0 where one core is enough'),
  turnUrl: list('another TURN server to point clients to, with --turn-secret-file'),
  turnSecretFile: words('', 'file with the secret that the other TURN server shares with this relay'),
  data: words('', 'folder of the mailboxes'),
  tlsCert: words('', 'file with the certificate chain in PEM: the TCP port speaks TLS alone; read again when it changes'),
  tlsKey: words('', 'file with its key'),
  behindProxy: toggle('a proxy on this machine ends TLS and adds X-Forwarded-For'),
  lan: toggle('without TLS, but for private addresses alone'),
  origins: list('origins whose pages may connect, besides our own and those of the user’s machine; * for all'),
  admission: choice(['open', 'token', 'work'], 'open', 'who may make mailboxes: all, who has the token, who does a little work'),
  admissionToken: { ...words('', 'the token of --admission token, of 16 to 64 characters'), isSecret: true },
  workBits: number(1, WORK_MAX_BITS, 16, 'leading zero bits of --admission work; each more doubles the work'),
  metrics: choice(['on', 'off'], 'on', 'whether there are a status page and /metrics for Prometheus'),
  metricsHost: words('127.0.0.1', 'their address'),
  metricsPort: port(9_464, 'their TCP port, 0 for any'),
  logLevel: choice(['debug', 'info', 'warn', 'error', 'silent'], 'info', 'what is logged'),
  connections: number(1, 1_000_000, 50_000, 'connections at a time'),
  diskReserve: number(0, Number.MAX_SAFE_INTEGER, 256 * MIB, 'bytes of the disk that stay free'),
  memoryMax: number(0, Number.MAX_SAFE_INTEGER, 0, 'bytes of memory from which on nothing new is taken; 0 for what suits the machine'),
  sourceHttpPerMinute: number(1, Number.MAX_SAFE_INTEGER, 2_000, 'requests over HTTP and new connections of one source in a minute'),
  mailboxEnvelopes: limit('mailboxEnvelopes', 'envelopes that wait in one mailbox'),
  mailboxBytes: limit('mailboxBytes', 'bytes of them'),
  storeMailboxes: limit('storeMailboxes', 'mailboxes of the whole relay'),
  storeBytes: limit('storeBytes', 'bytes of envelopes and cards of the whole relay'),
  envelopeSeconds: limit('envelopeSeconds', 'longest life of an envelope'),
  passingSeconds: limit('passingSeconds', 'life up to which an envelope is passing (presence, calls): a full mailbox takes a tenth more of them'),
  mailboxSeconds: limit('mailboxSeconds', 'life of a mailbox that nobody collects'),
  sourceConnections: limit('sourceConnections', 'connections at a time from one source'),
  sourceBurst: limit('sourceBurst', 'requests at once from one source'),
  sourceRequestsPerSecond: limit('sourceRequestsPerSecond', 'and in each second after that'),
  sourceBytesPerHour: limit('sourceBytesPerHour', 'bytes that one source leaves in an hour'),
  sourceMailboxesPerDay: limit('sourceMailboxesPerDay', 'mailboxes that one source makes in a day'),
} as const;

export type Name = keyof typeof SETTINGS;

/** All settings with their values. */
export type Config = { readonly [N in Name]: (typeof SETTINGS)[N] extends Setting<infer T> ? T : never };

export const NAMES = Object.keys(SETTINGS) as readonly Name[];

/** Adds a flag for each setting, and --config. */
export function addSettings(command: Command): void {
  for (const name of NAMES) {
    const { initial, sentence, form }: Setting<unknown> = SETTINGS[name];
    const isTold = typeof initial === 'number' || (typeof initial === 'string' && initial !== '');
    command.option(`${flagOf(name)}${placeholderOf(form)}`, isTold ? `${sentence} (default: ${initial})` : sentence);
  }
  command.option('--config <file>', 'JSON file with any of these settings, as in {"port": 443, "tlsCert": "…"}');
}

/** What --help shows behind a flag. */
function placeholderOf(form: Form): string {
  switch (form.kind) {
    case 'number': return ' <number>';
    case 'choice': return ` <${form.values.join('|')}>`;
    case 'words': return ' <value>';
    case 'list': return ' <value...>';
    case 'switch': return '';
  }
}

export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
