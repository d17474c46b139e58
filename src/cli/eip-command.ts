import { Option } from 'commander';
import type * as Commands from './eip-read.ts';
import { doctorCommand } from './doctor-command.ts';
import { explainCommand } from './explain-command.ts';
import { connectionArgs, connectionFlags } from './kubectl-flags.ts';
import type { Register, Shell } from './shell.ts';

const DETAILS = `
This is also a plugin of kubectl and of kn: with kubectl-eip and kn-eip on the PATH, "kubectl eip" and "kn eip" are the
same. Installing the package with npm install --global puts them there, and so does npm link in a checkout. It reads the
cluster through the user's own kubectl, whose flags it takes, with the rights of the user, and changes nothing.

Examples:
  kubectl eip list -A                         every address of the cluster
  kubectl eip list -l app=web --state attention
  kubectl eip list -A -o yaml                 for programs; -o name writes what kubectl takes
  kubectl get podeip -A -w                    as it changes, by kubectl itself
  kubectl eip describe web-1                  one address: what it is, why it is not there, what to do
  kubectl eip history web-1                   what happened to it, as far as Events remember (an hour, usually)
  kubectl eip explain -f service.yaml         what a manifest will do, and what is wrong with it
  kubectl eip list -A --as ops --as-group sre what somebody else would see
  kubectl eip doctor                          what does not work, and how to mend it
  kubectl eip explain ksvc/hello              the same for what is in the cluster, under its policies
`;

interface Flags {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly state?: string;
  readonly output: Commands.EipOutput;
}

const NAMESPACE = 'the namespace, instead of that of the context';
const STATES = ['inUse', 'waiting', 'attention', 'kept', 'goingBack'];

/** `knative-eip eip`, and so `kubectl eip`. Its subcommands are registered here. */
export const eipCommand: Register = (program, shell, end) => {
  const eip = program
    .command('eip')
    .description('look at the addresses of a cluster; also as kubectl eip and kn eip')
    .addHelpText('after', DETAILS);

  explainCommand(eip, shell, end);
  doctorCommand(eip, shell, end);
  const list = eip
    .command('list')
    .alias('ls')
    .description('list addresses: one for each pod that asked')
    .option('-n, --namespace <name>', NAMESPACE)
    .option('-A, --all-namespaces', 'in all namespaces')
    .option('-l, --selector <labels>', 'only those of pods with these labels, and PodEIPs that have them')
    .addOption(new Option('--state <state>', 'only those in this state').choices(STATES))
    .addOption(
      new Option('-o, --output <format>', 'how it is written')
        .choices(['table', 'wide', 'json', 'yaml', 'name'])
        .default('table'),
    )
    .action((flags: Flags) => runRead(shell, end, async ({ listAddresses }) => listAddresses(connected(flags), shell)));
  connectionFlags(list);

  for (const [name, description] of [
    ['describe', 'say everything about the address of a pod, and what to do if there is none'],
    ['history', 'say what happened to the address of a pod'],
  ] as const) {
    const one = eip
      .command(name)
      .description(description)
      .argument('<pod>', 'the name of the pod, which is that of its PodEIP')
      .option('-n, --namespace <name>', NAMESPACE)
      .addOption(
        new Option('-o, --output <format>', 'how it is written').choices(['table', 'json', 'yaml']).default('table'),
      )
      .action((pod: string, flags: Flags) =>
        runRead(shell, end, async (commands) => commands[name](pod, connected(flags), shell)),
      );
    connectionFlags(one);
  }
};

const connected = (flags: Flags) => ({ ...flags, connection: connectionArgs({ ...flags }) });

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
