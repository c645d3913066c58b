// The conversation on a real terminal: Ink makes the frames, the painter shows them, the keyboard reads. It knows no message.

import { StringDecoder } from 'node:string_decoder';
import { render } from 'ink';
import type { SottoError } from '../../../crypto/error.js';
import type { Client, ContactView } from '../../client.js';
import { toSottoError } from '../exit.js';
import { Chat } from './chat.js';
import { createKeyboard } from './keyboard.js';
import { createPainter } from './painter.js';

export interface Screen {
  /** Shows the conversation as this client knows it; null while the home is being opened again. */
  show(client: Client | null): void;
  /** Resolves when the person wants to leave; rejects when nothing more can be shown or sent, and the terminal is given back by then. */
  readonly left: Promise<void>;
  /** Gives the terminal back; does nothing the second time. */
  close(): void;
}

export function openScreen(contact: ContactView): Screen {
  const [input, output] = [process.stdin, process.stdout];
  const painter = createPainter((bytes) => output.write(bytes), () => output.rows);
  let leave: () => void;
  let fail: (error: SottoError) => void;
  const left = new Promise<void>((resolve, reject) => {
    leave = resolve;
    fail = reject;
  });
  // Whoever waits for it is told; it may fail while nobody does.
  left.catch(() => {});
  const keyboard = createKeyboard();
  const decoder = new StringDecoder('utf8');
  const read = (bytes: Buffer) => keyboard.read(decoder.write(bytes));
  let client: Client | null = null;
  const view = () => (
    <Chat
      client={client} contact={contact} keyboard={keyboard} columns={output.columns} rows={output.rows}
      onCursor={painter.place} onLeave={() => leave()} onFailure={giveUp}
    />
  );
  // "debug" means that Ink writes each frame whole and as it is, which is what the painter takes.
  const ink = render(view(), { stdout: paintedBy(painter.paint, output), debug: true, exitOnCtrlC: false, patchConsole: false });
  // Something that could not be drawn ends Ink; without it no key would be heard any more.
  ink.waitUntilExit().catch((error: unknown) => giveUp(toSottoError(error)));
  const resize = () => {
    painter.forget();
    ink.rerender(view());
  };
  const close = () => {
    input.off('data', read).pause();
    input.setRawMode(false);
    output.off('resize', resize);
    process.off('exit', close);
    ink.unmount();
    painter.end();
  };
  const giveUp = (error: SottoError) => {
    close();
    fail(error);
  };
  output.on('resize', resize);
  // A terminal that is gone ends the input, or fails; its listeners stay, so that giving it back may fail too.
  for (const stream of [input, output]) stream.on('error', leave!);
  input.on('end', leave!).on('data', read).resume();
  input.setRawMode(true);
  // Also when the process ends in an unforeseen way.
  process.once('exit', close);
  return {
    show: (given) => {
      client = given;
      ink.rerender(view());
    },
    left,
    close,
  };
}

/** The part of an output stream that Ink uses. Of a new size it hears by the frame that is made for it. */
function paintedBy(paint: (frame: string) => void, terminal: NodeJS.WriteStream): NodeJS.WriteStream {
  const stream = {
    get columns() {
      return terminal.columns;
    },
    get rows() {
      return terminal.rows;
    },
    write: (frame: string) => paint(frame),
    on: () => {},
    off: () => {},
  };
  return stream as unknown as NodeJS.WriteStream;
}
