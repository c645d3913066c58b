// What the heading and the commands say about the connection: sentences that are true at the moment they are made. It asks nobody.

import type { ContactStatus, RelayStatus } from '../../client.js';
import { STATE_WORDS } from '../message.js';
import { pathWords } from '../status.js';
import { safeLine } from '../text.js';
import { clock, moment } from '../time.js';

/** At most 40 columns wide and 6 lines high, so that the smallest terminal shows it. */
export const HELP = [
  'PageUp, PageDown: scroll; Esc: leave',
  'Alt-Enter: new line; //x sends /x',
  'Ctrl-X: empty what is typed',
  '/verify  /status  /block  /quit',
  Object.entries(STATE_WORDS).map(([word, meaning]) => `${word}: ${meaning}`).join('; '),
].join('\n');

/** Why a relay is away, as a sentence; empty while nothing is wrong with it. */
export function troubleWords({ online, reason, url }: RelayStatus): string {
  if (reason === null) return '';
  return `${troubleSentence(online, safeLine(reason))} (${safeLine(url)})`;
}

function troubleSentence(online: boolean, reason: string): string {
  if (online) return `The relay takes what you write, but brings nothing: ${reason}; it will be tried again.`;
  return reason === 'not connected' ? 'The relay is not connected yet.' : `The relay cannot be reached: ${reason}; it will be tried again.`;
}

/** All of it, line by line; what a small screen cuts off last is worth least. */
export function statusWords(status: ContactStatus, relays: readonly RelayStatus[], now: number): string {
  const { connected, why, pair, policy, heardAt, undelivered } = status;
  const trouble = relays.map(troubleWords).filter((words) => words !== '');
  return [
    // It stays on the screen while things change.
    `At ${clock(now)}: ${pathWords(status, now)}.${connected ? ` ${sentence(safeLine(why))}` : ''}`,
    ...trouble,
    undelivered === 0 ? 'Everything you wrote is delivered.' : `${undelivered} of your messages ${undelivered === 1 ? 'is' : 'are'} not delivered yet.`,
    heardAt === null ? 'Nothing has come from them yet.' : `Last heard from them: ${moment(heardAt, now)}.`,
    ...(pair ? [`Your address is ${addressWords(pair.local)}, theirs ${addressWords(pair.remote)}.`] : []),
    policy === 'direct' ? 'Direct paths are allowed: they may see your address.' : 'Only the relay is used: they never see your address.',
  ].join('\n');
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

/** "192.0.2.1:4000" out of what an ICE library says: address, port, and kinds that mean nothing to a person. */
function addressWords(candidate: string): string {
  return safeLine(candidate.split(' ', 1)[0] ?? candidate);
}
