// What people may call themselves: one visible line that says on every screen what it says on the others.

import { utf8 } from './bytes.js';

/** Longest name in bytes of UTF-8: fits a line on every screen. */
export const NAME_MAX_BYTES = 64;

/** Control characters could speak to a terminal; line breaks, direction marks and what cannot be seen could make a name look like another. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?!\u200C|\u200D|\uFE0E|\uFE0F)\p{Default_Ignorable_Code_Point}/u;
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;

/** Whether a text can be somebody's name. */
export function isName(name: string): boolean {
  return VISIBLE.test(name) && name === name.trim() && !FORBIDDEN.test(name) && utf8(name).length <= NAME_MAX_BYTES;
}
