// Which word somebody may have meant who has mistyped one. A guess that is far off is worse than none: it sends people astray. It knows
// no settings and no commands.

/** One mistake in so many letters is a slip of the fingers; more make another word. */
const LETTERS_PER_SLIP = 3;

/** The word that is most like the wrong one, in any case and without its dashes; null where none is near. */
export function nearest<Word extends string>(wrong: string, words: readonly Word[]): Word | null {
  const near = words.map((word) => ({ word, slips: distance(lettersOf(wrong), lettersOf(word)) }))
    .filter(({ word, slips }) => slips * LETTERS_PER_SLIP <= Math.max(lettersOf(wrong).length, lettersOf(word).length));
  return near.toSorted((a, b) => a.slips - b.slips)[0]?.word ?? null;
}

function lettersOf(word: string): string {
  return word.toLowerCase().replaceAll('-', '');
}

/** Letters to put in, take out, change, or exchange for their neighbour, to make one word of the other (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const [row, above] = [[i], rows[i - 1]!];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isExchanged = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const exchanged = isExchanged ? rows[i - 2]![j - 2]! + 1 : changed;
      row.push(Math.min(changed, exchanged, above[j]! + 1, row[j - 1]! + 1));
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
