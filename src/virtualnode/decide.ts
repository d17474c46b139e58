import {
  ALLOCATED_ADDRESS,
  ALLOCATED_INSTANCE_ID,
  ECI_INSTANCE_ID,
  EIP_MADE_WITH,
  EXTERNAL_DNS,
} from '../api/annotations.ts';
import type { Eip } from '../cloud/port.ts';
import type { ContainerGroup } from '../cloud/container-groups.ts';
import { isFinal } from '../api/pod.ts';
import { keepEnded } from './ended.ts';
import { groupNewsOf } from './group-events.ts';
import { healInMs } from './healing.ts';
import { createGroup } from './create.ts';
import { isBoundToGroup, makesEip } from './own-eip.ts';
import type { DecideSettings, ObservedPod, TrackedPod } from './observation.ts';
import { failedStatus, podStatusOf, type Failure } from './instance-status.ts';
import { waitFor, type PodAction, type PodStep } from './step.ts';
import { attemptOf } from './translate/group.ts';
import type { WorkloadPod } from './workload-pod.ts';

/** Interval between reads of a group that is changing, in case the cheap status call misses a change. */
const FLUX_MS = 15_000;
/** Interval between reads of what the status call does not show. */
const LOOK_MS = 3_000;
/** Longest interval between look-ups of the EIP of an address. */
const LOOK_UP_MOST_MS = 60_000;
/** How long an accepted deletion may have no visible effect before it is requested again. */
const AGAIN_MS = 20_000;

/**
 * The next step for a pod that is bound to the virtual node. Pure and total; the first line that applies wins. The
 * process that runs it may have died on any line before, and two may run at once: there is one group for each UID,
 * since it is looked for by its tags before it is created, and created with a token that the UID determines.
 */
export const decidePod = (seen: ObservedPod, settings: DecideSettings): PodStep => {
  const { pod, group, surplus } = seen;
  if (pod.metadata.deletionTimestamp !== undefined && seen.memory.isFinished) return { do: 'Done' };
  if (group === undefined)
    return isUntouched(seen) ? decidePod({ ...seen, group: null }, settings) : { do: 'ReadGroup' };
  const extra = surplus.find(({ status }) => status !== 'Terminating');
  if (extra) return end(extra, seen, `it is a second instance of pod ${pod.metadata.name}`);
  if (pod.metadata.deletionTimestamp !== undefined) return endPod(seen, group, settings);
  if (isFinal(pod))
    return group
      ? (keepEnded(seen, group) ?? end(group, seen, `the pod has ended (${pod.status?.phase ?? ''})`))
      : { do: 'Done' };
  return group ? run(seen, group, settings) : begin(seen, settings);
};

/**
 * Whether there can be no group of the pod: this process saw it come, and nothing was sent for it. A twin of this
 * process would send the same token.
 */
const isUntouched = ({ pod, memory }: ObservedPod): boolean =>
  memory.isNew === true && instanceOf(pod) === undefined && attemptOf(pod) === 0;

/** Asks the group to end, once. */
const end = ({ containerGroupId, status }: ContainerGroup, { memory }: ObservedPod, because: string): PodStep => {
  const { deletion } = memory;
  if (status === 'Terminating') return waitFor(`${containerGroupId} is ending`, FLUX_MS);
  if (deletion?.containerGroupId === containerGroupId && deletion.agoMs < AGAIN_MS)
    return waitFor(`${containerGroupId} is about to end`, LOOK_MS);
  return { do: 'DeleteGroup', containerGroupId, because };
};

