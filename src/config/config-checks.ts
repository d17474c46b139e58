import type { Config } from './schema.ts';

/** What is wrong between keys that are each right. The problem is told at the first key. */
interface Contradiction {
  readonly keys: readonly (readonly string[])[];
  readonly message: string;
}

/** The longest time that a call to the cloud takes; see cloud/deadline.ts. */
const LONGEST_CALL_S = 8;

const election = (key: string) => ['leaderElection', key];
const credential = (key: string) => ['credential', key];

/** The rules that need more than one key to be checked, in the order of the schema. */
export const contradictions = (config: Config): Contradiction[] => {
  const found: Contradiction[] = [];
  const { accessKey, accessSecret, securityToken } = config.credential;

  if ((accessKey === undefined) !== (accessSecret === undefined))
    found.push({
      keys: [credential(accessKey ? 'accessSecret' : 'accessKey'), credential('accessKey'), credential('accessSecret')],
      message:
        'an AccessKey has two halves, and only one is set: set credential.accessKey and credential.accessSecret, or neither',
    });
  else if (securityToken !== undefined && accessKey === undefined)
    found.push({
      keys: [credential('securityToken'), credential('accessKey')],
      message: 'a security token means nothing without credential.accessKey and credential.accessSecret',
    });
  if (config.enableRRSA && accessKey !== undefined)
    found.push({
      keys: [['enableRRSA'], credential('accessKey')],
      message: 'enableRRSA and credential are two ways to sign in: use one',
    });
  if (config.rrsaRoleName !== undefined && !config.enableRRSA)
    found.push({
      keys: [['rrsaRoleName'], ['enableRRSA']],
      message: 'a role is named, but enableRRSA is false: set it to true, or remove the role',
    });

  if (config.kubeClientBurst < config.kubeClientQPS)
    found.push({
      keys: [['kubeClientBurst'], ['kubeClientQPS']],
      message: `found the number ${config.kubeClientBurst}; it must not be less than kubeClientQPS (${config.kubeClientQPS})`,
    });

  // client-go tools/leaderelection, NewLeaderElector asks for the same order. Twice the retry period, so that one lost
  // renewal does not cost the leadership.
  const { leaseDurationSeconds, renewDeadlineSeconds, retryPeriodSeconds } = config.leaderElection;
  if (leaseDurationSeconds <= renewDeadlineSeconds)
    found.push({
      keys: [election('leaseDurationSeconds'), election('renewDeadlineSeconds')],
      message: `found the number ${leaseDurationSeconds}; it must be more than renewDeadlineSeconds (${renewDeadlineSeconds}), or two replicas could lead at once`,
    });
  if (renewDeadlineSeconds <= 2 * retryPeriodSeconds)
    found.push({
      keys: [election('renewDeadlineSeconds'), election('retryPeriodSeconds')],
      message: `found the number ${renewDeadlineSeconds}; it must be more than twice retryPeriodSeconds (${retryPeriodSeconds})`,
    });

  // A call to the cloud is only begun while the lease outlasts it: 8 s at most, and a renewal may be one period old.
  const isOrdered = leaseDurationSeconds > renewDeadlineSeconds && renewDeadlineSeconds > 2 * retryPeriodSeconds;
  if (config.leaderElection.enabled && isOrdered && leaseDurationSeconds < LONGEST_CALL_S + 2 * retryPeriodSeconds)
    found.push({
      keys: [election('leaseDurationSeconds'), election('retryPeriodSeconds')],
      message: `found the number ${leaseDurationSeconds}; it must be at least ${LONGEST_CALL_S + 2 * retryPeriodSeconds}: a call to the cloud takes up to ${LONGEST_CALL_S} s, plus two retryPeriodSeconds`,
    });

  if (config.existingEipNamespaces.length > 0 && config.existingEips === 'any')
    found.push({
      keys: [['existingEipNamespaces'], ['existingEips']],
      message:
        'namespaces are listed, but existingEips is any, which lets every namespace: set existingEips to granted, or remove the list',
    });

  const { virtualNode } = config;
  if (virtualNode.enabled && virtualNode.vSwitchIDs.length === 0)
    found.push({
      keys: [
        ['virtualNode', 'vSwitchIDs'],
        ['virtualNode', 'enabled'],
      ],
      message:
        'a virtual node needs at least one vSwitch for its instances: list it, or set virtualNode.enabled to false',
    });
  if (virtualNode.enabled && virtualNode.securityGroupID === undefined)
    found.push({
      keys: [
        ['virtualNode', 'securityGroupID'],
        ['virtualNode', 'enabled'],
      ],
      message: 'a virtual node needs a security group for its instances: name it, or set virtualNode.enabled to false',
    });
  if (virtualNode.enabled && config.enableVirtualNode)
    found.push({
      keys: [['enableVirtualNode'], ['virtualNode', 'enabled']],
      message:
        'enableVirtualNode is for pods on the virtual nodes of ack-virtual-node, which does not run beside our own',
    });

  // A request that got no answer may take effect until then, so that what was seen before may not count.
  const { graceSeconds } = config.sweeper;
  const settledS = config.cloud.settleSeconds + LONGEST_CALL_S;
  if (graceSeconds < settledS)
    found.push({
      keys: [
        ['sweeper', 'graceSeconds'],
        ['cloud', 'settleSeconds'],
      ],
      message: `found the number ${graceSeconds}; it must be at least ${settledS}: cloud.settleSeconds (${config.cloud.settleSeconds}) and the ${LONGEST_CALL_S} s that a call to the cloud takes`,
    });

  // VPC API reference, AllocateEipAddress, Bandwidth.
  const { bandwidth, internetChargeType } = config.eipDefaults;
  if (internetChargeType === 'PayByTraffic' && bandwidth > 200)
    found.push({
      keys: [
        ['eipDefaults', 'bandwidth'],
        ['eipDefaults', 'internetChargeType'],
      ],
      message: `found the number ${bandwidth}; with PayByTraffic at most 200 is allowed`,
    });
  return found;
};
