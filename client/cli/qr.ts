// A picture of a link for a camera. It knows nothing of what the link is for.

import { renderUnicodeCompact } from 'uqr';

/** A QR code in black on white whatever the terminal's colours are; null where it would not fit. */
export function qrPicture(link: string): string | null {
  if (!process.stdout.isTTY) return null;
  const rows = renderUnicodeCompact(link, { ecc: 'L', border: 2 }).split('\n');
  if ((rows[0]?.length ?? 0) > process.stdout.columns) return null;
  return rows.map((row) => `\u001b[97;40m${row}\u001b[0m`).join('\n');
}
