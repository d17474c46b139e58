import { POD, type Pod } from '../../../src/api/core.ts';
import { createKube } from '../../../src/kube/client.ts';
import type { Kube, KubeObject, Resource } from '../../../src/kube/port.ts';
import { createSandboxCloud } from '../../../src/sandbox/cloud/sandbox-cloud.ts';
import { runDeployments } from '../../../src/sandbox/cluster/deployments.ts';
import { createNodes, runKubelet } from '../../../src/sandbox/cluster/kubelet.ts';
import { installKnative } from '../../../src/sandbox/knative/definitions.ts';
import { runKnative, type Knative } from '../../../src/sandbox/knative/run-knative.ts';
import { LABEL } from '../../../src/sandbox/knative/child-metadata.ts';
import { SERVICE, type ResourceCondition, type Service } from '../../../src/sandbox/knative/resources.ts';
import { createApiServer } from '../../../src/sandbox/kube/kube-server.ts';
import { transport as inProcess } from '../../../src/sandbox/kube/in-process-transport.ts';
import { seeded } from '../../harness/random.ts';
import { ManualClock } from '../../harness/clock.ts';

export const NAMESPACE = 'default';
export const WINDOW_MS = 20_000;
/** How long a pod takes to start and to stop; milliseconds. */
export const START_MS = 2_000;
export const STOP_MS = 5_000;
const STEP_MS = 100;

/** A cluster with Knative in virtual time. */
export interface World {
  readonly kube: Kube;
  readonly clock: ManualClock;
  readonly knative: Knative;
  /** Lets time pass. */
  readonly pass: (ms: number) => Promise<void>;
  /** Lets time pass until the work is done. */
  readonly during: <T>(work: Promise<T>) => Promise<T>;
  /** Lets time pass until it is so; how long that took, milliseconds. Throws after five minutes. */
  readonly until: (what: string, isSo: () => Promise<boolean>) => Promise<number>;
  readonly get: <T extends KubeObject>(resource: Resource<T>, name: string) => Promise<T>;
  /** The pods of a Revision, those that end included. */
  readonly pods: (revision: string) => Promise<readonly Pod[]>;
  /** Creates a Service of one container with these annotations on its template. */
  readonly serve: (name: string, annotations: Record<string, string>, more?: object) => Promise<Service>;
  readonly patch: <T extends KubeObject>(resource: Resource<T>, name: string, body: object) => Promise<T>;
  readonly close: () => Promise<void>;
}

/**
 * @param admit what a webhook would make of each pod before it is created
 * @param installed whether Knative's definitions are there from the start
 */
export const world = async (
  admit: (pod: Pod) => object = (pod) => pod,
  { installed = true }: { readonly installed?: boolean } = {},
): Promise<World> => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const random = seeded(1);
  const server = createApiServer({ clock, random });
  const stopCollecting = server.startGarbageCollector();
  const transport = inProcess(server);
  const kube = createKube({ transport, clock, qps: 0 });
  const admitting: Kube = {
    ...kube,
    create: (resource, object, signal) =>
      kube.create(resource, resource.kind === 'Pod' ? admit(object as Pod) : object, signal),
  };
  const cloud = createSandboxCloud({ clock, random });
  const stop = new AbortController();
  const context = { transport, clock, random };

  const during = async <T>(work: Promise<T>): Promise<T> => {
    const over = new AbortController();
    const end = () => over.abort();
    work.then(end, end);
    for (let steps = 0; !over.signal.aborted; steps += 1) {
      await clock.advance(steps === 0 ? 0 : STEP_MS);
      if (steps > 6_000) throw new Error('it does not end');
    }
    return work;
  };
  if (installed) await during(installKnative(kube));
  const nodes = await during(createNodes(kube, cloud, 'vpc-1'));
  const times = { startMs: START_MS, stopMs: STOP_MS };
  const running = [
    runKubelet(context, { kube, cloud, nodes, times }, stop.signal),
    runDeployments(context, admitting, stop.signal),
  ];
  const knative = runKnative(context, kube, { stableWindowMs: WINDOW_MS }, stop.signal);

  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= STEP_MS) await clock.advance(Math.min(left, STEP_MS));
  };
  return {
    kube,
    clock,
    knative,
    pass,
    during,
    until: async (what, isSo) => {
      const start = clock.mono();
      while (!(await during(isSo()))) {
        if (clock.mono() - start > 300_000) throw new Error(`not so within 5 minutes: ${what}`);
        await clock.advance(STEP_MS);
      }
      return clock.mono() - start;
    },
    get: async (resource, name) => {
      const object = await during(kube.get(resource, { namespace: NAMESPACE, name }));
      if (!object) throw new Error(`there is no ${resource.kind} ${name}`);
      return object;
    },
    pods: (revision) =>
      during(kube.list(POD, { namespace: NAMESPACE, labelSelector: `${LABEL.revision}=${revision}` })),
    serve: (name, annotations, more = {}) =>
      during(
        kube.create(SERVICE, {
          apiVersion: 'serving.knative.dev/v1',
          kind: 'Service',
          metadata: { namespace: NAMESPACE, name },
          spec: { template: { metadata: { annotations }, spec: { containers: [{ image: 'hello' }] } }, ...more },
        }),
      ),
    patch: (resource, name, body) =>
      during(kube.patch(resource, { namespace: NAMESPACE, name }, { type: 'merge', body })),
    close: async () => {
      stop.abort();
      stopCollecting();
      await during(Promise.allSettled([...running, knative.ended]));
    },
  };
};

/** `True`, `False NoTraffic` …: status and reason of a condition. */
export const said = (
  object: { readonly status?: { readonly conditions?: readonly ResourceCondition[] | undefined } | undefined },
  type: string,
): string | undefined => {
  const found = object.status?.conditions?.find((condition) => condition.type === type);
  return found && [found.status, ...(found.reason === undefined ? [] : [found.reason])].join(' ');
};

export const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
