/**
 * Whether lists and objects are nested deeper than `most`. One pass over the text, without parsing it: a million levels
 * cost a parser, and all code that walks through its result, far more than the length of the text suggests.
 */
export const isDeeperThan = (most: number, text: string): boolean => {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') {
      at = endOfString(text, at);
    } else if (character === '[' || character === '{') {
      depth += 1;
      if (depth > most) return true;
    } else if (character === ']' || character === '}') depth -= 1;
  }
  return false;
};

/** Where the string that begins at `start` ends; the end of the text where it does not. */
const endOfString = (text: string, start: number): number => {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at;
  }
  return text.length;
};
