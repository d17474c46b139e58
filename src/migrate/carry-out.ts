import { POOL_OFF_SINCE, POOL_WAS_OFF_SINCE } from '../api/annotations.ts';
import { CONFIG_MAP, type ConfigMap } from '../api/core.ts';
import type { PodEip } from '../api/podeip.ts';
import type { Cloud } from '../cloud/port.ts';
import { hasEipPool, TERWAY_CONFIG } from '../rules/conflicting-controllers.ts';
import { TERWAY_CONTROLLER } from '../controllers/podeip/adopt.ts';
import { tagsOfEip, type Cluster } from '../controllers/podeip/calls.ts';
import { provesOwnership } from '../controllers/podeip/safeguards.ts';
import { createAsForeign, deletePodEip, dropFinalizer, handBack, writeAdoption } from '../controllers/podeip/writes.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import { guardDefinition } from './guard.ts';
import { isTimeMissing, lastWriteOf } from '../rules/terway-switch.ts';
import { TERWAY_KEY } from './read-inventory.ts';
import { OUR_TAGS, type MigrationStep } from './migration-step.ts';
import { switchedPool } from './terway.ts';

/** With what steps are carried out. */
export interface CarryOutPorts {
  readonly kube: Kube;
  /** Of the cloud nothing is changed but tags. */
  readonly cloud: Pick<Cloud, 'describeEip' | 'tagEip' | 'untagEip'>;
  readonly clock: Clock;
  readonly cluster: Cluster;
}

/** How often, and with which pause, it is looked whether the cloud shows the tags; milliseconds. */
const LOOKS = 30;
const LOOK_MS = 1_000;

/**
 * Carries out one step: one write, of an object that must still be as it was read, or of tags. Safe to stop anywhere
 * and to repeat. Rejects with a KubeFault, a CloudFault, or an Error that says what to do.
 */
export const carryOut = async (step: MigrationStep, ports: CarryOutPorts, signal: AbortSignal): Promise<void> => {
  const { kube, cluster } = ports;
  switch (step.do) {
    case 'GuardDefinition':
      return guardDefinition(kube, signal);
    case 'CreatePodEip':
      await createAsForeign(kube, step.pod, { spec: step.spec, controller: TERWAY_CONTROLLER }, signal);
      return undefined;
    case 'SwitchPool':
      return switchPool(step, ports, signal);
    case 'NoteSwitch':
      return noteSwitch(kube, signal);
    case 'Tag':
      return tag(step.podEip, step.allocationId, ports, signal);
    case 'Adopt':
      await writeAdoption(kube, step, cluster.region, signal);
      return undefined;
    case 'HandBack':
      await handBack(kube, step.podEip, step.to, signal);
      return undefined;
    case 'Untag':
      return ports.cloud.untagEip(step.allocationId, OUR_TAGS, signal);
    case 'LetGo':
      if (step.isReleased === true) await assertReleased(step.podEip, ports, signal);
      return dropFinalizer(kube, step.podEip, signal);
    case 'Remove':
      return deletePodEip(kube, step.podEip, signal);
  }
};

/**
 * Switches the EIP pool in the configuration as it is now, then notes when: by the clock of the API server, which also
 * says when a process of Terway was created. Without a time in the note, the last write of the ConfigMap counts.
 */
const switchPool = async (
  { to }: Extract<MigrationStep, { do: 'SwitchPool' }>,
  { kube }: CarryOutPorts,
  signal: AbortSignal,
): Promise<void> => {
  const ref = { namespace: 'kube-system', name: TERWAY_CONFIG };
  const configMap = await kube.get(CONFIG_MAP, ref, signal);
  if (!configMap) throw new Error('there is no ConfigMap kube-system/eni-config any more; run this again');
  const configuration = switchedPool(configMap.data?.[TERWAY_KEY], to);
  if (configuration === undefined) return;
  const { uid, resourceVersion, annotations } = configMap.metadata;
  const noted = annotations?.[POOL_OFF_SINCE] ?? null;
  // What Terway knows of is told by when its pool was off last: that stays known once it is on again.
  // From the first write on the controller buys nothing beside a Terway that may be older. When that was is only told
  // by the answer: a process that dies in between leaves a note that is no time.
  const notes =
    to === 'on' ? { [POOL_OFF_SINCE]: null, [POOL_WAS_OFF_SINCE]: noted } : { [POOL_OFF_SINCE]: 'being noted' };
  const body = { metadata: { uid, resourceVersion, annotations: notes }, data: { [TERWAY_KEY]: configuration } };
  const switched = await kube.patch(CONFIG_MAP, ref, { type: 'merge', body }, signal);
  if (to === 'off') await writeTime(switched, kube, signal);
};

/**
 * Notes the last write as the time of the switch, unless somebody has noted one, or switched the pool on, meanwhile. If
 * it was written later for something else, the note is too late: a Terway that is newer than the switch may have to be
 * restarted once more, and nothing worse happens.
 */
const noteSwitch = async (kube: Kube, signal: AbortSignal): Promise<void> => {
  const configMap = await kube.get(CONFIG_MAP, { namespace: 'kube-system', name: TERWAY_CONFIG }, signal);
  if (configMap && isTimeMissing(configMap) && !hasEipPool(configMap.data)) await writeTime(configMap, kube, signal);
};

/** The note has a manager of its own: it must not count as a write of the configuration. */
const writeTime = async (configMap: ConfigMap, kube: Kube, signal: AbortSignal): Promise<void> => {
  const since = lastWriteOf(configMap);
  if (since === undefined) return;
  const { namespace, name, uid, resourceVersion } = configMap.metadata;
  const annotations = { [POOL_OFF_SINCE]: new Date(since).toISOString(), [POOL_WAS_OFF_SINCE]: null };
  const body = { metadata: { uid, resourceVersion, annotations } };
  await kube.patch(CONFIG_MAP, { namespace, name }, { type: 'merge', body, fieldManager: 'knative-eip-note' }, signal);
};

/** One reading without the EIP is not enough to forget it. */
const assertReleased = async (
  { spec: { allocationID } }: PodEip,
  { cloud, clock }: CarryOutPorts,
  signal: AbortSignal,
): Promise<void> => {
  await clock.sleep(LOOK_MS, signal);
  if (await cloud.describeEip(allocationID, signal))
    throw new Error(`the cloud left ${allocationID} out of a listing, and lists it again; run this again`);
};

/** The notes are written only once the tags are to be seen: by them the controller knows the EIP. */
const tag = async (
  podEip: PodEip,
  allocationId: string,
  { cloud, clock, cluster }: CarryOutPorts,
  signal: AbortSignal,
): Promise<void> => {
  await cloud.tagEip(allocationId, tagsOfEip(cluster, podEip, undefined), signal);
  for (let look = 1; look <= LOOKS; look += 1) {
    const eip = await cloud.describeEip(allocationId, signal);
    if (eip && provesOwnership(eip, podEip, cluster.uid)) return;
    await clock.sleep(LOOK_MS, signal);
  }
  throw new Error(`the cloud has accepted tags for ${allocationId} and does not show them; run this again`);
};
