// One message on the screen, and the line between two days.

import { Box, Text } from 'ink';
import { memo } from 'react';
import type { MessageView } from '../../client.js';
import { messageTime, stateWords } from '../message.js';
import { safeLine, safeText } from '../text.js';
import { clock, dayName } from '../time.js';
import { COLOUR } from './theme.js';

const MINUTE_MS = 60_000;
/** From this width on there is room for "just now" beside each message. */
const WIDE_COLUMNS = 60;

/** Memoised on what it shows: a key press draws no message anew. */
export const MessageRow = memo(function MessageRow({ message, time, wide }: { message: MessageView; time: string; wide: boolean }) {
  const own = message.direction === 'out';
  const state = own ? `  ${stateWords(message)}` : '';
  const failed = message.state === 'failed';
  return (
    <Box flexShrink={0}>
      <Box width={wide ? 10 : 6} flexShrink={0}>
        <Text dimColor>{time}</Text>
      </Box>
      <Box flexGrow={1} flexShrink={1}>
        <Text wrap="wrap">
          <Text bold {...(own ? COLOUR.own : COLOUR.other)}>{own ? 'you' : safeLine(message.contact.name)}</Text>
          {`  ${safeText(message.text)}`}
          <Text dimColor={!failed} {...(failed ? COLOUR.failure : {})}>{state}</Text>
        </Text>
      </Box>
    </Box>
  );
});

/** Messages with the days between them. */
export function MessageRows({ messages, now, columns }: { messages: readonly MessageView[]; now: number; columns: number }) {
  const wide = columns >= WIDE_COLUMNS;
  let day = '';
  return messages.flatMap((message) => {
    const at = messageTime(message);
    const before = day;
    day = dayName(at, now);
    const row = <MessageRow key={message.id} message={message} time={timeWord(at, now, wide)} wide={wide} />;
    return day === before ? [row] : [<Text key={`day ${message.id}`} dimColor wrap="truncate-end">{`── ${day} ──`}</Text>, row];
  });
}

function timeWord(at: number, now: number, wide: boolean): string {
  if (Math.abs(now - at) >= MINUTE_MS) return clock(at);
  return wide ? 'just now' : 'now';
}
