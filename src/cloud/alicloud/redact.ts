/**
 * Texts of the cloud and of the SDK, made fit for a message. The SDK puts whole request URLs, with tokens and names,
 * into `error.message`; the API's answer to a wrong signature quotes every signed header, the STS token among them.
 * Hence messages are built from listed fields only (see faults.ts), and what the provider wrote passes through here.
 */

/** Longest provider text in a message, characters. */
const LONGEST_MESSAGE = 512;

// C0 and C1 controls, line and paragraph separators, zero-width and bidirectional marks, and lone surrogates.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu;

/** One line of at most `longest` characters without control characters; whatever is not a string becomes "". */
export const printable = (text: unknown, longest = LONGEST_MESSAGE): string => {
  if (typeof text !== 'string') return '';
  // Cut first: the work stays bounded however long the answer was.
  const line = text
    .slice(0, longest * 4)
    .replaceAll(UNPRINTABLE, ' ')
    .trim();
  return line.length <= longest ? line : `${line.slice(0, longest - 1).toWellFormed()}…`;
};

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // A bare query string, as in an HTTP request line.
  [/\?[\w.%-]+=[^\s"'<>]*/gu, '?[redacted]'],
  // AccessKey IDs: LTAI… of users, STS.… and TMP.… of sessions (RAM documentation, AccessKey pair).
  [/\bLTAI[0-9A-Za-z]{8,}/gu, '[redacted]'],
  [/\b(?:STS|TMP)\.[\w-]{8,}/gu, '[redacted]'],
  // JSON Web Tokens, and anything else that is long and has no words in it.
  [/\beyJ[\w-]{4,}[\w.-]*/gu, '[redacted]'],
  [/[0-9A-Za-z+/_=-]{48,}/gu, '[redacted]'],
];

// A URL keeps its host and path; user information, query and fragment go.
const USER_INFO = /\b(https?:\/\/)[^\s/@?#]*@/giu;
const URL_TEXT = /\bhttps?:\/\/[^\s"'<>]*/giu;

/**
 * Without query and fragment. A pattern that also looks for their beginning would begin anew at each `http://` in
 * a row of them.
 */
const withoutQuery = (url: string): string => {
  const at = url.search(/[?#]/);
  return at < 0 ? url : `${url.slice(0, at)}?[redacted]`;
};

/** Names of pairs whose value is secret, in query strings, headers, JSON and XML. */
const SECRET_NAME = /x-acs-|authorization|secret|token|signature|password|credential|access-?key/iu;
const WORD = /[\w-]+/gu;
/** What follows such a name: a sign of equality, quotation marks around it, and the value. */
const SECRET_VALUE = /(["'\s]*[=:>]["'\s]*)(?:(?:bearer|basic|ACS3-[\w-]+)\s+)?[^\s"'&,;<>]+/iuy;

const withoutSecretPairs = (text: string): string => {
  let clean = '';
  let done = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (index < done || !SECRET_NAME.test(word)) continue;
    SECRET_VALUE.lastIndex = index + word.length;
    const value = SECRET_VALUE.exec(text);
    if (!value) continue;
    clean += `${text.slice(done, index + word.length)}${value[1] ?? ''}[redacted]`;
    done = SECRET_VALUE.lastIndex;
  }
  return clean + text.slice(done);
};

/** Shorter texts are no secrets, and their like is everywhere. */
const SHORTEST_SECRET = 4;
/** So many characters of the beginning or the end of a secret tell it. */
const TELLING = 8;

/** A secret as it may stand in a text: as it is, within a URL, within JSON, or in Base64. */
const formsOf = (secret: string): readonly string[] => {
  if (secret.length < SHORTEST_SECRET) return [];
  // In Base64 of a longer text a secret looks three ways, by where in a group of three bytes it begins.
  const inBase64 = [0, 1, 2].map((before) => {
    const text = Buffer.from(`${'\0'.repeat(before)}${secret}`)
      .toString('base64')
      .replace(/={1,2}$/, '');
    const begin = before === 0 ? 0 : before + 1;
    return text.slice(begin, Math.floor(((before + Buffer.byteLength(secret)) * 8) / 6));
  });
  return [secret, encodeURIComponent(secret.toWellFormed()), JSON.stringify(secret).slice(1, -1), ...inBase64];
};

/** The text without this, and without what is left of it where somebody has cut its beginning or its end off. */
const without = (text: string, form: string): string => {
  let clean = text.replaceAll(form, '[redacted]');
  if (form.length < 2 * TELLING) return clean;
  const [head, tail] = [form.slice(0, TELLING), form.slice(-TELLING)];
  for (let at = clean.indexOf(head); at >= 0; at = clean.indexOf(head, at)) {
    let length = TELLING;
    while (length < form.length && clean[at + length] === form[length]) length += 1;
    clean = `${clean.slice(0, at)}[redacted]${clean.slice(at + length)}`;
  }
  for (let at = clean.indexOf(tail); at >= 0; at = clean.indexOf(tail, at)) {
    let length = TELLING;
    while (at > 0 && length < form.length && clean[at - 1] === form[form.length - length - 1]) {
      at -= 1;
      length += 1;
    }
    clean = `${clean.slice(0, at)}[redacted]${clean.slice(at + length)}`;
  }
  return clean;
};

/** Of a text of any length and any number of lines: for what is not the provider's, such as a log. */
export const withoutSecrets = (text: string, known: readonly string[] = []): string => {
  let clean = text;
  for (const secret of known) for (const form of formsOf(secret)) clean = without(clean, form);
  clean = withoutSecretPairs(clean.replaceAll(USER_INFO, '$1').replaceAll(URL_TEXT, withoutQuery));
  for (const [pattern, replacement] of PATTERNS)
    // Names of objects are long, too, and never of mixed case.
    clean = clean.replaceAll(pattern, (found) => (isName(found) ? found : replacement));
  return clean;
};

const isName = (text: string): boolean => /^[a-z0-9/_=-]+$/u.test(text);

/**
 * The provider's text as one bounded line: without query strings, AccessKey IDs, tokens and the `known` secrets (the
 * credentials in use, also cut or encoded).
 */
export const redact = (text: unknown, known: readonly string[] = []): string => {
  if (typeof text !== 'string') return '';
  // Cut twice, so that the work is bounded and no known secret is cut in two.
  let clean = text.slice(0, LONGEST_MESSAGE * 64);
  for (const secret of known) for (const form of formsOf(secret)) clean = without(clean, form);
  clean = clean.slice(0, LONGEST_MESSAGE * 2);
  clean = withoutSecretPairs(clean.replaceAll(USER_INFO, '$1').replaceAll(URL_TEXT, withoutQuery));
  for (const [pattern, replacement] of PATTERNS) clean = clean.replaceAll(pattern, replacement);
  return printable(clean);
};

/** A provider's error code, or "" where it is not one: letters, digits, dots, underscores and hyphens only. */
export const plainCode = (code: unknown): string =>
  typeof code === 'string' && code !== 'undefined' && code !== 'null' && /^[\w.-]{1,128}$/u.test(code) ? code : '';

/** A provider's request ID, or undefined where it is not one. */
export const plainRequestId = (id: unknown): string | undefined =>
  typeof id === 'string' && id !== 'undefined' && /^[\w-]{1,64}$/u.test(id) ? id : undefined;