/** The pod is being deleted: first the group, which costs money, then the object, which is the only record of it. */
const endPod = (seen: ObservedPod, group: ContainerGroup | null, settings: DecideSettings): PodStep => {
  const { pod, memory, now } = seen;
  if (group) return end(group, seen, 'the pod is being deleted');
  // The group may not be listed yet, and can be ended all the same. The ID is not taken from the pod: anybody who may
  // write the pod may write the ID of the instance of another one there.
  const { createdId } = memory;
  if (createdId !== undefined && !memory.wasListed && memory.deletion?.containerGroupId !== createdId)
    return { do: 'DeleteGroup', containerGroupId: createdId, because: 'the pod is being deleted' };
  const isKnownToEnd = memory.wasListed || memory.deletion !== undefined;
  const leftMs = Math.max(
    isKnownToEnd ? unsureMs(memory, settings) : 0,
    memory.wasListed ? 0 : settings.settleMs - memory.quietMs,
  );
  if (leftMs > 0) return waitFor('a request that got no answer may still take effect', leftMs);
  if (pod.metadata.finalizers?.length && !isFinal(pod)) {
    // Controllers that hold the pod by a finalizer, such as the Job controller, wait for its final phase.
    const failure = { reason: 'Terminated', message: 'the pod was deleted and its instance has ended' };
    return { do: 'WriteStatus', status: failedStatus(pod, failure, now) };
  }
  return { do: 'FinishDeletion' };
};

/**
 * For how long a group that is not listed may be there all the same. Once a reading shows none whose delay is shorter
 * than the group has been known, it is gone for good: what ends does not come again. That is enough only where this
 * process has had the group ended, for an answer may be wrong as a whole.
 */
const unsureMs = ({ sole, deletion, missingMs }: TrackedPod, { readLagMs }: DecideSettings): number =>
  readLagMs - Math.max(missingMs, sole && deletion?.containerGroupId === sole.containerGroupId ? sole.agoMs : 0);

/** The pod has its group: the status of the pod follows that of the group. */
const run = (seen: ObservedPod, group: ContainerGroup, { node }: DecideSettings): PodStep => {
  const { pod, eip, now } = seen;
  const hasOwnEip = makesEip(group);
  const news = groupNewsOf(pod, group);
  const annotations = {
    ...news?.told,
    ...instanceAnnotations(pod, group, hasOwnEip),
    ...(hasOwnEip && addressAnnotations(pod, group, eip)),
  };
  const wanted = podStatusOf(pod, group, { now, hostIP: node.hostIP });
  const healMs = wanted ? healInMs(pod, group, seen.memory) : 0;
  const status = healMs > 0 ? undefined : wanted;
  if (status || Object.keys(annotations).length > 0)
    return { do: 'WriteStatus', annotations, status, happenings: news?.happenings };
  const look = hasOwnEip ? findAllocationId(seen, group) : undefined;
  if (healMs > 0 && look?.do !== 'ReadEipByAddress')
    return waitFor('somebody else keeps changing the status of the pod', healMs);
  return look ?? atRest(group);
};

/**
 * The address that came with the instance, and the ID of its EIP once that is known; only what is not written on the
 * pod yet. The instance itself shows its address, so no call is needed before the pod is annotated.
 */
const addressAnnotations = ({ metadata }: WorkloadPod, group: ContainerGroup, eip: Eip | null | undefined) => {
  const said = metadata.annotations ?? {};
  const { internetIp } = group;
  if (internetIp === undefined) return {};
  const isNew = said[ALLOCATED_ADDRESS] !== internetIp;
  const found = eip?.ipAddress === internetIp && isBoundToGroup(eip, group) ? eip.allocationId : undefined;
  return {
    ...(isNew && { [ALLOCATED_ADDRESS]: internetIp }),
    // Another address is another EIP.
    ...(isNew && said[ALLOCATED_INSTANCE_ID] !== undefined && { [ALLOCATED_INSTANCE_ID]: null }),
    // A target of external-dns with the former address would lead to whatever gets that address next; it is replaced.
    ...Object.fromEntries(
      EXTERNAL_DNS.filter(
        ({ target }) => isNew && said[target] !== undefined && said[target] === said[ALLOCATED_ADDRESS],
      ).map(({ target }) => [target, null]),
    ),
    ...(found !== undefined && said[ALLOCATED_INSTANCE_ID] !== found && { [ALLOCATED_INSTANCE_ID]: found }),
  };
};

