import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { DEPLOYMENT } from './cluster/workloads.ts';
import { POD } from '../api/core.ts';
import type { Kube, KubeObject, Resource } from '../kube/port.ts';

/** The package's own folder of manifests. */
const CONFIG = new URL('../../config/', import.meta.url);

const CRD: Resource<KubeObject> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

const KINDS: readonly Resource<KubeObject>[] = [CRD, DEPLOYMENT, POD];

const read = (file: string): KubeObject[] =>
  parseAllDocuments(readFileSync(new URL(file, CONFIG), 'utf8')).map((document) => document.toJS() as KubeObject);

/** Creates everything that the file holds. */
export const apply = async (kube: Kube, file: string): Promise<void> => {
  for (const object of read(file)) {
    const resource = KINDS.find(({ kind }) => kind === object.kind);
    if (!resource) throw new Error(`${file} holds a ${object.kind}, which the sandbox has no sample of`);
    await kube.create(resource, object);
  }
};

export const CRD_FILE = 'crd/podeips.alibabacloud.com.yaml';
/** The kinds by which an operator restricts namespaces. */
export const POLICY_CRD_FILES = [
  'crd/eippolicies.podeip-controller.alibabacloud.com.yaml',
  'crd/eipusages.podeip-controller.alibabacloud.com.yaml',
] as const;

/** The workloads that come and go, and how many addresses each should get. */
export const SAMPLES: readonly { file: string; resource: Resource<KubeObject>; name: string }[] = [
  { file: 'samples/web.yaml', resource: DEPLOYMENT, name: 'web' },
  { file: 'samples/hello.yaml', resource: DEPLOYMENT, name: 'hello-00001-deployment' },
  { file: 'samples/existing.yaml', resource: POD, name: 'existing' },
  { file: 'samples/contradiction.yaml', resource: POD, name: 'contradiction' },
];

/** What the samples name and the cloud must have. */
export const EXISTING_EIP = 'eip-sandbox0000000000001';
export const BANDWIDTH_PACKAGE = 'cbwp-sandbox0000000000001';
/** The sample that is refused on purpose. */
export const REFUSED = 'contradiction';
/** The sample that scales, as Knative's autoscaler would. */
export const SCALED = 'hello-00001-deployment';
