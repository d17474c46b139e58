import type { Pod } from '../../api/core.ts';
import type { Condition, PodEip, PodEipStatus } from '../../api/podeip.ts';
import type { Reason } from '../../api/reason.ts';
import { REASON } from '../../api/reason-policy.ts';
import type { Eip } from '../../cloud/port.ts';
import { obstacleToRelease } from './releasable.ts';
import { isBoundTo, isExternal, latestBinding, readRecord, type NicBinding, type PodEipRecord } from './record.ts';
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

/** When a status is made. */
interface StatusTime {
  /** Wall time, milliseconds. */
  readonly now: number;
  /** How old `podLastSeen` may get before it alone is a reason to write; milliseconds. */
  readonly refreshMs: number;
}

/** What a status is made from. */
interface View {
  readonly podEip: PodEip;
  readonly pod: Pod | null;
  readonly record: PodEipRecord;
  readonly before: PodEipStatus;
  readonly readiness: Readiness;
  readonly now: number;
  /** The EIP that the PodEIP has, as it was read; null where it has none, undefined where nobody looked. */
  readonly eip: Eip | null | undefined;
  /** The same, where its namespace may see it. */
  readonly shown: Eip | undefined;
  /** Where it is bound, if that is where it was sent last. */
  readonly binding: NicBinding | undefined;
  /** The EIP in use that the virtual node has made. */
  readonly ofInstance: Eip | undefined;
}

/**
 * The status that a PodEIP should have. Pure. Fields of the EIP come from a reading of this pass or stay as they were,
 * and are there only while the EIP is this PodEIP's; conditions of other controllers stay; a condition's transition
 * time changes only with its status.
 */
export const statusOf = (
  podEip: PodEip,
  seen: ObservedState,
  readiness: Readiness,
  { now, refreshMs }: StatusTime,
): PodEipStatus => {
  const it = viewOf(podEip, seen, readiness, now);
  const ours = [ready(it), allocated(it), associated(it), ...releasable(it)];
  const { before } = it;
  const foreign = (before.conditions ?? []).filter(({ type }) => !ours.some((own) => own.type === type));
  return {
    ...before,
    ...fieldsOfEip(it),
    managedBy: isExternal(podEip) ? 'ECI' : 'Controller',
    podLastSeen: lastSeen(it, refreshMs),
    conditions: [...ours, ...foreign],
  };
};

const viewOf = (podEip: PodEip, seen: ObservedState, readiness: Readiness, now: number): View => {
  const eip = ownReading(podEip, seen);
  const record = readRecord(podEip);
  const latest = latestBinding(record);
  const isBound = eip?.status === 'InUse' && latest !== undefined && isBoundTo(eip, latest);
  // An existing EIP is looked at before it is won, and before it is known whether the namespace may have it.
  const isItsOwn = eip?.allocationId === podEip.spec.allocationID && !REASON[readiness.reason].hidesEip;
  const shown = isItsOwn ? eip : undefined;
  return {
    podEip,
    pod: seen.pod,
    record,
    before: podEip.status ?? {},
    readiness,
    now,
    eip,
    shown,
    binding: isBound ? latest : undefined,
    ofInstance: isExternal(podEip) && shown?.status === 'InUse' ? shown : undefined,
  };
};

type Said = Pick<Readiness, 'reason' | 'message'>;

const condition = ({ podEip, before, now }: View, type: string, is: boolean, { reason, message }: Said): Condition => {
  const { generation } = podEip.metadata;
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

const ready = (it: View): Condition => condition(it, 'Ready', it.readiness.isReady, it.readiness);

const allocated = (it: View): Condition => {
  const { allocationID } = it.podEip.spec;
  return allocationID !== '' && it.eip !== null
    ? condition(it, 'Allocated', true, { reason: 'Allocated', message: allocationID })
    : condition(it, 'Allocated', false, it.readiness);
};

const associated = (it: View): Condition => {
  const { before, eip, binding, ofInstance, readiness } = it;
  const old = eip === undefined ? before.conditions?.find(({ type }) => type === 'Associated') : undefined;
  if (old) return old;
  const to = ofInstance
    ? (ofInstance.instanceId ?? 'the instance')
    : binding && `${binding.networkInterfaceId} ${binding.privateIpAddress}`;
  return to === undefined
    ? condition(it, 'Associated', false, readiness)
    : condition(it, 'Associated', true, { reason: 'Associated', message: `bound to ${to}` });
};

/** What stands in the way of giving it back is said while there is time, not only at the end. */
const releasable = (it: View): readonly Condition[] => {
  const { podEip, before, eip } = it;
  if (!eip || podEip.spec.allocationType.type !== 'Auto' || isExternal(podEip)) return [];
  const obstacle = obstacleToRelease(eip);
  if (obstacle !== undefined)
    return [condition(it, 'Releasable', false, { reason: 'ReleaseBlocked', message: obstacle })];
  const was = before.conditions?.some(({ type }) => type === 'Releasable') ?? false;
  const message = 'nothing stands in the way of releasing it';
  return was ? [condition(it, 'Releasable', true, { reason: 'Allocated', message })] : [];
};

const fieldsOfEip = ({ pod, eip, shown, binding, ofInstance }: View): Partial<PodEipStatus> =>
  eip === undefined
    ? {}
    : {
        eipAddress: shown?.ipAddress,
        status: shown?.status,
        internetChargeType: shown?.internetChargeType,
        isp: shown?.isp,
        bandwidth: shown ? String(shown.bandwidthMbps) : undefined,
        name: shown?.name,
        bandwidthPackageID: shown?.bandwidthPackageId,
        publicIpAddressPoolID: shown?.publicIpAddressPoolId,
        resourceGroupID: shown?.resourceGroupId,
        networkInterfaceID: binding ? binding.networkInterfaceId : ofInstance?.instanceId,
        privateIPAddress: binding ? binding.privateIpAddress : ofInstance && pod?.status?.podIP,
      };

/** When the pod was last there; a fresh time is written only now and then, while the pod is there. */
const lastSeen = ({ pod, record, before, now }: View, refreshMs: number): string | undefined => {
  if (record.goneSince !== undefined) return timestamp(record.goneSince);
  const isFresh = now - Date.parse(before.podLastSeen ?? '') < refreshMs;
  return pod?.metadata.uid === record.podUid && !isFresh ? timestamp(now) : before.podLastSeen;
};

/**
 * What the cloud says of the EIP that the PodEIP has. One that it only names, or may inherit, can be anybody's: its
 * address and name are not for whoever may read the PodEIP.
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
