// What stands between the terminal and Ink: inside a pasted text no byte is a key. Ink would read an escape character there as the
// Esc key, leave, and give the rest of the paste to the shell. It knows marks and characters, not what is typed.

const BEGINS = '\u001b[200~';
const ENDS = '\u001b[201~';

/** Makes a filter for what a terminal sends: pasted texts lose their control characters, everything else passes as it is. */
export function createPasteFilter(): (chunk: string) => string {
  let pasting = false;
  let kept = '';
  return (chunk) => {
    let rest = kept + chunk;
    kept = '';
    let passed = '';
    for (;;) {
      const mark = pasting ? ENDS : BEGINS;
      const at = rest.indexOf(mark);
      if (at < 0) break;
      passed += harmless(rest.slice(0, at), pasting) + mark;
      rest = rest.slice(at + mark.length);
      pasting = !pasting;
    }
    // A mark may be cut by the end of the chunk. Outside of a paste what has come may be a lone key, which nobody may hold back.
    if (pasting) {
      const cut = cutMark(rest);
      kept = rest.slice(cut);
      rest = rest.slice(0, cut);
    }
    return passed + harmless(rest, pasting);
  };
}

function harmless(text: string, pasted: boolean): string {
  return pasted ? text.replaceAll(/[^\P{Cc}\n\r\t]/gu, '') : text;
}

/** Where a beginning of the closing mark stands at the end of a text; its length if there is none. */
function cutMark(text: string): number {
  for (let length = ENDS.length - 1; length > 0; length -= 1) if (text.endsWith(ENDS.slice(0, length))) return text.length - length;
  return text.length;
}
