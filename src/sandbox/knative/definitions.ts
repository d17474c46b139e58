import { readdirSync, readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { Kube, KubeObject, Resource } from '../../kube/port.ts';

/** Knative Serving's own definitions, unmodified. */
const FOLDER = new URL('../../../knative/crds/', import.meta.url);

const CRD: Resource<KubeObject> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

/** The CustomResourceDefinitions of Knative Serving, as its release has them. */
const knativeDefinitions = (): readonly KubeObject[] =>
  readdirSync(FOLDER)
    .filter((file) => file.endsWith('.yaml'))
    .toSorted()
    .flatMap((file) =>
      parseAllDocuments(readFileSync(new URL(file, FOLDER), 'utf8')).map((document) => document.toJS() as KubeObject),
    );

/** Has the API serve Knative's objects. */
export const installKnative = async (kube: Kube): Promise<void> => {
  for (const definition of knativeDefinitions()) await kube.create(CRD, definition);
};
