// Puts whole frames on a terminal by writing only the lines that differ from the frame before, each at its place: nothing flickers.
// It takes the terminal for itself while it paints, and gives it back as it was. It knows lines, not what they say.

/** The terminal's second screen (what was on the first is there again after it), without wrapping of long lines, and with marks around
 *  what is pasted. */
const TAKE = '\u001b[?1049h\u001b[?7l\u001b[?2004h\u001b[2J';
const GIVE_BACK = '\u001b[?2004l\u001b[?7h\u001b[?1049l';
/** Terminals that know it show what stands between at once. */
const HOLD = '\u001b[?2026h';
const RELEASE = '\u001b[?2026l';

export interface Painter {
  /** Shows a frame of lines, each no wider than the terminal. */
  paint(frame: string): void;
  /** Puts the cursor at a place, counted from 0: the terminal's own, which input methods and screen readers follow. */
  place(row: number, column: number): void;
  /** What is on the terminal can't be known any more: its size has changed. */
  forget(): void;
  /** Another program has had the terminal meanwhile: takes it again. */
  take(): void;
  /** Gives the terminal back; paints nothing after. */
  end(): void;
}

/** @param rows how many lines the terminal has now. */
export function createPainter(write: (bytes: string) => void, rows: () => number): Painter {
  let shown: readonly string[] = [];
  let cursor = at(0, 0);
  let ended = false;
  const take = () => {
    shown = [];
    if (!ended) write(TAKE);
  };
  take();
  return {
    take,
    paint: (frame) => {
      // Ink writes an empty frame when it has nothing to say.
      if (ended || frame === '') return;
      // A frame made just before the terminal became smaller is still to be seen off.
      const lines = frame.split('\n').slice(0, rows());
      const changes = lines.map((line, row) => (line === shown[row] ? '' : `${at(row, 0)}\u001b[K${line}`)).join('');
      const below = lines.length < shown.length ? `${at(lines.length, 0)}\u001b[J` : '';
      shown = lines;
      if (changes + below !== '') write(`${HOLD}${changes}${below}${cursor}${RELEASE}`);
    },
    place: (row, column) => {
      const next = at(row, column);
      if (ended || next === cursor) return;
      cursor = next;
      write(cursor);
    },
    forget: () => {
      shown = [];
      if (!ended) write('\u001b[2J');
    },
    end: () => {
      if (ended) return;
      ended = true;
      write(GIVE_BACK);
    },
  };
}

function at(row: number, column: number): string {
  return `\u001b[${row + 1};${column + 1}H`;
}
