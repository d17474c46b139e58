import type { Pod, PodTemplate } from '../api/core.ts';
import type { ChoosingVolume } from '../request/instance-choices.ts';
import type { WorkloadPod } from '../virtualnode/workload-pod.ts';
import type { WrittenLabel } from './written-labels.ts';
import { REVISION_LABEL, SERVICE_LABEL, SERVICE_UID, type TrafficTarget } from '../api/knative.ts';

export type Annotations = Readonly<Record<string, string>>;

/** As in a Deployment: what it does not say is undefined, and the two numbers may be percentages. */
export interface RolloutStrategy {
  /** `RollingUpdate` or `Recreate`. */
  readonly type?: string | undefined;
  readonly maxSurge?: number | string | undefined;
  readonly maxUnavailable?: number | string | undefined;
}

/** A pod, or what makes pods, as far as the rules read it. */
export interface Workload {
  /** As in the manifest: Service (Knative's), Configuration, Revision, Deployment, StatefulSet, Pod, … */
  readonly kind: string;
  /** '' where it is not known yet: the API server makes up names, and manifests leave the namespace out. */
  readonly namespace: string;
  readonly name: string;
  /** Whether Knative Serving scales it. */
  readonly isKnative: boolean;
  /** The Knative Service that it is, or belongs to. */
  readonly service: string | undefined;
  /** What controls it; undefined where nothing does. */
  readonly owner: { readonly kind: string; readonly name: string } | undefined;
  /** Those that its pods get. */
  readonly annotations: Annotations;
  /** Those of the object itself, which no pod gets; empty where the object is a pod or a Revision. */
  readonly outside: Annotations;
  /** Labels of the object itself; undefined where the object is a pod or a Revision, whose own are the template's. */
  readonly outsideLabels?: Annotations | undefined;
  readonly template: PodTemplate;
  /** What its pods get beside the labels of the template. @default none */
  readonly writtenLabels?: readonly WrittenLabel[] | undefined;
  readonly hostNetwork: boolean;
  /** The whole of what its pods are; undefined where nothing has to be said about it. */
  readonly podSpec?: WorkloadPod['spec'] | undefined;
  /** As far as they are read. */
  readonly volumes?: readonly ChoosingVolume[] | undefined;
  /** How many pods at once, where the object says it; a Deployment that says nothing has 1. */
  readonly replicas: number | undefined;
  /** Of a Deployment: how a rollout replaces its pods. */
  readonly strategy?: RolloutStrategy | undefined;
  /** Of a Knative Service: where its requests go; undefined for the latest Revision. */
  readonly traffic?: readonly TrafficTarget[] | undefined;
  /** Of a Knative Service: the name that its template gives its next Revision; undefined where Knative does. */
  readonly templateName?: string | undefined;
  /** Of a Knative Service: the Revision that was made of its present template, if that is known to be there. */
  readonly latestRevision?: string | undefined;
  /** Whether it is on its way out. */
  readonly isEnding: boolean;
}

/** A pod as the API server has it. */
export const workloadOfPod = ({ metadata, spec }: Pod): Workload => {
  const labels = metadata.labels ?? {};
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  return {
    kind: 'Pod',
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    isKnative: Object.hasOwn(labels, REVISION_LABEL) || Object.hasOwn(labels, SERVICE_UID),
    service: labels[SERVICE_LABEL],
    owner: owner && { kind: owner.kind, name: owner.name },
    annotations: metadata.annotations ?? {},
    outside: {},
    template: { metadata: { labels, annotations: metadata.annotations }, spec },
    hostNetwork: spec.hostNetwork === true,
    replicas: undefined,
    isEnding: metadata.deletionTimestamp !== undefined,
  };
};
