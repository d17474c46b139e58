import type { KubeObject, Resource } from '../kube/port.ts';

/**
 * The labels that Knative Serving puts on the pods of a Service. Source: knative/serving pkg/apis/serving/register.go
 * and pkg/reconciler/revision/resources/meta.go.
 */
const SERVING = 'serving.knative.dev/';

export const SERVICE_LABEL = `${SERVING}service`;
/** Tells a Service from one of the same name before it. */
export const SERVICE_UID = `${SERVING}serviceUID`;
export const CONFIGURATION_LABEL = `${SERVING}configuration`;
/** Number of the Configuration's template: orders the Revisions of a Service. */
export const CONFIGURATION_GENERATION = `${SERVING}configurationGeneration`;
export const REVISION_LABEL = `${SERVING}revision`;
export const REVISION_UID = `${SERVING}revisionUID`;

/** Kubernetes' own: which template of its Deployment a pod was made from. */
export const POD_TEMPLATE_HASH = 'pod-template-hash';

/** The labels that a PodEIP has from its pod, so that the addresses of a Service or Revision can be selected. */
export const INHERITED_LABELS = [
  SERVICE_LABEL,
  SERVICE_UID,
  CONFIGURATION_LABEL,
  CONFIGURATION_GENERATION,
  REVISION_LABEL,
  REVISION_UID,
  POD_TEMPLATE_HASH,
] as const;

/**
 * Where a Service sends requests: to a Revision by its name, or to the latest one. In a status each entry has the name.
 * Source: knative/serving pkg/apis/serving/v1/route_types.go.
 */
export interface TrafficTarget {
  readonly revisionName?: string | undefined;
  readonly latestRevision?: boolean | undefined;
  /** Of all requests; undefined and 0 are the same. */
  readonly percent?: number | undefined;
  /** A host name of its own, which gets requests also at 0 percent. */
  readonly tag?: string | undefined;
}

/** Whether requests reach what the target names. */
export const isReached = ({ percent = 0, tag = '' }: TrafficTarget): boolean => percent > 0 || tag !== '';

/** A Revision: its annotations are those of its pods. Source: knative/serving pkg/apis/serving/v1/revision_types.go. */
export const KNATIVE_REVISION: Resource<KubeObject> = {
  group: 'serving.knative.dev',
  version: 'v1',
  plural: 'revisions',
  kind: 'Revision',
  namespaced: true,
};

/** A Knative Service, as far as this product reads it. Source: knative/serving pkg/apis/serving/v1/service_types.go. */
export interface KnativeService extends KubeObject {
  readonly spec?:
    | {
        readonly template?:
          | {
              readonly metadata?:
                | {
                    readonly name?: string | undefined;
                    readonly annotations?: Readonly<Record<string, string>> | undefined;
                    readonly labels?: Readonly<Record<string, string>> | undefined;
                  }
                | undefined;
            }
          | undefined;
        /** Knative's webhook writes the latest Revision at 100 percent where there is none. */
        readonly traffic?: readonly TrafficTarget[] | undefined;
      }
    | undefined;
  readonly status?:
    | {
        readonly conditions?: readonly KnativeCondition[] | undefined;
        /** Where requests go now. */
        readonly traffic?: readonly TrafficTarget[] | undefined;
        readonly latestCreatedRevisionName?: string | undefined;
      }
    | undefined;
}

/**
 * What scales one Revision. An API of Knative's own, read only where it is there. Source: knative/serving
 * pkg/apis/autoscaling/v1alpha1/pa_types.go.
 */
export interface PodAutoscaler extends KubeObject {
  readonly status?: { readonly conditions?: readonly KnativeCondition[] | undefined } | undefined;
}

export const POD_AUTOSCALER: Resource<PodAutoscaler> = {
  group: 'autoscaling.internal.knative.dev',
  version: 'v1alpha1',
  plural: 'podautoscalers',
  kind: 'PodAutoscaler',
  namespaced: true,
};

/** A condition with a severity: one of severity `Info` does not count for the condition Ready (knative/pkg apis). */
export interface KnativeCondition {
  readonly type: string;
  readonly status: string;
  readonly severity?: string | undefined;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly lastTransitionTime?: string | undefined;
}

export const KNATIVE_SERVICE: Resource<KnativeService> = {
  group: 'serving.knative.dev',
  version: 'v1',
  plural: 'services',
  kind: 'Service',
  namespaced: true,
};
