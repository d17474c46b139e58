import { SERVICE_LABEL } from '../api/knative.ts';
import type { PodEip } from '../api/podeip.ts';
import { reasonPolicyOf } from '../api/reason-policy.ts';
import { readRecord } from '../controllers/podeip/record.ts';
import type { Phase } from '../web/overview.ts';

const readyOf = ({ status }: PodEip) => status?.conditions?.find(({ type }) => type === 'Ready');

/** The reason of the condition Ready; `Pending` while there is none. */
export const readyReasonOf = (podEip: PodEip): string => readyOf(podEip)?.reason ?? 'Pending';

export const phaseOf = (podEip: PodEip): Phase => {
  const ready = readyOf(podEip);
  const reason = readyReasonOf(podEip);
  const passes = reasonPolicyOf(reason)?.phase === 'waiting';
  if (podEip.metadata.deletionTimestamp !== undefined)
    return passes || ready?.status === 'True' ? 'goingBack' : 'attention';
  if (ready?.status === 'True') return 'inUse';
  if (readRecord(podEip).goneSince !== undefined || reason === 'Kept') return 'kept';
  return passes ? 'waiting' : 'attention';
};

/** The Knative Service that the PodEIP's pod belongs to. */
export const serviceNameOf = ({ metadata: { labels } }: PodEip): string | undefined => labels?.[SERVICE_LABEL];
