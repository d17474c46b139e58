import { Option } from 'commander';
import type { Register, RunControllerOptions } from './shell.ts';

const DETAILS = `
It watches pods, buys, binds and gives back their addresses, and serves /healthz and /readyz at health.address,
/metrics at metrics.address and the status page at http.address. Of several replicas one works and the others
wait. It ends at SIGTERM, after the calls that are under way. Nothing is lost when it is killed: the next one goes
on from what the cluster and the cloud say.

Where virtualNode.enabled is true, it runs the virtual node, too. --only makes two processes of it, with a service
account each (config/virtual-node): eip is everything but the virtual node, virtual-node nothing else.

Environment:
  ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET, ALIBABA_CLOUD_SECURITY_TOKEN
                                credentials, instead of those in the file
  KNATIVE_EIP_ENDPOINT_VPC, _ECS, _ECI, _STS
                                where the cloud APIs are reached
  POD_NAMESPACE, POD_NAME       namespace of the Lease and name of this replica, where the file names none

Examples:
  knative-eip controller --config /etc/knative-eip/config.yaml
  knative-eip controller --config config.yaml --kubeconfig ~/.kube/config
  knative-eip controller --config config.yaml --only virtual-node

Exit codes:
  0  stopped by a signal
  1  the work failed, or the leadership was lost: start it again
  2  the command line or the configuration is wrong: starting it again does not help
`;

interface Given extends Pick<RunControllerOptions, 'only'> {
  readonly config: string;
  readonly kubeconfig?: string;
}

/** `knative-eip controller` */
export const controllerCommand: Register = (program, shell, end) => {
  const run = shell.runs.controller;
  if (!run) return;
  program
    .command('controller')
    .description('run the controller in a cluster, or against one')
    .requiredOption('-c, --config <file>', 'the configuration (YAML)')
    .option('-k, --kubeconfig <file>', 'how to reach the cluster; without it, the service account of the pod')
    .addOption(new Option('--only <part>', 'the one part that this process runs').choices(['eip', 'virtual-node']))
    .addHelpText('after', DETAILS)
    .action(async ({ config: path, kubeconfig, only }: Given) => {
      const given = { path, env: shell.env };
      const { runLong } = await import('./long.ts');
      end(
        await runLong(shell, given, async (options) => {
          const runController = await run();
          return runController({ ...options, kubeconfig, only });
        }),
      );
    });
};
