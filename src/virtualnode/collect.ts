import { DELETE_ORPHANS, TAG_POD } from '../api/annotations.ts';
import type { ContainerGroup, ContainerGroups } from '../cloud/container-groups.ts';
import { FaultHistory } from '../cloud/fault-history.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { withToken, type Caller } from '../lib/token.ts';
import { endGroup } from './end-group.ts';
import type { NodeGroups } from './groups.ts';
import { TAG_POD_UID } from './translate/group.ts';
import { isFinal } from '../api/pod.ts';
import { hasGroupEnded, isKeptEnough } from './ended.ts';
import { podStatusOf } from './instance-status.ts';
import type { Happening, ObjectReference } from '../kube/recorder.ts';
import type { VirtualNodeMetrics } from './metrics.ts';
import { referenceToNode, VIRTUAL_NODE } from './node.ts';
import { breakerOf } from './orphan-breaker.ts';
import { deleteSeenBefore, runPasses } from './orphan-passes.ts';
import { WORKLOAD_POD, type WorkloadPod } from './workload-pod.ts';

interface CollectPorts {
  readonly kube: Kube;
  readonly containerGroups: ContainerGroups;
  readonly groups: NodeGroups;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly record: (about: ObjectReference, happening: Happening) => void;
  readonly metrics: VirtualNodeMetrics;
  /** Called with the UID of a pod that is not what it should be. */
  readonly changed: (uid: string) => void;
}

interface PassPorts extends CollectPorts {
  readonly faults: FaultHistory;
}

interface CollectSettings {
  readonly nodeName: string;
  /** The address of the node, for the status of its pods. */
  readonly hostIP: string | undefined;
  /** Interval between passes; milliseconds. */
  readonly periodMs: number;
  /** With more orphans than this at once, nothing is deleted. See `breakerOf` for the default. */
  readonly brakeAbove: number | undefined;
}

/** Delay of the first pass, which begins the observations; milliseconds. */
const FIRST_PASS_MS = 30_000;

/** What one pass has seen. */
interface Seen {
  /** The IDs of the orphans that still exist. */
  readonly orphans: ReadonlySet<string>;
  /** The annotation by which somebody lets them go, as it was then. */
  readonly leave: string | undefined;
}

const NOTHING: Seen = { orphans: new Set(), leave: undefined };

/**
 * Compares the pods of the node with their groups, and deletes the container groups that carry the tag of this cluster
 * and whose pod does not exist, until the signal aborts. This includes the groups of a node whose name in the
 * configuration has changed, since nothing else collects them.
 *
 * The account is listed first and the pods second, by a quorum read: a pod exists before its group does, so a group
 * without a pod then has lost it for good. It is deleted at the second observation, one period later, unless too many
 * have lost their pods at once; see `breakerOf`.
 */
export const collectOrphans = async (
  ports: CollectPorts,
  settings: CollectSettings,
  signal: AbortSignal,
): Promise<void> => {
  const { clock, random } = ports;
  const subject = `orphans/${random.uuid()}`;
  const faults = new FaultHistory(clock);
  await runPasses<Seen>(
    ports,
    { firstMs: FIRST_PASS_MS, periodMs: settings.periodMs, what: 'Container groups without a pod' },
    (seenBefore = NOTHING, attempt) =>
      pass({ ...ports, faults }, settings, { seenBefore, caller: { subject, attempt } }, signal),
    signal,
  );
};

