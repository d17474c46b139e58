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
  // A URL keeps its host and path; user information, query and fragment go.
  [/\b(https?:\/\/)(?:[^\s/@?#]*@)?([^\s?#"'<>]*)[?#][^\s"'<>]*/giu, '$1$2?[redacted]'],
  [/\b(https?:\/\/)[^\s/@?#]*@/giu, '$1'],
  // Pairs whose name says that the value is secret, in query strings, headers, JSON and XML.
  [
    /\b(x-acs-[\w-]*|authorization|[\w-]{0,40}(?:secret|token|signature|password|credential|access-?key-?(?:id)?)[\w-]{0,40})(["'\s]*[=:>]["'\s]*)(?:(?:bearer|basic|ACS3-[\w-]+)\s+)?[^\s"'&,;<>]+/giu,
    '$1$2[redacted]',
  ],
  // A bare query string, as in an HTTP request line.
  [/\?[\w.%-]+=[^\s"'<>]*/gu, '?[redacted]'],
  // AccessKey IDs: LTAI… of users, STS.… and TMP.… of sessions (RAM documentation, AccessKey pair).
  [/\b(?:LTAI[0-9A-Za-z]{8,}|(?:STS|TMP)\.[0-9A-Za-z_-]{8,})/gu, '[redacted]'],
  // JSON Web Tokens, and anything else that is long and has no words in it.
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/gu, '[redacted]'],
  [/[0-9A-Za-z+/_=-]{48,}/gu, '[redacted]'],
];

/**
 * The provider's text as one bounded line: without query strings, AccessKey IDs, tokens and the `known` secrets (the
 * credentials in use, literally).
 */
export const redact = (text: unknown, known: readonly string[] = []): string => {
  if (typeof text !== 'string') return '';
  // Cut twice, so that the work is bounded and no known secret is cut in two.
  let clean = text.slice(0, LONGEST_MESSAGE * 64);
  for (const secret of known) if (secret.length >= 4) clean = clean.replaceAll(secret, '[redacted]');
  clean = clean.slice(0, LONGEST_MESSAGE * 2);
  for (const [pattern, replacement] of PATTERNS) clean = clean.replaceAll(pattern, replacement);
  return printable(clean);
};

/** A provider's error code, or "" where it is not one: letters, digits, dots, underscores and hyphens only. */
export const plainCode = (code: unknown): string =>
  typeof code === 'string' && code !== 'undefined' && code !== 'null' && /^[\w.-]{1,128}$/u.test(code) ? code : '';

/** A provider's request ID, or undefined where it is not one. */
export const plainRequestId = (id: unknown): string | undefined =>
  typeof id === 'string' && id !== 'undefined' && /^[\w-]{1,64}$/u.test(id) ? id : undefined;
