import { ALLOCATED_ADDRESS, ALLOCATED_INSTANCE_ID } from '../api/annotations.ts';
import type { ContainerGroup } from '../cloud/container-groups.ts';
import type { ObservedPod } from './observation.ts';
import { isBoundToGroup, makesEip } from './own-eip.ts';
import { waitFor, type PodStep } from './step.ts';

/*
 * Container groups that have ended. They are not charged, and show how they ended and what their containers wrote, for
 * an hour at least; their address is given back by the cloud (ECI, "Lifecycle of an elastic container instance"). So
 * the group of a pod that has ended stays, for who wants to know why, until the object of the pod goes.
 */

/** States from which there is only deletion. */
const FINAL: ReadonlySet<string> = new Set(['Succeeded', 'Failed', 'ScheduleFailed', 'Expired']);

/** How long a group is kept after its end. So long ECI keeps it at least; milliseconds. */
const KEEP_MS = 3_600_000;
/** How long the cloud may take to give the address of an ended group back, before the group is deleted for it. */
const ADDRESS_MS = 30_000;
/** Interval between reads of a group that is about to lose its address. */
const LOOK_MS = 3_000;

export const hasGroupEnded = ({ status }: ContainerGroup): boolean => FINAL.has(status);

/** How long ago the last container ended; undefined if the group does not say. Milliseconds. */
const endedAgoMs = ({ containers, initContainers }: ContainerGroup, now: number): number | undefined => {
  const ends = [...containers, ...initContainers]
    .map(({ currentState }) => Date.parse(currentState?.finishTime ?? ''))
    .filter((at) => !Number.isNaN(at));
  return ends.length === 0 ? undefined : now - Math.max(...ends);
};

/**
 * Whether nobody needs the ended group any more, although its pod is there.
 *
 * @param knownMs how long this process has known that it has ended, for groups that do not say when
 */
export const isKeptEnough = (group: ContainerGroup, now: number, knownMs: number): boolean =>
  hasGroupEnded(group) && (endedAgoMs(group, now) ?? knownMs) > KEEP_MS;

/** What to do with the group of a pod that has ended; undefined: it is to be deleted. */
export const keepEnded = (seen: ObservedPod, group: ContainerGroup): PodStep | undefined => {
  // Without a place nothing ran, and there is nothing to read.
  if (!hasGroupEnded(group) || group.status === 'ScheduleFailed') return undefined;
  const holds = holdsAddress(seen, group);
  if (holds === undefined) return { do: 'ReadEipByAddress', ipAddress: addressOf(seen) ?? '' };
  if (!holds) return { do: 'Done' };
  // An end that is yet to come says that the clocks differ.
  const agoMs = endedAgoMs(group, seen.now) ?? seen.endedMs ?? Infinity;
  return agoMs >= -ADDRESS_MS && agoMs < ADDRESS_MS
    ? waitFor(`the cloud is about to give the address of ${group.containerGroupId} back`, LOOK_MS)
    : undefined;
};

const addressOf = ({ pod }: ObservedPod): string | undefined => pod.metadata.annotations?.[ALLOCATED_ADDRESS];

/**
 * Whether the group has a public address, or the EIP that was made with it still exists, which is paid for; undefined
 * if that has to be read.
 */
const holdsAddress = (seen: ObservedPod, group: ContainerGroup): boolean | undefined => {
  if (group.internetIp !== undefined) return true;
  if (!makesEip(group)) return false;
  // A pod that ends soon may do so before its address is known. Nothing tells then that the EIP was given back.
  if (addressOf(seen) === undefined) return true;
  if (seen.eip === undefined) return undefined;
  if (seen.eip === null) return false;
  // Addresses are given to others once they are released.
  const allocationId = seen.pod.metadata.annotations?.[ALLOCATED_INSTANCE_ID];
  return allocationId === undefined ? isBoundToGroup(seen.eip, group) : seen.eip.allocationId === allocationId;
};
