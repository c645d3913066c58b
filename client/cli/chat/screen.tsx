// The conversation on a real terminal: Ink makes the frames, the painter shows them. It knows no message.

import { PassThrough } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { render } from 'ink';
import type { Client, ContactView } from '../../client.js';
import { Chat } from './chat.js';
import { createPainter } from './painter.js';
import { createPasteFilter } from './paste.js';

export interface Screen {
  /** Shows the conversation as this client knows it; null while the home is being opened again. */
  show(client: Client | null): void;
  /** Resolves when the person wants to leave. */
  readonly left: Promise<void>;
  /** Gives the terminal back; does nothing the second time. */
  close(): void;
}

export function openScreen(contact: ContactView): Screen {
  const terminal = process.stdout;
  const painter = createPainter((bytes) => terminal.write(bytes), () => terminal.rows);
  let leave: () => void;
  const left = new Promise<void>((resolve) => (leave = resolve));
  const view = (client: Client | null) => <Chat client={client} contact={contact} onLeave={() => leave()} />;
  // Before Ink's own listener, so that the first frame of the new size is painted whole.
  terminal.on('resize', painter.forget);
  // "debug" means that Ink writes each frame whole and as it is, which is what the painter takes.
  const ink = render(view(null), { stdin: guarded(process.stdin), stdout: paintedBy(painter.paint, terminal), debug: true, exitOnCtrlC: false, patchConsole: false });
  const close = () => {
    painter.end();
    ink.unmount();
    terminal.off('resize', painter.forget);
  };
  // Also when the process ends in an unforeseen way.
  process.once('exit', close);
  return { show: (client) => ink.rerender(view(client)), left, close };
}

/** The keyboard as Ink reads it, behind the filter for pasted texts. */
function guarded(keyboard: NodeJS.ReadStream): NodeJS.ReadStream {
  const filter = createPasteFilter();
  const decoder = new StringDecoder('utf8');
  const keys = new PassThrough();
  keyboard.on('data', (bytes: Buffer | string) => keys.write(filter(typeof bytes === 'string' ? bytes : decoder.write(bytes))));
  keyboard.once('end', () => keys.end());
  const part = {
    isTTY: true,
    setRawMode: (raw: boolean) => void keyboard.setRawMode(raw),
    ref: () => void keyboard.ref(),
    unref: () => void keyboard.unref(),
  };
  return Object.assign(keys, part) as unknown as NodeJS.ReadStream;
}

/** The part of an output stream that Ink uses. */
function paintedBy(paint: (frame: string) => void, terminal: NodeJS.WriteStream): NodeJS.WriteStream {
  const stream = {
    get columns() {
      return terminal.columns;
    },
    get rows() {
      return terminal.rows;
    },
    write: (frame: string) => paint(frame),
    on: (event: string, listener: () => void) => terminal.on(event, listener),
    off: (event: string, listener: () => void) => terminal.off(event, listener),
  };
  return stream as unknown as NodeJS.WriteStream;
}
