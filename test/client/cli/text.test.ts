import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonLine, safeLine, safeText } from '../../../client/cli/text.js';

/** Every character that a terminal could take for a command, or that turns writing around. */
const DANGEROUS = /[^\P{Cc}\n]|[\u2028-\u202e\u2066-\u2069]/u;
const nasty = fc.string({ unit: fc.oneof(fc.constantFrom('\u001b', '\u009b', '[31m', '\u0007', '\r', '\n', '\t', '\u202e', '\ud800', '\u0085'), fc.string({ unit: 'binary' })) });

describe('a text from outside', () => {
  it('never brings a control character to the terminal', () => {
    fc.assert(fc.property(nasty, (text) => {
      expect(safeText(text)).not.toMatch(DANGEROUS);
      expect(safeText(text)).not.toMatch(/\p{Cs}/u);
      expect(safeLine(text)).not.toMatch(/[\n\r]/);
    }));
  });

  it('shows what was there in place of an escape sequence', () => {
    expect(safeText('\u001b]0;owned\u0007 and \u009b31m')).toBe('\u241b]0;owned\u2407 and \ufffd31m');
    expect(safeText('a\u202eb')).toBe('a\ufffdb');
    expect(safeLine('Bob\nAlice: hi')).toBe('Bob\u240aAlice: hi');
  });

  it('is left as it is where it is harmless', () => {
    const text = 'Grüße, 日本語, שלום, 👩‍👩‍👧\nsecond line';
    expect(safeText(text)).toBe(text);
    expect(safeText('a\r\n\tb')).toBe('a\n    b');
  });
});

describe('a line of JSON', () => {
  it('is exact, one line, and without a raw control character', () => {
    fc.assert(fc.property(nasty, (text) => {
      const line = jsonLine({ text });
      expect(line).not.toMatch(DANGEROUS);
      expect(line).not.toContain('\n');
      expect(JSON.parse(line)).toEqual({ text });
    }));
  });
});
