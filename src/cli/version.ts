import { readFileSync } from 'node:fs';
import { getAsset, isSea } from 'node:sea';
import type { Register } from './shell.ts';

/** The version from package.json, which is next to both `src` and `dist`, and in a single executable. */
export const version = (): string => {
  const text = isSea()
    ? getAsset('package.json', 'utf8')
    : readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
};

/** The version of Node for the metrics. */
export const nodeVersion = (): string => process.version;

/** `knative-eip version` */
export const versionCommand: Register = (program, shell) => {
  program
    .command('version')
    .description('print the versions of knative-eip and of Node')
    .action(() => shell.out(`knative-eip ${version()}\nnode ${process.versions.node}\n`));
};
