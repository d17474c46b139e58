import type { Config } from './schema.ts';

/** A key of the eci-profile that is not what instances of our virtual node get, as a sentence. */
type Difference = string;

type Data = Readonly<Record<string, string>>;

const listed = (text: string): string =>
  text
    .split(',', MOST_LISTED)
    .map((part) => part.trim())
    .filter(Boolean)
    .toSorted()
    .join(', ');
const MOST_LISTED = 100;
/** IDs have 64 characters at most, and there are ten vSwitches. */
const LONGEST = 1_000;

/** What the keys for the whole cluster are called in our configuration. */
const OURS: readonly (readonly [key: string, ours: string, valueOf: (config: Config) => readonly string[]])[] = [
  ['vSwitchIds', 'virtualNode.vSwitchIDs', ({ virtualNode }) => virtualNode.vSwitchIDs],
  ['securityGroupId', 'virtualNode.securityGroupID', ({ virtualNode }) => [virtualNode.securityGroupID ?? '']],
  ['resourceGroupId', 'virtualNode.resourceGroupID', ({ virtualNode }) => [virtualNode.resourceGroupID ?? '']],
  ['vpcId', 'vpcID', ({ vpcID }) => [vpcID]],
];

/** What is switched on there and does not exist here; docs/virtual-node.md says why. */
const NOT_HERE: readonly string[] = [
  'enableHybridMode',
  'enableLinuxArm64Node',
  'enableLogController',
  'enablePVCController',
  'enablePrivateZone',
];

/**
 * Where the keys for the whole cluster of the ConfigMap kube-system/eci-profile say something else than our
 * configuration, which alone holds. A key that is empty or missing says nothing.
 */
export const differencesOfProfile = (data: Data, config: Config): readonly Difference[] => [
  ...OURS.flatMap(([key, ours, valueOf]) => {
    const said = (data[key] ?? '').slice(0, LONGEST);
    const held = valueOf(config).toSorted().join(', ');
    if (said.trim() === '' || listed(said) === held) return [];
    return [`${key} is ${listed(said)}, and ${ours} of the configuration, which holds, is ${held || 'empty'}`];
  }),
  ...NOT_HERE.filter((key) => data[key] === 'true').map((key) => `${key} is "true", and has no effect here`),
];
