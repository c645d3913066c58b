// What people may call themselves: one visible line that says on every screen what it says on the others.

import { utf8 } from './bytes.js';

/** Longest name in bytes of UTF-8: fits a line on every screen. */
export const NAME_MAX_BYTES = 64;

/** Control characters could speak to a terminal; line breaks, direction marks and lone surrogates could make a name look like another. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/u;

/** Whether a text can be somebody's name. */
export function isName(name: string): boolean {
  return name !== '' && name === name.trim() && !FORBIDDEN.test(name) && utf8(name).length <= NAME_MAX_BYTES;
}
