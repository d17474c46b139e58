import type { Config } from './schema.ts';

/** What is wrong between keys that are each right. The problem is told at the first key. */
interface Contradiction {
  readonly keys: readonly (readonly string[])[];
  readonly message: string;
}

/** The longest time that a call to the cloud takes; see cloud/call-deadline.ts. */
const LONGEST_CALL_S = 8;

const election = (key: string) => ['leaderElection', key];
const credential = (key: string) => ['credential', key];

/** The rules that need more than one key to be checked, in the order of the schema. */
export const contradictionsIn = (config: Config): readonly Contradiction[] =>
  [signIn, apiServer, leaderElection, existingEips, virtualNode, garbageCollection, bandwidth, sinkToken].flatMap(
    (check) => check(config),
  );

/** The contradiction, if it is one. */
const when = (isSo: boolean, keys: Contradiction['keys'], message: string): readonly Contradiction[] =>
  isSo ? [{ keys, message }] : [];

const signIn = ({ credential: { accessKey, accessSecret, securityToken }, enableRRSA, rrsaRoleName }: Config) => {
  const isHalf = (accessKey === undefined) !== (accessSecret === undefined);
  return [
    ...when(
      isHalf,
      [credential(accessKey ? 'accessSecret' : 'accessKey'), credential('accessKey'), credential('accessSecret')],
      'an AccessKey has two halves, and only one is set: set credential.accessKey and credential.accessSecret, or neither',
    ),
    ...when(
      !isHalf && securityToken !== undefined && accessKey === undefined,
      [credential('securityToken'), credential('accessKey')],
      'a security token means nothing without credential.accessKey and credential.accessSecret',
    ),
    ...when(
      enableRRSA && accessKey !== undefined,
      [['enableRRSA'], credential('accessKey')],
      'enableRRSA and credential are two ways to sign in: use one',
    ),
    ...when(
      rrsaRoleName !== undefined && !enableRRSA,
      [['rrsaRoleName'], ['enableRRSA']],
      'a role is named, but enableRRSA is false: set it to true, or remove the role',
    ),
  ];
};

const apiServer = ({ kubeClientBurst, kubeClientQPS }: Config) =>
  when(
    kubeClientBurst < kubeClientQPS,
    [['kubeClientBurst'], ['kubeClientQPS']],
    `found the number ${kubeClientBurst}; it must not be less than kubeClientQPS (${kubeClientQPS})`,
  );

/**
 * client-go tools/leaderelection, NewLeaderElector asks for the same order. Twice the retry period, so that one lost
 * renewal does not cost the leadership.
 */
const leaderElection = ({ leaderElection: settings }: Config) => {
  const { enabled, leaseDurationSeconds, renewDeadlineSeconds, retryPeriodSeconds } = settings;
  // A call to the cloud is only begun while the lease outlasts it: 8 s at most, and a renewal may be one period old.
  const shortest = LONGEST_CALL_S + 2 * retryPeriodSeconds;
  const isOrdered = leaseDurationSeconds > renewDeadlineSeconds && renewDeadlineSeconds > 2 * retryPeriodSeconds;
  return [
    ...when(
      leaseDurationSeconds <= renewDeadlineSeconds,
      [election('leaseDurationSeconds'), election('renewDeadlineSeconds')],
      `found the number ${leaseDurationSeconds}; it must be more than renewDeadlineSeconds (${renewDeadlineSeconds}), or two replicas could lead at once`,
    ),
    ...when(
      renewDeadlineSeconds <= 2 * retryPeriodSeconds,
      [election('renewDeadlineSeconds'), election('retryPeriodSeconds')],
      `found the number ${renewDeadlineSeconds}; it must be more than twice retryPeriodSeconds (${retryPeriodSeconds})`,
    ),
    ...when(
      enabled && isOrdered && leaseDurationSeconds < shortest,
      [election('leaseDurationSeconds'), election('retryPeriodSeconds')],
      `found the number ${leaseDurationSeconds}; it must be at least ${shortest}: a call to the cloud takes up to ${LONGEST_CALL_S} s, plus two retryPeriodSeconds`,
    ),
  ];
};

