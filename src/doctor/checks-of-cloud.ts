import { checkOf, listed, whenAny, type Check } from './check.ts';
import { seconds } from './checks-of-cluster.ts';

/** The VPC API's default, which metrics and alerts take, too (EIP, "Limits and quotas"). */
const USUAL_QUOTA = 20;
const NEARLY_USED = 0.8;
/** Requests are refused with a time that is 15 minutes off (OpenAPI, InvalidTimeStamp.Expired). */
const LATE_MS = 60_000;

export const CLOUD_CHECKS = {
  'cloud-unreachable': checkOf({
    area: 'cloud',
    severity: 'error',
    what: 'No host of an API of the cloud can be reached, neither in the VPC nor outside of it.',
    mend: 'Let the controller reach port 443 of one of them, or write `endpoints`: see [where the APIs are asked](installing.md#where-the-apis-are-asked).',
    needs: ['endpoints'],
    find: ({ endpoints }) =>
      endpoints
        .filter(({ isReached }) => !isReached)
        .map(({ product, host, kind }) => ({
          problem: `the ${product.toUpperCase()} API cannot be reached from here`,
          evidence:
            kind === 'configured'
              ? `${host}, of the configuration`
              : `neither in the VPC nor outside; ${host} was tried last`,
          remedy: `let whoever runs it here reach one of its hosts (port 443: NAT gateway, security group, HTTPS_PROXY), or write endpoints.${product} into the configuration`,
        })),
  }),
  'vpc-endpoint-unreached': checkOf({
    area: 'cloud',
    severity: 'warning',
    what: 'In the pod an API is reached only from outside of the VPC: each call needs a NAT gateway or an EIP, and stops with it.',
    mend: 'Look at security group and DNS of the VPC: `vpc-vpc.REGION.aliyuncs.com` needs neither.',
    needs: ['endpoints'],
    find: ({ endpoints }, { isInPod }) =>
      whenAny(isInPod ? endpoints.filter(({ isReached, kind }) => isReached && kind === 'public') : [], (outside) => ({
        problem: 'the API is asked over the Internet, although there is a host inside the VPC',
        evidence: listed(outside.map(({ product, host }) => `${product}: ${host}`)),
        remedy: 'look whether DNS and the security group let the pod reach the host inside the VPC',
      })),
  }),
  'cloud-clock-skew': checkOf({
    area: 'cloud',
    severity: 'error',
    what: 'The clock here differs from the cloud’s by more than a minute; at 15 minutes every call is refused.',
    mend: 'Let the node follow a time server.',
    needs: ['endpoints', 'calls'],
    find: ({ endpoints, calls }) => {
      const off = endpoints.find(({ aheadMs = 0 }) => Math.abs(aheadMs) > LATE_MS);
      const refused = calls.find(({ outcome }) => outcome === 'untimely');
      if (!off && !refused) return [];
      const ahead = off?.aheadMs ?? 0;
      return [
        {
          problem: 'the clock here is not that of the cloud, which refuses calls whose time is far off',
          evidence: off
            ? `${off.host} is ${seconds(Math.abs(ahead))} ${ahead > 0 ? 'ahead' : 'behind'}${refused ? `; ${refused.action}: ${refused.code}` : ''}`
            : `${refused?.action ?? ''}: ${refused?.code ?? ''}`,
          remedy: 'let this machine, or the node of the pod, follow a time server (chrony, systemd-timesyncd)',
        },
      ];
    },
  }),
  'credentials-refused': checkOf({
    area: 'cloud',
    severity: 'error',
    what: 'There are no credentials for the cloud, or it does not accept them.',
    mend: 'See [who signs in to the cloud](installing.md#2-who-signs-in-to-the-cloud).',
    needs: ['credentials', 'calls'],
    find: ({ credentials, calls }) => {
      const refused = calls.find(({ outcome }) => outcome === 'refusedKey');
      if (credentials.problem === undefined && !refused) return [];
      return [
        {
          problem: 'nobody can sign in to the cloud, so that nothing is bought, bound or given back',
          evidence: `${credentials.source}: ${credentials.problem ?? `${refused?.action ?? ''}: ${refused?.code ?? ''}`}`,
          remedy: 'renew the AccessKey in the Secret, or mend RRSA or the role of the node, as docs/installing.md says',
        },
      ];
    },
  }),
  'ram-action-missing': checkOf({
    area: 'cloud',
    severity: 'error',
    what: 'The RAM policy does not allow an action. Asked for are DescribeEipAddresses, DescribeCommonBandwidthPackages, DescribeNetworkInterfaces and, with the virtual node, DescribeNatGateways, DescribeContainerGroups and a dry run of CreateContainerGroup.',
    mend: 'Add it to the policy: [rights](security.md#narrower) says what breaks without each.',
    needs: ['calls'],
    find: ({ calls }) =>
      whenAny(
        calls.filter(({ outcome, isExtra }) => outcome === 'denied' && !isExtra),
        (denied) => ({
          problem: 'the RAM user or role may not do what the product needs',
          evidence: listed(denied.map(({ ramAction, code }) => `${ramAction} (${code})`)),
          remedy:
            'add it to the RAM policy of whoever signs in: config/ram-policy.json, and config/ram-policy-virtual-node.json',
        }),
      ),
  }),
  'ram-action-refused': checkOf({
    area: 'cloud',
    severity: 'error',
    what: 'The controller was refused something that writes, for want of a RAM action, and PodEIPs say so. No write can be asked for without doing it: the VPC API documents a dry run of none, and it is reported to look whether an EIP exists before it looks at rights, so that NotFound would prove nothing. An action that nobody has needed yet is not judged.',
    mend: 'Add it to the policy: [rights](security.md#narrower). `knative-eip probe` tries each action once, with an EIP of its own.',
    needs: ['podEips'],
    find: ({ podEips }) =>
      [...Map.groupBy(podEips, ({ refusedAction }) => refusedAction)].flatMap(([action, all]) =>
        action === undefined
          ? []
          : [
              {
                problem: `the controller was refused what it tried, for want of ${action}`,
                evidence: `${listed(all.map(({ namespace, name }) => `${namespace}/${name}`))}: ${all[0]?.message ?? ''}`,
                remedy: `add ${action} to the RAM policy of whoever signs in for the controller, or remove the Deny or the condition that keeps it: config/ram-policy.json has all`,
              },
            ],
      ),
  }),
  'wrong-account': checkOf({
    area: 'cloud',
    severity: 'error',
    what: 'The nodes of the cluster are not instances of this account, region or VPC.',
    mend: 'Correct the credentials, `regionID` or `vpcID`: see [KnativeEipWrongAccount](runbooks/KnativeEipWrongAccount.md).',
    needs: ['account'],
    find: ({ account }) =>
      account === undefined
        ? []
        : [
            {
              problem:
                'credentials, regionID or vpcID are not those of this cluster, and nothing is done until they are',
              evidence: account,
              remedy: 'correct what the sentence names, and restart the controller',
            },
          ],
  }),
  'cluster-id-shared': checkOf({
    area: 'cloud',
    severity: 'error',
    what: 'EIPs of another cluster carry the same cluster ID.',
    mend: 'Give each cluster a `clusterID` of its own.',
    needs: ['configuration', 'otherClusters'],
    find: ({ configuration, otherClusters }) =>
      whenAny(otherClusters, (uids) => ({
        problem: 'another cluster has bought EIPs under the same clusterID, and a person cannot tell whose is whose',
        evidence: `clusterID ${configuration?.settings?.clusterID ?? ''} is on EIPs of the cluster ${listed(uids)}, too`,
        remedy:
          'write the ID of this cluster into clusterID; if the cluster was made anew, release or keep the old EIPs',
      })),
  }),
  'eip-quota-used': checkOf({
    area: 'cloud',
    severity: 'warning',
    what: 'Four fifths of the EIPs that the account may have are there; an error where all are.',
    mend: 'Have the quota raised (Quota Center), and write it into `cloud.eipQuota`.',
    needs: ['configuration', 'eipsInAccount'],
    find: ({ configuration, eipsInAccount }) => {
      const written = configuration?.settings?.eipQuota;
      const quota = written ?? USUAL_QUOTA;
      if (eipsInAccount < quota * NEARLY_USED) return [];
      return [
        {
          // Of a quota that nobody has written it is not known.
          severity: written !== undefined && eipsInAccount >= quota ? ('error' as const) : ('warning' as const),
          problem: 'the account has nearly as many EIPs as it may have, and then no pod gets a new one',
          evidence: `${eipsInAccount} of ${quota} EIPs${written === undefined ? ', the usual quota; cloud.eipQuota is not written' : ''}`,
          remedy:
            'release EIPs that nobody needs, or have the quota raised in Quota Center and write it into cloud.eipQuota',
        },
      ];
    },
  }),
  'cloud-throttled': checkOf({
    area: 'cloud',
    severity: 'warning',
    what: 'The cloud throttles the account: its API budget is used up, by this cluster or by others.',
    mend: 'Write a smaller `cloud.apiShare` in each cluster of the account, and look who else calls.',
    needs: ['calls'],
    find: ({ calls }) =>
      whenAny(
        calls.filter(({ outcome }) => outcome === 'throttled'),
        (throttled) => ({
          problem: 'the API rates of the account are used up, and addresses come late',
          evidence: listed(throttled.map(({ action, code }) => `${action}: ${code}`)),
          remedy:
            'look who else calls with this account, and write cloud.apiShare so that all clusters together have 1',
        }),
      ),
  }),
  'bandwidth-package-unusable': checkOf({
    area: 'cloud',
    severity: 'error',
    what: 'A bandwidth package that an EipPolicy names does not exist in the region, or is locked.',
    mend: 'Correct the ID in the EipPolicy, or pay for the package.',
    needs: ['packages', 'policies'],
    find: ({ packages, policies }) =>
      policies.flatMap(({ name, bandwidthPackages }) =>
        bandwidthPackages.flatMap((id) => {
          const found = packages.find((each) => each.id === id);
          if (found && (found.businessStatus === 'Normal' || found.businessStatus === '')) return [];
          return [
            {
              problem: `no EIP can join a bandwidth package that EipPolicy ${name} names`,
              evidence: found ? `${id} is ${found.businessStatus}` : `there is no ${id} in the region`,
              remedy: 'correct the ID in the EipPolicy, or pay for the package',
            },
          ];
        }),
      ),
  }),
  'no-way-to-registries': checkOf({
    area: 'cloud',
    severity: 'info',
    what: 'The VPC has no NAT gateway with an SNAT entry: instances of a virtual node pull images from public registries only with an EIP of their own.',
    mend: 'An Internet NAT gateway with an SNAT entry for the vSwitches; images in a registry of the VPC need neither.',
    needs: ['configuration', 'nat'],
    find: ({ configuration, nat }) =>
      configuration?.settings?.hasVirtualNode !== true || !nat || nat.withSnat > 0
        ? []
        : [
            {
              problem: 'a pod on the virtual node that has no EIP cannot pull images from public registries',
              evidence: `${nat.gateways} NAT gateways in ${configuration.settings.vpcID}, none with an SNAT entry`,
              remedy:
                'make an Internet NAT gateway with an SNAT entry, or keep images in a registry of the VPC (registry-vpc.REGION.aliyuncs.com)',
            },
          ],
  }),
} as const satisfies Readonly<Record<string, Check>>;