/** The step for the ID of the EIP that came with the instance; undefined once it is written on the pod. */
const findAllocationId = ({ pod, eip, memory }: ObservedPod, group: ContainerGroup): PodStep | undefined => {
  const { internetIp, containerGroupId } = group;
  if (internetIp === undefined) return waitFor(`${containerGroupId} shows no public address yet`, LOOK_MS);
  if (pod.metadata.annotations?.[ALLOCATED_INSTANCE_ID] !== undefined) return undefined;
  const before = memory.addressLook?.ipAddress === internetIp ? memory.addressLook : undefined;
  const leftMs = before && !before.isFound ? lookUpAfterMs(before.looks) - before.agoMs : 0;
  if (leftMs > 0 || eip !== undefined)
    return waitFor(`${internetIp} is not listed at ${containerGroupId} yet`, Math.max(LOOK_MS, leftMs));
  return { do: 'ReadEipByAddress', ipAddress: internetIp };
};

/**
 * The wait before the next look-up, by the number of look-ups so far: 3, 6, 12 … s. The account has 600 calls in a
 * minute for everything.
 */
const lookUpAfterMs = (looks: number): number => Math.min(LOOK_UP_MOST_MS, LOOK_MS * 2 ** Math.min(looks - 1, 10));

/** The instance of the pod, and whether it came with an EIP of its own; only what is not written on the pod yet. */
const instanceAnnotations = ({ metadata }: WorkloadPod, { containerGroupId }: ContainerGroup, hasOwnEip: boolean) => {
  const said = metadata.annotations ?? {};
  return {
    // With the address of the pod, at the latest: a controller that buys EIPs must know by then that this pod has one.
    ...(hasOwnEip && said[EIP_MADE_WITH] !== containerGroupId && { [EIP_MADE_WITH]: containerGroupId }),
    ...(!hasOwnEip && said[EIP_MADE_WITH] !== undefined && { [EIP_MADE_WITH]: null }),
    ...(said[ECI_INSTANCE_ID] !== containerGroupId && { [ECI_INSTANCE_ID]: containerGroupId }),
  };
};

/** Nothing to write: the group is read again until it runs. */
const atRest = ({ containerGroupId, status }: ContainerGroup): PodStep =>
  status === 'Running' ? { do: 'Done' } : waitFor(`${containerGroupId} is ${status}`, FLUX_MS);

/** The pod has no group: it is not listed yet, it is gone, or there never was one. */
const begin = (seen: ObservedPod, settings: DecideSettings): PodStep => {
  const { pod, memory, now } = seen;
  const { createdId } = memory;
  const known = instanceOf(pod);
  if (known === undefined && createdId === undefined) return createGroup(seen, settings);
  if (known === undefined && createdId !== undefined) {
    const startTime = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
    return { do: 'WriteStatus', annotations: { [ECI_INSTANCE_ID]: createdId }, status: { startTime } };
  }
  const id = known ?? createdId ?? '';
  const leftMs = (memory.wasListed ? settings.readLagMs : settings.missingMs) - memory.missingMs;
  if (leftMs > 0) return waitFor(`${id} is not listed`, Math.min(leftMs, LOOK_MS));
  const failure: Failure = {
    reason: 'ContainerGroupGone',
    message: `the elastic container instance ${id} no longer exists; it was released by somebody else, or reclaimed`,
  };
  const gone: PodAction = { do: 'WriteStatus', status: failedStatus(pod, failure, now), warning: failure };
  return gone;
};

/**
 * The instance that is recorded for the pod. The annotation alone proves nothing, since a template may contain a copy;
 * a start time can only come from the kubelet or provider that runs the pod.
 */
const instanceOf = ({ metadata, status }: WorkloadPod): string | undefined =>
  status?.startTime === undefined ? undefined : metadata.annotations?.[ECI_INSTANCE_ID];
