// The terminal while a conversation is open: taken whole at the start, given back as it was at the end. It knows no message.

import { writeSync } from 'node:fs';
import { render } from 'ink';
import type { Client, ContactView } from '../../client.js';
import { Chat } from './chat.js';

/** The terminal's second screen: what was on the first is there again after it. */
const ENTER = '\u001b[?1049h\u001b[H';
const LEAVE = '\u001b[?1049l';

export interface Screen {
  /** Shows the conversation as this client knows it; null while the home is being opened again. */
  show(client: Client | null): void;
  /** Resolves when the person wants to leave. */
  readonly left: Promise<void>;
  /** Gives the terminal back; does nothing the second time. */
  close(): void;
}

export function openScreen(contact: ContactView): Screen {
  let leave: () => void;
  const left = new Promise<void>((resolve) => (leave = resolve));
  const view = (client: Client | null) => <Chat client={client} contact={contact} onLeave={() => leave()} />;
  writeSync(1, ENTER);
  const ink = render(view(null), { exitOnCtrlC: false, incrementalRendering: true });
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    ink.unmount();
    writeSync(1, LEAVE);
  };
  // Also when the process ends in an unforeseen way.
  process.once('exit', close);
  return { show: (client) => ink.rerender(view(client)), left, close };
}
