/** API actions that change something; every one of them needs the leadership (see fence.ts). */
const MUTATING_ACTIONS = [
  'AllocateEipAddress',
  'AssociateEipAddress',
  'UnassociateEipAddress',
  'ReleaseEipAddress',
  'AddCommonBandwidthPackageIp',
  'RemoveCommonBandwidthPackageIp',
  'TagResources',
  'UnTagResources',
  'CreateContainerGroup',
  'DeleteContainerGroup',
  'CreateImageCache',
  'DeleteImageCache',
  'ExecContainerCommand',
] as const;

/** API actions that only read. No answer of theirs is ever "unknown": they can simply be asked again. */
const READING_ACTIONS = [
  'DescribeEipAddresses',
  'DescribeCommonBandwidthPackages',
  'DescribeNetworkInterfaces',
  'DescribeContainerGroups',
  'DescribeContainerGroupStatus',
  'DescribeContainerLog',
  'DescribeImageCaches',
  'DescribeMultiContainerGroupMetric',
] as const;

/** What the product calls at the cloud: names of the VPC, ECS and ECI APIs. */
export type CloudAction = (typeof MUTATING_ACTIONS)[number] | (typeof READING_ACTIONS)[number];

/** Every action, for metrics, throttles and tests that go through all of them. */
export const CLOUD_ACTIONS: readonly CloudAction[] = [...MUTATING_ACTIONS, ...READING_ACTIONS];

/** Whether the action changes something in the cloud. */
export const mutates = (action: CloudAction): boolean => (MUTATING_ACTIONS as readonly string[]).includes(action);
