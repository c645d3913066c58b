// A conversation on a screen without a terminal, as the tests of what it shows and of what is typed open it.

import { render } from 'ink-testing-library';
import { expect, vi } from 'vitest';
import { Chat, type ChatProps } from '../../../client/cli/chat/chat.js';
import { createKeyboard } from '../../../client/cli/chat/keyboard.js';
import type { SottoError } from '../../../crypto/error.js';
import { BOB, type MemoryClient } from '../../support/memory-client.js';

/** Generous bound on anything that is waited for. */
export const PATIENCE_MS = 60_000;

export const [ENTER, ESCAPE, PAGE_UP, END, UP] = ['\r', '\u001b', '\u001b[5~', '\u001b[F', '\u001b[A'];

/** Opens a conversation with Bob, or what else is given, and waits until it has been loaded. */
export async function open(client: MemoryClient, given: Partial<ChatProps> = {}, first: string | RegExp = / {2}(by the relay|direct) since|not connected/) {
  const keyboard = createKeyboard();
  let left = false;
  let failure: SottoError | null = null;
  let cursor = { row: -1, column: -1 };
  const element = (changed: Partial<ChatProps> = {}) => (
    <Chat
      client={client} contact={BOB} home={undefined} keyboard={keyboard} columns={80} rows={24} onLeave={() => (left = true)}
      onFailure={(error) => (failure = error)} onCursor={(row, column) => (cursor = { row, column })} {...given} {...changed}
    />
  );
  const screen = render(element());
  /** The screen as lines; spaces that don't break are spaces. */
  const lines = () => (screen.lastFrame() ?? '').replaceAll('\u00a0', ' ').split('\n');
  const shows = (...texts: readonly (string | RegExp)[]) => vi.waitFor(() => {
    for (const text of texts) expect(lines().join('\n')).toMatch(text);
  }, PATIENCE_MS);
  await shows(first);
  return {
    ...screen, shows, lines, type: keyboard.read, cursor: () => cursor, hasLeft: () => left, failure: () => failure,
    change: (changed: Partial<ChatProps>) => screen.rerender(element(changed)),
  };
}
