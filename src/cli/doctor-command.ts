import { Option } from 'commander';
import { connectionArgs, connectionFlags } from './kubectl-flags.ts';
import type { Register } from './shell.ts';

const DETAILS = `
It reads the cluster and, where credentials are, the account; says what does not work, or will not, with the value
that it saw and what to do about it; and changes nothing: what it sends beside reads are access reviews and dry runs.
docs/doctor.md has every check by its name, the rights that it needs, and what is in the support bundle.

Without flags it asks as the service account in a pod, and elsewhere through the user's own kubectl. What cannot be
asked is said, with the reason. The account is asked with the credentials of the configuration or of the environment:
in the pod those are the controller's.

Examples:
  knative-eip doctor
  knative-eip doctor --kubeconfig ~/.kube/config --output json
  knative-eip doctor --bundle support.json --redact
  kubectl eip doctor --context production
  kubectl -n knative-eip-system exec deploy/knative-eip -- /nodejs/bin/node dist/main.js doctor

Exit codes:
  0  nothing is an error; there may be warnings
  1  something is an error
  2  the cluster cannot be asked, or the command line is wrong
`;

interface Given {
  readonly config?: string;
  readonly namespace?: string;
  readonly output: 'text' | 'json';
  readonly bundle?: string;
  readonly redact?: boolean;
  readonly kubeconfig?: string;
}

/** `knative-eip doctor`, and `kubectl eip doctor`. */
export const doctorCommand: Register = (program, shell, end) => {
  const command = program
    .command('doctor')
    .description('say what does not work in cluster and account, and how to mend it; changes nothing')
    .option('-c, --config <file>', 'the configuration, instead of that of the pod or of the Deployment')
    .option('-n, --namespace <name>', 'where knative-eip is installed, instead of where it is found')
    .addOption(new Option('-o, --output <format>', 'how it is written').choices(['text', 'json']).default('text'))
    .option('--bundle <file>', 'also write a support bundle (JSON, without secrets); - is standard output')
    .option('--redact', 'in the bundle, write hashes in place of IDs of the account and of addresses')
    .addHelpText('after', DETAILS)
    .action(async (given: Given) => {
      const { runDoctor } = await import('./run-doctor.ts');
      end(
        await runDoctor(
          {
            config: given.config,
            namespace: given.namespace,
            output: given.output,
            bundle: given.bundle,
            redact: given.redact ?? false,
            kubeconfig: given.kubeconfig,
            connection: connectionArgs({ ...given }),
          },
          shell,
        ),
      );
    });
  connectionFlags(command);
};
