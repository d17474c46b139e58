import { Option, type Command } from 'commander';
import type * as Commands from './eip-read.ts';
import { explainCommand } from './explain-command.ts';
import type { Register, Shell } from './shell.ts';

const DETAILS = `
This is also a plugin of kubectl: with kubectl-eip on the PATH, "kubectl eip" is the same. Installing the package with
npm install --global puts it there, and so does npm link in a checkout. It reads the cluster through the user's own kubectl, with the rights of the user, and changes nothing.

Examples:
  kubectl eip list -A                         every address of the cluster
  kubectl eip list -l app=web --state attention
  kubectl eip describe web-1                  one address: what it is, why it is not there, what to do
  kubectl eip history web-1                   what happened to it, as far as Events remember (an hour, usually)
  kubectl eip explain -f service.yaml         what a manifest will do, and what is wrong with it
  kubectl eip explain ksvc/hello              the same for what is in the cluster, under its policies
`;

interface Flags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly state?: string;
  readonly output: 'table' | 'wide' | 'json';
}

const STATES = ['inUse', 'waiting', 'attention', 'kept', 'goingBack'];

/** The flags of every command that talks to a cluster, named like kubectl's. */
const clusterFlags = (command: Command): Command =>
  command
    .option('--kubeconfig <file>', 'the kubeconfig, instead of that of KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'the context, instead of the current one')
    .option('-n, --namespace <name>', 'the namespace, instead of that of the context');

/** `knative-eip eip`, and so `kubectl eip`. Its subcommands are registered here. */
export const eipCommand: Register = (program, shell, end) => {
  const eip = program
    .command('eip')
    .description('look at the addresses of a cluster; also as kubectl eip')
    .addHelpText('after', DETAILS);

  explainCommand(eip, shell, end);
  clusterFlags(eip.command('list').alias('ls'))
    .description('list addresses: one for each pod that asked')
    .option('-A, --all-namespaces', 'in all namespaces')
    .option('-l, --selector <labels>', 'only PodEIPs with these labels; they have those of Knative from their pods')
    .addOption(new Option('--state <state>', 'only those in this state').choices(STATES))
    .addOption(
      new Option('-o, --output <format>', 'how it is written').choices(['table', 'wide', 'json']).default('table'),
    )
    .action((flags: Flags) => runRead(shell, end, async ({ listAddresses }) => listAddresses(flags, shell)));

  for (const [name, description] of [
    ['describe', 'say everything about the address of a pod, and what to do if there is none'],
    ['history', 'say what happened to the address of a pod'],
  ] as const)
    clusterFlags(eip.command(name))
      .description(description)
      .argument('<pod>', 'the name of the pod, which is that of its PodEIP')
      .addOption(new Option('-o, --output <format>', 'how it is written').choices(['table', 'json']).default('table'))
      .action((pod: string, flags: Flags) =>
        runRead(shell, end, async (commands) => commands[name](pod, flags, shell)),
      );
};

/** Runs one of the subcommands; errors of kubectl are printed as they are. */
const runRead = async (
  shell: Shell,
  end: (code: number) => void,
  run: (commands: typeof Commands) => Promise<number>,
): Promise<void> => {
  const commands = await import('./eip-read.ts');
  try {
    end(await run(commands));
  } catch (error) {
    if (!Error.isError(error) || error.name !== 'KubectlError') throw error;
    shell.err(`${error.message}\n`);
    end(1);
  }
};
