import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { cut, rowsOf } from '../../../client/cli/chat/rows.js';
import { type Place, type Transcript, transcript } from '../../../client/cli/chat/transcript.js';
import { BOB, MemoryClient } from '../../support/memory-client.js';

/** An hour after 1970: every message was sent at its beginning. */
const NOW = 3_600_000;
const characters = fc.constantFrom('a', 'b', ' ', '\n', 'é', '漢', '👩‍👩‍👧', '🇫🇷', 'ש', 'e\u0301');
const text = fc.string({ unit: characters, maxLength: 60 });

describe('the rows of a text', () => {
  it('are never wider than asked, break no character, and lose nothing but spaces', () => {
    fc.assert(fc.property(text, fc.integer({ min: 2, max: 12 }), (given, columns) => {
      for (const breaks of ['words', 'anywhere'] as const) {
        const rows = rowsOf(given, columns, breaks);
        for (const row of rows) {
          expect(stringWidth(row.text)).toBeLessThanOrEqual(columns);
          expect(given.slice(row.start)).toMatch(new RegExp(`^${row.text}`, 'u'));
          expect(row.text).not.toMatch(/^\u200d|\u200d$|^\u0301/u);
        }
        const [joined, whole] = [rows.map((row) => row.text).join(''), given.replaceAll('\n', '')];
        if (breaks === 'anywhere') expect(joined).toBe(whole);
        else expect(joined.replaceAll(' ', '')).toBe(whole.replaceAll(' ', ''));
      }
    }));
  });

  it('end behind words where they can', () => {
    expect(rowsOf('one two three', 8, 'words').map((row) => row.text)).toEqual(['one two', 'three']);
    expect(rowsOf('one twothree', 6, 'words').map((row) => row.text)).toEqual(['one', 'twothr', 'ee']);
    expect(rowsOf(' a漢', 2, 'words').map((row) => row.text)).toEqual(['', 'a', '漢']);
    expect(cut('日本語', 4)).toBe('日…');
    expect(cut('abcd', 4)).toBe('abcd');
  });
});

describe('what is seen of a conversation', () => {
  const client = new MemoryClient();
  for (let i = 1; i <= 2_000; i++) client.receive(BOB, i % 7 === 0 ? `number ${i}.\n\nmore of it` : `number ${i}.`, 0);
  const column = transcript(client.messages, 80, NOW);
  const words = (seen: Transcript, end: Place, height: number) => seen.view(end, height).lines.map((line) => line.map((piece) => piece.text).join(''));
  const all = words(column, null, 100_000);

  it('is a window on all of it, wherever it was moved', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: -700, max: 700 }), { maxLength: 8 }), fc.integer({ min: 1, max: 60 }), (moves, height) => {
      let end: Place = null;
      let bottom = all.length;
      for (const move of moves) {
        end = column.move(end, move, height);
        bottom = Math.min(all.length, Math.max(height, bottom + move));
        expect(words(column, end, height)).toEqual(all.slice(bottom - height, bottom));
        expect(column.view(end, height).atTop).toBe(bottom === height);
        expect(end === null).toBe(bottom === all.length);
      }
    }), { numRuns: 50 });
  });

  it('follows the newest where all of it is seen', () => {
    const few = transcript(client.messages.slice(0, 3), 80, NOW);
    expect(few.move(null, -1, 10)).toBeNull();
    expect(transcript([], 80, NOW).move(null, -1, 10)).toBeNull();
  });

  it('stays where it is when messages come and when the width changes', () => {
    const end = column.move(null, -500, 10);
    const before = words(column, end, 10);
    expect(before.join()).toContain('1608.');
    client.receive(BOB, 'new', 0);
    expect(words(transcript(client.messages, 80, NOW), end, 10)).toEqual(before);
    expect(words(transcript(client.messages, 20, NOW), end, 10).join('\n')).toContain('1608.');
  });
});
