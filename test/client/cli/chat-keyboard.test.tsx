import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it, vi } from 'vitest';
import { createKeyboard, type Press } from '../../../client/cli/chat/keyboard.js';
import { PAUSE_MS } from '../../../client/cli/chat/paste.js';

/** Generous bound on anything that is waited for. */
const PATIENCE_MS = 60_000;

/** What comes out of some readings, each reading a list. */
function presses(...chunks: readonly string[]): Press[][] {
  const keyboard = createKeyboard();
  const read: Press[][] = [];
  keyboard.subscribe((given) => read.push([...given]));
  for (const chunk of chunks) keyboard.read(chunk);
  return read;
}

/** What has come out of some readings after a while, all in one list. */
async function pressesLater(expected: readonly Press[], ...chunks: readonly string[]): Promise<void> {
  const keyboard = createKeyboard();
  const read: Press[] = [];
  keyboard.subscribe((given) => read.push(...given));
  for (const chunk of chunks) keyboard.read(chunk);
  await vi.waitFor(() => expect(read).toEqual(expected), PATIENCE_MS);
}

const text = (typed: string): Press => ({ type: 'text', text: typed });
const key = (name: string, held: { ctrl?: boolean; meta?: boolean } = {}): Press => ({ type: 'key', name, ctrl: false, meta: false, ...held });

describe('the keyboard', () => {
  it('tells the keys apart', () => {
    expect(presses('\u007f', '\b', '\u001b[3~')).toEqual([[key('backspace')], [key('backspace')], [key('delete')]]);
    expect(presses('\n', '\u001b\r')).toEqual([[key('enter')], [key('return', { meta: true })]]);
    expect(presses('\u001b[1;5D', '\u001b[1;3C', '\u001bb')).toEqual([[key('left', { ctrl: true })], [key('right', { meta: true })], [key('b', { meta: true })]]);
    expect(presses('\u0017', '\u001b[H', '\u001bOF', '\u001b[5~')).toEqual([[key('w', { ctrl: true })], [key('home')], [key('end')], [key('pageup')]]);
  });

  it('gives all keys of one reading at once', () => {
    expect(presses('日本 \u007f\u007f\u001b[5~\u001b[5~y')).toEqual([[text('日'), text('本'), text(' '), key('backspace'), key('backspace'), key('pageup'), key('pageup'), text('y')]]);
    expect(presses('\u001b[1', ';5D')).toEqual([[key('left', { ctrl: true })]]);
  });

  it('takes a lone escape character for the Esc key, a little later', async () => {
    expect(presses('\u001b')).toEqual([]);
    await pressesLater([key('escape', { meta: true })], '\u001b');
  });

  it('takes an Enter for one when nothing follows it, and for the end of a line where more comes at once', async () => {
    expect(presses('\r')).toEqual([]);
    await pressesLater([key('return')], '\r');
    await pressesLater([text('a'), text('\rb\r'), text('c\r')], 'a', '\r', 'b\r', 'c\r');
  });

  it('believes no pause in which it was busy itself', async () => {
    const keyboard = createKeyboard();
    const read: Press[] = [];
    keyboard.subscribe((given) => read.push(...given));
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (chunk: string) => keyboard.read(chunk));
    keyboard.read('one\r');
    port2.postMessage('two\r');
    const end = performance.now() + 4 * PAUSE_MS;
    while (performance.now() < end);
    await vi.waitFor(() => expect(read).toContainEqual(expect.objectContaining({ text: expect.stringContaining('two') })), PATIENCE_MS);
    expect(read.some((press) => press.type === 'key')).toBe(false);
    port1.close();
  });

  it('gives a pasted text in one piece, however it comes, and takes no key from it', () => {
    const pasted = text('a\r\nb[31m\tc/quit\r');
    expect(presses('x\u001b[20', '0~a\r\nb\u001b[31m\tc/quit\r\u001b[2', '01~')).toEqual([[text('x')], [pasted]]);
  });

  it('lets go of a listener', () => {
    const keyboard = createKeyboard();
    const listener = vi.fn();
    keyboard.subscribe(listener)();
    keyboard.read('x');
    expect(listener).not.toHaveBeenCalled();
  });
});
