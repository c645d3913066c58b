// `sotto status`: the identity, the relays, and the path to each contact with its reason.

import type { ContactStatus, RelayStatus } from '../client.js';
import { SHORT_ID } from './contacts.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { safeLine } from './text.js';
import { moment } from './time.js';

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
  const state = online ? `online${milliseconds(rttMs)}` : `offline${reason ? ` (${safeLine(reason)})` : ''}; messages stay queued`;
  return `relay ${safeLine(url)}: ${state}`;
}

/** "direct since 14:02, 23 ms". */
export function pathWords({ path, since, rttMs }: ContactStatus, now: number): string {
  const name = path === 'direct' ? 'direct' : 'by the relay';
  return `${name} since ${moment(since, now)}${milliseconds(rttMs)}`;
}

function contactWords(contact: ContactStatus, now: number): string[] {
  const { pair } = contact;
  return [
    `${safeLine(contact.name)}  ${contact.id.slice(0, SHORT_ID)}`,
    `${pathWords(contact, now)}: ${safeLine(contact.why)}`,
    ...(pair ? [`between ${safeLine(pair.local)} and ${safeLine(pair.remote)}`] : []),
    `policy ${contact.policy}; heard from ${contact.heardAt === null ? 'never' : moment(contact.heardAt, now)}`,
    ...(contact.undelivered > 0 ? [`${contact.undelivered} not delivered yet`] : []),
    ...(contact.unread > 0 ? [`${contact.unread} unread`] : []),
  ];
}

function milliseconds(rttMs: number | null): string {
  return rttMs === null ? '' : `, ${Math.round(rttMs)} ms`;
}
