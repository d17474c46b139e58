import { ALLOCATED_ADDRESS } from '../../api/annotations.ts';
import { isAnnounced, isGated, isReadyByAddress } from '../../api/pod.ts';
import type { Node, Pod } from '../../api/core.ts';
import type { Finding } from '../../api/finding.ts';
import type { Eip } from '../../cloud/port.ts';
import type { RuleSettings, RuleInput } from '../../rules/rule.ts';
import { NO_FACTS, type ClusterFacts } from '../../rules/cluster-facts.ts';
import { evaluate, evaluateRequest } from '../../rules/evaluate.ts';
import { workloadOfPod } from '../../rules/workload.ts';
import type { ParsedRequest } from '../../request/parse.ts';
import { targetOf, type Target } from '../../request/target.ts';
import { isBoundTo, latestBinding, type PodEipRecord } from './record.ts';
import type { Settings } from './observation.ts';

/** Whether the pod's owner gives the pod that comes after it the same name. */
export const isStateful = ({ metadata }: Pod, { statefulKinds }: Pick<Settings, 'statefulKinds'>): boolean =>
  metadata.ownerReferences?.some(({ controller, kind }) => controller === true && statefulKinds.includes(kind)) ??
  false;

/** What a pod asks for, as far as the pod itself can say. */
export const parsePod = (pod: Pod, settings: RuleSettings): ParsedRequest =>
  evaluateRequest(inputOf(pod, undefined, settings));

/** Everything that there is to say about a pod, once it is known where it runs. */
export const evaluatePod = (
  pod: Pod,
  node: Node | null,
  settings: RuleSettings,
  facts: ClusterFacts = NO_FACTS,
): readonly Finding[] => evaluate(inputOf(pod, targetOf(pod, node ?? undefined), settings, facts));

const inputOf = (
  pod: Pod,
  target: Target | undefined,
  settings: RuleSettings,
  facts: ClusterFacts = NO_FACTS,
): RuleInput => ({ workload: workloadOfPod(pod), target, settings, facts });

/** Whether the pod says that it has this address, completely. */
export const isPublished = (pod: Pod, eip: Eip): boolean =>
  pod.metadata.annotations?.[ALLOCATED_ADDRESS] === eip.ipAddress && isGated(pod) === isReadyByAddress(pod);

/** Whether the cloud shows something else than what the pod was told. One such reading may be a replica that lags. */
export const isDrifting = (pod: Pod | null, eip: Eip | null, record: PodEipRecord): boolean => {
  if (!pod || !isAnnounced(pod)) return false;
  const binding = latestBinding(record);
  return !(
    eip?.status === 'InUse' &&
    binding !== undefined &&
    isBoundTo(eip, binding) &&
    binding.privateIpAddress === pod.status?.podIP
  );
};
