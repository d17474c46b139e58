import type { Finding } from '../api/finding.ts';
import { notAllowedOnNode } from '../policies/instance-policy.ts';
import { UNRESTRICTED } from '../policies/policy.ts';
import { remarksOn } from '../virtualnode/translate/group.ts';
import { DAEMON_SET_REFUSED, type Remark } from '../virtualnode/translate/input.ts';
import { asKnativeMakesIt } from '../virtualnode/translate/queue-proxy.ts';
import { choicesOf } from '../virtualnode/translate/temporary-storage.ts';
import type { WorkloadPod } from '../virtualnode/workload-pod.ts';
import { cutAt } from '../lib/text.ts';
import { finding, type RuleInput } from './rule.ts';
import type { Workload } from './workload.ts';

/**
 * What our virtual node will say of a workload that goes to it: what may not be chosen of the account, what an instance
 * cannot do, and what is changed for it. It is no matter of the EIP, which is neither refused for it nor given back:
 * the virtual node does not run the pod, and asks the same questions, of the same translation.
 */
export const instanceFindings = ({ workload, target, settings }: RuleInput): readonly Finding[] => {
  if (target?.on !== 'eci' || target.by !== 'ours' || !settings.instance) return [];
  const { instance } = settings;
  return [
    ...notAllowedOnNode(
      choicesOf(workload.annotations, workload.volumes, workload.podSpec),
      settings.policy ?? UNRESTRICTED,
      instance,
    ),
    ...translationFindings(workload, instance),
  ];
};

const say =
  (id: 'UnsupportedByECI' | 'ChangedForECI') =>
  ({ field, problem, remedy }: Remark): Finding =>
    finding(id, [], `${field}: ${problem}`, remedy);

const translationFindings = (
  workload: Workload,
  { vSwitchIds, clusterDNS = [], clusterDomain = '' }: NonNullable<RuleInput['settings']['instance']>,
): readonly Finding[] => {
  const { podSpec, kind, owner } = workload;
  if (kind === 'DaemonSet' || owner?.kind === 'DaemonSet')
    return [finding('UnsupportedByECI', [], ...halves(DAEMON_SET_REFUSED))];
  if (!podSpec) return [];
  const pod = podOf(workload, podSpec);
  const { refusals, notes } = remarksOn(workload.isKnative ? asKnativeMakesIt(pod) : pod, {
    vSwitchIds,
    clusterDNS,
    clusterDomain,
  });
  return [...refusals.map(say('UnsupportedByECI')), ...notes.map(say('ChangedForECI'))];
};

/** A pod of the workload, which has no name and no UID of its own yet. */
const podOf = ({ namespace, name, annotations, template }: Workload, spec: WorkloadPod['spec']): WorkloadPod => ({
  metadata: { namespace, name, uid: '', resourceVersion: '', annotations, labels: template.metadata?.labels },
  spec,
});

/** A sentence with a semicolon: what is wrong, and what to do. */
const halves = (text: string): readonly [problem: string, remedy: string] => {
  const [problem, remedy] = cutAt(text, '; ');
  return [problem, remedy];
};
