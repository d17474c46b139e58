import { setTimeout as sleep } from 'node:timers/promises';
import type { Requeue } from '../../../src/kube/reconcile-loop.ts';
import { KubeFault } from '../../../src/kube/fault.ts';
import { objectPath } from '../../../src/kube/path.ts';
import type { Kube, KubeTransport } from '../../../src/kube/port.ts';
import { keyOf, refOf } from '../../../src/kube/store.ts';
import type { EmbeddedCloud } from '../../../src/sandbox/cloud/sandbox-cloud.ts';
import { followObjects, type Trigger, type FollowContext } from '../../../src/sandbox/cluster/follow-objects.ts';
import type { SandboxNode } from '../../../src/sandbox/cluster/kubelet.ts';
import { LABEL } from '../../../src/sandbox/knative/child-metadata.ts';
import { watchHealth } from './health.ts';
import { finalStatus, runningStatus, type ContainerState } from './pod-status.ts';
import { KUBELET_POD, type KubeletPod } from './pod.ts';
import { runProcesses, type ProcessPodParts } from './process-pod.ts';
import { servePod, type Answer } from './queue-proxy.ts';

/** How long things take on a node; milliseconds. */
export interface PodTimes {
  /** From the binding to running containers. */
  readonly startMs: number;
  /** From deletion to the end of the containers of Knative's pods: queue-proxy waits at least 30 s in production. */
  readonly drainMs: number;
  /** From the final phase to the end of the object. */
  readonly goneMs: number;
}

export const POD_TIMES: PodTimes = { startMs: 500, drainMs: 3_000, goneMs: 200 };

export interface KubeletParts extends ProcessPodParts {
  readonly kube: Kube;
  readonly transport: KubeTransport;
  readonly cloud: EmbeddedCloud;
  readonly nodes: readonly SandboxNode[];
  readonly times: PodTimes;
  /** What the pod of this address is at this moment. */
  readonly describe: (pod: KubeletPod) => Promise<Answer>;
  /** Told of pods that could not be started. */
  readonly failed: (error: unknown) => void;
}

/** Containers that run, whatever they are made of. */
interface Runtime {
  readonly ip: string;
  readonly restartsOf: (container: string) => { readonly restarts: number; readonly startedAt: string };
  readonly stop: () => Promise<void>;
  /** Without any grace. */
  readonly end: () => Promise<void>;
  readonly kill: (container: string) => void;
}

/** The exit code that a pod's containers end with, by this annotation of the template; 0 by default. */
export const EXIT_CODE = 'example.com/exit-code';

const DEFAULT_USER_PORT = 8080;

const timestamp = (): string => new Date().toISOString();

export interface Kubelet {
  readonly ended: Promise<void>;
  /** kill -9 of a container that is a process. It is started again. */
  readonly kill: (pod: { namespace: string; name: string }, container: string) => void;
}

/**
 * Stand-in for the kubelets and the network plug-in of the ECS nodes. Pods of Knative Services are served by a stand-in
 * for queue-proxy on an address that the cloud knows; pods whose images are programs of this machine are run as such.
 * Probes are really made, readiness gates count, pods end in their final phase before their object goes, and addresses
 * are given out again at once.
 */
