import { X509Certificate } from 'node:crypto';
import { NODE_CERTIFICATE } from '../../api/annotations.ts';
import { CERTIFICATE_SIGNING_REQUEST, KUBELET_SIGNERS, nodeUser } from '../../api/csr.ts';
import { POD, SECRET } from '../../api/core.ts';
import type { Config } from '../../config/schema.ts';
import { LEASE } from '../../kube/lease.ts';
import { isOurNode, VIRTUAL_NODE, type VirtualNode } from '../../virtualnode/node.ts';
import { parseQuantity } from '../../virtualnode/translate/quantity.ts';
import type { Answer, NodeRequestFact, VirtualNodeFact } from '../facts.ts';
import { knownAs } from '../facts.ts';
import { ask, type Reading } from './ask.ts';
import { leaseFact } from './read-installation.ts';

const LEASE_NAMESPACE = 'kube-node-lease';
/** As src/manager names it; config/virtual-node has it. */
const IDENTITY_SECRET = 'knative-eip-virtual-node-identity';

const absent: VirtualNodeFact = { standing: 'absent', isReady: false, version: '', podCapacity: 0, pods: 0 };

/** Undefined where no virtual node is configured. */
export const readVirtualNode = (
  reading: Reading,
  config: Config | undefined,
  serverNow: () => number,
): Promise<Answer<VirtualNodeFact | undefined>> =>
  ask(reading, async (signal) => {
    if (!config?.virtualNode.enabled) return undefined;
    const { kube } = reading;
    const { nodeName } = config.virtualNode;
    const node = await kube.get<VirtualNode>(VIRTUAL_NODE, { name: nodeName }, signal);
    if (!node) return absent;
    if (!isOurNode(node)) return { ...absent, standing: 'another' };
    const [lease, pods] = await Promise.all([
      kube.get(LEASE, { namespace: LEASE_NAMESPACE, name: nodeName }, signal),
      kube.list(POD, { fieldSelector: `spec.nodeName=${nodeName}` }, signal),
    ]);
    const beat = lease && leaseFact(lease, serverNow()).ageMs;
    const conditions = node.status?.conditions ?? [];
    const certificate = conditions.find(({ type }) => type === NODE_CERTIFICATE);
    return {
      standing: 'ours',
      isReady: conditions.some(({ type, status }) => type === 'Ready' && status === 'True'),
      version: node.status?.nodeInfo?.['kubeletVersion'] ?? '',
      ...(beat !== undefined && { beatAgeMs: beat }),
      ...(certificate?.status === 'False' && { certificateProblem: certificate.message }),
      podCapacity: parseQuantity(node.status?.capacity?.['pods'] ?? '') ?? 0,
      pods: pods.length,
    };
  });

const hasIdentity = (config: Config | undefined): config is Config =>
  config !== undefined && config.virtualNode.enabled && config.virtualNode.identity !== 'serviceAccount';

const SIGNERS: readonly string[] = Object.values(KUBELET_SIGNERS).map(({ signerName }) => signerName);

/** The accounts as which the first certificate is asked for: of the Deployment of its own, and of the controller. */
const requestersIn = (namespace: string): readonly string[] =>
  ['knative-eip-virtual-node', 'knative-eip'].map((name) => `system:serviceaccount:${namespace}:${name}`);

/** Requests for certificates of the Node, client or serving, that nobody has approved or denied. */
export const readNodeRequests = (
  reading: Reading,
  { namespace, config }: { readonly namespace: string; readonly config: Config | undefined },
): Promise<Answer<readonly NodeRequestFact[]>> =>
  hasIdentity(config)
    ? ask(reading, async (signal) =>
        (await reading.kube.list(CERTIFICATE_SIGNING_REQUEST, {}, signal))
          .filter(
            ({ metadata, spec, status }) =>
              (spec.username === nodeUser(config.virtualNode.nodeName) ||
                metadata.name.startsWith(`node-csr-${config.virtualNode.nodeName}-`)) &&
              (status?.conditions ?? []).length === 0 &&
              status?.certificate === undefined,
          )
          .map(({ metadata: { name }, spec: { username = '', signerName } }) => ({
            name,
            user: username,
            signer: signerName,
            isGenuine:
              SIGNERS.includes(signerName) &&
              [nodeUser(config.virtualNode.nodeName), ...requestersIn(namespace)].includes(username),
          })),
      )
    : Promise.resolve(knownAs([]));

/** Of the Secret only the end of the certificate is kept. */
export const readNodeCertificate = (
  reading: Reading,
  { namespace, config }: { readonly namespace: string; readonly config: Config | undefined },
): Promise<Answer<number | undefined>> =>
  hasIdentity(config)
    ? ask(reading, async (signal) => {
        const secret = await reading.kube.get(SECRET, { namespace, name: IDENTITY_SECRET }, signal);
        const pem = Buffer.from(secret?.data?.['tls.crt'] ?? '', 'base64').toString('utf8');
        return pem === '' ? undefined : new X509Certificate(pem).validToDate.getTime();
      })
    : Promise.resolve(knownAs(undefined));
