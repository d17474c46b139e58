import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS } from '../api/admission-registration.ts';
import { CRD } from '../api/apiextensions.ts';
import { POD } from '../api/core.ts';
import type { Kube, KubeObject, KubeTransport, Resource } from '../kube/port.ts';
import { FULL_DEPLOYMENT } from './cluster/workloads.ts';
import { SERVICE } from './knative/resources.ts';

/** The package's own folder, with its manifests. */
const ROOT = new URL('../../', import.meta.url);

const KINDS: readonly Resource<KubeObject>[] = [
  CRD,
  MUTATING_WEBHOOKS,
  VALIDATING_WEBHOOKS,
  FULL_DEPLOYMENT,
  POD,
  SERVICE,
];

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

/**
 * Creates a sample in the namespace of the samples, under its own name there: what the user applies from the same file
 * is another object. Resolves to what was created; rejects with a KubeFault of kind `exists` where the name is taken.
 */
export const applySample = async (kube: Kube, { file, resource, name, eip }: Sample): Promise<KubeObject> => {
  const [text] = read(file).map((object) => JSON.stringify(object));
  // The EIP that the file names is the user's to try.
  const object = JSON.parse(eip === undefined ? text! : text!.replaceAll(EXISTING_EIP, eip)) as KubeObject;
  return kube.create(resource, { ...object, metadata: { ...object.metadata, namespace: SAMPLES_NAMESPACE, name } });
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
  'config/crd/eipholders.podeip-controller.alibabacloud.com.yaml',
  'config/crd/eipusages.podeip-controller.alibabacloud.com.yaml',
] as const;
/** The image caches of the virtual node. */
export const IMAGE_CACHE_CRD_FILE = 'config/virtual-node-image-caches/imagecaches.eci.alibabacloud.com.yaml';
export const WEBHOOK_FILES = [
  'config/webhook/mutating_webhook_configuration.yaml',
  'config/webhook/validating_webhook_configuration.yaml',
] as const;

/** Where the demo plays: everything that the user makes elsewhere is left alone. */
export const SAMPLES_NAMESPACE = 'samples';

/** Knative Services of the demo. */
export const ON_ECS = 'on-ecs';
export const ON_ECI = 'on-eci';
export const WITH_OWN_EIP = 'own-eip';
/** The sample that the webhook refuses on purpose: there never is a pod of it. */
export const CONTRADICTION = 'contradiction';
/** The sample that only the controller can refuse, because only it can look into the account. */
export const REFUSED = 'unknown-eip';

/** What the files name, which is free for the user, and what the account must have. */
export const EXISTING_EIP = 'eip-bp1q5n8cq4p7f6dzuxxxx';
export const BANDWIDTH_PACKAGE = 'cbwp-2zeukbj916scmj51mxxxx';
/** More that the account has for the user to name: the example of an EIP, a pool of addresses, a security group. */
export const ANOTHER_EIP = 'eip-bp14qxxxxxxx';
export const ADDRESS_POOL = { id: 'pippool-bp187arfugi543y1sxxxx', addresses: 16 } as const;
export const SECURITY_GROUP = 'sg-sandbox0000000000001';
/** The existing EIP of the demo. */
export const DEMO_EIP = 'eip-bp1samples0ofthestory';
/** The EIPs that are in the account from the beginning, and must be at the end. */
export const USERS_EIPS: readonly string[] = [EXISTING_EIP, ANOTHER_EIP, DEMO_EIP];

/** A workload that comes and goes. */
export interface Sample {
  readonly file: string;
  readonly resource: Resource<KubeObject>;
  readonly name: string;
  /** The EIP that it gets in the place of {@link EXISTING_EIP}. */
  readonly eip?: string;
}

export const SAMPLES: readonly Sample[] = [
  { file: 'config/samples/web.yaml', resource: FULL_DEPLOYMENT, name: 'web' },
  { file: 'knative/bandwidth-plan.yaml', resource: SERVICE, name: ON_ECS },
  { file: 'knative/on-eci.yaml', resource: SERVICE, name: ON_ECI },
  { file: 'knative/existing-eip.yaml', resource: SERVICE, name: WITH_OWN_EIP, eip: DEMO_EIP },
  { file: 'config/samples/unknown-eip.yaml', resource: POD, name: REFUSED },
  { file: 'config/samples/contradiction.yaml', resource: POD, name: CONTRADICTION },
];

/** Whether a pod is one of theirs; the others are the user's. */
export const isOfSample = ({ namespace }: { readonly namespace: string }): boolean => namespace === SAMPLES_NAMESPACE;

/** Whether the webhooks answer: what they must refuse is refused, without being made. */
export const doWebhooksAnswer = async (transport: KubeTransport): Promise<boolean> => {
  const [contradiction] = SAMPLES.filter(({ name }) => name === CONTRADICTION).flatMap(({ file }) => read(file));
  const object = { ...contradiction, metadata: { ...contradiction?.metadata, namespace: SAMPLES_NAMESPACE } };
  const { status } = await transport({
    method: 'POST',
    path: `/api/v1/namespaces/${SAMPLES_NAMESPACE}/pods?dryRun=All`,
    contentType: 'application/json',
    body: JSON.stringify(object),
  });
  return status === 403;
};
