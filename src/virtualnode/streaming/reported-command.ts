/**
 * A command in a container that says how it ended, and whose standard input can end: ECI tells no exit code, and knows
 * no message that ends standard input (see terminal-message.ts). So a shell of the container runs the command. Shell
 * and this end speak over standard input and standard error, and everything else passes by:
 *
 * - the shell writes a word that nobody else knows, and `+`, to standard error: it is there. Until then nothing is
 *   sent, so that what was written before is none of the command's, but says why there is no shell.
 * - it reads the command: the number of arguments, a line; for each the number of bytes, a line, and the bytes. So
 *   ECI's limits, 20 arguments of 256 characters, do not hold for it, and no argument stands in a request. Where there
 *   is no input it ends without a word: nothing was run.
 * - it reads standard input in pieces: the number of bytes, a line, and the bytes; 0 ends it.
 * - it writes the word, the exit code and a line feed to standard error: the command has ended.
 *
 * The first word is looked for in all output, and the exit code where that was heard: nothing hangs on how ECI tells
 * standard error from standard output.
 *
 * It takes `/bin/sh` and `dd`, as every image has that has a shell, `dd` with `iflag=fullblock` (GNU coreutils, busybox
 * since 1.23, toybox).
 */

/** Longest piece of standard input, bytes: what `dd` is to read at once. */
const LONGEST_PIECE = 65_536;
/** The same for an argument. Linux takes none of more than 128 KiB (MAX_ARG_STRLEN). */
const LONGEST_ARGUMENT = 131_071;

/** ECI API reference, ExecContainerCommand: each part of the command has at most 256 characters. */
const BEGIN =
  'i=$3;printf %s+ "$i" >&2;d(){ dd bs="$1" count=1 iflag=fullblock 2>/dev/null;};read -r n||exit;set --;' +
  'while [ "$n" -gt 0 ];do read -r l;a="$(d "$l";echo x)";set -- "$@" "${a%x}";n=$((n-1));done;';
const REPORT = 'printf %s%d\\\\n "$i" "$?" >&2';
const WITH_INPUT = `f(){ while read -r l&&[ "$l" -gt 0 ];do d "$l"||return;done;};f|{ "$@";${REPORT};}`;
const WITHOUT_INPUT = `"$@" </dev/null;${REPORT}`;

/**
 * What ECI is to run in place of a command.
 *
 * @param word what marks the shell's own words: letters and digits, unknown to everybody else
 */
export const reportingShell = (word: string, hasInput: boolean): readonly string[] => [
  '/bin/sh',
  '-c',
  'eval "$1$2"',
  'sh',
  BEGIN,
  hasInput ? WITH_INPUT : WITHOUT_INPUT,
  word,
];

/** The command, as the shell reads it; undefined if an argument is longer than a process may get. */
export const encodeCommand = (command: readonly string[]): Buffer | undefined => {
  const parts = command.map((argument) => Buffer.from(argument));
  if (parts.some(({ length }) => length > LONGEST_ARGUMENT)) return undefined;
  return Buffer.concat([line(parts.length), ...parts.flatMap((part) => [line(part.length), part])]);
};

/** Standard input, as the shell reads it. */
export const encodeInput = (data: Buffer): readonly Buffer[] =>
  Array.from({ length: Math.ceil(data.length / LONGEST_PIECE) }, (_, n) => {
    const piece = data.subarray(n * LONGEST_PIECE, (n + 1) * LONGEST_PIECE);
    return Buffer.concat([line(piece.length), piece]);
  });

/** The end of standard input. */
export const END_OF_INPUT: Buffer = Buffer.from('0\n');

const line = (number: number): Buffer => Buffer.from(`${number}\n`);

/** What the output has said so far. */
type Heard =
  | { readonly kind: 'nothing' }
  /** The shell is there. */
  | { readonly kind: 'started' }
  | { readonly kind: 'exit'; readonly code: number };

/**
 * Finds the shell's words in the output of one channel, and takes them out. Holds back what may be the beginning of
 * one.
 */
export class ReportReader {
  readonly #word: string;
  #held = '';
  #hasStarted = false;

  constructor(word: string) {
    this.#word = word;
  }

  /** @returns what is the command's own, and what the shell said */
  push(data: Buffer): { readonly rest: Buffer; readonly heard: Heard } {
    // Bytes as characters of the same number: any may be cut anywhere.
    const text = this.#held + data.toString('latin1');
    for (let at = text.indexOf(this.#word); at >= 0; at = text.indexOf(this.#word, at + 1)) {
      const after = text.slice(at + this.#word.length);
      if (!this.#hasStarted && after.startsWith('+')) {
        this.#hasStarted = true;
        this.#held = '';
        // What came before was not the command's.
        const more = this.push(Buffer.from(after.slice(1), 'latin1'));
        return { rest: more.rest, heard: more.heard.kind === 'nothing' ? { kind: 'started' } : more.heard };
      }
      const [report, code] = /^(\d{1,3})\n/.exec(after) ?? [];
      if (report !== undefined) {
        this.#held = '';
        const rest = text.slice(0, at) + after.slice(report.length);
        return { rest: Buffer.from(rest, 'latin1'), heard: { kind: 'exit', code: Number(code) } };
      }
      if (/^\d{0,3}$/.test(after)) return this.#pass(text, text.length - at);
    }
    return this.#pass(text, heldBack(text, this.#word));
  }

  /** What is held back when nothing more comes. */
  end(): Buffer {
    const held = this.#held;
    this.#held = '';
    return Buffer.from(held, 'latin1');
  }

  #pass(text: string, hold: number): { readonly rest: Buffer; readonly heard: Heard } {
    this.#held = text.slice(text.length - hold);
    return { rest: Buffer.from(text.slice(0, text.length - hold), 'latin1'), heard: { kind: 'nothing' } };
  }
}

/** How many characters at the end may be the beginning of the word. */
const heldBack = (text: string, word: string): number => {
  for (let length = Math.min(word.length - 1, text.length); length > 0; length -= 1)
    if (text.endsWith(word.slice(0, length))) return length;
  return 0;
};
