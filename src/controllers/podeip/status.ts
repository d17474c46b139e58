import { TAG_PODEIP_UID } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import { isAnnounced } from '../../api/pod.ts';
import {
  heldAddressOf,
  heldMessage,
  STALLED,
  type Condition,
  type PodEip,
  type PodEipStatus,
} from '../../api/podeip.ts';
import type { Reason } from '../../api/reason.ts';
import { REASON } from '../../api/reason-policy.ts';
import type { Eip } from '../../cloud/port.ts';
import { obstacleToRelease } from './releasable.ts';
import { isBoundTo, isExternal, latestBinding, readRecord, type NicBinding, type PodEipRecord } from './record.ts';
import type { ObservedState } from './observation.ts';
import type { Action } from './step.ts';

/** The state in words: the reason and message of the condition Ready. */
export interface Readiness {
  readonly isReady: boolean;
  readonly reason: Reason;
  readonly message: string;
  /** Of a message of the cloud's, which differs with each request: how it begins whenever it is the same. */
  readonly topic?: string | undefined;
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
  /** What the pod asks for that its EIP is not. @default nothing */
  readonly ignored?: string | undefined;
}

/** The input of a status. */
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
  /** The pod has its address, or is about to be told of it: only then is there an address to show as the pod's. */
  readonly isServing: boolean;
}

/**
 * The status that a PodEIP should have. Pure. Fields of the EIP come from a reading of this pass or stay as they were,
 * and are there only while the EIP is this PodEIP's, its address only while the pod has it; conditions of other
 * controllers stay; a condition's transition time changes only with its status.
 */
export const statusOf = (
  podEip: PodEip,
  seen: ObservedState,
  readiness: Readiness,
  { now, refreshMs, ignored }: StatusTime,
): PodEipStatus => {
  const it = viewOf(podEip, seen, readiness, now);
  const ours = [ready(it), ...stalled(it), allocated(it), associated(it), ...releasable(it), ...upToDate(it, ignored)];
  const { before } = it;
  const foreign = (before.conditions ?? []).filter(
    ({ type }) => type !== STALLED && !ours.some((own) => own.type === type),
  );
  return {
    ...before,
    ...fieldsOfEip(it),
    ...servedAt(it),
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
  // An existing EIP is read before it is claimed, and before it is known whether the namespace may have it. An EIP that
  // was bought carries the tags of its PodEIP: an ID that somebody wrote into the PodEIP proves nothing.
  const isProven = record.request?.kind !== 'new' || eip?.tags.get(TAG_PODEIP_UID) === podEip.metadata.uid;
  const isItsOwn = eip?.allocationId === podEip.spec.allocationID && isProven && !REASON[readiness.reason].hidesEip;
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
    isServing: readiness.isReady || isTold(seen.pod, record),
  };
};

const isTold = (pod: Pod | null, { podUid }: PodEipRecord): boolean =>
  pod !== null && pod.metadata.uid === podUid && isAnnounced(pod);

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

/**
 * For whoever reads conditions as kstatus does (Flux, kpt, cli-utils): failed, and not on its way. It is not there
 * while anything goes on by itself.
 */
const stalled = (it: View): readonly Condition[] =>
  it.readiness.isReady || REASON[it.readiness.reason].phase !== 'attention'
    ? []
    : [condition(it, STALLED, true, it.readiness)];

