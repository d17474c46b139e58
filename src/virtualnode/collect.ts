import { TAG_POD } from '../api/annotations.ts';
import type { ContainerGroup, ContainerGroups } from '../cloud/container-groups.ts';
import { CloudFault } from '../cloud/fault.ts';
import { FAULT } from '../cloud/fault-policy.ts';
import type { Kube } from '../kube/port.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { withToken, type Caller } from '../lib/token.ts';
import type { NodeGroups } from './groups.ts';
import { TAG_POD_UID } from './translate/group.ts';
import { WORKLOAD_POD } from './workload-pod.ts';

interface CollectPorts {
  readonly kube: Kube;
  readonly containerGroups: ContainerGroups;
  readonly groups: NodeGroups;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

interface CollectSettings {
  readonly nodeName: string;
  /** Between two passes; milliseconds. */
  readonly periodMs: number;
  /** More orphans than this in one pass, and than a fifth of all groups, stop it: something else is wrong. */
  readonly brakeAbove: number;
}

/** Until the first pass, milliseconds: it begins the observations. */
const FIRST_PASS_MS = 30_000;
const BRAKE_SHARE = 0.2;

/**
 * Deletes the container groups that carry the tag of this cluster and whose pod does not exist, until the signal
 * aborts: also those of a node that has another name since the configuration changed, for nobody else looks after them.
 *
 * The account is listed first and the pods second, by a quorum read: a pod exists before its group does, so a group
 * without a pod then has lost it for good. It is deleted at the second observation, a period later. If many have lost
 * theirs at once, this cluster may be the copy of another (a restored etcd has the same UIDs): then nothing is deleted,
 * and it is said.
 */
export const collectOrphans = async (
  ports: CollectPorts,
  settings: CollectSettings,
  signal: AbortSignal,
): Promise<void> => {
  const { clock, random, log } = ports;
  const subject = `orphans/${random.uuid()}`;
  let attempt = 0;
  let seenBefore: ReadonlySet<string> = new Set();
  for (let waitMs = FIRST_PASS_MS; ; waitMs = settings.periodMs) {
    await clock.sleep(waitMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      attempt += 1;
      seenBefore = await pass(ports, settings, { seenBefore, caller: { subject, attempt } }, signal);
    } catch (error) {
      if (signal.aborted) return;
      const isFault = error instanceof CloudFault || error instanceof KubeFault;
      const message = error instanceof Error ? error.message : String(error);
      log[isFault ? 'warn' : 'error'](
        isFault ? { kind: error.kind } : { error },
        `Container groups without a pod could not be looked for; the next pass tries again: ${message}`,
      );
    }
  }
};

/** The IDs of the orphans that were seen and are still there. */
const pass = async (
  { kube, containerGroups, groups, log }: CollectPorts,
  { nodeName, brakeAbove }: CollectSettings,
  { seenBefore, caller }: { readonly seenBefore: ReadonlySet<string>; readonly caller: Caller },
  signal: AbortSignal,
): Promise<ReadonlySet<string>> => {
  const all = await groups.listOfCluster(signal);
  // The pods of nodes that this one is not, or was once called, may be anywhere.
  const where = all.every((group) => groups.isOfNode(group)) ? { fieldSelector: `spec.nodeName=${nodeName}` } : {};
  const pods = await kube.list(WORKLOAD_POD, where, signal);
  const alive = new Set(pods.map(({ metadata }) => metadata.uid));
  const orphans = all.filter((group) => isOrphan(group, alive));
  if (orphans.length > Math.max(brakeAbove, BRAKE_SHARE * all.length)) {
    log.error(
      { node: nodeName, groups: all.length, orphans: orphans.length },
      'So many container groups have no pod that none is deleted. Is this cluster a copy of another? If not, delete them in the console.',
    );
    return new Set();
  }
  const seen = new Set<string>();
  for (const { containerGroupId, tags } of orphans) {
    const fields = { containerGroupId, pod: tags.get(TAG_POD), podUid: tags.get(TAG_POD_UID) };
    if (!seenBefore.has(containerGroupId)) {
      log.warn(fields, 'This container group has no pod; it is deleted if that is still so at the next pass');
      seen.add(containerGroupId);
      continue;
    }
    try {
      await containerGroups.deleteContainerGroup(
        withToken('DeleteContainerGroup', caller, { containerGroupId }),
        signal,
      );
      log.warn(fields, 'Deleted a container group that has no pod');
    } catch (error) {
      if (!(error instanceof CloudFault)) throw error;
      if (FAULT[error.kind].effect !== 'absent') {
        log.warn({ ...fields, kind: error.kind }, `A container group without a pod stays: ${error.message}`);
        seen.add(containerGroupId);
      }
    }
  }
  return seen;
};

const isOrphan = ({ tags, status }: ContainerGroup, alive: ReadonlySet<string>): boolean => {
  const uid = tags.get(TAG_POD_UID);
  return uid !== undefined && !alive.has(uid) && status !== 'Terminating';
};
