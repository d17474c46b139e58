import type { Condition, PodEip, PodEipStatus } from '../../api/podeip.ts';
import type { Reason } from '../../api/reason.ts';
import { REASON } from '../../api/reason-policy.ts';
import type { Eip } from '../../cloud/port.ts';
import { obstacleToRelease } from './releasable.ts';
import { isBoundTo, isExternal, latestBinding, readRecord } from './record.ts';
import type { ObservedState } from './observation.ts';

/** How things stand, in words: the reason and message of the condition Ready. */
export interface Readiness {
  readonly isReady: boolean;
  readonly reason: Reason;
  readonly message: string;
  /** The message is the cloud's, and differs with each request. */
  readonly isOfCloud?: boolean;
}

/** Longest message that metav1.Condition's schema allows. */
const MAX_MESSAGE = 32_768;

/** RFC 3339 to the second, as metav1.Time is written. */
const timestamp = (now: number): string => `${new Date(now).toISOString().slice(0, 19)}Z`;

/**
 * The status that a PodEIP should have. Pure. Fields of the EIP come from a reading of this pass or stay as they were, and are there only while the EIP is this PodEIP's;
 * conditions of other controllers stay; a condition's transition time changes only with its status.
 *
 * @param now wall time, milliseconds
 * @param refreshMs how old `podLastSeen` may get before it alone is a reason to write
 */
export const statusOf = (
  podEip: PodEip,
  seen: ObservedState,
  readiness: Readiness,
  now: number,
  refreshMs: number,
): PodEipStatus => {
  const before = podEip.status ?? {};
  const { pod } = seen;
  const eip = ownReading(podEip, seen);
  const record = readRecord(podEip);
  const { podUid, goneSince } = record;
  const latest = latestBinding(record);
  const isBound = eip?.status === 'InUse' && latest !== undefined && isBoundTo(eip, latest);
  // An existing EIP is looked at before it is won, and before it is known whether the namespace may have it.
  const isItsOwn = eip?.allocationId === podEip.spec.allocationID && !REASON[readiness.reason].hidesEip;
  const shown = isItsOwn ? eip : undefined;
  const isByEci = isExternal(podEip) && shown?.status === 'InUse';
  const isAllocated = podEip.spec.allocationID !== '' && eip !== null;
  const generation = podEip.metadata.generation;
  const condition = (type: string, is: boolean, reason: Reason, message: string): Condition => {
    const old = before.conditions?.find((it) => it.type === type);
    const status = is ? 'True' : 'False';
    return {
      type,
      status,
      ...(generation !== undefined && { observedGeneration: generation }),
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : timestamp(now),
      reason,
      message: message.slice(0, MAX_MESSAGE),
    };
  };
  const { isReady, reason, message } = readiness;
  const associated = eip === undefined ? before.conditions?.find(({ type }) => type === 'Associated') : undefined;
  const ours: Condition[] = [
    condition('Ready', isReady, reason, message),
    isAllocated
      ? condition('Allocated', true, 'Allocated', podEip.spec.allocationID)
      : condition('Allocated', false, reason, message),
    associated ??
      (isByEci
        ? condition('Associated', true, 'Associated', `bound to ${shown.instanceId ?? 'the instance'}`)
        : isBound
          ? condition(
              'Associated',
              true,
              'Associated',
              `bound to ${latest.networkInterfaceId} ${latest.privateIpAddress}`,
            )
          : condition('Associated', false, reason, message)),
  ];
  // What stands in the way of giving it back is said while there is time, not only at the end.
  if (eip && podEip.spec.allocationType.type === 'Auto' && !isExternal(podEip)) {
    const obstacle = obstacleToRelease(eip);
    const was = before.conditions?.some(({ type }) => type === 'Releasable') ?? false;
    if (obstacle !== undefined) ours.push(condition('Releasable', false, 'ReleaseBlocked', obstacle));
    else if (was) ours.push(condition('Releasable', true, 'Allocated', 'nothing stands in the way of releasing it'));
  }
  const foreign = (before.conditions ?? []).filter(({ type }) => !ours.some((own) => own.type === type));
  const isPodAlive = pod?.metadata.uid === podUid;
  const lastSeen = Date.parse(before.podLastSeen ?? '');
  const podLastSeen =
    goneSince !== undefined
      ? timestamp(goneSince)
      : isPodAlive && !(now - lastSeen < refreshMs)
        ? timestamp(now)
        : before.podLastSeen;
  return {
    ...before,
    ...(eip !== undefined && {
      eipAddress: shown?.ipAddress,
      status: shown?.status,
      internetChargeType: shown?.internetChargeType,
      isp: shown?.isp,
      bandwidth: shown ? String(shown.bandwidthMbps) : undefined,
      name: shown?.name,
      bandwidthPackageID: shown?.bandwidthPackageId,
      publicIpAddressPoolID: shown?.publicIpAddressPoolId,
      resourceGroupID: shown?.resourceGroupId,
      networkInterfaceID: isBound ? latest.networkInterfaceId : isByEci ? shown.instanceId : undefined,
      privateIPAddress: isBound ? latest.privateIpAddress : isByEci ? pod?.status?.podIP : undefined,
    }),
    managedBy: isExternal(podEip) ? 'ECI' : 'Controller',
    podLastSeen,
    conditions: [...ours, ...foreign],
  };
};

/**
 * What the cloud says of the EIP that the PodEIP has. One that it only names, or may inherit, can be anybody's: its address and
 * name are not for whoever may read the PodEIP.
 */
const ownReading = ({ spec: { allocationID } }: PodEip, { eip }: ObservedState): Eip | null | undefined => {
  // What it had before it gave way is another one's now.
  if (allocationID === '') return null;
  return eip === null || eip?.allocationId === allocationID ? eip : undefined;
};

/** The merge patch from one status to another; undefined where they are the same, so that nothing is written. */
export const statusPatch = (before: PodEipStatus | undefined, after: PodEipStatus): object | undefined => {
  const old = (before ?? {}) as Readonly<Record<string, unknown>>;
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(after)) {
    if (JSON.stringify(old[key]) !== JSON.stringify(value)) patch[key] = value ?? null;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
};
