import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { execFileSync } from 'node:child_process';

/** A file of an archive: what it is called there, and where it is or what is in it. */
export interface Member {
  readonly name: string;
  readonly from?: string;
  readonly text?: string;
  readonly isProgram?: boolean;
}

/**
 * Writes a .tar.gz that depends on nothing but its members and the date: no order of a folder, nobody's name, no clock.
 * Needs GNU tar. The bytes also depend on the zlib of this Node.
 *
 * @param date the time of every member
 */
export const writeArchive = (path: string, members: readonly Member[], date: Date, scratch: string): void => {
  mkdirSync(scratch, { recursive: true });
  for (const { name, from, text = '', isProgram = false } of members) {
    const to = join(scratch, name);
    if (from === undefined) writeFileSync(to, text);
    else copyFileSync(from, to);
    chmodSync(to, isProgram ? 0o755 : 0o644);
  }
  const names = members.map(({ name }) => name).toSorted((a, b) => (a < b ? -1 : 1));
  const flags = ['--format=ustar', '--owner=0', '--group=0', '--numeric-owner', `--mtime=${date.toISOString()}`];
  const tar = execFileSync('tar', ['-cf', '-', ...flags, '-C', scratch, ...names], { maxBuffer: 2 ** 30 });
  writeFileSync(path, gzipSync(tar, { level: 6 }));
};
