// `sotto address`: a link that everybody may use, for those who want to be found.

import { SottoError } from '../../crypto/error.js';
import { command } from './hint.js';
import { qrPicture } from './invite.js';
import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';

export async function address(options: HomeOptions & { readonly new?: boolean; readonly close?: boolean }): Promise<void> {
  if (options.new && options.close) throw new SottoError('option-invalid', 'Choose one of --new and --close.');
  if (options.close) return close(options);
  const { link } = await withClient(options, 'brief', ({ client }) => (options.new ? client.newAddress() : client.address()));
  if (options.json) return writeJson({ link });
  if (options.new) await writeLine('The old address serves nobody any more. Your contacts stay. The new one:');
  const picture = process.stdout.isTTY ? await qrPicture(link, process.stdout) : null;
  if (picture) await writeLine(picture);
  await writeLine(link);
  await writeLine(`Everybody who has it may ask to be your contact: ${command('requests', options.home)}`);
}

async function close(options: HomeOptions): Promise<void> {
  await withClient(options, 'brief', ({ client }) => client.closeAddress());
  if (options.json) return writeJson({ link: null });
  await writeLine('You have no address any more. Your contacts stay, and so do those who wait for approval.');
}
