import type { Phase } from '../web/overview.ts';

export const WORDS: Readonly<Record<Phase, string>> = {
  inUse: 'In use',
  waiting: 'Waiting',
  attention: 'Needs attention',
  kept: 'Kept',
  goingBack: 'Going back',
};

/**
 * Removes control characters and escape sequences, which a terminal would execute, from texts of users and of the
 * cloud.
 */
export const plain = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, ' ');

/** Aligns columns to their widest cell; the last column is not padded. */
export const addressTable = (rows: readonly (readonly string[])[]): string => {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 0, cell.length);
    });
  return rows
    .map((row) => row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('   '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
};

/** The age, as kubectl writes it: "45s", "12m", "5h", "3d". */
export const ageOf = (time: string | undefined, now: number): string => {
  const seconds = Math.max(0, Math.floor((now - Date.parse(time ?? '')) / 1_000));
  if (Number.isNaN(seconds)) return '-';
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 120 * 60) return `${Math.floor(seconds / 60)}m`;
  return seconds < 48 * 3600 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
};
