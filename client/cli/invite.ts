// `sotto invite`: a link for one new contact, and a picture of it for a camera.

import { renderUnicodeCompact } from 'uqr';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { stamp } from './time.js';

/** Lines below the picture: the link, which breaks once, one sentence, and the prompt. With a link of 100 characters all fit 80x24. */
const LINES_BELOW = 4;

export async function invite(options: HomeOptions): Promise<void> {
  const { link, expiresAt } = await withClient(options, 'brief', ({ client }) => client.invite());
  if (options.json) return writeJson({ link, expiresAt });
  const picture = process.stdout.isTTY ? qrPicture(link, process.stdout) : null;
  if (picture) await writeLine(picture);
  await writeLine(link);
  await writeLine(`Whoever uses it first is your contact. Good once, until ${stamp(expiresAt, Date.now())}.`);
}

/**
 * A QR code, two dots to a character; null where the terminal is too small for it. Where colours are allowed it is black on white whatever
 * those of the terminal are; else it is right on a dark terminal, and inverted on a light one.
 */
export function qrPicture(link: string, { columns, rows }: { readonly columns: number; readonly rows: number }, env: NodeJS.ProcessEnv = process.env): string | null {
  const lines = renderUnicodeCompact(link, { ecc: 'L', border: 1 }).split('\n');
  if ((lines[0]?.length ?? 0) > columns || lines.length + LINES_BELOW > rows) return null;
  if (env['NO_COLOR'] || env['TERM'] === 'dumb') return lines.join('\n');
  // 231 and 16 are white and black in every palette; the sixteen named colours are what the person's theme makes of them.
  return lines.map((line) => `\u001b[38;5;231;48;5;16m${line}\u001b[0m`).join('\n');
}
