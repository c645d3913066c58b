// `sotto invite`: a link for one new contact, and a picture of it for a camera.

import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { qrPicture } from './qr.js';
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
