import { readFileSync } from 'node:fs';

/** Rows of the table of docs/who-makes-the-address.md whose first header is this, cells without their spaces. */
export const table = (header: string): string[][] => {
  const lines = readFileSync(new URL('../../docs/who-makes-the-address.md', import.meta.url), 'utf8').split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${header} `));
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'));
  return lines.slice(start + 2, end).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
};
