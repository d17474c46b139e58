import type { KubeObject, Resource } from '../kube/port.ts';

/** What keeps a number of pods of one template, as far as this product reads it. */
export interface Scalable extends KubeObject {
  readonly spec?: { readonly replicas?: number | undefined } | undefined;
}

const apps = (plural: string, kind: string): Resource<Scalable> => ({
  group: 'apps',
  version: 'v1',
  plural,
  kind,
  namespaced: true,
});

export const DEPLOYMENT = apps('deployments', 'Deployment');
export const STATEFUL_SET = apps('statefulsets', 'StatefulSet');
