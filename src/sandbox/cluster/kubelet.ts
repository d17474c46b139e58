import { NODE, POD, type Pod, type PodCondition } from '../../api/core.ts';
import { objectPath } from '../../kube/path.ts';
import type { Kube, KubeTransport, ObjectRef } from '../../kube/port.ts';
import { refOf } from '../../kube/store.ts';
import type { Again } from '../../kube/controller.ts';
import type { EmbeddedCloud } from '../cloud/cloud.ts';
import { follow, type Ground } from './follow.ts';
import { chooseNode } from './scheduler.ts';

/** An ECS node of the sandbox, with the network interface that gives its pods their addresses, as Terway does. */
export interface SandboxNode {
  readonly name: string;
  readonly networkInterfaceId: string;
  /** The first three numbers of its pods' addresses. */
  readonly prefix: string;
}

/** How long a container takes to start and to stop; milliseconds. */
export interface PodTimes {
  readonly startMs: number;
  readonly stopMs: number;
}

/** How often a pod that no node is there for is looked at again; milliseconds. */
const RESCHEDULE_MS = 1_000;

/** What the stand-in has at hand. */
export interface KubeletParts {
  readonly kube: Kube;
  readonly cloud: EmbeddedCloud;
  readonly nodes: readonly SandboxNode[];
  readonly times: PodTimes;
  /** Whether it is the scheduler too, and not a real one beside it. @default true */
  readonly binds?: boolean | undefined;
}

/** Creates the nodes, in the cluster and in the cloud, as kubelet and cloud-controller-manager describe them once they are ready. */
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
      await kube.create(NODE, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, labels: { 'kubernetes.io/hostname': name, 'topology.kubernetes.io/region': region } },
        spec: { providerID: `${region}.i-sandbox${number}` },
      });
      const status = {
        addresses: [{ type: 'InternalIP', address: `${prefix}.1` }],
        conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
      };
      await kube.patch(NODE, { name }, { type: 'merge', subresource: 'status', body: { status } });
      return { name, networkInterfaceId: eni.networkInterfaceId, prefix };
    }),
  );

/**
 * Stand-in for scheduler, kubelet and network plug-in: binds each pod to a node, and if that is one of these, gives it an address that the cloud knows,
 * runs it, judges its readiness gates, and takes the address back when it has ended. Addresses are used again, as they
 * are in a real cluster.
 */
export const runKubelet = (
  ground: Ground,
  { kube, cloud, nodes, times, binds = true }: KubeletParts,
  signal: AbortSignal,
): Promise<void> => {
  /** Address and node of each pod that runs, by UID. */
  const running = new Map<string, { node: SandboxNode; ip: string }>();
  /** When a pod may start or has stopped, by UID; monotonic. */
  const due = new Map<string, number>();
  const { clock, transport } = ground;

  const takeAddress = (node: SandboxNode): string => {
    const used = new Set([...running.values()].map(({ ip }) => ip));
    for (let last = 2; last < 255; last += 1) if (!used.has(`${node.prefix}.${last}`)) return `${node.prefix}.${last}`;
    throw new Error(`node ${node.name} has no address left`);
  };

  const sync = async (key: string): Promise<Again> => {
    const ref = refOf(key);
    const pod = await kube.get(POD, ref);
    if (!pod) return 'done';
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
    const waitFor = (ms: number): number => {
      const at = due.get(uid) ?? clock.mono() + ms;
      due.set(uid, at);
      return at - clock.mono();
    };
    const place = running.get(uid);
    if (deletionTimestamp !== undefined) {
      const left = place ? waitFor(times.stopMs) : 0;
      if (left > 0) return { afterMs: left };
      if (place) cloud.world.removePrivateIp(place.node.networkInterfaceId, place.ip);
      running.delete(uid);
      due.delete(uid);
      await forceDelete(transport, ref, uid);
      return 'done';
    }
    if (!place) {
      const left = waitFor(times.startMs);
      if (left > 0) return { afterMs: left };
      due.delete(uid);
      const ip = takeAddress(node);
      running.set(uid, { node, ip });
      cloud.world.addPrivateIp(node.networkInterfaceId, ip);
    }
    const status = statusOf(pod, running.get(uid)?.ip ?? '', new Date(clock.now()).toISOString());
    if (status)
      await kube.patch(POD, ref, { type: 'strategic', subresource: 'status', body: { metadata: { uid }, status } });
    return 'done';
  };
  return follow(ground, [{ resource: POD }], sync, signal);
};

const load = (running: ReadonlyMap<string, { node: SandboxNode }>, node: SandboxNode): number =>
  [...running.values()].filter((it) => it.node === node).length;

/** What the kubelet writes, or undefined where the pod says so already. Ready waits for every readiness gate. */
const statusOf = (pod: Pod, podIP: string, now: string): object | undefined => {
  const conditions = pod.status?.conditions ?? [];
  const is = (type: string) => conditions.find((it) => it.type === type)?.status;
  const isReady = (pod.spec.readinessGates ?? []).every(({ conditionType }) => is(conditionType) === 'True');
  const wanted: PodCondition[] = [
    { type: 'Initialized', status: 'True' },
    { type: 'ContainersReady', status: 'True' },
    { type: 'Ready', status: isReady ? 'True' : 'False', ...(!isReady && { reason: 'ReadinessGatesNotReady' }) },
  ];
  const changed = wanted.filter(({ type, status }) => is(type) !== status);
  if (pod.status?.podIP === podIP && changed.length === 0) return undefined;
  return {
    phase: 'Running',
    podIP,
    podIPs: [{ ip: podIP }],
    ...(pod.status?.podIP !== podIP && { startTime: now, containerStatuses: containersOf(pod, now) }),
    conditions: changed.map((condition) => ({ ...condition, lastTransitionTime: now })),
  };
};

/** Its containers as they are once they run. */
const containersOf = ({ spec }: Pod, startedAt: string): readonly object[] => {
  const { containers = [] } = spec as { readonly containers?: readonly { name: string; image: string }[] };
  return containers.map(({ name, image }) => ({
    name,
    image,
    imageID: '',
    ready: true,
    started: true,
    restartCount: 0,
    state: { running: { startedAt } },
  }));
};

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
