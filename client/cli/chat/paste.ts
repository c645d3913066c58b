// What stands between the terminal and the keys: inside a pasted text no byte is a key. An escape character there would be the Esc key,
// which leaves, and the shell would get the rest of the paste. It knows marks and characters, not what is typed.

const BEGINS = '\u001b[200~';
const ENDS = '\u001b[201~';

/** An Enter alone, not that of Alt-Enter, with a text behind it: a person's is read before the next letter comes. What was typed ahead,
 *  before the keys were read one by one, has line feeds. */
const LINES = /(?<![^\P{Cc}\t])\r[\r\n]*[\P{Cc}\t]/u;

/**
 * Makes a filter for what a terminal sends, reading by reading: pasted texts lose their control characters, everything else passes as it
 * is. Lines that come in one reading are a paste of a terminal that marks none: it gets its marks here.
 */
export function createPasteFilter(): (chunk: string) => string {
  let pasting = false;
  // The end of what has come, if it begins a mark: held back inside of a paste. Outside it may be a lone key, which nobody may hold
  // back, so there it has passed already.
  let begun = '';
  return (chunk) => {
    if (!pasting && begun === '' && !chunk.includes(BEGINS) && LINES.test(chunk)) return BEGINS + harmless(chunk, true) + ENDS;
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
}

function harmless(text: string, pasted: boolean): string {
  return pasted ? text.replaceAll(/[^\P{Cc}\n\r\t]/gu, '') : text;
}

/** Where a beginning of the mark stands at the end of a text; the text's length if there is none. */
function markBegins(text: string, mark: string): number {
  for (let length = mark.length - 1; length > 0; length -= 1) if (text.endsWith(mark.slice(0, length))) return text.length - length;
  return text.length;
}
