import type { Pod } from '../api/core.ts';
import { ipv4Of, isFinal } from '../api/pod.ts';
import type { PodEip } from '../api/podeip.ts';
import type { Eip } from '../cloud/port.ts';
import { isPublished } from './podeip/pod-announcement.ts';
import type { Settings } from './podeip/observation.ts';
import { isOurs, readRecord } from './podeip/record.ts';
import { obstacleToRelease } from './podeip/releasable.ts';
import { isServing, provesOwnership } from './podeip/safeguards.ts';
import { shownFieldsOf } from './podeip/status.ts';

/**
 * Whether a close look would find nothing to do about an address: the EIP, as the cloud lists it, is bound and
 * described as the PodEIP says, the PodEIP says that it is in use, and the pod, as the cache has it, was told. Only for
 * EIPs that were bought; whatever is in doubt is looked at.
 */
export const isAtRest = (
  { pod, podEip, eip }: { readonly pod: Pod | undefined; readonly podEip: PodEip; readonly eip: Eip | undefined },
  { clusterUid, networkKey }: Pick<Settings, 'clusterUid' | 'networkKey'>,
): boolean => {
  const podIP = pod && ipv4Of(pod);
  if (!pod || isFinal(pod) || podIP === undefined || !eip || !saysInUse(podEip)) return false;
  const record = readRecord(podEip);
  return (
    isOurs(podEip) &&
    podEip.metadata.deletionTimestamp === undefined &&
    podEip.spec.allocationID === eip.allocationId &&
    record.request?.kind === 'new' &&
    record.podUid === pod.metadata.uid &&
    provesOwnership(eip, podEip, clusterUid) &&
    isServing(record, eip, podIP) &&
    isPublished(pod, eip.ipAddress, networkKey) &&
    isAsDescribed(podEip, eip) &&
    hasNoObstacle(podEip, eip)
  );
};

/** Whether the PodEIP says that its pod has the address. */
export const saysInUse = ({ status }: PodEip): boolean =>
  status?.conditions?.some(({ type, status: is, reason }) => type === 'Ready' && is === 'True' && reason === 'InUse') ??
  false;

/** Whether the status says of the EIP what it would say after a look. */
const isAsDescribed = ({ status }: PodEip, eip: Eip): boolean =>
  status?.eipAddress === eip.ipAddress &&
  Object.entries(shownFieldsOf(eip)).every(([field, value]) => status[field as keyof typeof status] === value);

/** Whether nothing stands in the way of the pod's use of the EIP, or of its release, and nothing ever did. */
const hasNoObstacle = ({ status }: PodEip, eip: Eip): boolean =>
  eip.lockReasons.length === 0 &&
  obstacleToRelease(eip) === undefined &&
  status?.conditions?.some(({ type, status: is }) => type === 'Releasable' && is === 'False') !== true;
