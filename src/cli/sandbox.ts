import type { ConfigInput } from '../config/schema.ts';
import type { WriteStream } from 'node:tty';
import type { Terminal } from '../lib/terminal.ts';
import type { Register } from './shell.ts';
import { count } from './count.ts';

const DETAILS = `
Nothing leaves this machine: the Kubernetes API and the cloud are embedded and listen on 127.0.0.1. The controller
is the real one. Credentials and endpoints of the environment are not looked at. It prints how to reach everything
and ends at Ctrl-C, once everything in it is deleted and every address is given back.

Pods, Deployments and Knative Services run in it, also your own. Knative is a stand-in without a gateway: with
autoscaling.knative.dev/min-scale: "1" a Service has a pod. Nothing runs StatefulSets, DaemonSets and Jobs.
The samples that come and go are in the namespace samples; what you make elsewhere stays until the end.

Examples:
  knative-eip sandbox
  knative-eip sandbox --port 7000        Kubernetes API on 7000, cloud on 7001, metrics and health on 7002
  knative-eip sandbox --for 30           plays one round, with pauses of 30 seconds at most, and ends

Exit codes:
  0  stopped by a signal, or the time was over
  1  it could not be started, or the work failed
  2  the command line or the configuration is wrong
`;

/** What the sandbox's cluster is called, where no file says otherwise. */
const BASE: Partial<ConfigInput> = {
  clusterID: 'sandbox',
  regionID: 'cn-hangzhou',
  vpcID: 'vpc-sandbox',
  http: { address: '127.0.0.1:0' },
};

/** The highest first port: two more come after it. */
const HIGHEST_PORT = 65_533;
/** A week: nobody wants a sandbox for longer, and a mistyped number shows. */
const LONGEST_S = 7 * 24 * 3600;

const terminalOf = (stream: WriteStream): Terminal => ({
  // Some terminals do not say.
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
    .option(
      '-c, --config <file>',
      'a configuration (YAML) to try; its credentials, endpoints and http.address do not count',
    )
    .addHelpText('after', DETAILS)
    .action(async ({ port, for: forSeconds, config: path }: { port?: number; for?: number; config?: string }) => {
      const { loadConfig } = await import('../config/load.ts');
      const loaded = loadConfig({ path, env: {}, base: BASE });
      const { runLong } = await import('./long.ts');
      const ports =
        port === undefined
          ? { kubernetes: 0, cloud: 0, http: 0 }
          : { kubernetes: port, cloud: port + 1, http: port + 2 };
      end(
        await runLong(shell, loaded, async (options) => {
          const runSandbox = await run();
          const { errIsTerminal, out: print } = shell;
          const terminal =
            process.stdout.isTTY && shell.env['TERM'] !== 'dumb' ? terminalOf(process.stdout) : undefined;
          return runSandbox({ ...options, forSeconds, ports, terminal, errIsTerminal, print });
        }),
      );
    });
};
