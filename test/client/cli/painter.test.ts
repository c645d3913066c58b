import { describe, expect, it } from 'vitest';
import { createPainter } from '../../../client/cli/chat/painter.js';

/** The modes of the terminal that are set (h) and reset (l), in order. */
const modes = (written: string) => written.match(/(?<=\[\?)\d+[hl]/g) ?? [];

describe('the painter', () => {
  it('writes only the lines that have changed, each at its place', () => {
    let written = '';
    const painter = createPainter((bytes) => (written += bytes), () => 10);
    painter.paint('one\ntwo\nthree');
    written = '';
    painter.paint('one\n2\nthree');
    expect(written).toBe('\u001b[?2026h\u001b[2;1H\u001b[K2\u001b[1;1H\u001b[?2026l');
    written = '';
    painter.paint('one\n2\nthree');
    expect(written).toBe('');
    painter.paint('one');
    expect(written).toBe('\u001b[?2026h\u001b[2;1H\u001b[J\u001b[1;1H\u001b[?2026l');
  });

  it('keeps the cursor where it was put', () => {
    let written = '';
    const painter = createPainter((bytes) => (written += bytes), () => 10);
    painter.paint('one');
    written = '';
    painter.place(4, 2);
    painter.place(4, 2);
    expect(written).toBe('\u001b[5;3H');
    painter.paint('two');
    expect(written.endsWith('two\u001b[5;3H\u001b[?2026l')).toBe(true);
  });

  it('paints everything anew after the terminal has changed, and never below its last line', () => {
    let written = '';
    const painter = createPainter((bytes) => (written += bytes), () => 2);
    painter.paint('one\ntwo\nthree');
    expect(written).not.toContain('three');
    painter.forget();
    written = '';
    painter.paint('one\ntwo\nthree');
    expect(written).toContain('one');
    expect(written).toContain('two');
  });

  it('gives the terminal back as it was, once', () => {
    let written = '';
    const painter = createPainter((bytes) => (written += bytes), () => 2);
    const undone = modes(written).map((mode) => (mode.endsWith('h') ? mode.replace('h', 'l') : mode.replace('l', 'h')));
    written = '';
    painter.end();
    expect(modes(written).toSorted()).toEqual(undone.toSorted());
    written = '';
    painter.end();
    painter.paint('late');
    expect(written).toBe('');
  });
});
