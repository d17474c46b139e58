import { readdirSync, readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { CRD } from '../../api/apiextensions.ts';
import type { Kube, KubeObject } from '../../kube/port.ts';

/** Knative Serving's own definitions, unmodified. */
const FOLDER = new URL('../../../knative/crds/', import.meta.url);

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
