import type { Finding } from '../api/finding.ts';
import { quote } from '../lib/text.ts';
import { ANY, UNITS, type InstanceChoice, type ListAllowance } from '../request/instance-choices.ts';
import { policiesOf, type EffectivePolicy } from './policy.ts';

/** What the configuration gives every instance of the virtual node; everybody may name it. */
export interface ConfiguredInstance {
  readonly vSwitchIds: readonly string[];
  readonly securityGroupId?: string | undefined;
  readonly resourceGroupId?: string | undefined;
}

/** A choice that a pod may not make. Sentences without full stop. */
interface ForbiddenChoice {
  readonly choice: InstanceChoice;
  readonly problem: string;
  readonly remedy: string;
}

/**
 * The choices that neither the configuration nor the policies of the namespace allow: nothing that a pod's author
 * writes chooses an identity, a network, data or money of the account unless an operator has said so; but CPU, memory
 * and temporary storage, which ResourceQuota counts. This is decided here and nowhere else; the virtual node, the
 * webhook and `explain` ask here. Pure.
 */
export const forbiddenChoices = (
  choices: readonly InstanceChoice[],
  policy: EffectivePolicy,
  configured: ConfiguredInstance,
): readonly ForbiddenChoice[] =>
  choices
    .filter((choice) => !isConfigured(choice, configured) && !isAllowed(choice, policy))
    .map((choice) => ({ choice, ...refusal(choice, policy, configured) }));

/** The same as findings, for people who write manifests. */
export const notAllowedOnNode = (...judged: Parameters<typeof forbiddenChoices>): readonly Finding[] =>
  forbiddenChoices(...judged).map(({ choice: { field, key }, problem, remedy }) => ({
    id: 'NotAllowedOnVirtualNode',
    severity: 'refuse',
    keys: key === undefined ? [] : [key],
    problem: `${key === undefined ? field : `annotation ${key}`}: ${problem}`,
    remedy,
  }));

const configuredFor = (
  { allowance }: InstanceChoice,
  { vSwitchIds, securityGroupId, resourceGroupId }: ConfiguredInstance,
): readonly string[] => {
  if (allowance === 'vSwitches') return vSwitchIds;
  const only =
    allowance === 'securityGroups' ? securityGroupId : allowance === 'resourceGroups' ? resourceGroupId : undefined;
  return only === undefined ? [] : [only];
};

const isConfigured = (choice: InstanceChoice, configured: ConfiguredInstance): boolean =>
  configuredFor(choice, configured).includes(choice.value);

/** Some policy speaks of it, and each that does allows it. */
const isAllowed = (choice: InstanceChoice, { virtualNode = [] }: EffectivePolicy): boolean => {
  if (choice.allowance === undefined) return false;
  if ('amount' in choice) {
    const limits = virtualNode.flatMap(({ allows }) => allows[choice.allowance] ?? []);
    return (limits.length > 0 || choice.isCounted === true) && limits.every((limit) => choice.amount <= limit);
  }
  const lists = virtualNode.flatMap(({ allows }) => (allows[choice.allowance] ? [allows[choice.allowance] ?? []] : []));
  return lists.length > 0 && lists.every((list) => list.some((entry) => covers(entry, choice)));
};

/**
 * `*` alone covers everything, `a*` what begins with a; a place is covered by its server or bucket, and by the paths
 * above it.
 */
const covers = (entry: string, { allowance, value }: InstanceChoice): boolean => {
  if (entry === ANY) return true;
  if (value === ANY) return false;
  if (entry.endsWith('*')) return value.startsWith(entry.slice(0, -1));
  if (entry === value) return true;
  if (allowance !== 'fileServers' && allowance !== 'buckets' && allowance !== 'dataCaches') return false;
  const above = entry.endsWith('/') ? entry.slice(0, -1) : entry;
  return value === above || value.startsWith(`${above}${above.includes(':') ? '/' : ':'}`);
};

/** What people call the values, and what one writes for them. */
const WORDS: Readonly<Record<ListAllowance, string>> = {
  ramRoles: 'RAM role',
  securityGroups: 'security group',
  vSwitches: 'vSwitch',
  resourceGroups: 'resource group',
  imageCaches: 'image cache',
  instanceTypes: 'instance type',
  disks: 'disk',
  fileServers: 'file server',
  buckets: 'bucket',
  mountOptions: 'mount option',
  tagKeys: 'tag key',
  acrInstances: 'ACR instance',
  acrRoles: 'role',
  dataCaches: 'data cache',
  privateAddresses: 'private address',
};

/** What is asked for by a choice of no value in particular. */
const ANY_IN_WORDS: Readonly<Partial<Record<ListAllowance, string>>> = {
  privateAddresses: 'have a private address kept',
  dataCaches: 'choose how fast the disk of a data cache is',
};

/** How many values a sentence offers. */
const MOST_OFFERED = 5;

const refusal = (
  choice: InstanceChoice,
  { virtualNode = [] }: EffectivePolicy,
  configured: ConfiguredInstance,
): Pick<ForbiddenChoice, 'problem' | 'remedy'> => {
  const { allowance, value } = choice;
  if (allowance === undefined)
    return { problem: 'nobody may choose this option: what it does is not known', remedy: 'leave it out' };
  const speaking = virtualNode.filter(({ allows }) => allows[allowance] !== undefined);
  const names = speaking.map(({ policy }) => policy);
  const because = names.length > 0 ? policiesOf(names) : `no EipPolicy of the namespace has virtualNode.${allowance}`;
  const where = `virtualNode.${allowance} of ${names.length > 0 ? policiesOf(names) : 'an EipPolicy that means the namespace'}`;
  if ('amount' in choice) {
    const limits = speaking.flatMap(({ allows }) => allows[choice.allowance] ?? []);
    const { keys, free = 0 } = choice;
    const most = (limits.length > 0 ? Math.min(...limits) : 0) + free;
    return {
      problem: `pods of this namespace may ask for ${most} ${UNITS[choice.allowance]}, and not for ${quote(value)} (${because})`,
      remedy: `${most > 0 ? `write at most ${most}${keys ? ` into ${keys.amount}` : ''}` : `leave ${keys?.asks ?? 'it'} out`}, or have an operator write more into ${where}`,
    };
  }
  const word = WORDS[choice.allowance];
  const any = ANY_IN_WORDS[choice.allowance] ?? `let ECI look for an ${word} by itself`;
  const what = value === ANY ? any : `choose the ${word} ${quote(value)}`;
  const own = configuredFor(choice, configured);
  const offered = speaking
    .flatMap(({ allows }) => allows[choice.allowance] ?? [])
    .filter(
      (entry) =>
        !entry.endsWith('*') &&
        isAllowed({ ...choice, value: entry }, { names: [], limits: {}, defaults: {}, virtualNode }),
    );
  const instead = [...new Set([...own, ...offered])].slice(0, MOST_OFFERED);
  return {
    problem: `pods of this namespace may not ${what} (${because})`,
    remedy: `${instead.length > 0 ? `write ${instead.join(' or ')}, or leave it out` : 'leave it out'}, or have an operator write ${value === ANY ? '"*"' : 'it'} into ${where}`,
  };
};
