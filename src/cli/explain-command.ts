import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { plain } from './eip-text.ts';
import type { ManifestSource } from './explain-files.ts';
import type { KubectlFlags } from './kubectl.ts';
import { connectionArgs, connectionFlags } from './kubectl-flags.ts';
import type { Register, Shell } from './shell.ts';

const DETAILS = `
It reads manifests of Knative Services, Configurations, Revisions, Deployments, StatefulSets, ReplicaSets, DaemonSets,
Jobs, CronJobs and pods, and asks neither a cluster nor an account. Namespaces in the same files give the labels that
may send pods to virtual nodes; EipPolicies what they may do, and their defaults; PodEIPs, and the other workloads, who
names which existing EIP; the ConfigMap kube-system/eci-profile, where the configuration says virtualNode.eciProfile,
what is added to pods.

Examples:
  knative-eip explain -f service.yaml
  kubectl get ksvc hello -o yaml | knative-eip explain -f -
  knative-eip explain -f k8s.yaml -f more.yaml -c config.yaml -o json
  knative-eip explain --findings > docs/findings.md      what every finding means

Exit codes:
  0  nothing is refused
  1  something is refused
  2  the command line, the configuration or a manifest cannot be read
`;

interface Options {
  readonly filename?: readonly string[];
  readonly config?: string;
  readonly namespace?: string;
  readonly output: 'text' | 'json';
  readonly findings?: boolean;
}

/** `knative-eip explain` */
export const explainCommand: Register = (program, shell, end) => {
  const command = program
    .command('explain')
    .description('say what the annotations of manifests will do, and what is wrong with them')
    .option('-f, --filename <file...>', 'a manifest (YAML or JSON), or - for standard input')
    .option('-c, --config <file>', 'the configuration of the controller; without it, its defaults and no region')
    .option('-n, --namespace <name>', 'where objects without a namespace are; "default" if it is left out')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .option('--findings', 'print what every finding means (Markdown) instead')
    .addHelpText('after', DETAILS);
  // Options about a live cluster exist only in the kubectl plugin, because they need kubectl.
  const isPlugin = program.name() === 'eip';
  if (isPlugin)
    connectionFlags(
      command.argument('[object]', 'a live object instead, as kubectl names it: ksvc/hello, deploy/web, pod/web-1'),
    );
  command.action(async (...given: readonly unknown[]) => {
    const object = isPlugin ? (given[0] as string | undefined) : undefined;
    const { filename = [], config: path, namespace, output, findings } = command.opts<Options>();
    if (findings === true) {
      const { findingsPage } = await import('../rules/docs.ts');
      shell.out(findingsPage());
      return;
    }
    if (filename.length === 0 && object === undefined) {
      const orObject = isPlugin ? ', or TYPE/NAME of a live object' : '';
      shell.err(`knative-eip: no manifest is named: pass -f FILE, or -f - for standard input${orObject}\n`);
      end(2);
      return;
    }
    const { loadConfig } = await import('../config/load.ts');
    const base = { clusterID: 'explained', regionID: 'cn-hangzhou', vpcID: 'vpc-0' } as const;
    const { config } = path === undefined ? loadConfig({ base, env: {} }) : loadConfig({ path, env: shell.env });
    const { explainFiles } = await import('./explain-files.ts');
    const flags = { connection: connectionArgs(command.opts()), namespace };
    const live =
      object === undefined
        ? undefined
        : await readLiveOr({ object, flags, isProfiled: config.virtualNode.eciProfile }, shell);
    if (live === 'failed') return end(2);
    const files = filename.map((name) => ({ name: name === '-' ? 'stdin' : name, read: () => textOf(name) }));
    const { explanations, problems } = explainFiles([...files, ...(live ?? [])], {
      config,
      isRegionKnown: path !== undefined,
      namespace: namespace ?? 'default',
    });
    for (const problem of problems) shell.err(`${plain(problem)}\n`);
    if (output === 'json') shell.out(`${JSON.stringify(explanations, null, 2)}\n`);
    else {
      const { textOf: print } = await import('../explain/explain-text.ts');
      shell.out(explanations.map(print).join('\n').split('\n').map(plain).join('\n'));
      if (explanations.length === 0 && problems.length === 0)
        shell.err('knative-eip: there is nothing with pods in these manifests\n');
    }
    const isRefused = explanations.some(({ verdict }) => verdict === 'refused');
    end(problems.length > 0 ? 2 : isRefused ? 1 : 0);
  });
};

/** File descriptor 0 is standard input. */
const textOf = (name: string): string => readFileSync(name === '-' ? 0 : name, 'utf8');

/**
 * Reads the object, and what its explanation depends on, from the cluster; errors of kubectl are printed as they are.
 */
const readLiveOr = async (
  {
    object,
    flags,
    isProfiled,
  }: { readonly object: string; readonly flags: KubectlFlags; readonly isProfiled: boolean },
  shell: Shell,
): Promise<readonly ManifestSource[] | 'failed'> => {
  const { readLive } = await import('./live.ts');
  try {
    const { sources, missing } = await readLive(object, flags, isProfiled);
    for (const line of missing) shell.err(`knative-eip: ${plain(line)}\n`);
    return sources;
  } catch (error) {
    if (!Error.isError(error) || error.name !== 'KubectlError') throw error;
    shell.err(`${plain(error.message)}\n`);
    return 'failed';
  }
};
