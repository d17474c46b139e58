import { isRun } from '../probe/run-mark.ts';
import { planOptions, type Register } from './shell.ts';

const DETAILS = `
It buys a few EIPs and makes a network interface and, with --eci, two container instances; asks the cloud one
question after the other; and gives everything back, whatever happens. All of it carries the run's ID in its name
and in the tag knative-eip-probe, and nothing else is ever changed. It says what it costs and asks before it begins.
docs/probe.md has the questions, the costs and the permissions.

Examples:
  knative-eip probe -c config.yaml --vswitch vsw-1 --security-group sg-1 --dry-run    what would be done
  knative-eip probe -c config.yaml --vswitch vsw-1 --security-group sg-1 --eci --pod-address 10.0.0.7
  knative-eip probe -c config.yaml --clean 0a1b2c3d4e    give back what a run has left that was killed

Exit codes:
  0  every question that could be put has an answer, and nothing is left in the account
  1  it was stopped, or something is left; what is printed
  2  the command line or the configuration is wrong, or a question could not be asked at the terminal
`;

interface Flags {
  readonly config?: string;
  readonly region?: string;
  readonly vswitch?: string;
  readonly securityGroup?: string;
  readonly package?: string;
  readonly eci?: boolean;
  readonly image?: string;
  readonly podAddress?: string;
  readonly eni?: string;
  readonly long?: boolean;
  readonly output?: string;
  readonly clean?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** Stands in where there is no configuration; nothing of it is sent. */
const PLACEHOLDERS = { clusterID: 'probe', vpcID: 'vpc-probe' };

/** `knative-eip probe` */
export const probeCommand: Register = (program, shell, end) => {
  const run = shell.runs.probe;
  if (!run) return;
  const wrong = (message: string): void => {
    shell.err(`knative-eip: ${message}\n`);
    end(2);
  };
  program
    .command('probe')
    .description('ask a real account, in minutes and for cents, whether the cloud is as the product assumes')
    .option('-c, --config <file>', 'the configuration (YAML) of the controller, for region, credentials and endpoints')
    .option('--region <id>', 'the region, where no configuration says it')
    .option('--vswitch <id>', 'where the network interface and the instances are made')
    .option('--security-group <id>', 'the security group of the interface and the instances')
    .option('--package <id>', 'a bandwidth package that an EIP may join for a moment')
    .option('--eci', 'also ask about elastic container instances')
    .option('--image <reference>', "the instances' image; it must have sleep")
    .option('--pod-address <ip>', 'the private address of a pod on a node; it is only looked for')
    .option('--eni <id>', 'a trunk or member interface; an EIP is bound to a free address of it for some seconds')
    .option('--long', 'also ask how long a token is remembered; it takes an hour')
    .option('-o, --output <file>', 'where the report (JSON) is written')
    .option('--clean <run>', 'only give back what the run of this ID has left')
    .option('--dry-run', 'say what would be done and what it costs, and call nothing')
    .option('-y, --yes', 'do not ask before it begins')
    .addHelpText('after', DETAILS)
    .action(async (flags: Flags) => {
      if (flags.config === undefined && flags.region === undefined)
        return wrong('write --region, or --config with a configuration of the controller');
      if (flags.clean !== undefined && !isRun(flags.clean))
        return wrong(`"${flags.clean}" is no ID of a run; it is the ten letters and digits that the run printed`);
      if (flags.eni !== undefined && !flags.eni.startsWith('eni-'))
        return wrong(`"${flags.eni}" is no ID of a network interface, which begins with eni-`);
      const base = { ...PLACEHOLDERS, ...(flags.region !== undefined && { regionID: flags.region }) };
      const given = { path: flags.config, env: shell.env, base };
      const { runLong } = await import('./long.ts');
      end(
        await runLong(shell, given, async (options) => {
          const runProbe = await run();
          return runProbe({
            ...options,
            ...planOptions(shell, flags.yes),
            config: { ...options.config, regionID: flags.region ?? options.config.regionID },
            vSwitchId: flags.vswitch,
            securityGroupId: flags.securityGroup,
            packageId: flags.package,
            withEci: flags.eci ?? false,
            image: flags.image,
            podAddress: flags.podAddress,
            networkInterfaceId: flags.eni,
            isLong: flags.long ?? false,
            output: flags.output,
            clean: flags.clean,
            dryRun: flags.dryRun ?? false,
          });
        }),
      );
    });
};
