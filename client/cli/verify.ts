// `sotto verify CONTACT`: the safety number, and how two people use it.

import { type HomeOptions, withClient } from './open.js';
import { writeJson, writeLine } from './output.js';
import { safeLine } from './text.js';

const GROUPS_PER_LINE = 4;

export async function verify(contact: string, options: HomeOptions): Promise<void> {
  const answer = await withClient(options, 'brief', ({ client }) => client.verify(contact));
  if (options.json) return writeJson(answer);
  const name = safeLine(answer.contact.name);
  await writeLine(`The safety number of you and ${name}:\n`);
  for (const line of numberLines(answer.number)) await writeLine(`  ${line}`);
  await writeLine(`\nRead it to each other in person or on a call where you know the voice. If both of you see the same number, nobody stands between you. If not, do not write anything secret: ${name} may not be who you think.`);
}

/** Sixty digits as lines of groups of five. */
export function numberLines(number: string): string[] {
  const groups = number.match(/\d{5}/g) ?? [];
  const lines = [];
  for (let i = 0; i < groups.length; i += GROUPS_PER_LINE) lines.push(groups.slice(i, i + GROUPS_PER_LINE).join(' '));
  return lines;
}