export const runKubelet = (context: FollowContext, parts: KubeletParts, signal: AbortSignal): Kubelet => {
  const { kube, cloud, nodes, times } = parts;
  const used = new Set<string>();
  const lives = new Map<string, ReturnType<typeof begin>>();
  let ring: ((key: string) => void) | undefined;

  const takeAddress = ({ name, prefix }: SandboxNode): string => {
    for (let last = 2; last < 255; last += 1) {
      const address = `${prefix}.${last}`;
      if (used.has(address)) continue;
      used.add(address);
      return address;
    }
    throw new Error(`node ${name} has no address left`);
  };

  const serveKnative = async (pod: KubeletPod, node: SandboxNode): Promise<Runtime> => {
    const ip = takeAddress(node);
    cloud.world.addPrivateIp(node.networkInterfaceId, ip);
    // Of several containers only one may have a port, and that one serves.
    const user = pod.spec.containers.find(({ name, ports = [] }) => name !== 'queue-proxy' && ports.length > 0);
    const served = await servePod({
      ip,
      podName: pod.metadata.name,
      userPort: user?.ports?.[0]?.containerPort ?? DEFAULT_USER_PORT,
      describe: () => parts.describe(pod),
    });
    const startedAt = new Date().toISOString();
    return {
      ip,
      restartsOf: () => ({ restarts: 0, startedAt }),
      kill: () => undefined,
      end: served.kill,
      stop: async () => {
        await served.drain(times.drainMs);
        cloud.world.removePrivateIp(node.networkInterfaceId, ip);
        used.delete(ip);
      },
    };
  };

  const runProgram = async (pod: KubeletPod, onChange: () => void): Promise<Runtime> => {
    const processes = await runProcesses(parts, pod, onChange);
    const never = { restarts: 0, startedAt: new Date().toISOString() };
    return {
      ip: processes.ip,
      restartsOf: (name) => processes.containers.get(name) ?? never,
      kill: processes.kill,
      end: () => processes.stop(0),
      stop: () => processes.stop((pod.spec.terminationGracePeriodSeconds ?? 30) * 1_000),
    };
  };

  /** The life of one pod on a node: starting, running, ending, ended. */
  const begin = (pod: KubeletPod, node: SandboxNode) => {
    const key = keyOf(pod.metadata);
    const due = () => ring?.(key);
    const health = new AbortController();
    let runtime: Runtime | undefined;
    let probes: ReturnType<typeof watchHealth> | undefined;
    let ended = false;
    let stopped: Promise<void> | undefined;
    const started = (async () => {
      await sleep(times.startMs);
      const isKnatives = pod.metadata.labels?.[LABEL.revision] !== undefined;
      runtime = await (isKnatives ? serveKnative(pod, node) : runProgram(pod, due));
      probes = watchHealth(pod, runtime.ip, due, health.signal);
      probes.ended.catch(parts.failed);
      due();
    })().catch(parts.failed);
    const stop = async () => {
      await started;
      await runtime?.stop();
      health.abort();
      ended = true;
      due();
    };
    return {
      pod,
      started,
      runtime: () => runtime,
      stateOf: (name: string): ContainerState => ({
        ...(probes?.health(name) ?? { started: false, ready: false }),
        ...(runtime?.restartsOf(name) ?? { restarts: 0, startedAt: '' }),
      }),
      stop: () => (stopped ??= stop()),
      end: async () => {
        await started;
        health.abort();
        await runtime?.end();
      },
      hasEnded: () => ended,
    };
  };

  const patchStatus = async (pod: KubeletPod, status: object | undefined): Promise<void> => {
    if (!status) return;
    const { namespace, name, uid } = pod.metadata;
    try {
      await kube.patch(
        KUBELET_POD,
        { namespace, name },
        { type: 'strategic', subresource: 'status', body: { metadata: { uid }, status } },
      );
    } catch (error) {
      // The pod is gone, or another one has its name: the next event says so.
      if (!(error instanceof KubeFault && (error.kind === 'notFound' || error.kind === 'conflict'))) throw error;
    }
  };

  const remove = async ({ metadata: { namespace, name, uid } }: KubeletPod): Promise<void> => {
    const response = await parts.transport({
      method: 'DELETE',
      path: objectPath(KUBELET_POD, { namespace, name }),
      contentType: 'application/json',
      body: JSON.stringify({ gracePeriodSeconds: 0, preconditions: { uid } }),
    });
    const text = await response.text();
    // 404 and 409: somebody was faster.
    if (response.status >= 400 && response.status !== 404 && response.status !== 409)
      throw new Error(`pod ${namespace}/${name} could not be removed: ${text}`);
  };

  const sync = async (key: string): Promise<Requeue> => {
    const pod = await kube.get(KUBELET_POD, refOf(key));
    // Deleted by force, or of another node now: what runs is ended.
    for (const [uid, life] of lives)
      if (keyOf(life.pod.metadata) === key && uid !== pod?.metadata.uid) {
        lives.delete(uid);
        void life.stop();
      }
    if (!pod) return 'done';
    const { uid, deletionTimestamp } = pod.metadata;
    const node = nodes.find(({ name }) => name === pod.spec.nodeName);
    if (!node) return 'done';
    const life = lives.get(uid);
    if (deletionTimestamp === undefined) {
      if (!life) lives.set(uid, begin(pod, node));
      const runtime = life?.runtime();
      if (life && runtime) await patchStatus(pod, runningStatus(pod, runtime.ip, life.stateOf, timestamp()));
      return 'done';
    }
    if (life && !life.hasEnded()) {
      void life.stop();
      return 'done';
    }
    await patchStatus(pod, finalStatus(pod, Number(pod.metadata.annotations?.[EXIT_CODE] ?? 0), timestamp()));
    await sleep(times.goneMs);
    await remove(pod);
    lives.delete(uid);
    return 'done';
  };

  const trigger: Trigger = (due) => {
    ring = due;
    return () => {
      ring = undefined;
    };
  };
  const run = async (): Promise<void> => {
    await followObjects({ ...context, trigger }, [{ resource: KUBELET_POD }], sync, signal);
    await Promise.all([...lives.values()].map((life) => life.end()));
  };
  return {
    ended: run(),
    kill: (ref, container) => {
      const life = [...lives.values()].find(({ pod }) => keyOf(pod.metadata) === keyOf(ref));
      const runtime = life?.runtime();
      if (!runtime) throw new Error(`pod ${keyOf(ref)} does not run`);
      runtime.kill(container);
    },
  };
};
