// `sotto invite`: a link for one new contact, and a picture of it for a camera.

import { programWord } from './hint.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { stamp } from './time.js';

/** Lines below the picture: the link, which breaks once, one sentence, and the prompt. With a link of 100 characters all fit 80x24. */
const LINES_BELOW = 4;
/** Dots around the code: four by its standard, and fewer rather than no code at all. */
const BORDERS = [4, 2, 1] as const;

export async function invite(options: HomeOptions): Promise<void> {
  const { link, expiresAt } = await withClient(options, 'brief', ({ client }) => client.invite());
  if (options.json) return writeJson({ link, expiresAt });
  const picture = process.stdout.isTTY ? await qrPicture(link, process.stdout) : null;
  if (picture) await writeLine(picture);
  await writeLine(link);
  await writeLine(`They type: ${programWord()} accept "LINK". Good once, until ${stamp(expiresAt, Date.now())}.`);
}

/**
 * A QR code, two dots to a character, with as much of the border that cameras ask for as there is room; null where the terminal is too small.
 * Where colours are allowed it is black on white whatever those of the terminal are; else it is right on a dark terminal, and inverted on
 * a light one.
 */
export async function qrPicture(link: string, { columns, rows }: { readonly columns: number; readonly rows: number }, env: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  const { renderUnicodeCompact } = await import('uqr');
  const pictures = BORDERS.map((border) => renderUnicodeCompact(link, { ecc: 'L', border }).split('\n'));
  const lines = pictures.find((each) => (each[0]?.length ?? 0) <= columns && each.length + LINES_BELOW <= rows);
  if (lines === undefined) return null;
  if (env['NO_COLOR'] || env['TERM'] === 'dumb') return lines.join('\n');
  // 231 and 16 are white and black in every palette; the sixteen named colours are what the person's theme makes of them.
  return lines.map((line) => `\u001b[38;5;231;48;5;16m${line}\u001b[0m`).join('\n');
}
