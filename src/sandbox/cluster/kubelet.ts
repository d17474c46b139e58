import { NODE, POD, type Pod } from '../../api/core.ts';
import { objectPath } from '../../kube/path.ts';
import type { Kube, KubeTransport, ObjectRef } from '../../kube/port.ts';
import { keyOf, refOf } from '../../kube/store.ts';
import type { Requeue } from '../../kube/reconcile-loop.ts';
import type { EmbeddedCloud } from '../cloud/sandbox-cloud.ts';
import { CLUSTER_VERSION } from '../cluster-version.ts';
import { followObjects, type FollowContext } from './follow-objects.ts';
import { endedStatusOf, hasEnded, runningStatusOf } from './pod-status.ts';
import { chooseNode } from './scheduler.ts';

/** An ECS node of the sandbox, with the network interface that gives its pods their addresses, as Terway does. */
export interface SandboxNode {
  readonly name: string;
  readonly networkInterfaceId: string;
  /** The first three numbers of its pods' addresses. */
  readonly prefix: string;
}

/** How long a container takes to start and to stop; milliseconds. */
interface PodTimes {
  readonly startMs: number;
  readonly stopMs: number;
  /** How long the containers of a Job's pod run until they end well; without it, until they are stopped. */
  readonly jobMs?: number | undefined;
}

/**
 * How long after the final phase the object goes: a kubelet deletes only what it has seen its own last
 * word of; milliseconds.
 */
export const OBJECT_AFTER_PHASE_MS = 200;

/** How often a pod that no node is there for is looked at again; milliseconds. */
const RESCHEDULE_MS = 1_000;

/** Of each node. Nothing is measured against it but by `kubectl top` and `kubectl describe node`. */
const CAPACITY = { cpu: '8', memory: '32Gi', pods: '253' };

/** What the stand-in has at hand. */
interface KubeletParts {
  readonly kube: Kube;
  readonly cloud: EmbeddedCloud;
  readonly nodes: readonly SandboxNode[];
  readonly times: PodTimes;
  /** What each container of a pod ends with when it is stopped. @default 0, as of one that heeds SIGTERM */
  readonly exitCodeOf?: ((pod: Pod) => number) | undefined;
  /** Whether it is the scheduler too, and not a real one beside it. @default true */
  readonly binds?: boolean | undefined;
}

/**
 * Creates the nodes, in the cluster and in the cloud, as kubelet and cloud-controller-manager describe them
 * once they are ready.
 */
export const createNodes = async (
  kube: Kube,
  cloud: EmbeddedCloud,
  vpcId: string,
  region = 'cn-hangzhou',
): Promise<readonly SandboxNode[]> =>
  Promise.all(
    [1, 2].map(async (number) => {
      const prefix = `10.0.${number}`;
      const name = `${region}.${prefix}.1`;
      const eni = cloud.world.addNetworkInterface({
        vpcId,
        instanceId: `i-sandbox${number}`,
        primaryIp: `${prefix}.1`,
      });
      const { metadata } = await kube.create(NODE, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, labels: { 'kubernetes.io/hostname': name, 'topology.kubernetes.io/region': region } },
        spec: { providerID: `${region}.i-sandbox${number}` },
      });
      const created = metadata.creationTimestamp;
      const status = {
        capacity: CAPACITY,
        allocatable: CAPACITY,
        addresses: [{ type: 'InternalIP', address: `${prefix}.1` }],
        conditions: [
          {
            type: 'Ready',
            status: 'True',
            reason: 'KubeletReady',
            lastTransitionTime: created,
            lastHeartbeatTime: created,
          },
        ],
        nodeInfo: { kubeletVersion: CLUSTER_VERSION, operatingSystem: 'linux' },
      };
      await kube.patch(NODE, { name }, { type: 'merge', subresource: 'status', body: { status } });
      return { name, networkInterfaceId: eni.networkInterfaceId, prefix };
    }),
  );

/**
 * Stand-in for scheduler, kubelet and network plug-in: binds each pod to a node, and if that is one of these, gives it
 * an address that the cloud knows, runs it, judges its readiness gates, and ends it as kubelets do since Kubernetes
 * 1.27: the containers stop, the final phase is written, and the object goes after that. The address is free as soon as
 * the containers have stopped, while the object still shows it, and the next pod may get it at once, as in
 * a real cluster.
 *
 * Source: kubernetes/kubernetes pkg/kubelet/kubelet.go SyncTerminatedPod, pkg/kubelet/status/status_manager.go.
 */
