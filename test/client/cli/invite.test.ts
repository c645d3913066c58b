import { describe, expect, it } from 'vitest';
import { qrPicture } from '../../../client/cli/invite.js';

/** As long as a link gets with a host of 23 characters. */
const LINK = `https://${'r'.repeat(23)}/i#${'A'.repeat(66)}`;
const TERMINAL = { columns: 80, rows: 24 };

describe('the picture of an invitation', () => {
  it('fits a terminal of 80x24 together with the link, a sentence and the prompt', async () => {
    const lines = (await qrPicture(LINK, TERMINAL, { NO_COLOR: '1' }))!.split('\n');
    expect(LINK).toHaveLength(100);
    expect(lines.length + Math.ceil(LINK.length / 80) + 2).toBeLessThanOrEqual(24);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
  });

  it('is black on white whatever the colours of the terminal, and has none where none are wanted', async () => {
    const lines = (await qrPicture(LINK, TERMINAL, {}))!.split('\n');
    for (const line of lines) expect([line.startsWith('\u001b[38;5;231;48;5;16m'), line.endsWith('\u001b[0m')]).toEqual([true, true]);
    expect(await qrPicture(LINK, TERMINAL, { NO_COLOR: '1' })).not.toContain('\u001b');
  });

  it('is left out where it would not fit', async () => {
    expect(await qrPicture(LINK, { columns: 30, rows: 24 }, {})).toBeNull();
    expect(await qrPicture(LINK, { columns: 80, rows: 20 }, {})).toBeNull();
  });

  it('has the border that cameras ask for where there is room', async () => {
    const [small, large] = await Promise.all([TERMINAL, { columns: 200, rows: 60 }].map((terminal) => qrPicture(LINK, terminal, { NO_COLOR: '1' })));
    const widthOf = (picture: string | null | undefined) => picture!.split('\n')[0]!.length;
    expect(widthOf(large) - widthOf(small)).toBe(2 * (4 - 1));
  });
});
