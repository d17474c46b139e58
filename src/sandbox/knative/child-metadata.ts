import type { KubeObject, Resource } from '../../kube/port.ts';

/** Knative's own labels and annotations. Source: knative/serving pkg/apis/serving/register.go. */
const SERVING = 'serving.knative.dev/';
export const LABEL = {
  service: `${SERVING}service`,
  serviceUid: `${SERVING}serviceUID`,
  configuration: `${SERVING}configuration`,
  configurationUid: `${SERVING}configurationUID`,
  configurationGeneration: `${SERVING}configurationGeneration`,
  revision: `${SERVING}revision`,
  revisionUid: `${SERVING}revisionUID`,
  routingState: `${SERVING}routingState`,
  route: `${SERVING}route`,
  deploymentHash: `${SERVING}deployment-hash`,
} as const;
export const ANNOTATION = {
  creator: `${SERVING}creator`,
  routes: `${SERVING}routes`,
  routingStateModified: `${SERVING}routingStateModified`,
  rolloutDuration: `${SERVING}rollout-duration`,
  progressDeadline: `${SERVING}progress-deadline`,
  lastApplied: 'kubectl.kubernetes.io/last-applied-configuration',
} as const;

/** Prefix of the annotations that are for the autoscaler alone: they do not reach Deployment and Pod. */
export const AUTOSCALING = 'autoscaling.knative.dev/';

export type Strings = Readonly<Record<string, string>>;

export const without = (strings: Strings | undefined, isOut: (key: string) => boolean): Record<string, string> =>
  Object.fromEntries(Object.entries(strings ?? {}).filter(([key]) => !isOut(key)));

export const among =
  (...keys: readonly string[]) =>
  (key: string): boolean =>
    keys.includes(key);

/** The reference to the one controller that an object of Knative's has. */
export const controlledBy = ({ group, version, kind }: Resource<KubeObject>, { metadata }: KubeObject) => ({
  apiVersion: `${group}/${version}`,
  kind,
  name: metadata.name,
  uid: metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});
