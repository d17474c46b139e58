import type { OwnerReference } from '../../kube/port.ts';
import { hash, type DeployedWorkload } from '../cluster/workloads.ts';
import { AUTOSCALING, ANNOTATION, LABEL, among, controlledBy, without, type Strings } from './child-metadata.ts';
import { podSpecOf } from './podspec.ts';
import {
  CONFIGURATION,
  REVISION,
  SERVICE,
  type Configuration,
  type FullPodAutoscaler,
  type Reachability,
  type Revision,
  type KnativeRoute,
  type Service,
} from './resources.ts';

/** An object that is to be there; the API server adds the rest of its metadata. */
export interface Wanted<T> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly namespace: string | undefined;
    readonly name: string;
    readonly labels: Strings;
    readonly annotations: Strings;
    readonly ownerReferences: readonly OwnerReference[];
  };
  readonly spec: T;
}

const SERVING_V1 = 'serving.knative.dev/v1';

const serviceLabels = ({ metadata }: Service): Strings => ({
  ...metadata.labels,
  [LABEL.service]: metadata.name,
  [LABEL.serviceUid]: metadata.uid,
});

/** Source: knative/serving pkg/reconciler/service/resources/configuration.go. */
export const configurationOf = (service: Service): Wanted<Configuration['spec']> => ({
  apiVersion: SERVING_V1,
  kind: 'Configuration',
  metadata: {
    namespace: service.metadata.namespace,
    name: service.metadata.name,
    labels: serviceLabels(service),
    annotations: {
      ...without(service.metadata.annotations, among(ANNOTATION.lastApplied, ANNOTATION.rolloutDuration)),
      [ANNOTATION.routes]: service.metadata.name,
    },
    ownerReferences: [controlledBy(SERVICE, service)],
  },
  spec: { template: service.spec.template },
});

/** Source: knative/serving pkg/reconciler/service/resources/route.go. */
export const routeOf = (service: Service): Wanted<KnativeRoute['spec']> => ({
  apiVersion: SERVING_V1,
  kind: 'Route',
  metadata: {
    namespace: service.metadata.namespace,
    name: service.metadata.name,
    labels: { ...service.metadata.labels, [LABEL.service]: service.metadata.name },
    annotations: without(service.metadata.annotations, among(ANNOTATION.lastApplied)),
    ownerReferences: [controlledBy(SERVICE, service)],
  },
  spec: {
    traffic: (service.spec.traffic ?? [{ latestRevision: true, percent: 100 }]).map((target) =>
      target.revisionName === undefined ? { ...target, configurationName: service.metadata.name } : target,
    ),
  },
});

const revisionNameOf = ({ metadata, spec }: Configuration): string =>
  spec.template.metadata?.name ?? `${metadata.name}-${String(metadata.generation ?? 1).padStart(5, '0')}`;

/**
 * The Revision of the present template. The template's labels and annotations go over, those of the Service do not.
 * Source: knative/serving pkg/reconciler/configuration/resources/revision.go.
 */
export const revisionObjectOf = (configuration: Configuration, now: string): Wanted<Revision['spec']> => {
  const { metadata, spec } = configuration;
  const { containers, ...rest } = spec.template.spec;
  return {
    apiVersion: SERVING_V1,
    kind: 'Revision',
    metadata: {
      namespace: metadata.namespace,
      name: revisionNameOf(configuration),
      labels: {
        ...spec.template.metadata?.labels,
        [LABEL.configuration]: metadata.name,
        [LABEL.configurationGeneration]: String(metadata.generation ?? 1),
        [LABEL.configurationUid]: metadata.uid,
        [LABEL.routingState]: 'pending',
        ...(metadata.labels?.[LABEL.service] && {
          [LABEL.service]: metadata.labels[LABEL.service],
          [LABEL.serviceUid]: metadata.labels[LABEL.serviceUid] ?? '',
        }),
      },
      annotations: {
        ...spec.template.metadata?.annotations,
        [ANNOTATION.creator]: 'system:serviceaccount:knative-serving:controller',
        [ANNOTATION.routes]: metadata.name,
        [ANNOTATION.routingStateModified]: now,
      },
      ownerReferences: [controlledBy(CONFIGURATION, configuration)],
    },
    // What Knative's defaulting webhook fills in. Source: pkg/apis/serving/v1/revision_defaults.go.
    spec: {
      timeoutSeconds: 300,
      containerConcurrency: 0,
      enableServiceLinks: false,
      ...rest,
      containers: containers.map((container, index) => ({
        ...container,
        name: container.name ?? (containers.length === 1 ? 'user-container' : `user-container-${index}`),
      })),
    },
  };
};

