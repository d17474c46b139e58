import { legible } from '../lib/text.ts';

/** Rows of cells in columns as wide as their widest cell; the first row has the headings. */
export const reportTable = (given: readonly (readonly string[])[]): string => {
  const rows = given.map((row) => row.map(legible));
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
};
