// How one message reads as lines of text, and the words for its states. It decides nothing about a message.

import { ERRORS, isErrorCode } from '../../crypto/error.js';
import type { MessageView } from '../client.js';
import { safeLine, safeText } from './text.js';
import { stamp } from './time.js';

/** What each state of an own message means; the legend of `sotto chat`. */
export const STATE_WORDS = {
  queued: 'waits here',
  sent: 'at the relay',
  delivered: 'on their device',
  read: 'seen',
  failed: 'not sent',
} as const;

/** The state of an own message in a word or two: "queued", "sent", "delivered, direct", "failed: mailbox-full". */
export function stateWords({ state, path, reason }: Pick<MessageView, 'state' | 'path' | 'reason'>): string {
  if (state === 'failed') return reason ? `failed: ${safeLine(reason)}` : 'failed';
  if (state === 'queued') return reason ? `queued: ${safeLine(reason)}` : 'queued';
  const word = state === 'accepted' ? 'sent' : state;
  return path === 'direct' && state !== 'read' ? `${word}, direct` : word;
}

/** Why a message waits or has failed, as the beginning of a sentence; what to do about it is not of its kind. */
export function reasonWords(reason: string): string {
  if (reason === 'expired') return 'Nobody collected it in its time';
  return isErrorCode(reason) ? ERRORS[reason].sentence.replace(/(;.*)?\.$/, '') : safeLine(reason);
}

/** When a message was said or came: what the order of the conversation shows. */
export function messageTime(message: MessageView): number {
  return message.receivedAt ?? message.sentAt;
}

/** "Tue 3 Mar 14:02  Bob: text", further lines of the text indented; own messages end with their state. */
export function messageLine(message: MessageView, now: number): string {
  const own = message.direction === 'out';
  const who = own ? 'you' : safeLine(message.contact.name);
  const state = own ? `  [${stateWords(message)}]` : '';
  return `${stamp(messageTime(message), now)}  ${who}: ${safeText(message.text).replaceAll('\n', '\n    ')}${state}`;
}
