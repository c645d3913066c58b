// What stands between the terminal and the keys: inside a pasted text no byte is a key. An escape character there would be the Esc key,
// which leaves, an Enter would send, and the shell would get the rest. It knows marks, characters and pauses, not what is typed.

const BEGINS = '\u001b[200~';
const ENDS = '\u001b[201~';

/** An Enter alone, not that of Alt-Enter, with a text behind it: a person's is read before the next letter comes. What was typed ahead,
 *  before the keys were read one by one, has line feeds. */
const LINES = /(?<![^\P{Cc}\t])\r[\r\n]*[\P{Cc}\t]/u;
/** An Enter alone, with nothing behind it yet. */
const LAST_ENTER = /(?<![^\P{Cc}\t\r\n])\r\n?$/u;

/** A text without marks ends when nothing more has come for so long: the pieces of a paste follow on one another sooner, a person's keys later. */
export const PAUSE_MS = 30;

export interface PasteFilter {
  /** Takes a reading of what the terminal sends, and gives what is known of it by now. */
  read(chunk: string): string;
  /** Nothing has come for PAUSE_MS: gives what was held back. */
  pause(): string;
}

/**
 * Makes a filter for what a terminal sends: pasted texts lose their control characters, everything else passes as it is. Lines that come
 * without a pause are a paste of a terminal that marks none: it gets its marks here. So an Enter is held back until it is known to be the last.
 */
export function createPasteFilter(): PasteFilter {
  let pasting = false;
  // The end of what has come, if it begins a mark: held back inside of a paste. Outside it may be a lone key, which nobody may hold
  // back, so there it has passed already.
  let begun = '';
  let enter = '';
  // Within lines that have no marks, whatever comes without a pause is of them.
  let inLines = false;

  const passMarked = (chunk: string): string => {
    const passedAlready = pasting ? 0 : begun.length;
    let rest = begun + chunk;
    let passed = '';
    for (;;) {
      const mark = pasting ? ENDS : BEGINS;
      const at = rest.indexOf(mark);
      if (at < 0) break;
      passed += harmless(rest.slice(0, at), pasting) + mark;
      rest = rest.slice(at + mark.length);
      pasting = !pasting;
    }
    const cut = markBegins(rest, pasting ? ENDS : BEGINS);
    begun = rest.slice(cut);
    passed += pasting ? harmless(rest.slice(0, cut), true) : rest;
    return passed.slice(passedAlready);
  };
  return {
    read: (chunk) => {
      const text = enter + chunk;
      enter = '';
      inLines = !pasting && begun === '' && !text.includes(BEGINS) && (inLines || LINES.test(text));
      if (inLines) return BEGINS + harmless(text, true) + ENDS;
      const passed = passMarked(text);
      if (!pasting) enter = LAST_ENTER.exec(passed)?.[0] ?? '';
      return passed.slice(0, passed.length - enter.length);
    },
    pause: () => {
      const passed = enter;
      enter = '';
      inLines = false;
      return passed;
    },
  };
}

function harmless(text: string, pasted: boolean): string {
  return pasted ? text.replaceAll(/[^\P{Cc}\n\r\t]/gu, '') : text;
}

/** Where a beginning of the mark stands at the end of a text; the text's length if there is none. */
function markBegins(text: string, mark: string): number {
  for (let length = mark.length - 1; length > 0; length -= 1) if (text.endsWith(mark.slice(0, length))) return text.length - length;
  return text.length;
}
