import { POD, type Pod } from '../../api/core.ts';
import type { ObjectRef } from '../../kube/port.ts';
import { keyOf } from '../../kube/store.ts';
import type { Random } from '../../lib/random.ts';
import { isReady } from '../cluster/deployments.ts';
import { LABEL } from './child-metadata.ts';
import { REVISION, ROUTE, type Container, type RouteTarget } from './resources.ts';
import type { Hands } from './knative-status.ts';
import type { Traffic } from './traffic.ts';

/** How often the activator probes the pods of a Revision; milliseconds. pkg/activator/net/revision_backends.go. */
const PROBE_EVERY_MS = 200;
/** Until when a request waits for a pod where the Revision does not say; seconds. config-defaults. */
const TIMEOUT_S = 300;

/** What came of a request. */
interface ActivatorAnswer {
  /** 404: no Route of this name leads anywhere · 504: no pod was there within the Revision's timeout. */
  readonly status: 200 | 404 | 504;
  readonly revision?: string | undefined;
  /** The pod that it went to. */
  readonly pod?: string | undefined;
  /** How long it waited for a pod; milliseconds. */
  readonly waitedMs: number;
}

interface RequestOptions {
  /** The traffic target with this tag rather than one by percent. */
  readonly tag?: string | undefined;
  /** How long the pod takes to answer; milliseconds. */
  readonly takesMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sends a request to a Service, by namespace and name. Rejects only with the signal's reason. */
export type SendRequest = (service: ObjectRef, options?: RequestOptions) => Promise<ActivatorAnswer>;

/**
 * The way of a request: the Route chooses the Revision, the autoscaler learns of it, and the request waits until a pod
 * would serve it.
 */
export const createActivator = ({ kube, clock }: Hands, random: Random, traffic: Traffic): SendRequest => {
  const podOf = async (namespace: string | undefined, revision: string): Promise<Pod | undefined> => {
    const pods = await kube.list(POD, { namespace, labelSelector: `${LABEL.revision}=${revision}` });
    return pods.filter(wouldServe).toSorted((a, b) => Number(isReady(b)) - Number(isReady(a)))[0];
  };

  return async ({ namespace, name }, { tag, takesMs = 0, signal } = {}) => {
    const since = clock.mono();
    const route = await kube.get(ROUTE, { namespace, name }, signal);
    const targets = route?.status?.traffic ?? [];
    const target = tag === undefined ? byPercent(targets, random.next()) : targets.find((it) => it.tag === tag);
    const revision = target?.revisionName;
    const object = revision === undefined ? undefined : await kube.get(REVISION, { namespace, name: revision }, signal);
    if (revision === undefined || !object) return { status: 404, waitedMs: 0 };
    const timeoutMs = (object.spec.timeoutSeconds ?? TIMEOUT_S) * 1_000;
    const end = traffic.begin(keyOf({ namespace, name: revision }));
    try {
      for (;;) {
        const pod = await podOf(namespace, revision);
        const waitedMs = clock.mono() - since;
        if (pod) {
          if (takesMs > 0) await clock.sleep(takesMs, signal);
          return { status: 200, revision, pod: pod.metadata.name, waitedMs };
        }
        if (waitedMs >= timeoutMs) return { status: 504, revision, waitedMs };
        await clock.sleep(PROBE_EVERY_MS, signal);
      }
    } finally {
      end();
    }
  };
};

/** @param draw from 0 to 1, without 1 */
const byPercent = (targets: readonly RouteTarget[], draw: number): RouteTarget | undefined => {
  let left = draw * 100;
  return targets.find(({ percent = 0 }) => (left -= percent) < 0);
};

/**
 * Whether the activator would send a request to this pod. It probes queue-proxy on the pod's own address and forwards
 * before Kubernetes says Ready, so that a readiness gate holds nothing back on a cold start, unless a container has a
 * startup probe or a readiness probe that runs a command: then only Ready counts.
 *
 * Source: knative/serving pkg/activator/net/revision_backends.go.
 */
const wouldServe = (pod: Pod): boolean => {
  const { metadata, status } = pod;
  const is = (type: string) => status?.conditions?.find((it) => it.type === type)?.status === 'True';
  if (metadata.deletionTimestamp !== undefined || status?.podIP === undefined) return false;
  if (is('Ready')) return true;
  const containers = (pod.spec as { readonly containers?: readonly Container[] }).containers ?? [];
  const waitsForReady = containers.some(
    ({ startupProbe, readinessProbe }) => startupProbe !== undefined || readinessProbe?.exec !== undefined,
  );
  return !waitsForReady && is('ContainersReady');
};
