import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPasteFilter } from '../../../client/cli/chat/paste.js';

const [BEGINS, ENDS] = ['\u001b[200~', '\u001b[201~'];

/** What comes out of readings that follow on one another without a pause. */
function filtered(...readings: readonly string[]): string {
  const filter = createPasteFilter();
  return readings.map((each) => filter.read(each)).join('') + filter.pause();
}

/** A text in pieces. */
function cutAt(text: string, cuts: readonly number[]): string[] {
  const places = [...cuts.map((cut) => cut % (text.length + 1)), 0, text.length].toSorted((a, b) => a - b);
  return places.slice(1).map((place, index) => text.slice(places[index], place));
}

describe('a pasted text', () => {
  it('loses its escape characters, however the terminal cuts it', () => {
    const text = `${BEGINS}log \u001b[31mred\u001b[0m line\u0003\nnext${ENDS}`;
    fc.assert(fc.property(fc.array(fc.nat(), { maxLength: 6 }), (cuts) => {
      expect(filtered(...cutAt(text, cuts))).toBe(`${BEGINS}log [31mred[0m line\nnext${ENDS}`);
    }));
  });
});

describe('a text of several lines that comes without a pause', () => {
  it.each([['one\rtwo', 'one\rtwo'], ['one\r\n\r\n\ttwo\r', 'one\r\n\r\n\ttwo\r'], ['a\rb \u001b[31mred\u0003', 'a\rb [31mred']])('%j is a paste, though the terminal marks none', (read, text) => {
    expect(filtered(read)).toBe(BEGINS + text + ENDS);
  });

  it('is a paste however the terminal cuts it: none of its line ends is an Enter', () => {
    const text = 'one\r/quit\r\rthree \tfour\r\nfive';
    fc.assert(fc.property(fc.array(fc.nat(), { maxLength: 12 }), (cuts) => {
      const passed = filtered(...cutAt(text, cuts));
      expect(passed.replaceAll(BEGINS, '').replaceAll(ENDS, '')).toBe(text);
      expect(passed.split(BEGINS).map((part) => part.slice(part.indexOf(ENDS) + 1)).join('')).not.toContain('\r');
    }));
  });

  it('keeps its last line end, as long as it has come without a pause', () => {
    expect(filtered('one\rtw', 'o\r')).toBe(`${BEGINS}one\rtw${ENDS}${BEGINS}o\r${ENDS}`);
  });

  it('is over after a pause: then an Enter is one again', () => {
    const filter = createPasteFilter();
    filter.read('one\rtwo');
    expect([filter.pause(), filter.read('\r'), filter.pause()]).toEqual(['', '', '\r']);
  });

  it.each(['one\r', '\r', '\r\n', '\r\u001b[A', 'one\u001b\rtwo', '\r\u0003', 'typed\nahead'])('%j is none', (read) => {
    expect(filtered(read)).toBe(read);
  });

  it('cannot end its own paste', () => {
    expect(filtered(`one\rtwo\u001b[20${ENDS}1~\r/quit\r`)).toBe(`${BEGINS}one\rtwo[20[201~1~\r/quit\r${ENDS}`);
  });
});

describe('a key', () => {
  it.each(['\u001b', '\u001b[A', '\u0003', 'x', '\u001b\r', '\u007f'])('%j passes at once and as it is', (key) => {
    expect(createPasteFilter().read(key)).toBe(key);
  });

  it('that is Enter passes as soon as a text behind it would have come', () => {
    const filter = createPasteFilter();
    expect([filter.read('one\r'), filter.pause()]).toEqual(['one', '\r']);
    expect([filter.read('\r'), filter.read('\u001b[A'), filter.pause()]).toEqual(['', '\r\u001b[A', '']);
  });

  it('is a key again after a paste', () => {
    const filter = createPasteFilter();
    filter.read(`${BEGINS}text${ENDS}`);
    expect(filter.read('\u001b')).toBe('\u001b');
  });
});
