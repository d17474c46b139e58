import { styleText } from 'node:util';
import cliTruncate from 'cli-truncate';
import wrapAnsi from 'wrap-ansi';
import type { Terminal } from '../lib/terminal.ts';
import type { Row } from './address-ledger.ts';
import { line, table } from './text-table.ts';

/** Where the demo is told. */
export interface Screen {
  /** What is worth knowing all the time: how everything is reached. */
  head(line: string): void;
  /** Something happened that is worth a line. */
  say(line: string): void;
  /** How things are now. */
  show(rows: readonly Row[], footer: string): void;
  /** Gives the terminal back, with what was said on it. */
  close(): void;
}

/** What is on the screen: all that was said, the latest last, and how things are now. */
interface Picture {
  readonly head: readonly string[];
  readonly said: readonly string[];
  readonly rows: readonly Row[];
  readonly footer: string;
}

/** So many lines of what was said stay, whatever else there is. */
const LEAST_SAID = 3;
/** Of the head, there are at least so many lines, or none: how the API is reached. The first lines stay longest. */
const SHORT_HEAD = 2;

/** What a line about something that happens begins with. */
const BULLETS: readonly string[] = ['+ ', '~ ', 'x ', '- '];

/**
 * A line in as many as it needs: those after the first stand below its text, beside its bullet, and none begins with
 * the space between words.
 */
const wrapped = (line: string, columns: number): readonly string[] => {
  const text = line.trimStart();
  const indent = Math.min(line.length - text.length, Math.floor(columns / 2));
  const beside = BULLETS.includes(text.slice(0, 2)) ? 2 : 0;
  return wrapAnsi(text, Math.max(1, columns - indent - beside), { hard: true })
    .split('\n')
    .map((part, index) => ' '.repeat(index === 0 ? indent : indent + beside) + part);
};

/**
 * The picture in a window of this size: never more lines than it has, and none wider. The table is whole as long as it
 * can be; the head gives way first, then what was said.
 */
export const frame = ({ head, said, rows, footer }: Picture, size: ReturnType<Terminal['size']>): readonly string[] => {
  const { columns } = size;
  const wrap = (lines: readonly string[]) => lines.flatMap((each) => wrapped(each, columns));
  const [title = '', ...body] = table(rows, columns);
  // The footer, and an empty line on either side of the table.
  const room = Math.max(1, size.rows - 3);
  const most = Math.max(1, room - 1 - LEAST_SAID);
  const shown = body.length <= most ? body : body.slice(0, most - 1);
  const hidden = body.length - shown.length;
  const left = Math.max(0, room - 1 - shown.length - (hidden > 0 ? 1 : 0));
  const fits = left - LEAST_SAID - 1;
  const top = fits >= wrap(head.slice(0, SHORT_HEAD)).length ? [...wrap(head).slice(0, fits), ''] : [];
  return [
    ...top,
    ...wrap(said).slice(-Math.max(1, left - top.length)),
    '',
    styleText('bold', title, { validateStream: false }),
    ...shown,
    ...(hidden > 0 ? [cliTruncate(`… and ${hidden} more`, columns)] : []),
    '',
    styleText('dim', cliTruncate(footer, columns), { validateStream: false }),
  ].slice(-size.rows);
};

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[2J';
const LEAVE = '\u001b[?25h\u001b[?1049l';
/** Shown at once by terminals that know it (synchronized output), and without effect on the others. */
const TOGETHER = ['\u001b[?2026h', '\u001b[?2026l'] as const;
/** Lines that are remembered of what was said. */
const MOST_SAID = 500;

/**
 * The whole window, drawn line by line at its place, on the terminal's alternate screen: that one has no lines above it
 * which could scroll away, and is not wrapped anew when the window changes its size, so that nothing is left over of
 * what was drawn before. What was said stands on the ordinary screen afterwards.
 */
export const liveScreen = (print: (text: string) => void, terminal: Terminal): Screen => {
  const head: string[] = [];
  const said: string[] = [];
  let rows: readonly Row[] = [];
  let footer = '';
  let isOpen = true;
  const draw = () => {
    if (!isOpen) return;
    const size = terminal.size();
    const lines = frame({ head, said, rows, footer }, size);
    const drawn = lines.map((each, index) => `\u001b[${index + 1};1H\u001b[2K${each}`).join('');
    const rest = lines.length < size.rows ? `\u001b[${lines.length + 1};1H\u001b[J` : '';
    print(TOGETHER[0] + drawn + rest + TOGETHER[1]);
  };
  const leave = () => {
    if (!isOpen) return;
    isOpen = false;
    print(LEAVE);
  };
  print(ENTER);
  const forgetResize = terminal.onResize(draw);
  const forgetExit = terminal.onExit(leave);
  const add = (lines: string[], text: string) => {
    lines.push(...text.split('\n').filter((each) => each !== ''));
    lines.splice(0, lines.length - MOST_SAID);
    draw();
  };
  return {
    head: (text) => add(head, text),
    say: (text) => add(said, text),
    show: (now, below) => {
      rows = now;
      footer = below;
      draw();
    },
    close: () => {
      if (!isOpen) return;
      forgetResize();
      forgetExit();
      leave();
      const { columns } = terminal.size();
      print([...head, '', ...said, ''].flatMap((each) => wrapped(each, columns)).join('\n'));
    },
  };
};

/**
 * One line for each thing that happens to an address: for logs, pipes and CI. On a terminal no line is wider than it.
 */
export const plainScreen = (print: (text: string) => void, columns?: () => number): Screen => {
  const before = new Map<string, string>();
  /** What a pipe gets is for programs, which want a line whole. */
  const tell = (text: string): void => {
    const width = columns?.();
    const lines = text.split('\n');
    print(`${(width === undefined ? lines : lines.flatMap((each) => wrapped(each, width))).join('\n')}\n`);
  };
  return {
    head: tell,
    say: tell,
    show: (rows) => {
      for (const row of rows) {
        const now = `${row.state} ${row.eip} ${row.ready}`;
        if (before.get(row.pod) !== now) print(`${line(row, columns?.())}\n`);
        before.set(row.pod, now);
      }
      const alive = new Set(rows.map(({ pod }) => pod));
      for (const pod of before.keys()) {
        if (alive.has(pod)) continue;
        before.delete(pod);
        print(`${line({ pod, eip: '–', state: 'gone', ready: '' }, columns?.())}\n`);
      }
    },
    close: () => undefined,
  };
};
