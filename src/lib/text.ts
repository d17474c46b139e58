/** How much of somebody's text a sentence repeats, characters. */
const SHOWN = 60;

/** A text of somebody's for a sentence: quoted, escaped and short. */
export const quote = (text: string): string =>
  JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN).toWellFormed()}…` : text);

/**
 * Without any of these characters at its end. A pattern such as /-+$/ would begin anew at each hyphen of a long row.
 */
export const withoutEnd = (text: string, characters: string): string => {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
};

/** Without any of these characters at its beginning. */
export const withoutStart = (text: string, characters: string): string => {
  let start = 0;
  while (start < text.length && characters.includes(text.charAt(start))) start += 1;
  return text.slice(start);
};

/** What stands before the first `mark`, and what after it; all of it and "" where there is none. */
export const cutAt = (text: string, mark: string): readonly [before: string, after: string] => {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + mark.length)];
};
