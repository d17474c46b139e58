import { KEYS, READINESS_GATE } from '../api/annotations.ts';
import { finding, writtenKeys, type Rule } from './rule.ts';
import type { RolloutStrategy } from './workload.ts';

/** What a Deployment without numbers has. Source: kubernetes/kubernetes pkg/apis/apps/v1/defaults.go. */
const UNSAID = '25%';

/** Whether so many, or so much percent, of one pod is a pod: the surge is rounded up, what may be missing down. */
const isPod = (value: number | string, rounded: 'up' | 'down'): boolean => {
  const parsed = Number.parseInt(String(value), 10);
  const isPercent = String(value).endsWith('%');
  return parsed >= (isPercent && rounded === 'down' ? 100 : 1);
};

/**
 * Whether a rollout of a Deployment with one pod stops that one only once the next is Ready. Where both numbers come to
 * 0, one pod may be missing. Source: kubernetes/kubernetes pkg/controller/deployment/util, ResolveFenceposts.
 */
const keepsOldPod = ({ type, maxSurge, maxUnavailable }: RolloutStrategy): boolean =>
  type !== 'Recreate' && isPod(maxSurge ?? UNSAID, 'up') && !isPod(maxUnavailable ?? UNSAID, 'down');

/**
 * One existing EIP on a Deployment: unlike those of a Knative Service, its pods do not hand the EIP on to each other,
 * so that the new pod gets it when the old one has ended.
 */
export const rolloutOfOne: Rule = ({ workload, parsed: { request } }) => {
  const { kind, isKnative, replicas, strategy, annotations, template } = workload;
  if (request?.kind !== 'existing' || kind !== 'Deployment' || isKnative || replicas !== 1) return [];
  if (!keepsOldPod(strategy ?? {})) return [];
  const isGated = template.spec?.readinessGates?.some(({ conditionType }) => conditionType === READINESS_GATE) ?? false;
  const { allocationId } = request;
  const keys = writtenKeys(KEYS.instanceId, annotations);
  const remedy = 'write strategy: { type: Recreate } into the spec of the Deployment, so that the old pod ends first';
  return [
    isGated
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
