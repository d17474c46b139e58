import { POD_AUTOSCALER } from '../../api/knative.ts';
import type { KubeObject, Resource } from '../../kube/port.ts';
import type { ReadinessProbe } from './readiness-probe.ts';

/** A condition as Knative writes it. `severity` is empty where the condition counts for Ready. */
export interface ResourceCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly severity?: string | undefined;
  readonly lastTransitionTime?: string | undefined;
}

interface Status {
  readonly observedGeneration?: number | undefined;
  readonly conditions?: readonly ResourceCondition[] | undefined;
}

/** A container as far as the stand-in looks into it; everything else goes through as it is. */
export interface Container {
  readonly name?: string | undefined;
  readonly image?: string | undefined;
  readonly ports?: readonly { readonly containerPort?: number | undefined }[] | undefined;
  readonly env?: readonly object[] | undefined;
  readonly readinessProbe?: ReadinessProbe | undefined;
  readonly startupProbe?: object | undefined;
}

interface RevisionSpec {
  readonly containers: readonly Container[];
  readonly timeoutSeconds?: number | undefined;
  readonly containerConcurrency?: number | undefined;
  readonly [field: string]: unknown;
}

interface RevisionTemplate {
  readonly metadata?:
    | {
        readonly name?: string | undefined;
        readonly labels?: Readonly<Record<string, string>> | undefined;
        readonly annotations?: Readonly<Record<string, string>> | undefined;
      }
    | undefined;
  readonly spec: RevisionSpec;
}

/** A share of a Route's traffic; in a status with the Revision that it goes to. */
export interface RouteTarget {
  readonly revisionName?: string | undefined;
  readonly configurationName?: string | undefined;
  readonly latestRevision?: boolean | undefined;
  readonly percent?: number | undefined;
  readonly tag?: string | undefined;
  readonly url?: string | undefined;
}

interface Latest {
  readonly latestCreatedRevisionName?: string | undefined;
  readonly latestReadyRevisionName?: string | undefined;
}

interface Routed {
  readonly url?: string | undefined;
  readonly address?: { readonly url: string } | undefined;
  readonly traffic?: readonly RouteTarget[] | undefined;
}

export interface Service extends KubeObject {
  readonly spec: { readonly template: RevisionTemplate; readonly traffic?: readonly RouteTarget[] | undefined };
  readonly status?: (Status & Latest & Routed) | undefined;
}

export interface Configuration extends KubeObject {
  readonly spec: { readonly template: RevisionTemplate };
  readonly status?: (Status & Latest) | undefined;
}

export interface KnativeRoute extends KubeObject {
  readonly spec: { readonly traffic: readonly RouteTarget[] };
  readonly status?: (Status & Routed) | undefined;
}

export interface Revision extends KubeObject {
  readonly spec: RevisionSpec;
  readonly status?:
    | (Status & { readonly actualReplicas?: number | undefined; readonly desiredReplicas?: number | undefined })
    | undefined;
}

/** Whether a Route leads to the Revision; empty while that is not known yet. */
export type Reachability = '' | 'Reachable' | 'Unreachable';

export interface FullPodAutoscaler extends KubeObject {
  readonly spec: {
    readonly reachability?: Reachability | undefined;
    readonly protocolType: string;
    readonly scaleTargetRef: { readonly apiVersion: string; readonly kind: string; readonly name: string };
  };
  readonly status?:
    | (Status & {
        readonly desiredScale?: number | undefined;
        readonly actualScale?: number | undefined;
        readonly serviceName: string;
        readonly metricsServiceName: string;
      })
    | undefined;
}

const serving = <T extends KubeObject>(plural: string, kind: string): Resource<T> => ({
  group: 'serving.knative.dev',
  version: 'v1',
  plural,
  kind,
  namespaced: true,
});

export const SERVICE = serving<Service>('services', 'Service');
export const CONFIGURATION = serving<Configuration>('configurations', 'Configuration');
export const ROUTE = serving<KnativeRoute>('routes', 'Route');
export const REVISION = serving<Revision>('revisions', 'Revision');
const { group, version, plural, kind, namespaced } = POD_AUTOSCALER;
export const FULL_POD_AUTOSCALER: Resource<FullPodAutoscaler> = { group, version, plural, kind, namespaced };