const pass = async (
  { kube, containerGroups, groups, clock, log, record, metrics, changed, faults }: PassPorts,
  { nodeName, hostIP, brakeAbove }: CollectSettings,
  { seenBefore, caller }: { readonly seenBefore: Seen; readonly caller: Caller },
  signal: AbortSignal,
): Promise<Seen> => {
  const at = clock.mono();
  const all = await groups.listOfCluster(signal);
  groups.renew(
    all.filter((group) => groups.isOfNode(group)),
    at,
    changed,
  );
  // The pods of groups of another node, or of a former name of this one, may be on any node: all pods are listed then.
  const where = all.every((group) => groups.isOfNode(group)) ? { fieldSelector: `spec.nodeName=${nodeName}` } : {};
  const pods = await kube.list(WORKLOAD_POD, where, signal);
  for (const pod of pods) if (isAstray(pod, groups, { now: clock.now(), hostIP })) changed(pod.metadata.uid);
  const alive = new Set(pods.map(({ metadata }) => metadata.uid));
  const orphans = all.filter(
    (group) =>
      isOrphan(group, alive) || (hasGroupEnded(group) && isKeptEnough(group, clock.now(), groups.endedMs(group))),
  );
  // Those that have ended cost nothing and run nothing, so they are no sign of anything.
  const running = {
    all: all.filter((group) => !hasGroupEnded(group)),
    orphans: orphans.filter((group) => !hasGroupEnded(group)),
  };
  const node = await kube.get(VIRTUAL_NODE, { name: nodeName }, signal);
  const braked = breakerOf({ groups: running.all.length, orphans: running.orphans.length, node, brakeAbove });
  metrics.orphans({ running: running.orphans.length, isBraked: braked !== undefined });
  const tell = (type: 'Normal' | 'Warning', reason: string, note: string): void => {
    if (node) record(referenceToNode(node), { type, reason, action: 'CollectOrphans', note });
  };
  if (braked !== undefined) {
    log.error({ node: nodeName, groups: running.all.length, orphans: running.orphans.length }, braked);
    tell('Warning', 'OrphansKept', braked);
    return NOTHING;
  }
  const remove = (containerGroupId: string) =>
    endGroup(containerGroups, withToken('DeleteContainerGroup', caller, { containerGroupId }), signal);
  const before = seenBefore.orphans;
  const { left, deleted } = await deleteSeenBefore({ log, faults, remove }, orphans.map(described), before, signal);
  const ran = deleted.filter(({ isHarmless }) => !isHarmless).length;
  if (ran > 0) tell('Normal', 'OrphansDeleted', `deleted ${ran} elastic container instances whose pods are gone`);
  const leave = node?.metadata.annotations?.[DELETE_ORPHANS];
  // What somebody let go once, he has not let go for ever: also where the cloud refused to delete some.
  const isUsed = leave !== undefined && (running.orphans.length === 0 || leave === seenBefore.leave);
  if (isUsed) await kube.patch(VIRTUAL_NODE, { name: nodeName }, { type: 'merge', body: WITHOUT_LEAVE }, signal);
  return { orphans: left, leave: isUsed ? undefined : leave };
};

/** Those that have ended cost nothing. */
const described = (group: ContainerGroup) => {
  const { containerGroupId, tags } = group;
  const isHarmless = hasGroupEnded(group);
  return {
    id: containerGroupId,
    what: isHarmless ? 'a container group that ended long ago, or has no pod' : 'a container group that has no pod',
    isHarmless,
    fields: { containerGroupId, pod: tags.get(TAG_POD), podUid: tags.get(TAG_POD_UID) },
  };
};

/**
 * Whether the status of the pod is not what its group says. Whatever happens to either is seen when it happens; this is
 * for what was not, as the kubelet compares too (kubernetes pkg/kubelet/status/status_manager.go, needsReconcile).
 */
const isAstray = (pod: WorkloadPod, groups: NodeGroups, context: Parameters<typeof podStatusOf>[2]): boolean => {
  const [group] = groups.known(pod.metadata.uid);
  if (!group || pod.metadata.deletionTimestamp !== undefined || isFinal(pod)) return false;
  return podStatusOf(pod, group, context) !== undefined;
};

const WITHOUT_LEAVE = { metadata: { annotations: { [DELETE_ORPHANS]: null } } };

const isOrphan = ({ tags, status }: ContainerGroup, alive: ReadonlySet<string>): boolean => {
  const uid = tags.get(TAG_POD_UID);
  return uid !== undefined && !alive.has(uid) && status !== 'Terminating';
};
