import type { KubeObject, Resource } from '../kube/port.ts';

/** What keeps a number of pods of one template, as far as this product reads it. */
export interface Scalable extends KubeObject {
  readonly spec?: { readonly replicas?: number | undefined } | undefined;
}

/** A kind of the group apps/v1. */
export const appsResource = <T extends KubeObject>(plural: string, kind: string): Resource<T> => ({
  group: 'apps',
  version: 'v1',
  plural,
  kind,
  namespaced: true,
});

export const DEPLOYMENT = appsResource<Scalable>('deployments', 'Deployment');
export const STATEFUL_SET = appsResource<Scalable>('statefulsets', 'StatefulSet');
