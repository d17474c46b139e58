import { KEYS, READINESS_GATE } from '../api/annotations.ts';
import { finding, writtenKeys, type Rule } from './rule.ts';
import type { RolloutStrategy, Workload } from './workload.ts';

/** What a Deployment without numbers has. Source: kubernetes/kubernetes pkg/apis/apps/v1/defaults.go. */
const UNSAID = '25%';

/** How many of the pods it is, of a number or a percentage. */
const amountOf = (value: number | string, pods: number, round: (share: number) => number): number => {
  const parsed = Number.parseInt(String(value), 10);
  return String(value).endsWith('%') ? round((parsed * pods) / 100) : parsed;
};

/**
 * Whether a rollout of a Deployment stops a pod only once another one is Ready. Where both numbers come to 0, one pod
 * may be missing. Source: kubernetes/kubernetes pkg/controller/deployment/util, ResolveFenceposts.
 */
const keepsOldPods = ({ type, maxSurge, maxUnavailable }: RolloutStrategy, pods: number): boolean =>
  type !== 'Recreate' &&
  amountOf(maxSurge ?? UNSAID, pods, Math.ceil) > 0 &&
  amountOf(maxUnavailable ?? UNSAID, pods, Math.floor) === 0;

/** Whether the pods of the workload are Ready only with their EIPs. */
const isGated = ({ template }: Workload): boolean =>
  template.spec?.readinessGates?.some(({ conditionType }) => conditionType === READINESS_GATE) ?? false;

/**
 * How many pods there are in a rollout beside all the old ones, which are kept until the new ones are Ready, and these
 * are not Ready without their EIPs: 0 where the old ones are stopped before. The webhook gives the gate to pods of
 * Knative.
 */
export const surplusOf = (workload: Workload, pods: number): number => {
  const { kind, isKnative, strategy } = workload;
  if (isKnative) return kind === 'Service' || kind === 'Configuration' ? pods : 0;
  return kind === 'Deployment' && pods > 0 && isGated(workload) && keepsOldPods(strategy ?? {}, pods) ? 1 : 0;
};

/**
 * One existing EIP on a Deployment: unlike those of a Knative Service, its pods do not hand the EIP on to each other,
 * so that the new pod gets it when the old one has ended.
 */
export const rolloutOfOne: Rule = ({ workload, parsed: { request } }) => {
  const { kind, isKnative, replicas, strategy, annotations } = workload;
  if (request?.kind !== 'existing' || kind !== 'Deployment' || isKnative || replicas !== 1) return [];
  if (!keepsOldPods(strategy ?? {}, replicas)) return [];
  const { allocationId } = request;
  const keys = writtenKeys(KEYS.instanceId, annotations);
  const remedy = 'write strategy: { type: Recreate } into the spec of the Deployment, so that the old pod ends first';
  return [
    isGated(workload)
      ? finding(
          'ExistingEipBlocksRollout',
          keys,
          `a rollout hangs: the rolling update keeps the old pod, and with it ${allocationId}, until the new pod is Ready, and the readiness gate ${READINESS_GATE} keeps the new pod from that until it has ${allocationId}`,
          remedy,
        )
      : finding(
          'ExistingEipLateInRollout',
          keys,
          `in a rollout the new pod serves without ${allocationId} until the old pod has ended, which the rolling update keeps until the new one is Ready`,
          remedy,
        ),
  ];
};
