import type { Register } from './shell.ts';

const DETAILS = `
It watches pods, buys, binds and gives back their addresses, and serves /healthz and /readyz at health.address,
/metrics at metrics.address and the status page at http.address. Of several replicas one works and the others
wait. It ends at SIGTERM, after the calls that are under way. Nothing is lost when it is killed: the next one goes
on from what the cluster and the cloud say.

Environment:
  ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET, ALIBABA_CLOUD_SECURITY_TOKEN
                                credentials, instead of those in the file
  KNATIVE_EIP_ENDPOINT_VPC, _ECS, _ECI, _STS
                                where the cloud APIs are reached
  POD_NAMESPACE, POD_NAME       namespace of the Lease and name of this replica, where the file names none

Examples:
  knative-eip controller --config /etc/knative-eip/config.yaml
  knative-eip controller --config config.yaml --kubeconfig ~/.kube/config

Exit codes:
  0  stopped by a signal
  1  the work failed, or the leadership was lost: start it again
  2  the command line or the configuration is wrong: starting it again does not help
`;

/** `knative-eip controller` */
export const controllerCommand: Register = (program, shell, end) => {
  const run = shell.runs.controller;
  if (!run) return;
  program
    .command('controller')
    .description('run the controller in a cluster, or against one')
    .requiredOption('-c, --config <file>', 'the configuration (YAML)')
    .option('-k, --kubeconfig <file>', 'how to reach the cluster; without it, the service account of the pod')
    .addHelpText('after', DETAILS)
    .action(async ({ config: path, kubeconfig }: { config: string; kubeconfig?: string }) => {
      const { loadConfig } = await import('../config/load.ts');
      const loaded = loadConfig({ path, env: shell.env });
      const { runLong } = await import('./long.ts');
      end(
        await runLong(shell, loaded, async (options) => {
          const runController = await run();
          return runController({ ...options, kubeconfig });
        }),
      );
    });
};
