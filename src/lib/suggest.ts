/** Optimal string alignment distance, capped: edits, and swaps of neighbours, that turn one word into the other. */
const distance = (from: string, to: string): number => {
  let before: number[] = [];
  let above = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const line = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let least = Math.min(
        (above[column] ?? 0) + 1,
        (line[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1])
        least = Math.min(least, (before[column - 2] ?? 0) + 1);
      line.push(least);
    }
    before = above;
    above = line;
  }
  return above[to.length] ?? 0;
};

/** Longer words are not compared: nobody mistypes a key of ours that badly. */
const LONGEST_WORD = 64;

/**
 * The known word that a wrong one most probably means, or undefined where none is near. Case does not count.
 *
 * @param most how many edits away it may be; by default two fifths of its letters
 */
export const nearest = (
  wrong: string,
  known: Iterable<string>,
  most = Math.max(1, Math.floor(wrong.length * 0.4)),
): string | undefined => {
  if (wrong.length > LONGEST_WORD) return undefined;
  let best: string | undefined;
  let least = most + 1;
  for (const word of known) {
    const far = distance(wrong.toLowerCase(), word.toLowerCase());
    if (far < least) [best, least] = [word, far];
  }
  return best;
};
