import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { POD } from '../api/core.ts';
import type { Kube, KubeObject, Resource } from '../kube/port.ts';
import { DEPLOYMENT } from './cluster/workloads.ts';
import { SERVICE } from './knative/resources.ts';

/** The package's own folder, with its manifests. */
const ROOT = new URL('../../', import.meta.url);

const CRD: Resource<KubeObject> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly { readonly clientConfig: { readonly caBundle?: string | undefined } }[] | undefined;
}

const MUTATING_WEBHOOKS: Resource<WebhookConfiguration> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'mutatingwebhookconfigurations',
  kind: 'MutatingWebhookConfiguration',
  namespaced: false,
};

const VALIDATING_WEBHOOKS: Resource<WebhookConfiguration> = {
  ...MUTATING_WEBHOOKS,
  plural: 'validatingwebhookconfigurations',
  kind: 'ValidatingWebhookConfiguration',
};

const KINDS: readonly Resource<KubeObject>[] = [CRD, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, DEPLOYMENT, POD, SERVICE];

const read = (file: string): KubeObject[] =>
  parseAllDocuments(readFileSync(new URL(file, ROOT), 'utf8')).map((document) => document.toJS() as KubeObject);

/** Creates everything that the file holds, in the namespace `default` where it names none. */
export const apply = async (kube: Kube, file: string): Promise<void> => {
  for (const object of read(file)) {
    const resource = KINDS.find(({ kind }) => kind === object.kind);
    if (!resource) throw new Error(`${file} holds a ${object.kind}, which the sandbox has no sample of`);
    const metadata = { ...(resource.namespaced && { namespace: 'default' }), ...object.metadata };
    await kube.create(resource, { ...object, metadata });
  }
};

/** Whether the API server can verify the webhooks. */
export const areWebhooksTrusted = async (kube: Kube): Promise<boolean> =>
  (await Promise.all([MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS].map((kind) => kube.list(kind))))
    .flat()
    .every(({ webhooks = [] }) => webhooks.every(({ clientConfig }) => (clientConfig.caBundle ?? '') !== ''));

/** What the product is installed from. */
export const CRD_FILE = 'config/crd/podeips.alibabacloud.com.yaml';
/** The kinds by which an operator restricts namespaces. */
export const POLICY_CRD_FILES = [
  'config/crd/eippolicies.podeip-controller.alibabacloud.com.yaml',
  'config/crd/eipusages.podeip-controller.alibabacloud.com.yaml',
] as const;
export const WEBHOOK_FILES = [
  'config/webhook/mutating_webhook_configuration.yaml',
  'config/webhook/validating_webhook_configuration.yaml',
] as const;

/** Knative Services of the story. */
export const ON_ECS = 'helloworld-bandwidth-plan';
export const ON_ECI = 'helloworld-on-eci';
export const WITH_OWN_EIP = 'helloworld-existing-eip';
/** The sample that the webhook refuses on purpose: there never is a pod of it. */
export const CONTRADICTION = 'contradiction';
/** The sample that only the controller can refuse, because only it can look into the account. */
export const REFUSED = 'unknown-eip';

/** The workloads that come and go. */
export const SAMPLES: readonly { file: string; resource: Resource<KubeObject>; name: string }[] = [
  { file: 'config/samples/web.yaml', resource: DEPLOYMENT, name: 'web' },
  { file: 'knative/bandwidth-plan.yaml', resource: SERVICE, name: ON_ECS },
  { file: 'knative/on-eci.yaml', resource: SERVICE, name: ON_ECI },
  { file: 'knative/existing-eip.yaml', resource: SERVICE, name: WITH_OWN_EIP },
  { file: 'config/samples/unknown-eip.yaml', resource: POD, name: REFUSED },
  { file: 'config/samples/contradiction.yaml', resource: POD, name: CONTRADICTION },
];

/** Whether a pod is one of theirs, by its name; the others are the user's. */
export const isOfSample = (pod: string): boolean =>
  SAMPLES.some(({ name }) => pod === name || pod.startsWith(`${name}-`));

/** What the samples name and the cloud must have. */
export const EXISTING_EIP = 'eip-bp1q5n8cq4p7f6dzuxxxx';
export const BANDWIDTH_PACKAGE = 'cbwp-2zeukbj916scmj51mxxxx';
