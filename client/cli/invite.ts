// `sotto invite`: a link for one new contact, and a picture of it for a camera.

import { renderUnicodeCompact } from 'uqr';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { duration } from './time.js';

export async function invite(options: HomeOptions): Promise<void> {
  const { link, expiresAt } = await withClient(options, 'brief', ({ client }) => client.invite());
  if (options.json) return writeJson({ link, expiresAt });
  const picture = qrPicture(link);
  if (picture) await writeLine(picture);
  await writeLine(link);
  await writeLine('');
  await writeLine(`Give this link to one person, by a way that you trust: whoever uses it first becomes your contact. It is good once, for ${duration(expiresAt - Date.now())}.`);
}

/** A QR code in black on white whatever the terminal's colours are; null where it would not fit. */
function qrPicture(link: string): string | null {
  if (!process.stdout.isTTY) return null;
  const rows = renderUnicodeCompact(link, { ecc: 'L', border: 2 }).split('\n');
  if ((rows[0]?.length ?? 0) > process.stdout.columns) return null;
  return rows.map((row) => `\u001b[97;40m${row}\u001b[0m`).join('\n');
}
