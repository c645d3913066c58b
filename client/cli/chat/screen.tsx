// The conversation on a real terminal: Ink makes the frames, the painter shows them, the keyboard reads. It knows no message.

import { StringDecoder } from 'node:string_decoder';
import { render } from 'ink';
import type { SottoError } from '../../../crypto/error.js';
import type { Client, ContactView } from '../../client.js';
import { toSottoError } from '../exit.js';
import { Chat } from './chat.js';
import { createKeyboard } from './keyboard.js';
import { createPainter } from './painter.js';

/** Ink ends the process at these, without giving the terminal back, unless somebody else goes on listening. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Of a terminal that does not say how large it is. */
const [USUAL_COLUMNS, USUAL_ROWS] = [80, 24];

export interface Screen {
  /** Shows the conversation as this client knows it; null while the home is being opened again. */
  show(client: Client | null): void;
  /** Resolves when the person wants to leave; rejects when nothing more can be shown or sent, and the terminal is given back by then. */
  readonly left: Promise<void>;
  /** Gives the terminal back; does nothing the second time. */
  close(): void;
}

export function openScreen(contact: ContactView, home: string | undefined): Screen {
  const [input, output] = [process.stdin, process.stdout];
  const columns = () => output.columns || USUAL_COLUMNS;
  const rows = () => output.rows || USUAL_ROWS;
  const painter = createPainter((bytes) => output.write(bytes), rows);
  const keyboard = createKeyboard();
  const decoder = new StringDecoder('utf8');
  const read = (bytes: Buffer) => keyboard.read(decoder.write(bytes));
  let leave!: () => void;
  let fail!: (error: SottoError) => void;
  const left = new Promise<void>((resolve, reject) => {
    leave = resolve;
    fail = reject;
  });
  // Whoever waits for it is told; it may fail while nobody does.
  left.catch(() => {});

  const close = () => {
    painter.end();
    input.off('data', read).pause();
    input.setRawMode(false);
    output.off('resize', draw);
    process.off('SIGCONT', goOn);
    process.off('exit', close);
    process.off('uncaughtException', close);
    for (const signal of SIGNALS) process.off(signal, leave);
  };
  const giveUp = (error: unknown) => {
    close();
    fail(toSottoError(error));
  };
  let client: Client | null = null;
  const view = () => (
    <Chat
      client={client} contact={contact} home={home} keyboard={keyboard} columns={columns()} rows={rows()}
      onCursor={painter.place} onLeave={leave} onFailure={giveUp}
    />
  );
  const draw = () => {
    painter.forget();
    ink.rerender(view());
  };
  // Whoever has stopped this process has had the terminal since, and has made it its own.
  const goOn = () => {
    input.setRawMode(false);
    input.setRawMode(true);
    painter.take();
    ink.rerender(view());
  };
  // Also when the process ends in an unforeseen way, and before anything is said of that.
  process.once('exit', close);
  process.prependOnceListener('uncaughtException', close);
  for (const signal of SIGNALS) process.on(signal, leave);
  // A terminal that is gone ends the input, or fails; these listeners stay, because giving it back may fail too. Node would end by
  // abort() then, and leave an image of its memory, keys and all (ResetStdio in its src/node.cc).
  const lose = () => {
    process.once('exit', () => process.kill(process.pid, 'SIGKILL'));
    leave();
  };
  for (const stream of [input, output]) stream.once('error', lose).on('error', () => {});
  input.once('end', lose).on('data', read).resume();
  input.setRawMode(true);
  output.on('resize', draw);
  process.on('SIGCONT', goOn);
  // "debug" means that Ink writes each frame whole and as it is, which is what the painter takes.
  const ink = render(view(), { stdout: paintedBy(painter.paint, columns), debug: true, exitOnCtrlC: false, patchConsole: false });
  // Something that could not be drawn ends Ink; without it no key would be heard any more.
  ink.waitUntilExit().catch(giveUp);
  return {
    show: (given) => {
      client = given;
      ink.rerender(view());
    },
    left,
    close: () => {
      close();
      ink.unmount();
    },
  };
}

/** The part of an output stream that Ink uses. Of a new size it hears by the frame that is made for it. */
function paintedBy(paint: (frame: string) => void, columns: () => number): NodeJS.WriteStream {
  const stream = {
    get columns() {
      return columns();
    },
    write: paint,
    on: () => {},
    off: () => {},
  };
  return stream as unknown as NodeJS.WriteStream;
}
