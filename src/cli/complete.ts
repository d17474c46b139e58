import type { Command, Option } from 'commander';
import { kubectlCompletion } from './kubectl.ts';
import type { Shell } from './shell.ts';

/**
 * What the shell is to do beside showing the words, a sum of these. Source: spf13/cobra completions.go,
 * ShellCompDirective; kubectl hands it on as it is.
 */
const DIRECTIVE = { files: 0, failed: 1, nothingElse: 4, folders: 16 } as const;

interface Word {
  readonly word: string;
  readonly description: string;
}

/** What may stand in a place: words, or what kubectl says that may stand at the end of a command of its own. */
type Completion = { readonly words: readonly Word[]; readonly directive: number } | { readonly ask: readonly string[] };

const FILES: Completion = { words: [], directive: DIRECTIVE.files };
const NOTHING: Completion = { words: [], directive: DIRECTIVE.nothingElse };

/** What kubectl lists where its own flag is completed. */
const NAMED_BY_KUBECTL = new Set(['--namespace', '--context', '--cluster', '--user']);
/** The kinds that an argument names one of; the other arguments name `kind/name`. */
const KIND_OF_ARGUMENT: Readonly<Record<string, string>> = { pod: 'podeips.v1beta1.alibabacloud.com' };

/** The flags of the command line that say which cluster and namespace are meant. */
interface Given {
  readonly command: Command;
  /** The option whose value is the next word. */
  readonly open: Option | undefined;
  readonly connection: readonly string[];
  /** How many words are no options. */
  readonly count: number;
}

const isOfKubectl = ({ long, helpGroupHeading }: Option): boolean =>
  long === '--namespace' || helpGroupHeading === 'Options of kubectl:';

const optionNamed = (command: Command, name: string): Option | undefined =>
  command.options.find(({ long, short }) => long === name || short === name);

const subcommandNamed = (command: Command, name: string): Command | undefined =>
  command.commands.find((each) => each.name() === name || each.aliases().includes(name));

const read = (before: Given, word: string): Given => {
  const { command, open, connection, count } = before;
  if (open) {
    const added = isOfKubectl(open) ? [`${open.long ?? ''}=${word}`] : [];
    return { ...before, open: undefined, connection: [...connection, ...added] };
  }
  if (!word.startsWith('-')) {
    const below = subcommandNamed(command, word);
    return below ? { ...before, command: below } : { ...before, count: count + 1 };
  }
  const at = word.indexOf('=');
  const option = optionNamed(command, at === -1 ? word : word.slice(0, at));
  if (option && at === -1 && (option.required || option.optional)) return { ...before, open: option };
  const added = option && isOfKubectl(option) ? [`${option.long ?? ''}${at === -1 ? '' : word.slice(at)}`] : [];
  return { ...before, connection: [...connection, ...added] };
};

const fitting = (words: readonly Word[], start: string): Completion => ({
  words: words.filter(({ word }) => word.startsWith(start)),
  directive: DIRECTIVE.nothingElse,
});

const valuesOf = (option: Option, start: string, { connection }: Given): Completion => {
  const { argChoices, long = '', flags } = option;
  if (argChoices)
    return fitting(
      argChoices.map((word) => ({ word, description: '' })),
      start,
    );
  if (NAMED_BY_KUBECTL.has(long)) return { ask: ['get', 'pods', ...connection, long, start] };
  if (flags.includes('<file')) return FILES;
  return flags.includes('<folder') ? { words: [], directive: DIRECTIVE.folders } : NOTHING;
};

const argumentOf = ({ command, connection, count }: Given, start: string): Completion => {
  const argument = command.registeredArguments[count];
  if (!argument) return NOTHING;
  const kind = KIND_OF_ARGUMENT[argument.name()];
  return { ask: ['get', ...connection, ...(kind === undefined ? [] : [kind]), start] };
};

const optionsOf = (command: Command, start: string): Completion => {
  const shown = command.options.filter(({ hidden }) => !hidden);
  const help = { word: '--help', description: 'print this help' };
  const long = shown.map(({ long = '', description }) => ({ word: long, description }));
  const short = shown.flatMap(({ short, description }) => (short ? [{ word: short, description }] : []));
  return fitting([...long, ...(start === '-' ? short : []), help], start);
};

/**
 * What may stand in the place of the last word.
 *
 * @param root the command of which the words are the arguments
 * @param words all words so far; the last is the one that is typed, and empty where nothing of it is there yet
 */
export const completionOf = (root: Command, words: readonly string[]): Completion => {
  const start = words.at(-1) ?? '';
  const given = words.slice(0, -1).reduce(read, { command: root, open: undefined, connection: [], count: 0 } as Given);
  if (given.open) return valuesOf(given.open, start, given);
  const at = start.indexOf('=');
  if (start.startsWith('--') && at !== -1) {
    const option = optionNamed(given.command, start.slice(0, at));
    return option ? valuesOf(option, start.slice(at + 1), given) : NOTHING;
  }
  if (start.startsWith('-')) return optionsOf(given.command, start);
  if (given.command.commands.length === 0) return argumentOf(given, start);
  return fitting(
    given.command.commands.map((each) => ({ word: each.name(), description: each.description() })),
    start,
  );
};

/** Prints what may stand in the place of the last word, as kubectl wants it of `kubectl_complete-…`. */
export const complete = async (root: Command, words: readonly string[], { out }: Shell): Promise<number> => {
  const completion = completionOf(root, words);
  if ('ask' in completion) {
    // An error in the middle of somebody's command line would be in the way; the directive tells the shell.
    out((await kubectlCompletion(completion.ask)) ?? `:${DIRECTIVE.failed}\n`);
    return 0;
  }
  const lines = completion.words.map(({ word, description }) =>
    description === '' ? word : `${word}\t${description}`,
  );
  out(`${[...lines, `:${completion.directive}`].join('\n')}\n`);
  return 0;
};
