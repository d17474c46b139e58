import { KEYS } from '../api/annotations.ts';
import type { Pod } from '../api/core.ts';
import type { PodEipSpec } from '../api/podeip.ts';
import { isFinal } from '../api/pod.ts';
import { predecessorOf, TERWAY_CONTROLLER } from '../controllers/podeip/adopt.ts';
import { isUntagged } from '../controllers/podeip/ownership.ts';
import { isStateful } from '../controllers/podeip/pod-request.ts';
import { isOurs } from '../controllers/podeip/record.ts';
import { parseAnnotations } from '../request/parse.ts';
import { isRestarted } from '../rules/terway-switch.ts';
import type { Inventory, PoolState, SeenPod, Surroundings } from './inventory.ts';
import { blocked, nothingToDo, planned, waits, type PlannedPod } from './planned.ts';
import type { MigrationStep } from './migration-step.ts';
import { placeOf, planTakeOver, RESUME, TURN_OFF } from './take-over.ts';

/**
 * For how long Terway keeps the EIP of a pod of a StatefulSet that says nothing else; its migration writes the same.
 * Source: AliyunContainerService/terway v1.6, daemon/k8s.go (defaultStickTimeForSts), daemon/daemon.go (migrateEIP).
 */
const STICKY = { releaseStrategy: 'TTL', releaseAfter: '5m0s' } as const;

/**
 * What becomes of a pod, or of its PodEIP, of Terway's. A PodEIP is written while Terway still works: should the pod go
 * while Terway is restarted without its EIP pool, somebody still knows of the EIP.
 */
export const planFromTerway = (seen: SeenPod, around: Surroundings): PlannedPod => {
  const { podEip, eip } = seen;
  if (!podEip) return planPodOfTerway(seen, around);
  const isReleased = eip === null && predecessorOf(podEip) === TERWAY_CONTROLLER && !isOurs(podEip);
  if (!isReleased) return planTakeOver(seen, podEip, around);
  const isLive = seen.pod !== null && !isFinal(seen.pod);
  if (isLive)
    return blocked(
      seen,
      `${podEip.spec.allocationID} is not listed in this region and account, and its pod lives`,
      'run this again; if it stays so, the EIP was released or moved to another account: delete the pod',
    );
  return planned(seen, 'discard', withoutPodEip(seen, true), 'Terway has released the EIP');
};

/** The steps that take away a PodEIP of which no controller but ours knows; none of its EIP. */
export const withoutPodEip = ({ podEip }: SeenPod, isReleased = false): readonly MigrationStep[] => {
  if (!podEip) return [];
  const hasFinalizers = (podEip.metadata.finalizers ?? []).length > 0;
  return [...(hasFinalizers ? [{ do: 'LetGo' as const, podEip, isReleased }] : []), { do: 'Remove', podEip }];
};

const planPodOfTerway = (seen: SeenPod, around: Surroundings): PlannedPod => {
  const { pod, eip } = seen;
  if (!pod || isFinal(pod)) return nothingToDo(seen, 'there is no pod');
  const spec = specOf(pod, seen, around);
  if (eip === undefined) return nothingToDo(seen, 'it was told no address');
  if (pod.metadata.deletionTimestamp !== undefined) return blocked(seen, 'the pod is ending', RESUME.terway);
  if (!eip || !spec)
    return blocked(seen, 'no EIP of this region and account has the address that it was told', 'delete the pod');
  const named = instanceOf(pod);
  if (named !== undefined && named !== eip.allocationId)
    return blocked(seen, `it names ${named}, and its address is that of ${eip.allocationId}`, 'delete the pod');
  if (seen.competitors.length > 0)
    return blocked(
      seen,
      `${eip.allocationId} is named by ${seen.competitors.join(', ')}, too`,
      'find out whose it is, and delete the other pod',
    );
  if (named === undefined && (!isUntagged(eip) || eip.serviceManaged))
    return blocked(seen, `${eip.allocationId} belongs to somebody else`, 'delete the pod');
  if (!placeOf(seen, eip))
    return blocked(
      seen,
      `${eip.allocationId} is not bound to its address: the annotation is of another pod, or the EIP was moved`,
      'take the annotation off, or delete the pod',
    );
  return waits(seen, [{ do: 'CreatePodEip', pod, spec }], 'a PodEIP is written for it', TURN_OFF);
};

const instanceOf = ({ metadata: { annotations } }: Pod): string | undefined =>
  KEYS.instanceId.map((key) => annotations?.[key]).find((id) => id !== undefined);

/** What Terway itself would write in its own migration, but for a strategy that the pod names. */
const specOf = (pod: Pod, { eip }: SeenPod, { settings }: Surroundings): PodEipSpec | undefined => {
  if (!eip) return undefined;
  const { annotations } = pod.metadata;
  const { release } = parseAnnotations(annotations, settings.defaults);
  const saysSo = KEYS.releaseStrategy.some((key) => annotations?.[key] !== undefined);
  const isKept = isStateful(pod, settings);
  const strategy =
    !saysSo && isKept
      ? STICKY
      : isKept && release.strategy === 'TTL'
        ? { releaseStrategy: release.strategy, releaseAfter: release.releaseAfter }
        : { releaseStrategy: isKept ? release.strategy : ('Follow' as const) };
  const isStatic = instanceOf(pod) !== undefined;
  return {
    allocationID: eip.allocationId,
    allocationType: isStatic ? { type: 'Static', releaseStrategy: 'Follow' } : { type: 'Auto', ...strategy },
    ...(!isStatic && eip.bandwidthPackageId !== undefined && { bandwidthPackageID: eip.bandwidthPackageId }),
  };
};

/** `"enable_eip_pool": "true"`, or a boolean in older configurations, with what stands around the value. */
const POOL = /("enable_eip_pool"\s*:\s*)("[^"]*"|true|false)/;

/** Terway's configuration with its EIP pool switched, all else to the byte as it was; undefined if nothing changes. */
export const switchedPool = (configuration: string | undefined, to: 'on' | 'off'): string | undefined => {
  if (configuration === undefined || configuration.length > LARGEST) return undefined;
  const value = to === 'on' ? '"true"' : '"false"';
  const switched = configuration.replace(POOL, `$1${value}`);
  return switched === configuration ? undefined : switched;
};

/** Characters; Terway's has some hundreds. */
const LARGEST = 16 * 1024;

/** Whether Terway makes EIPs for pods. */
export const poolStateOf = ({ terway }: Pick<Inventory, 'terway'>): PoolState => {
  const { configuration, offSince, pods } = terway;
  if (configuration === undefined) return 'off';
  // Of one that is too long nobody knows.
  if (configuration.length > LARGEST) return 'on';
  const [, , value] = POOL.exec(configuration) ?? [];
  if (value?.includes('true')) return 'on';
  return isRestarted(pods, offSince) ? 'off' : 'restartDue';
};
