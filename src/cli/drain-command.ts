import { InvalidArgumentError, Option } from 'commander';
import { TAG_PODEIP_UID, UID_TO_KEEP } from '../api/annotations.ts';
import { parseDuration, toMs } from '../lib/duration.ts';
import { planOptions, type Register } from './shell.ts';

const DETAILS = `
Run it before you uninstall, after the controller was stopped: PodEIPs carry a finalizer, and a namespace or the
CRD cannot be deleted while nobody takes it away. Exactly one of --release and --keep says what becomes of the
EIPs. It may be stopped at any moment and run again.

At its end --release looks for EIPs that were bought in this cluster and that no PodEIP is there for. It names them and
releases none. Release each in the console, or give it the tag ${TAG_PODEIP_UID}=${UID_TO_KEEP} if it is to stay, and run
the same command again: until then it ends with 1, but with --namespace, because nobody knows whose they were.

Examples:
  knative-eip drain --release --dry-run -c config.yaml -k ~/.kube/config    what would happen
  knative-eip drain --release -c config.yaml -k ~/.kube/config              give everything back
  knative-eip drain --keep -o json -c config.yaml > kept.json               keep the EIPs, without any call to the cloud
  knative-eip drain --release --yes --namespace shop --timeout 10m -c config.yaml

Exit codes:
  0  nothing is left but what users brought, what somebody has made his own by its tags, and what --keep has kept
  1  something is left, or whether it is cannot be told, or a controller is still running; what and why is printed
  2  the command line or the configuration is wrong, or a question could not be asked
`;

interface Flags {
  readonly config: string;
  readonly kubeconfig?: string;
  readonly release?: boolean;
  readonly keep?: boolean;
  readonly namespace?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly timeout?: number;
  readonly output: 'table' | 'json';
}

const duration = (text: string): number => {
  const nanoseconds = parseDuration(text);
  if (nanoseconds === undefined || nanoseconds <= 0n)
    throw new InvalidArgumentError('Write a duration above zero, for example 90s or 10m.');
  return toMs(nanoseconds);
};

/** `knative-eip drain` */
export const drainCommand: Register = (program, shell, end) => {
  const run = shell.runs.drain;
  if (!run) return;
  program
    .command('drain')
    .description('let go of every PodEIP, so that nothing hangs when the product is uninstalled')
    .requiredOption('-c, --config <file>', 'the configuration (YAML) of the controller')
    .option('-k, --kubeconfig <file>', 'how to reach the cluster; without it, the service account of the pod')
    .addOption(new Option('--release', 'release the EIPs that were bought, detach those of users').conflicts('keep'))
    .addOption(new Option('--keep', 'leave all EIPs in the account as they are, bound or not, and list them'))
    .option('-n, --namespace <name>', 'only this namespace')
    .option('--dry-run', 'say what would be done to each PodEIP, and change nothing')
    .option('-y, --yes', 'do not ask before the work begins')
    .option('--force', 'also while a controller holds the Lease; it makes new PodEIPs for pods that live')
    .option('--timeout <duration>', 'stop after this time, for example 10m', duration)
    .addOption(new Option('-o, --output <format>', 'how lists are written').choices(['table', 'json']).default('table'))
    .addHelpText('after', DETAILS)
    .action(async (flags: Flags) => {
      const how = flags.release ? 'release' : flags.keep ? 'keep' : await askHow(shell.ask);
      if (how === undefined) {
        shell.err(
          'knative-eip: write --release to give the EIPs back, or --keep to leave them in the account; one of the two is required\n',
        );
        end(2);
        return;
      }
      const given = { path: flags.config, env: shell.env };
      const { runLong } = await import('./long.ts');
      end(
        await runLong(shell, given, async (options) => {
          const runDrain = await run();
          return runDrain({
            ...options,
            ...planOptions(shell, flags.yes),
            kubeconfig: flags.kubeconfig,
            how,
            namespace: flags.namespace,
            dryRun: flags.dryRun ?? false,
            force: flags.force ?? false,
            timeoutMs: flags.timeout,
            output: flags.output,
            errIsTerminal: shell.errIsTerminal,
          });
        }),
      );
    });
};

const askHow = async (ask: ((question: string) => Promise<string>) | undefined) => {
  const answer = (
    await ask?.(
      'Release the EIPs (they are gone for good), or keep them in the account (they go on costing)? [release/keep] ',
    )
  )?.trim();
  return answer === 'release' || answer === 'keep' ? answer : undefined;
};