/** What Deployment, pod and PodAutoscaler are labelled with. Source: pkg/reconciler/revision/resources/meta.go. */
const workloadLabels = ({ metadata }: Revision): Record<string, string> => ({
  app: metadata.name,
  ...without(metadata.labels, among(LABEL.route, LABEL.routingState)),
  [LABEL.revision]: metadata.name,
  [LABEL.revisionUid]: metadata.uid,
});

const NOT_FOR_PODS = among(
  `${LABEL.revision}/lastPinned`,
  'serving.knative.dev/lastPinned',
  'serving.knative.dev/no-gc',
  ANNOTATION.routingStateModified,
  ANNOTATION.routes,
);

const podAnnotations = ({ metadata }: Revision): Record<string, string> =>
  without(metadata.annotations, (key) => NOT_FOR_PODS(key) || key.startsWith(AUTOSCALING));

/** How long a Deployment may take until its Revision counts as failed; seconds. config-deployment progress-deadline. */
const PROGRESS_DEADLINE_S = 600;

/** Milliseconds of `10m`, `30s`, `1m30s`; undefined for other text. */
export const durationMs = (text: string | undefined): number | undefined => {
  const parts = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/u.exec(text ?? '');
  if (!parts || !text) return undefined;
  const [hours = 0, minutes = 0, seconds = 0] = parts.slice(1).map((part) => Number(part ?? 0));
  return ((hours * 60 + minutes) * 60 + seconds) * 1_000;
};

export const progressDeadlineMs = ({ metadata }: Pick<Revision, 'metadata'>): number =>
  durationMs(metadata.annotations?.[ANNOTATION.progressDeadline]) ?? PROGRESS_DEADLINE_S * 1_000;

export const deploymentNameOf = ({ metadata }: Revision | FullPodAutoscaler): string => `${metadata.name}-deployment`;

/** What is not Knative's to write. */
const foreign = (strings: Strings | undefined): Record<string, string> =>
  without(strings, (key) => key.includes('knative.dev/') || key === 'app' || key === 'pod-template-hash');

/**
 * The Deployment of a Revision. What is written on it by others stays, in its template too, and beats what the Revision
 * says now. Source: pkg/reconciler/revision/resources/deploy.go, cruds.go checkAndUpdateDeployment.
 */
export const deploymentOf = (
  revision: Revision,
  replicas: number,
  have?: DeployedWorkload,
): Wanted<DeployedWorkload['spec'] & object> => {
  const labels = workloadLabels(revision);
  const annotations = podAnnotations(revision);
  const id = hash(JSON.stringify([labels, annotations, revision.spec]));
  const template = have?.spec.template.metadata;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      namespace: revision.metadata.namespace,
      name: deploymentNameOf(revision),
      labels: { ...labels, ...foreign(have?.metadata.labels), [LABEL.deploymentHash]: id },
      annotations: { ...annotations, ...foreign(have?.metadata.annotations) },
      ownerReferences: [controlledBy(REVISION, revision)],
    },
    spec: {
      replicas: have?.spec.replicas ?? replicas,
      selector: { matchLabels: { [LABEL.revisionUid]: revision.metadata.uid } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
      progressDeadlineSeconds: Math.ceil(progressDeadlineMs(revision) / 1_000),
      template: {
        metadata: {
          labels: { ...labels, ...foreign(template?.labels) },
          annotations: {
            ...annotations,
            'kubectl.kubernetes.io/default-container': revision.spec.containers[0]?.name ?? 'user-container',
            ...foreign(template?.annotations),
          },
        },
        spec: podSpecOf(revision),
      },
    },
  };
};

/** Source: pkg/reconciler/revision/resources/pa.go. */
export const podAutoscalerOf = (revision: Revision, reachability: Reachability): Wanted<FullPodAutoscaler['spec']> => ({
  apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
  kind: 'PodAutoscaler',
  metadata: {
    namespace: revision.metadata.namespace,
    name: revision.metadata.name,
    labels: workloadLabels(revision),
    annotations: {
      [`${AUTOSCALING}class`]: 'kpa.autoscaling.knative.dev',
      [`${AUTOSCALING}metric`]: 'concurrency',
      ...without(revision.metadata.annotations, NOT_FOR_PODS),
    },
    ownerReferences: [controlledBy(REVISION, revision)],
  },
  spec: {
    protocolType: 'http1',
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: deploymentNameOf(revision) },
    ...(reachability === '' ? {} : { reachability }),
  },
});
