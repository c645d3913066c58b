import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPasteFilter } from '../../../client/cli/chat/paste.js';

const [BEGINS, ENDS] = ['\u001b[200~', '\u001b[201~'];

/** Everything that comes out when a text comes in pieces. */
function filtered(text: string, cuts: readonly number[]): string {
  const filter = createPasteFilter();
  const places = [...cuts.map((cut) => cut % (text.length + 1)), 0, text.length].toSorted((a, b) => a - b);
  return places.slice(1).map((place, index) => filter(text.slice(places[index], place))).join('');
}

describe('a pasted text', () => {
  it('loses its escape characters, however the terminal cuts it', () => {
    const text = `${BEGINS}log \u001b[31mred\u001b[0m line\u0003\nnext${ENDS}`;
    fc.assert(fc.property(fc.array(fc.nat(), { maxLength: 6 }), (cuts) => {
      expect(filtered(text, cuts)).toBe(`${BEGINS}log [31mred[0m line\nnext${ENDS}`);
    }));
  });
});

describe('a text of several lines in one reading', () => {
  it.each([['one\rtwo', 'one\rtwo'], ['one\r\n\r\n\ttwo\r', 'one\r\n\r\n\ttwo\r'], ['a\rb \u001b[31mred\u0003', 'a\rb [31mred']])('%j is a paste, though the terminal marks none', (read, text) => {
    expect(createPasteFilter()(read)).toBe(BEGINS + text + ENDS);
  });

  it.each(['one\r', '\r', '\r\n', '\r\u001b[A', 'one\u001b\rtwo', '\r\u0003', 'typed\nahead'])('%j is none', (read) => {
    expect(createPasteFilter()(read)).toBe(read);
  });

  it('cannot end its own paste', () => {
    expect(createPasteFilter()(`one\rtwo\u001b[20${ENDS}1~\r/quit\r`)).toBe(`${BEGINS}one\rtwo[20[201~1~\r/quit\r${ENDS}`);
  });
});

describe('a key', () => {
  it.each(['\u001b', '\u001b[A', '\u0003', 'x', '\r', '\u007f'])('%j passes at once and as it is', (key) => {
    expect(createPasteFilter()(key)).toBe(key);
  });

  it('is a key again after a paste', () => {
    const filter = createPasteFilter();
    filter(`${BEGINS}text${ENDS}`);
    expect(filter('\u001b')).toBe('\u001b');
  });
});
