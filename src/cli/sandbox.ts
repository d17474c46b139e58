import { InvalidArgumentError, Option } from 'commander';
import { CLOUD_READINGS, isCloudReading, type CloudReading } from '../cloud/readings.ts';
import type { ConfigInput } from '../config/schema.ts';
import type { WriteStream } from 'node:tty';
import type { Terminal } from '../lib/terminal.ts';
import { SCENARIOS, type Register, type Scenario } from './shell.ts';
import { count } from './count.ts';

const DETAILS = `
Nothing leaves this machine: the Kubernetes API and the cloud are embedded and listen on 127.0.0.1. The controller
is the real one. Credentials and endpoints of the environment are not looked at. It prints how to reach everything
and ends at Ctrl-C, once everything in it is deleted and every address is given back.

Pods, Deployments, StatefulSets, DaemonSets, Jobs, CronJobs and Knative Services run in it, also your own.
Knative is a stand-in without a gateway: with autoscaling.knative.dev/min-scale: "1" a Service has a pod. There are
no processes: kubectl logs tells what became of the pod, kubectl top shows 0, there is no exec, and the pods of a Job
end well after 20 seconds.
The samples that come and go are in the namespace samples; what you make elsewhere stays until the end.

Examples:
  knative-eip sandbox
  knative-eip sandbox --empty            without the samples: only what you make
  knative-eip sandbox --port 7000        Kubernetes API on 7000, cloud on 7001, metrics and health on 7002
  knative-eip sandbox --scenario outage  a lesson, told in sentences: what happens when the cloud does not answer
  knative-eip sandbox --for 15           plays one round, with pauses of 15 seconds in all, and ends
  knative-eip sandbox --cloud-reading tagsIgnored
                                         a cloud that drops the tags of AllocateEipAddress

Exit codes:
  0  stopped by a signal, or the time was over
  1  it could not be started, or the work failed
  2  the command line or the configuration is wrong
`;

/** The settings of the sandbox where no configuration file sets others. */
const BASE: Partial<ConfigInput> = {
  clusterID: 'sandbox',
  regionID: 'cn-hangzhou',
  vpcID: 'vpc-sandbox',
  http: { address: '127.0.0.1:0' },
};

/** The highest first port: the next two ports are used as well. */
const HIGHEST_PORT = 65_533;
/** One week: more than anybody needs, so that a mistyped number is refused. */
const LONGEST_S = 7 * 24 * 3600;

interface SandboxArguments {
  readonly port?: number;
  readonly for?: number;
  readonly config?: string;
  readonly empty?: boolean;
  readonly scenario?: Scenario;
  readonly log?: boolean;
  readonly cloudReading: readonly CloudReading[];
}

/** Adds one more reading to those before it. */
const readings = (name: string, before: readonly CloudReading[]): readonly CloudReading[] => {
  if (isCloudReading(name)) return [...before, name];
  throw new InvalidArgumentError(`It must be one of ${CLOUD_READINGS.join(', ')}.`);
};

const terminalOf = (stream: WriteStream): Terminal => ({
  // Some terminals report a size of 0.
  size: () => ({ columns: stream.columns || 80, rows: stream.rows || 24 }),
  onResize: (listener) => {
    stream.on('resize', listener);
    return () => void stream.off('resize', listener);
  },
  onExit: (listener) => {
    process.on('exit', listener);
    return () => void process.off('exit', listener);
  },
});

/** `knative-eip sandbox` */
export const sandboxCommand: Register = (program, shell, end) => {
  const run = shell.runs.sandbox;
  if (!run) return;
  program
    .command('sandbox')
    .description('try everything on this machine, without a cluster and without an account')
    .option(
      '-p, --port <number>',
      'first of three ports to use; without it, free ones are taken',
      count(1, HIGHEST_PORT),
    )
    .option('-f, --for <seconds>', 'play one round with pauses of so many seconds in all, and end', count(1, LONGEST_S))
    .option('-e, --empty', 'play no demo: only what you make is in it')
    .addOption(
      new Option('-s, --scenario <name>', 'play one lesson, tell what happens in it and why, and end')
        .choices(SCENARIOS)
        .conflicts(['empty', 'for']),
    )
    .option('-l, --log', 'print the log of the controller on standard error; without it, it goes to a file')
    .option(
      '-c, --config <file>',
      'a configuration (YAML) to try; its credentials, endpoints and http.address do not count',
    )
    .option(
      '-r, --cloud-reading <name>',
      'how the embedded cloud reads the documentation where that is open (docs/cloud-readings.md); may be repeated: ' +
        CLOUD_READINGS.join(', '),
      readings,
      [],
    )
    .addHelpText('after', DETAILS)
    .action(async ({ port, for: forSeconds, config: path, empty, scenario, log, cloudReading }: SandboxArguments) => {
      const given = { path, env: {}, base: BASE };
      const { runLong } = await import('./long.ts');
      const ports =
        port === undefined
          ? { kubernetes: 0, cloud: 0, http: 0 }
          : { kubernetes: port, cloud: port + 1, http: port + 2 };
      end(
        await runLong(shell, given, async (options) => {
          const runSandbox = await run();
          const { out: print } = shell;
          const terminal =
            process.stdout.isTTY && shell.env['TERM'] !== 'dumb' ? terminalOf(process.stdout) : undefined;
          return runSandbox({
            ...options,
            readings: cloudReading,
            forSeconds,
            plays: empty ? 'nothing' : (scenario ?? 'demo'),
            showsLog: log ?? false,
            ports,
            terminal,
            print,
          });
        }),
      );
    });
};
