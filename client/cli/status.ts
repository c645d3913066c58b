// `sotto status`: the identity, the relays, and the path to each contact with its reason.

import type { ContactStatus, RelayStatus } from '../client.js';
import { SHORT_ID } from './contacts.js';
import { reasonWords } from './message.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { safeLine } from './text.js';
import { moment, stamp } from './time.js';

/** What people call the paths. */
export const PATH_NAMES = { direct: 'direct', turn: 'through the relay (TURN)', relay: 'by the relay' } as const;

export async function status(options: HomeOptions): Promise<void> {
  const view = await withClient(options, 'brief', ({ client }) => client.status());
  if (options.json) return writeJson(view);
  const now = Date.now();
  await writeLine(`${safeLine(view.identity.name)}  ${view.identity.id.slice(0, SHORT_ID)}`);
  for (const relay of view.relays) await writeLine(relayWords(relay));
  for (const contact of view.contacts) await writeLine(`\n${contactWords(contact, now).join('\n  ')}`);
}

/** "relay http://…: online, 12 ms". */
export function relayWords({ url, online, rttMs, reason }: RelayStatus): string {
  const why = reason === null ? '' : ` (${safeLine(reason)})`;
  const state = online ? `online${milliseconds(rttMs)}${why === '' ? '' : `, but brings nothing of what others write${why}`}` : `offline${why}; until it is back, messages go by direct paths only`;
  return `relay ${safeLine(url)}: ${state}`;
}

/** How the conversation goes now: "direct since 14:02, 23 ms", or that it does not. */
export function pathWords({ path, connected, held, since, rttMs }: ContactStatus, now: number): string {
  if (held !== null) return `queued: ${uncapitalised(reasonWords(held.reason))}; tried again by ${stamp(held.until, now)}`;
  return connected ? `${PATH_NAMES[path]} since ${stamp(since, now)}${milliseconds(rttMs)}` : 'not connected; messages stay queued';
}

/** What is known of a contact, a line each. */
export function contactWords(contact: ContactStatus, now: number): string[] {
  const { pair } = contact;
  return [
    `${safeLine(contact.name)}  ${contact.id.slice(0, SHORT_ID)}`,
    `${pathWords(contact, now)}${contact.connected ? `: ${safeLine(contact.why)}` : ''}`,
    ...(pair ? [`between ${addressOf(pair.local)} and ${addressOf(pair.remote)}`] : []),
    `policy ${contact.policy}; ${contact.heardAt === null ? 'nothing heard from them yet' : `last heard ${moment(contact.heardAt, now)}`}`,
    ...(contact.undelivered > 0 ? [`${contact.undelivered} not delivered yet`] : []),
    ...(contact.unread > 0 ? [`${contact.unread} unread`] : []),
  ];
}

function uncapitalised(words: string): string {
  return `${words.charAt(0).toLowerCase()}${words.slice(1)}`;
}

/** Without the kind of candidate that stands behind it, which only programmers know. */
function addressOf(candidate: string): string {
  if (candidate === 'unknown relay') return 'a TURN server of theirs';
  return safeLine(candidate.split(' ')[0] ?? '');
}

function milliseconds(rttMs: number | null): string {
  return rttMs === null ? '' : `, ${Math.round(rttMs)} ms`;
}
