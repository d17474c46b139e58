/** How much of somebody's text a sentence repeats, characters. */
const SHOWN = 60;

/**
 * What a reader does not see, or sees elsewhere than it stands: control characters with line breaks and the escape
 * sequences of terminals, marks that turn the direction of writing, characters without width, lone surrogates.
 */
const DECEPTIVE = /^[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]$/u;

const escaped = (character: string): string => {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
};

/**
 * A text that somebody wrote as whoever reads it sees it: in one line, and what could deceive is written as its escape,
 * such as `\u202e`.
 */
export const legible = (text: string): string => {
  let shown = '';
  let done = 0;
  for (let at = 0; at < text.length; at += 1) {
    // What is printed most is not worth a look.
    const unit = text.charCodeAt(at);
    if (unit >= 0x20 && unit < 0x7f) continue;
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (DECEPTIVE.test(character)) {
      shown += text.slice(done, at) + escaped(character);
      done = at + character.length;
    }
    at += character.length - 1;
  }
  return shown + text.slice(done);
};

/** A text of somebody's for a sentence: quoted, escaped and short. */
export const quote = (text: string): string =>
  legible(JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN).toWellFormed()}…` : text));

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
