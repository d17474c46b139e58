import { KEYS } from '../api/annotations.ts';
import { finding, writtenKeys, type RuleSettings, type Rule } from './rule.ts';
import type { Workload } from './workload.ts';

/** Whether the pod that comes after another has its name. */
const keepsNames = ({ kind, owner }: Workload, { statefulKinds }: RuleSettings): boolean =>
  statefulKinds.includes(kind === 'Pod' ? (owner?.kind ?? '') : kind);

const renamed = ({ kind, owner, isKnative }: Workload): string => {
  if (kind === 'Pod' && !owner) return 'the pod has no owner that makes one';
  const what = kind === 'Pod' ? (owner?.kind ?? '') : isKnative && kind === 'Service' ? 'Knative Service' : kind;
  return `the pods of a ${what} have a new name each time`;
};

/** An EIP is kept for the next pod of the name. Under a stateless owner there is none. */
export const statelessOwner: Rule = ({ workload, parsed: { release }, settings }) => {
  if (release.strategy === 'Follow' || keepsNames(workload, settings)) return [];
  const strategy = release.strategy === 'TTL' ? release.releaseAfter : release.strategy;
  return [
    finding(
      'StatelessOwner',
      writtenKeys(KEYS.releaseStrategy, workload.annotations),
      `the release strategy ${strategy} keeps the EIP for the next pod of this name, and ${renamed(workload)}`,
      `write "Follow", or use a ${settings.statefulKinds.join(' or a ')}`,
    ),
  ];
};

export const hostNetwork: Rule = ({ workload, parsed: { wanted } }) =>
  wanted && workload.hostNetwork
    ? [
        finding(
          'HostNetwork',
          [],
          'the pod uses the network of its node (hostNetwork: true), so that its EIP would be the whole node’s',
          'remove hostNetwork, or the annotation that asks for an EIP',
        ),
      ]
    : [];
