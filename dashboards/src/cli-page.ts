import { runCommand } from '../../src/cli/commands.ts';
import type { Shell } from '../../src/cli/shell.ts';

/** Columns of the page. */
const WIDTH = 100;

const nothing = (): Promise<never> => Promise.reject(new Error('a help text runs nothing'));

/** What `knative-eip … --help` prints. */
const helpOf = async (path: readonly string[]): Promise<string> => {
  const written: string[] = [];
  const shell: Shell = {
    env: {},
    out: (text) => void written.push(text),
    err: (text) => void written.push(text),
    errIsTerminal: false,
    clock: { now: () => 0, mono: () => 0, sleep: nothing, timer: () => () => undefined },
    ask: undefined,
    columns: WIDTH,
    runs: { controller: nothing, drain: nothing, migrate: nothing, probe: nothing, sandbox: nothing },
  };
  const code = await runCommand([...path, '--help'], shell);
  if (code !== 0) throw new Error(`knative-eip ${path.join(' ')} --help ends with ${code}: ${written.join('')}`);
  return written.join('');
};

/** The names of the commands in a help text; of one with an alias, `list|ls`, the first. */
const commandsIn = (help: string): readonly string[] => {
  const [, listed = ''] = /^Commands:\n((?: {2}.*\n)+)/mu.exec(help) ?? [];
  return [...listed.matchAll(/^ {2}([a-z-]+)/gmu)].flatMap(([, name]) =>
    name === undefined || name === 'help' ? [] : [name],
  );
};

interface Help {
  readonly title: string;
  readonly text: string;
}

const helpsOf = async (path: readonly string[]): Promise<readonly Help[]> => {
  const text = await helpOf(path);
  const below = await Promise.all(commandsIn(text).map((name) => helpsOf([...path, name])));
  return [{ title: ['knative-eip', ...path].join(' '), text }, ...below.flat()];
};

const HELPS = await helpsOf([]);

/** docs/cli.md: what every command says of itself. */
export const cliPage = (): string =>
  [
    '# Commands',
    '',
    '<!-- Made by npm run docs. -->',
    '',
    'What each command prints with `--help`. In a checkout `node src/bin.js` is `knative-eip`; `kubectl eip` is `knative-eip eip` with',
    'kubectl’s own flags. The image runs `knative-eip controller`.',
    '',
    ...HELPS.slice(1).map(({ title }) => `- [${title}](#${title.replaceAll(' ', '-')})`),
    '',
    ...HELPS.flatMap(({ title, text }) => [`## ${title}`, '', '```text', text.trim(), '```', '']),
  ].join('\n');
