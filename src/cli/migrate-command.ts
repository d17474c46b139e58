import { Option } from 'commander';
import { PREDECESSORS, type Predecessor } from '../migrate/inventory.ts';
import { planOptions, type Register } from './shell.ts';

const DETAILS = `
Without --apply it reads, and says of every PodEIP what would become of it, what stands against that and what to do.
--dry-run lists each single write. --apply writes: notes in PodEIPs, tags of EIPs, and for Terway PodEIPs and the
switch enable_eip_pool in the ConfigMap eni-config. It calls neither AllocateEipAddress nor AssociateEipAddress,
UnassociateEipAddress or ReleaseEipAddress, and takes over only what the controller has nothing to do with then.
It may die at any moment: run it again, and it goes on.

While another controller runs it writes nothing. From Terway it takes two runs, with a restart of Terway in between,
and knative-eip is started only after the second.
--roll-back takes notes and tags off again, once knative-eip is stopped; the EIPs stay where they are.

Examples:
  knative-eip migrate --from ack-extend-network-controller -c config.yaml -k ~/.kube/config
  knative-eip migrate --from ack-extend-network-controller --dry-run -c config.yaml -k ~/.kube/config
  knative-eip migrate --from terway --apply --yes -c config.yaml -k ~/.kube/config
  knative-eip migrate --from terway --roll-back --apply -c config.yaml -k ~/.kube/config

Exit codes:
  0  everything is, or could be, taken over or handed back
  1  something is in the way, waits or has failed; what and what to do is printed
  2  the command line or the configuration is wrong, or a question could not be asked
`;

interface Flags {
  readonly from: Predecessor;
  readonly config: string;
  readonly kubeconfig?: string;
  readonly dryRun?: boolean;
  readonly apply?: boolean;
  readonly rollBack?: boolean;
  readonly takeOver?: readonly string[];
  readonly yes?: boolean;
  readonly output: 'table' | 'json';
}

/** `knative-eip migrate` */
export const migrateCommand: Register = (program, shell, end) => {
  const run = shell.runs.migrate;
  if (!run) return;
  program
    .command('migrate')
    .description('take over the addresses of another controller, without moving one')
    .addOption(new Option('--from <controller>', 'who looks after them').choices(PREDECESSORS).makeOptionMandatory())
    .requiredOption('-c, --config <file>', 'the configuration (YAML) of the controller')
    .option('-k, --kubeconfig <file>', 'how to reach the cluster; without it, the service account of the pod')
    .addOption(new Option('--dry-run', 'list each write, and write nothing').conflicts('apply'))
    .option('--apply', 'do it')
    .option('--roll-back', 'give them back to the other controller')
    .option('--take-over <EIP ID...>', 'vouch for the EIP of a PodEIP whose pod is gone')
    .option('-y, --yes', 'do not ask before the work begins')
    .addOption(
      new Option('-o, --output <format>', 'how the plan is written').choices(['table', 'json']).default('table'),
    )
    .addHelpText('after', DETAILS)
    .action(async (flags: Flags) => {
      const given = { path: flags.config, env: shell.env };
      const { runLong } = await import('./long.ts');
      end(
        await runLong(shell, given, async (options) => {
          const runMigrate = await run();
          return runMigrate({
            ...options,
            ...planOptions(shell, flags.yes),
            kubeconfig: flags.kubeconfig,
            from: flags.from,
            mode: flags.apply ? 'apply' : flags.dryRun ? 'dryRun' : 'plan',
            isRollBack: flags.rollBack ?? false,
            takeOver: flags.takeOver ?? [],
            output: flags.output,
            errIsTerminal: shell.errIsTerminal,
          });
        }),
      );
    });
};
