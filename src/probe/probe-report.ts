import type { CloudReading } from '../cloud/readings.ts';
import { CLOUD_READINGS } from '../cloud/readings.ts';
import type { NamedAnswer } from '../cloud/named-answer.ts';
import type { Site } from './port.ts';
import type { ProbeFinding, Run } from './run-probes.ts';

/** One call, without what it was about: for the report. */
export interface CallMade {
  /** Since the beginning, milliseconds. */
  readonly atMs: number;
  readonly action: string;
  readonly code: string;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly ms: number;
}

export const callMade = (atMs: number, action: string, answer: NamedAnswer): CallMade => ({
  atMs: Math.round(atMs),
  action,
  code: answer.code,
  status: answer.status,
  requestId: answer.requestId,
  ms: answer.ms,
});

/**
 * What a run makes, and what it costs. The prices are of the order of magnitude: an idle EIP some ¥0.02 an hour, an
 * instance of 0.5 vCPU and 1 GiB ¥0.07 an hour (Singapore).
 */
export const probePlanText = (
  { region, vSwitchId, securityGroupId, packageId, withEci, podAddress, networkInterfaceId, isLong }: Site,
  hasDenied: boolean,
): string =>
  [
    `In ${region}, a run`,
    `  buys ${2 + (packageId === undefined ? 0 : 1) + (hasDenied ? 1 : 0)} EIPs, pay-by-traffic with 1 Mbit/s, for some minutes (some more where the cloud is not as assumed): ¥0.20 at most`,
    ...(isLong ? ['  keeps 3 or 4 EIPs for an hour, to see how long a token is remembered: ¥0.20 at most'] : []),
    `  makes a network interface with 2 private addresses in ${vSwitchId} and ${securityGroupId}: free`,
    ...(withEci
      ? [
          '  starts 2 container instances of 0.5 vCPU and 1 GiB for 2 minutes each, one with an EIP of its own: ¥0.05 at most',
        ]
      : []),
    ...(packageId === undefined ? [] : [`  lets two of the EIPs join ${packageId} and leave it: free`]),
    ...(podAddress === undefined ? [] : [`  looks for the interface that has ${podAddress}`]),
    ...(networkInterfaceId === undefined
      ? []
      : [
          `  binds one of the EIPs to an address of ${networkInterfaceId} that has none, for some seconds: free; connections from there to the Internet may break`,
        ]),
    '  sends no traffic, and gives everything back at its end.',
    '',
  ].join('\n');

/** One line for one question. */
/** What can be said after all: not that the cloud is as assumed where nobody knows. */
export const conclusionOf = (findings: readonly ProbeFinding[]): string => {
  const of = (kind: ProbeFinding['verdict']['kind']) => findings.filter(({ verdict }) => verdict.kind === kind);
  const [differing, unknown] = [of('differs'), of('could not be asked')];
  const known = findings.length - unknown.length;
  const asAssumed =
    differing.length > 0
      ? `${differing.length} of ${known} answers differ from what is assumed: ${differing.map(({ id }) => id).join(', ')}.`
      : known === 0
        ? 'Nothing is known about the cloud.'
        : 'The cloud is as assumed, as far as it was asked; nothing to set.';
  if (unknown.length === 0) return differing.length > 0 ? asAssumed : 'The cloud is as assumed; nothing to set.';
  return `${asAssumed} ${unknown.length} of ${findings.length} questions could not be asked, and nothing is known about them: ${unknown.map(({ id }) => id).join(', ')}; each says why.`;
};

export const findingLine = ({ id, assumption, verdict }: ProbeFinding): string =>
  `${id.padEnd(13)} ${verdict.kind.padEnd(19)} ${assumption}: ${verdict.says}`;

/** The readings that were found, in the order of docs/cloud-readings.md. */
const readingsFound = (findings: readonly ProbeFinding[]): readonly CloudReading[] => {
  const found = new Set(findings.flatMap(({ verdict }) => (verdict.kind === 'differs' ? verdict.readings : [])));
  return CLOUD_READINGS.filter((reading) => found.has(reading));
};

/** What is to be set, or known, under a reading. */
const SETTINGS: Readonly<Record<CloudReading, string>> = {
  tagsIgnored: 'the RAM policy must allow vpc:TagResources',
  tokensRememberRefusals: 'nothing to set',
  eciSpelling: 'nothing to set',
  asynchronousRelease: 'nothing to set',
  tagFilterLag: 'cloud.settleSeconds: 30',
  readLag: 'cloud.settleSeconds: 30, where the lag above is more than three seconds',
  lateInstanceAddress: 'nothing to set; pods of the virtual node get their address up to half a minute later',
  goneCodes: 'nothing to set',
  primaryFilterOnly: 'nothing to set',
  noInterface:
    'pods on nodes of this cluster cannot have EIPs: use the virtual node, or check that the VPC is the right one',
  prefixMode: "switch Terway's prefix mode off on the nodes whose pods are to have EIPs, or use the virtual node",
};

/** The settings that the findings call for, one line each. */
export const settingLines = (findings: readonly ProbeFinding[]): readonly string[] =>
  readingsFound(findings).map((reading) => `${reading}: ${SETTINGS[reading]}`);

/**
 * The whole run, for an issue: codes, states and times. No credentials, no texts of the cloud, and no IDs but those of
 * requests.
 */
export const reportOf = (
  { findings, left, stopped }: Run,
  about: {
    readonly version: string;
    readonly run: string;
    readonly site: Site;
    readonly startedAt: number;
    readonly calls: readonly CallMade[];
  },
): object => ({
  tool: 'knative-eip probe',
  version: about.version,
  run: about.run,
  startedAt: new Date(about.startedAt).toISOString(),
  region: about.site.region,
  withEci: about.site.withEci,
  withPackage: about.site.packageId !== undefined,
  withPodAddress: about.site.podAddress !== undefined,
  withInterface: about.site.networkInterfaceId !== undefined,
  readings: readingsFound(findings),
  settings: settingLines(findings),
  findings: findings.map(({ id, assumption, verdict, observation }) => ({ id, assumption, ...verdict, observation })),
  stopped: stopped !== undefined,
  leftInAccount: left.length,
  calls: about.calls,
});
