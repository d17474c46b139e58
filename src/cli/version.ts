import { readFileSync } from 'node:fs';
import type { Register } from './shell.ts';

/** The version from package.json, which is next to both `src` and `dist`. */
export const version = (): string =>
  (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;

/** The version of Node for the metrics. */
export const nodeVersion = (): string => process.version;

/** `knative-eip version` */
export const versionCommand: Register = (program, shell) => {
  program
    .command('version')
    .description('print the versions of knative-eip and of Node')
    .action(() => shell.out(`knative-eip ${version()}\nnode ${process.versions.node}\n`));
};