const existingEips = (config: Config) =>
  when(
    config.existingEipNamespaces.length > 0 && config.existingEips !== 'granted',
    [['existingEipNamespaces'], ['existingEips']],
    `namespaces are listed, but existingEips is ${config.existingEips}, which lets others name EIPs too: set existingEips to granted, or remove the list`,
  );

const virtualNode = ({
  virtualNode: { enabled, nodeName, identity, vSwitchIDs, securityGroupID, kubelet, eciProfile },
  leaderElection: { name },
  webhook,
  enableVirtualNode,
}: Config) => [
  ...when(
    eciProfile && !(enabled && webhook.enabled),
    [
      ['virtualNode', 'eciProfile'],
      ['virtualNode', 'enabled'],
      ['webhook', 'enabled'],
    ],
    'the eci-profile is applied by the webhooks, to pods of our own virtual node: set virtualNode.enabled and webhook.enabled to true, or virtualNode.eciProfile to false',
  ),
  ...when(
    enabled && nodeName === name,
    [
      ['virtualNode', 'nodeName'],
      ['leaderElection', 'name'],
    ],
    'leaderElection.name is the same; the virtual node has a Lease of its own, which is called as the node: give one of them another name',
  ),
  ...when(
    kubelet.requestCertificate && kubelet.certFile !== undefined,
    [
      ['virtualNode', 'kubelet', 'requestCertificate'],
      ['virtualNode', 'kubelet', 'certFile'],
    ],
    'requestCertificate and certFile are two ways to the same certificate: use one',
  ),
  ...when(
    kubelet.requestCertificate && identity === 'serviceAccount',
    [
      ['virtualNode', 'kubelet', 'requestCertificate'],
      ['virtualNode', 'identity'],
    ],
    'only a node gets such a certificate: set virtualNode.identity to certificate, or requestCertificate to false',
  ),
  ...when(
    enabled && vSwitchIDs.length === 0,
    [
      ['virtualNode', 'vSwitchIDs'],
      ['virtualNode', 'enabled'],
    ],
    'a virtual node needs at least one vSwitch for its instances: list it, or set virtualNode.enabled to false',
  ),
  ...when(
    enabled && securityGroupID === undefined,
    [
      ['virtualNode', 'securityGroupID'],
      ['virtualNode', 'enabled'],
    ],
    'a virtual node needs a security group for its instances: name it, or set virtualNode.enabled to false',
  ),
  ...when(
    enabled && enableVirtualNode,
    [['enableVirtualNode'], ['virtualNode', 'enabled']],
    'enableVirtualNode is for pods on the virtual nodes of ack-virtual-node, which does not run beside our own',
  ),
];

/** A request that got no answer may take effect until then, so that what was seen before may not count. */
const garbageCollection = ({ sweeper: { graceSeconds }, cloud: { settleSeconds } }: Config) => {
  const settledS = settleSeconds + LONGEST_CALL_S;
  return when(
    graceSeconds < settledS,
    [
      ['sweeper', 'graceSeconds'],
      ['cloud', 'settleSeconds'],
    ],
    `found the number ${graceSeconds}; it must be at least ${settledS}: cloud.settleSeconds (${settleSeconds}) and the ${LONGEST_CALL_S} s that a call to the cloud takes`,
  );
};

const sinkToken = ({ cloudEvents: { sink, tokenFile } }: Config) =>
  when(
    tokenFile !== undefined && sink?.toLowerCase().startsWith('http:') === true,
    [
      ['cloudEvents', 'tokenFile'],
      ['cloudEvents', 'sink'],
    ],
    'the sink is reached over http, where everybody on the way reads the token: give it an https address, or take tokenFile away',
  );

/** VPC API reference, AllocateEipAddress, Bandwidth. */
const bandwidth = ({ eipDefaults }: Config) =>
  when(
    eipDefaults.internetChargeType === 'PayByTraffic' && eipDefaults.bandwidth > 200,
    [
      ['eipDefaults', 'bandwidth'],
      ['eipDefaults', 'internetChargeType'],
    ],
    `found the number ${eipDefaults.bandwidth}; with PayByTraffic at most 200 is allowed`,
  );