const allocated = (it: View): Condition => {
  const { podEip, eip, shown, readiness } = it;
  const { allocationID } = podEip.spec;
  if (allocationID === '' || eip === null) return condition(it, 'Allocated', false, readiness);
  const isHidden = REASON[readiness.reason].hidesEip;
  // The message names the address even while no pod has it: before it is bound, and after.
  const ipAddress = shown?.ipAddress ?? (eip === undefined && !isHidden ? heldAddressOf(podEip) : undefined);
  return condition(it, 'Allocated', true, { reason: 'Allocated', message: heldMessage(allocationID, ipAddress) });
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

const givenAway = ({ spec: { allocationID } }: PodEip): string =>
  `type is Static: ${allocationID} is not released; once its pod is gone it is detached, its tags of knative-eip are taken off, and it is yours`;

/** The condition that says whether the EIP is what the pod asks for; present once it was not. */
const upToDate = (it: View, ignored: string | undefined): readonly Condition[] => {
  if (ignored !== undefined) return [condition(it, 'UpToDate', false, { reason: 'ChangeIgnored', message: ignored })];
  const was = it.before.conditions?.some(({ type }) => type === 'UpToDate') ?? false;
  const message = 'the EIP is as the pod asks for it';
  return was ? [condition(it, 'UpToDate', true, { reason: 'Allocated', message })] : [];
};

/** What will prevent the release is reported while there is time to act, not only at the end. */
const releasable = (it: View): readonly Condition[] => {
  const { podEip, record, before, eip } = it;
  // The PodEIP declares a bought EIP the property of the user: the consequence is reported while that can still be
  // changed.
  if (eip && record.request?.kind === 'new' && podEip.spec.allocationType.type === 'Static')
    return [condition(it, 'Releasable', false, { reason: 'Kept', message: givenAway(podEip) })];
  if (!eip || podEip.spec.allocationType.type !== 'Auto' || isExternal(podEip)) return [];
  const obstacle = obstacleToRelease(eip);
  if (obstacle !== undefined)
    return [condition(it, 'Releasable', false, { reason: 'ReleaseBlocked', message: obstacle })];
  const was = before.conditions?.some(({ type }) => type === 'Releasable') ?? false;
  const message = 'nothing stands in the way of releasing it';
  return was ? [condition(it, 'Releasable', true, { reason: 'Allocated', message })] : [];
};

const fieldsOfEip = ({ eip, shown }: View): Partial<PodEipStatus> => (eip === undefined ? {} : shownFieldsOf(shown));

/** What the status says of the EIP, but where it is bound. */
export const shownFieldsOf = (shown: Eip | undefined): Partial<PodEipStatus> => ({
  status: shown?.status,
  // In a bandwidth package neither counts: traffic is charged to the package, and its EIPs share what it has.
  internetChargeType: shown?.bandwidthPackageId === undefined ? shown?.internetChargeType : undefined,
  isp: shown?.isp,
  bandwidth: shown ? String(shown.packageBandwidthMbps ?? shown.bandwidthMbps) : undefined,
  name: shown?.name,
  bandwidthPackageID: shown?.bandwidthPackageId,
  publicIpAddressPoolID: shown?.publicIpAddressPoolId,
  resourceGroupID: shown?.resourceGroupId,
});

/**
 * Which address the pod has, and where. The three appear together, in the write before the pod is told, and go together
 * once it has been told that it has none: OpenKruiseGame takes a game server for ready as soon as there is an
 * `eipAddress`, and reads `privateIPAddress` in the same moment (kruise-game, cloudprovider/alibabacloud/eip.go).
 */
const servedAt = (it: View): Pick<PodEipStatus, 'eipAddress' | 'privateIPAddress' | 'networkInterfaceID'> => {
  const { pod, podEip, before, eip, shown, binding, ofInstance, isServing, readiness } = it;
  const { eipAddress, privateIPAddress, networkInterfaceID } = before;
  // One reading that contradicts what was told may come from a replica that lags; the controller waits for another one.
  const isInDoubt = eip === undefined || (readiness.reason === 'EipNotVisibleYet' && !isExternal(podEip));
  if (isServing && isInDoubt) return { eipAddress, privateIPAddress, networkInterfaceID };
  if (isServing && shown && binding)
    return {
      eipAddress: shown.ipAddress,
      privateIPAddress: binding.privateIpAddress,
      networkInterfaceID: binding.networkInterfaceId,
    };
  return isServing && ofInstance
    ? {
        eipAddress: ofInstance.ipAddress,
        privateIPAddress: pod?.status?.podIP,
        // The VPC API may describe the instance itself there.
        networkInterfaceID: ofInstance.instanceType === 'NetworkInterface' ? ofInstance.instanceId : undefined,
      }
    : { eipAddress: undefined, privateIPAddress: undefined, networkInterfaceID: undefined };
};

/**
 * How things stand while a step is carried out, where the PodEIP has to say so first; undefined where it has not. A
 * client that hears of the pod reads the PodEIP then, and an address that is about to be detached is nobody's already.
 */
export const readinessBefore = (step: Action, before: PodEipStatus | undefined): Readiness | undefined => {
  if (step.do === 'Publish') return { isReady: true, reason: 'InUse', message: step.message };
  // Once no pod has the address, the condition says what prevents its detachment.
  return step.do === 'Unassociate' && before?.eipAddress !== undefined
    ? { isReady: false, reason: 'InTransition', message: `${step.allocationId} is being detached` }
    : undefined;
};

/** When the pod was last seen; the time is renewed only now and then while the pod exists. */
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
  // The EIP that it had before it gave way belongs to another PodEIP now.
  if (allocationID === '') return null;
  return eip === null || eip?.allocationId === allocationID ? eip : undefined;
};

/**
 * Manual changes to be reported once, if the status did not mention them before: a type that keeps the EIP, an
 * annotation that has no effect.
 */
export const unsaidChanges = (before: PodEipStatus | undefined, after: PodEipStatus): readonly Said[] =>
  (after.conditions ?? []).flatMap(({ type, status, reason, message }) => {
    const isOfHand = (type === 'UpToDate' && status === 'False') || (type === 'Releasable' && reason === 'Kept');
    const old = before?.conditions?.find((it) => it.type === type);
    const isSaid = old?.reason === reason && old.message === message;
    return isOfHand && !isSaid ? [{ reason: type === 'UpToDate' ? 'ChangeIgnored' : 'Kept', message }] : [];
  });

/** The merge patch from one status to another; undefined where they are the same, so that nothing is written. */
export const statusPatch = (before: PodEipStatus | undefined, after: PodEipStatus): object | undefined => {
  const old = (before ?? {}) as Readonly<Record<string, unknown>>;
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(after)) {
    if (JSON.stringify(old[key]) !== JSON.stringify(value)) patch[key] = value ?? null;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
};
