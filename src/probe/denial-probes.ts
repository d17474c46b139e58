import { fieldAt } from './answer-fields.ts';
import { AskFailed, productOf, type Lab } from './lab.ts';
import type { NamedAnswer } from '../cloud/named-answer.ts';
import { asAssumed, differs, probe, type Probe } from './probe.ts';

/** HTTP status of a call that RAM does not allow. */
const FORBIDDEN = 403;

/** One call, by its action. */
type Call = readonly [action: string, query: Readonly<Record<string, string>>];

/** A call with the credentials that may do nothing. @throws AskFailed where none were given */
const callDenied = async ({ ports, site }: Lab, ...[action, query]: Call): Promise<NamedAnswer> => {
  if (!ports.denied) throw new AskFailed('there are no credentials that may do nothing');
  return ports.denied(productOf(action), action, { RegionId: site.region, ...query });
};

/**
 * Each action on objects that are there: existence is checked before permissions are. Of those that are not denied,
 * nothing is left that the run does not give back. So no image cache is asked for, nor deleted: there is no dry run,
 * and each is paid for.
 */
const callsOf = async (lab: Lab): Promise<readonly Call[]> => {
  const [allocationId, eni] = [await lab.another('4'), await lab.networkInterface()];
  const { packageId, withEci } = lab.site;
  const place = { AllocationId: allocationId, InstanceType: 'NetworkInterface', InstanceId: eni.id };
  const member = { BandwidthPackageId: packageId ?? '', IpInstanceId: allocationId };
  return [
    ['DescribeNetworkInterfaces', { 'NetworkInterfaceId.1': eni.id }],
    ['TagResources', { ResourceType: 'EIP', 'ResourceId.1': allocationId, ...lab.mark.tag }],
    ['UnTagResources', { ResourceType: 'EIP', 'ResourceId.1': allocationId, 'TagKey.1': 'knative-eip-probe-none' }],
    ['AllocateEipAddress', { ...lab.eipQuery('4b', lab.mark.plainEipName('4b')), ClientToken: lab.token() }],
    ['AssociateEipAddress', { ...place, PrivateIpAddress: eni.primaryIp, ClientToken: lab.token() }],
    ['UnassociateEipAddress', { ...place, PrivateIpAddress: eni.secondaryIp, ClientToken: lab.token() }],
    ...(packageId === undefined
      ? []
      : ([
          ['AddCommonBandwidthPackageIp', { ...member, ClientToken: lab.token() }],
          ['RemoveCommonBandwidthPackageIp', { ...member, ClientToken: lab.token() }],
          ['DescribeCommonBandwidthPackages', { BandwidthPackageId: member.BandwidthPackageId }],
        ] satisfies Call[])),
    ...(withEci
      ? ([
          ['CreateContainerGroup', { ...lab.groupQuery(lab.mark.groupNames.plain), DryRun: 'true' }],
          ['DescribeContainerGroups', { Limit: '1' }],
          ['DescribeContainerGroupStatus', { SinceSecond: '60' }],
          ['DescribeImageCaches', {}],
        ] satisfies Call[])
      : []),
    ['ReleaseEipAddress', { AllocationId: allocationId }],
  ];
};

/** The same on a container instance that runs; its deletion is what the run does next. */
const callsOfInstance = async (lab: Lab): Promise<readonly Call[]> => {
  const { id } = await lab.plainGroup();
  const container = { ContainerGroupId: id, ContainerName: 'sleep' };
  return [
    ['DescribeContainerLog', container],
    ['DescribeMultiContainerGroupMetric', { ContainerGroupIds: JSON.stringify([id]) }],
    ['ExecContainerCommand', { ...container, Command: JSON.stringify(['true']) }],
    ['DeleteContainerGroup', { ContainerGroupId: id }],
  ];
};

const denialProbe = (
  { id, assumption, needs }: Pick<Probe, 'id' | 'assumption' | 'needs'>,
  calls: (lab: Lab) => Promise<readonly Call[]>,
): Probe =>
  probe({
    id,
    assumption,
    needs,
    run: async (lab) => {
      const { code } = await callDenied(lab, 'DescribeEipAddresses', { PageSize: '10' });
      if (code === 'OK') throw new AskFailed('the credentials that may do nothing may call DescribeEipAddresses');
      const answers: string[] = [];
      const unlike: string[] = [];
      let named = 0;
      for (const [action, query] of await calls(lab)) {
        const answer = await callDenied(lab, action, query);
        const says = `${action}: ${answer.status ?? ''} ${answer.code}`;
        answers.push(says);
        if (answer.status !== FORBIDDEN || !answer.known) unlike.push(says);
        if (fieldAt(answer.body, 'AccessDeniedDetail', 'AuthAction') !== undefined) named += 1;
      }
      return { code, answers, unlike, named };
    },
    evaluate: ({ answers, unlike, named }) =>
      unlike.length === 0
        ? asAssumed(`${answers.length} actions, of which ${named} name the missing permission`)
        : differs(unlike.join('; ')),
  });

/** What is answered where a permission is missing. */
export const denialProbes: readonly Probe[] = [
  denialProbe(
    {
      id: 'P22',
      assumption: 'a call that RAM does not allow is refused with 403 and a code that is known',
      needs: ['denied'],
    },
    callsOf,
  ),
];

/** The same of what is done to container instances. */
export const instanceDenialProbe: Probe = denialProbe(
  {
    id: 'P22-eci',
    assumption: 'a call on an instance that RAM does not allow is refused with 403 and a code that is known',
    needs: ['eci', 'denied'],
  },
  callsOfInstance,
);
