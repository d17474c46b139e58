import { styleText } from 'node:util';
import type { Row } from './account.ts';

/** Where the story is told. */
export interface Screen {
  /** Something happened that is worth a line. */
  say(line: string): void;
  /** How things are now. */
  show(rows: readonly Row[], footer: string): void;
}

const HEAD: Row = { pod: 'POD', podIP: 'POD IP', eip: 'EIP', state: 'STATE', ready: 'READY' };
const COLUMNS = ['pod', 'podIP', 'eip', 'state', 'ready'] as const;

const table = (rows: readonly Row[]): string[] => {
  const all = [HEAD, ...rows.toSorted((a, b) => a.pod.localeCompare(b.pod, 'en'))];
  const widths = COLUMNS.map((column) => Math.max(...all.map((row) => row[column].length)));
  return all.map((row) =>
    COLUMNS.map((column, index) => row[column].padEnd(widths[index] ?? 0))
      .join('   ')
      .trimEnd(),
  );
};

/** A table that is drawn anew in place, with what happened above it. */
export const liveScreen = (print: (text: string) => void): Screen => {
  let drawn = 0;
  const wipe = () => (drawn > 0 ? `\u001b[${drawn}A\u001b[J` : '');
  let last: string[] = [];
  const draw = () => {
    drawn = last.length;
    return last.map((line) => `${line}\n`).join('');
  };
  return {
    say: (line) => print(`${wipe()}${line}\n${draw()}`),
    show: (rows, footer) => {
      const before = wipe();
      const [head = '', ...body] = table(rows);
      last = ['', styleText('bold', head), ...body, '', styleText('dim', footer), ''];
      print(before + draw());
    },
  };
};

/** One line for each thing that happens to an address: for logs, pipes and CI. */
export const plainScreen = (print: (text: string) => void): Screen => {
  const before = new Map<string, string>();
  return {
    say: (line) => print(`${line}\n`),
    show: (rows) => {
      for (const row of rows) {
        const now = `${row.state} ${row.eip} ${row.ready}`;
        if (before.get(row.pod) !== now)
          print(`  ${row.pod.padEnd(58)} ${row.eip.padEnd(15)} ${row.state.padEnd(14)} ${row.ready}\n`);
        before.set(row.pod, now);
      }
      const alive = new Set(rows.map(({ pod }) => pod));
      for (const pod of before.keys()) {
        if (alive.has(pod)) continue;
        before.delete(pod);
        print(`  ${pod.padEnd(58)} ${'–'.padEnd(15)} gone\n`);
      }
    },
  };
};
