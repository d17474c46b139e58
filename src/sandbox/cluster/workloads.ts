import { appsResource } from '../../api/apps.ts';
import type { KubeObject, ObjectRef } from '../../kube/port.ts';

/** What pods are made from. */
export interface FullPodTemplate {
  readonly metadata?: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> };
  readonly spec: object;
}

/** How a Deployment replaces its pods; numbers, or percentages of the replicas. */
export interface Strategy {
  readonly type?: string | undefined;
  readonly rollingUpdate?:
    | { readonly maxSurge?: number | string | undefined; readonly maxUnavailable?: number | string | undefined }
    | undefined;
}

/** The kinds that the stand-ins for Kubernetes' own controllers work on. */
export interface DeployedWorkload extends KubeObject {
  readonly spec: {
    readonly replicas?: number | undefined;
    readonly selector: { readonly matchLabels?: Readonly<Record<string, string>> | undefined };
    readonly template: FullPodTemplate;
    readonly strategy?: Strategy | undefined;
    readonly progressDeadlineSeconds?: number | undefined;
  };
  readonly status?:
    | {
        readonly replicas?: number | undefined;
        readonly updatedReplicas?: number | undefined;
        readonly readyReplicas?: number | undefined;
        readonly availableReplicas?: number | undefined;
        readonly conditions?: readonly DeploymentCondition[] | undefined;
      }
    | undefined;
}

export interface DeploymentCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly lastUpdateTime?: string | undefined;
  readonly lastTransitionTime?: string | undefined;
}

export const FULL_DEPLOYMENT = appsResource<DeployedWorkload>('deployments', 'Deployment');
export const REPLICA_SET = appsResource<DeployedWorkload>('replicasets', 'ReplicaSet');

const TEMPLATE_HASH = 'pod-template-hash';

/** FNV-1a, as short names are made of it; not for secrets. */
export const hash = (text: string): string => {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value.toString(36).padStart(7, '0');
};

/** The reference of an object to the one that made it. */
export const ownedBy = (owner: KubeObject, kind: string, apiVersion = 'apps/v1') => ({
  apiVersion,
  kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});

export const isOwnedBy = (object: KubeObject, owner: KubeObject): boolean =>
  object.metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) ?? false;

/** The ReplicaSet that a Deployment wants for its present template. */
export const replicaSetOf = (
  deployment: DeployedWorkload,
): { readonly metadata: ObjectRef; readonly spec: object; readonly [field: string]: unknown } => {
  const { namespace, name } = deployment.metadata;
  const { template, selector } = deployment.spec;
  const id = hash(JSON.stringify(template));
  const labels = { ...template.metadata?.labels, [TEMPLATE_HASH]: id };
  const metadata = {
    namespace,
    name: `${name}-${id}`,
    labels,
    ownerReferences: [ownedBy(deployment, 'Deployment')],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata,
    spec: {
      // The rollout raises it.
      replicas: 0,
      selector: { matchLabels: { ...selector.matchLabels, [TEMPLATE_HASH]: id } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
};

/** A pod from a template; labels come beside the template's, all else instead of what it says. */
export const podFrom = (
  { metadata, spec }: FullPodTemplate,
  {
    labels,
    ...own
  }: { readonly namespace?: string | undefined; readonly labels?: object; readonly [field: string]: unknown },
  ownSpec: object = {},
) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { ...metadata, ...own, labels: { ...metadata?.labels, ...labels } },
  spec: { ...spec, ...ownSpec },
});

/** The next pod of a ReplicaSet; the API server completes its name. */
export const podOf = (replicaSet: DeployedWorkload): object =>
  podFrom(replicaSet.spec.template, {
    namespace: replicaSet.metadata.namespace,
    generateName: `${replicaSet.metadata.name}-`,
    ownerReferences: [ownedBy(replicaSet, 'ReplicaSet')],
  });
