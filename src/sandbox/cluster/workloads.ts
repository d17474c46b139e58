import type { Pod } from '../../api/core.ts';
import type { KubeObject, Resource } from '../../kube/port.ts';

/** The kinds that the stand-ins for Kubernetes' own controllers work on. */
interface PodTemplate {
  readonly metadata?: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> };
  readonly spec: Pod['spec'];
}

export interface Workload extends KubeObject {
  readonly spec: {
    readonly replicas?: number | undefined;
    readonly selector: { readonly matchLabels?: Record<string, string> | undefined };
    readonly template: PodTemplate;
  };
  readonly status?: { readonly replicas?: number | undefined; readonly readyReplicas?: number | undefined } | undefined;
}

const apps = (plural: string, kind: string): Resource<Workload> => ({
  group: 'apps',
  version: 'v1',
  plural,
  kind,
  namespaced: true,
});

export const DEPLOYMENT = apps('deployments', 'Deployment');
export const REPLICA_SET = apps('replicasets', 'ReplicaSet');

const TEMPLATE_HASH = 'pod-template-hash';

/** FNV-1a, as short names are made of it; not for secrets. */
const hash = (text: string): string => {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value.toString(36).padStart(7, '0');
};

const ownedBy = (owner: KubeObject, kind: string) => ({
  apiVersion: 'apps/v1',
  kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});

export const isOwnedBy = (object: KubeObject, owner: KubeObject): boolean =>
  object.metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) ?? false;

/** The ReplicaSet that a Deployment wants for its present template. */
export const replicaSetOf = (deployment: Workload): { metadata: object; spec: object } & Record<string, unknown> => {
  const { namespace, name } = deployment.metadata;
  const { template, selector, replicas = 1 } = deployment.spec;
  const id = hash(JSON.stringify(template));
  const labels = { ...template.metadata?.labels, [TEMPLATE_HASH]: id };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { namespace, name: `${name}-${id}`, labels, ownerReferences: [ownedBy(deployment, 'Deployment')] },
    spec: {
      replicas,
      selector: { matchLabels: { ...selector.matchLabels, [TEMPLATE_HASH]: id } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
};

/** The next pod of a ReplicaSet; the API server completes its name. */
export const podOf = (replicaSet: Workload): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    namespace: replicaSet.metadata.namespace,
    generateName: `${replicaSet.metadata.name}-`,
    ...replicaSet.spec.template.metadata,
    ownerReferences: [ownedBy(replicaSet, 'ReplicaSet')],
  },
  spec: replicaSet.spec.template.spec,
});