export const runKubelet = (
  context: FollowContext,
  { kube, cloud, nodes, times, exitCodeOf = () => 0, binds = true }: KubeletParts,
  signal: AbortSignal,
): Promise<void> => {
  /** Address and node of each pod that runs, by UID. */
  const running = new Map<string, Place>();
  /** When a pod may start, has stopped, or goes, by UID; monotonic. */
  const due = new Map<string, number>();
  const { clock, transport } = context;

  const takeAddress = (node: SandboxNode): string => {
    const used = new Set([...running.values()].map(({ ip }) => ip));
    for (let last = 2; last < 255; last += 1) if (!used.has(`${node.prefix}.${last}`)) return `${node.prefix}.${last}`;
    throw new Error(`node ${node.name} has no address left`);
  };

  const waitFor = (uid: string, ms: number): number => {
    const at = due.get(uid) ?? clock.mono() + ms;
    due.set(uid, at);
    return at - clock.mono();
  };

  /** The containers have stopped: the network plug-in takes the address back. */
  const stop = (uid: string): void => {
    const place = running.get(uid);
    if (place) cloud.world.removePrivateIp(place.node.networkInterfaceId, place.ip);
    running.delete(uid);
    due.delete(uid);
  };

  /** Stops what runs without an object: pods deleted by force. For how long it still runs; milliseconds. */
  const stopOrphans = (key: string, uid: string | undefined): number => {
    let longest = 0;
    for (const [orphan, place] of running) {
      if (place.key !== key || orphan === uid) continue;
      if (!place.isOrphan) due.delete(orphan);
      running.set(orphan, { ...place, isOrphan: true });
      const left = waitFor(orphan, times.stopMs);
      if (left > 0) longest = Math.max(longest, left);
      else stop(orphan);
    }
    return longest;
  };

  /** What becomes of a pod that is being deleted. */
  const end = async (pod: Pod, ref: ObjectRef): Promise<Requeue> => {
    const { uid } = pod.metadata;
    if (!hasEnded(pod)) {
      // What a Job's pod would have run for is no more of interest.
      if (isOfJob(pod) && (due.get(uid) ?? 0) > clock.mono() + times.stopMs) due.delete(uid);
      const left = running.has(uid) ? waitFor(uid, times.stopMs) : 0;
      if (left > 0) return { afterMs: left };
      const exitCode = running.has(uid) ? exitCodeOf(pod) : 'never ran';
      const status = endedStatusOf(pod, exitCode, new Date(clock.now()).toISOString());
      await kube.patch(POD, ref, { type: 'strategic', subresource: 'status', body: { metadata: { uid }, status } });
      stop(uid);
    }
    // It may have ended by itself, before it was deleted.
    if (running.has(uid)) stop(uid);
    const left = waitFor(uid, OBJECT_AFTER_PHASE_MS);
    if (left > 0) return { afterMs: left };
    due.delete(uid);
    await forceDelete(transport, ref, uid);
    return 'done';
  };

  const sync = async (key: string): Promise<Requeue> => {
    const ref = refOf(key);
    const pod = await kube.get(POD, ref);
    const orphansMs = stopOrphans(key, pod?.metadata.uid);
    const again = pod ? await syncPod(pod, ref) : 'done';
    return again === 'done' && orphansMs > 0 ? { afterMs: orphansMs } : again;
  };

  const syncPod = async (pod: Pod, ref: ObjectRef): Promise<Requeue> => {
    const { uid, deletionTimestamp } = pod.metadata;
    if (!pod.spec.nodeName) {
      if (deletionTimestamp !== undefined || !binds) return 'done';
      const idlest = nodes.toSorted((a, b) => load(running, a) - load(running, b))[0]?.name;
      const chosen = await chooseNode(kube, pod, idlest);
      if (chosen === undefined) return { afterMs: RESCHEDULE_MS };
      await bind(transport, ref, chosen);
      return 'now';
    }
    const node = nodes.find(({ name }) => name === pod.spec.nodeName);
    if (!node) return 'done';
    if (deletionTimestamp !== undefined) return end(pod, ref);
    if (hasEnded(pod)) {
      stop(uid);
      return 'done';
    }
    if (!running.has(uid)) {
      const left = waitFor(uid, times.startMs);
      if (left > 0) return { afterMs: left };
      due.delete(uid);
      const ip = takeAddress(node);
      running.set(uid, { key: keyOf(ref), node, ip });
      cloud.world.addPrivateIp(node.networkInterfaceId, ip);
    }
    const status = runningStatusOf(pod, running.get(uid)?.ip ?? '', new Date(clock.now()).toISOString());
    if (status)
      await kube.patch(POD, ref, { type: 'strategic', subresource: 'status', body: { metadata: { uid }, status } });
    return complete(pod, ref);
  };

  /** Lets what is meant to end come to its end. */
  const complete = async (pod: Pod, ref: ObjectRef): Promise<Requeue> => {
    const { uid } = pod.metadata;
    if (times.jobMs === undefined || !isOfJob(pod)) return 'done';
    const left = waitFor(uid, times.jobMs);
    if (left > 0) return { afterMs: left };
    const status = endedStatusOf(pod, exitCodeOf(pod), new Date(clock.now()).toISOString());
    await kube.patch(POD, ref, { type: 'strategic', subresource: 'status', body: { metadata: { uid }, status } });
    stop(uid);
    return 'done';
  };
  return followObjects(context, [{ resource: POD }], sync, signal);
};

const isOfJob = ({ metadata }: Pod): boolean =>
  metadata.ownerReferences?.some(({ kind, controller }) => kind === 'Job' && controller === true) ?? false;

/** Where a pod runs. */
interface Place {
  readonly key: string;
  readonly node: SandboxNode;
  readonly ip: string;
  /** Its object is gone. */
  readonly isOrphan?: boolean;
}

const load = (running: ReadonlyMap<string, Place>, node: SandboxNode): number =>
  [...running.values()].filter((it) => it.node === node).length;

const send = async (transport: KubeTransport, method: 'POST' | 'DELETE', path: string, body: object): Promise<void> => {
  const response = await transport({ method, path, contentType: 'application/json', body: JSON.stringify(body) });
  // 404 and 409: somebody was faster, and the next look shows it.
  if (response.status >= 400 && response.status !== 404 && response.status !== 409)
    throw new Error(`${method} ${path}: ${await response.text()}`);
};

const bind = (transport: KubeTransport, ref: ObjectRef, node: string) =>
  send(transport, 'POST', `${objectPath(POD, ref)}/binding`, {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name: ref.name },
    target: { apiVersion: 'v1', kind: 'Node', name: node },
  });

/** What a kubelet does once the containers have ended. */
const forceDelete = (transport: KubeTransport, ref: ObjectRef, uid: string) =>
  send(transport, 'DELETE', objectPath(POD, ref), { gracePeriodSeconds: 0, preconditions: { uid } });
