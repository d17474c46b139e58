import type { KubeObject, Resource } from '../kube/port.ts';

/** The part of a schema that names fields. */
interface Schema {
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
}

/** The part of a CustomResourceDefinition that is looked at. */
export interface CustomResourceDefinition extends KubeObject {
  readonly spec?:
    | {
        readonly versions?:
          | readonly {
              readonly name: string;
              readonly served?: boolean | undefined;
              readonly subresources?: { readonly status?: object | undefined } | undefined;
              readonly schema?: { readonly openAPIV3Schema?: Schema | undefined } | undefined;
            }[]
          | undefined;
      }
    | undefined;
}

export const CRD: Resource<CustomResourceDefinition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};
