import { PROFILE } from '../../src/api/annotations.ts';
import { VALIDATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { CERTIFICATE_SIGNING_REQUEST, KUBELET_SIGNERS } from '../../src/api/csr.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { DEPLOYMENT } from '../../src/api/apps.ts';
import { CONFIG_MAP, NODE } from '../../src/api/core.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { EIP_POLICY, EIP_USAGE } from '../../src/api/eippolicy.ts';
import { IMAGE_CACHE } from '../../src/api/imagecache.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import type { DiagnosisId } from '../../src/doctor/diagnose.ts';
import { LEASE } from '../../src/kube/lease.ts';
import { microTime } from '../../src/kube/microtime.ts';
import type { KubeObject, Patch, Resource } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { makeKey, signingRequest } from '../../src/virtualnode/signing-request.ts';
import { makeAuthority } from '../../src/webhook/make-certificates.ts';
import { definitionOf } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';
import {
  AN_EIP,
  clusterKind,
  CONFIG,
  configurationOf,
  deployment,
  heldLease,
  IMAGE_CACHE_DEFINITION,
  KNATIVE_CONTROLLER,
  NODE_LEASE,
  OURS,
  type DoctorStage,
} from './doctor-stage.ts';
import { VIRTUAL_NODE_NAME } from './stage.ts';

/** Plants one fault; what it resolves to takes it away again. */
type Plant = (stage: DoctorStage) => Promise<() => Promise<unknown> | void>;

const DAY_MS = 86_400_000;

/** An object more. */
const another =
  <T extends KubeObject>(resource: Resource<T>, object: object): Plant =>
  async ({ kube }) => {
    const { metadata } = await kube.create(resource, object);
    return () => kube.delete(resource, metadata, { uid: metadata.uid });
  };

const both =
  (...plants: readonly Plant[]): Plant =>
  async (stage) => {
    const undos: (() => Promise<unknown> | void)[] = [];
    for (const plant of plants) undos.push(await plant(stage));
    return async () => {
      for (const undo of undos.toReversed()) await undo();
    };
  };

/** Another value somewhere, and the one that was there before. */
const changed =
  <T extends KubeObject>(
    resource: Resource<T>,
    ref: { readonly namespace?: string; readonly name: string },
    {
      to,
      back,
      subresource,
    }: { readonly to: object; readonly back: object; readonly subresource?: Patch['subresource'] },
  ): Plant =>
  async ({ kube }) => {
    const write = (body: object) => kube.patch(resource, ref, { type: 'merge', body, subresource });
    await write(to);
    return () => write(back);
  };

const config =
  (over: Partial<ConfigInput> | string): Plant =>
  (stage) =>
    changed(CONFIG_MAP, CONFIG, {
      to: { data: { 'config.yaml': typeof over === 'string' ? over : configurationOf(stage, over) } },
      back: { data: { 'config.yaml': configurationOf(stage) } },
    })(stage);

const refused =
  (action: string, code: string, status: number): Plant =>
  async ({ cloud }) =>
    cloud.inject({ action, times: Infinity, fault: { effect: 'never', answer: { code, status } } });

const profile = (data: object): Plant =>
  another(CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata: PROFILE, data });

const honouring = config({
  virtualNode: { enabled: true, eciProfile: true, vSwitchIDs: ['vsw-e2e'], securityGroupID: 'sg-e2e' },
});

const policy = (name: string, spec: object): Plant =>
  another(EIP_POLICY, {
    apiVersion: `${EIP_POLICY.group}/${EIP_POLICY.version}`,
    kind: EIP_POLICY.kind,
    metadata: { name },
    spec,
  });

const podEip =
  (
    { name, allocationID = AN_EIP }: { name: string; allocationID?: string },
    ready: { status: string; reason: string; message: string },
    ageMs: number,
  ): Plant =>
  async (stage) => {
    const undo = await another(PODEIP, {
      apiVersion: `${PODEIP.group}/${PODEIP.version}`,
      kind: PODEIP.kind,
      metadata: { name, namespace: 'default' },
      spec: { allocationID, allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
    })(stage);
    const lastTransitionTime = new Date(clock.now() - ageMs).toISOString();
    const status = { conditions: [{ type: 'Ready', ...ready, lastTransitionTime }] };
    await stage.kube.patch(
      PODEIP,
      { namespace: 'default', name },
      { type: 'merge', subresource: 'status', body: { status } },
    );
    return undo;
  };
const inUse = { status: 'True', reason: 'InUse', message: '' };

/** A configuration of webhooks beside ours, which is never called; and the controller's, that names it. */
const webhooksOf =
  (more: {
    readonly bundle: () => Promise<string>;
    readonly failurePolicy?: string;
    readonly config?: ConfigInput['webhook'];
  }): Plant =>
  async (stage) => {
    const bundle = await more.bundle();
    const right = await stage.kube.get(VALIDATING_WEBHOOKS, { name: 'knative-eip' });
    const caBundle =
      bundle === 'right' ? right?.webhooks?.[0]?.clientConfig.caBundle : Buffer.from(bundle).toString('base64');
    return both(
      another(VALIDATING_WEBHOOKS, {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: VALIDATING_WEBHOOKS.kind,
        metadata: { name: 'planted' },
        webhooks: [
          {
            name: 'scale.knative-eip.alibabacloud.com',
            clientConfig: { url: 'https://127.0.0.1:1/', ...(caBundle !== '' && { caBundle }) },
            rules: [
              { apiGroups: ['none.example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['none'] },
            ],
            failurePolicy: more.failurePolicy ?? 'Ignore',
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
          },
        ],
      }),
      config({ webhook: { enabled: true, configurationName: 'planted', ...more.config } }),
    )(stage);
  };
const authorityOf = (agoMs: number) => async () => (await makeAuthority(clock.now() - agoMs)).cert;
const byCertManager = { certificateDirectory: '/tls' };

const definition =
  (kind: Pick<Resource<KubeObject>, 'plural' | 'group'>, manifest: unknown): Plant =>
  async ({ kube }) => {
    const name = `${kind.plural}.${kind.group}`;
    const there = await kube.get(CRD, { name });
    await kube.delete(CRD, { name }, { uid: there?.metadata.uid ?? '' });
    const isGone = () =>
      until(
        'the definition is gone',
        () => kube.get(CRD, { name }),
        (it) => it === undefined,
      );
    await isGone();
    return () => kube.create(CRD, manifest);
  };

const property = '/spec/versions/0/schema/openAPIV3Schema/properties/lastNamed';
const withoutField: Plant = async ({ kube }) => {
  const name = `${EIP_HOLDER.plural}.${EIP_HOLDER.group}`;
  const write = (body: object[]) => kube.patch(CRD, { name }, { type: 'json', body });
  await write([{ op: 'remove', path: property }]);
  return () => write([{ op: 'add', path: property, value: { type: 'string', format: 'date-time' } }]);
};

const nodeStatus = (to: object, back: object): Plant =>
  changed(
    VIRTUAL_NODE,
    { name: VIRTUAL_NODE_NAME },
    { to: { status: to }, back: { status: back }, subresource: 'status' },
  );

const request: Plant = async (stage) =>
  another(CERTIFICATE_SIGNING_REQUEST, {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: `node-csr-${VIRTUAL_NODE_NAME}-planted` },
    spec: {
      ...KUBELET_SIGNERS.client,
      request: Buffer.from(
        await signingRequest(await makeKey(), { nodeName: VIRTUAL_NODE_NAME, addresses: [] }),
      ).toString('base64'),
    },
  })(stage);

const BINDINGS = clusterKind('clusterrolebindings', 'ClusterRoleBinding');

const withoutBinding =
  (name: string): Plant =>
  async ({ kube }) => {
    const there = await kube.get(BINDINGS, { name });
    await kube.delete(BINDINGS, { name }, { uid: there?.metadata.uid ?? '' });
    return () => kube.create(BINDINGS, { ...there, metadata: { name } });
  };

const cacheOfAddOn: Plant = async (stage) => {
  const name = 'planted';
  const undo = await another(IMAGE_CACHE, {
    apiVersion: `${IMAGE_CACHE.group}/${IMAGE_CACHE.version}`,
    kind: IMAGE_CACHE.kind,
    metadata: { name },
    spec: { images: ['busybox'] },
  })(stage);
  const status = { phase: 'Ready', imageCacheId: 'imc-of-the-add-on' };
  await stage.kube.patch(IMAGE_CACHE, { name }, { type: 'merge', subresource: 'status', body: { status } });
  return undo;
};

const deadWebhook: Plant = async ({ kube, port }) => {
  const write = (url: string) =>
    kube.patch(
      VALIDATING_WEBHOOKS,
      { name: 'knative-eip' },
      { type: 'json', body: [{ op: 'replace', path: '/webhooks/1/clientConfig/url', value: url }] },
    );
  await write('https://127.0.0.1:1/validate/workloads');
  return () => write(`https://127.0.0.1:${port}/validate/workloads`);
};

const NO_WEBHOOKS = { enabled: false, configurationName: 'none' };

/** Each fault, by the name under which doctor must find it. */
export const FAULTS: Readonly<Partial<Record<DiagnosisId, Plant>>> = {
  'configuration-unreadable': config('regionID: here\n'),
  'deployment-not-ready': changed(DEPLOYMENT, OURS, {
    to: { status: { readyReplicas: 0, availableReplicas: 0 } },
    back: { status: { readyReplicas: 2, availableReplicas: 2 } },
    subresource: 'status',
  }),
  'deployment-stopped': changed(DEPLOYMENT, OURS, { to: { spec: { replicas: 0 } }, back: { spec: { replicas: 2 } } }),
  'no-leader': changed(LEASE, OURS, {
    to: { spec: { renewTime: microTime(clock.now() - DAY_MS) } },
    back: { spec: { renewTime: microTime(clock.now() + DAY_MS) } },
  }),
  'two-installations': another(LEASE, heldLease({ namespace: 'default', name: 'knative-eip' })),
  'crd-missing': definition(EIP_USAGE, definitionOf(EIP_USAGE)),
  'crd-outdated': withoutField,
  // One service account is that of both parts here, so that without image caches nothing else is missing.
  'controller-rights-missing': both(
    config({ virtualNode: { enabled: true, vSwitchIDs: ['vsw-e2e'], securityGroupID: 'sg-e2e' } }),
    changed(DEPLOYMENT, OURS, {
      to: { spec: { template: { spec: { serviceAccountName: 'nobody' } } } },
      back: { spec: { template: { spec: { serviceAccountName: 'knative-eip' } } } },
    }),
  ),
  'other-controller': another(
    DEPLOYMENT,
    deployment({ namespace: 'kube-system', name: 'ack-extend-network-controller' }),
  ),
  'webhooks-not-installed': config({ webhook: { enabled: true, configurationName: 'planted' } }),
  'webhooks-not-served': config({ webhook: { enabled: false }, virtualNode: { enabled: false } }),
  'webhook-not-answering': deadWebhook,
  'webhook-bundle-missing': webhooksOf({ bundle: async () => '' }),
  'webhook-bundle-wrong': webhooksOf({ bundle: authorityOf(0) }),
  'webhook-bundle-expired': webhooksOf({ bundle: authorityOf(400 * DAY_MS), config: byCertManager }),
  'webhook-bundle-expires': webhooksOf({ bundle: authorityOf(350 * DAY_MS), config: byCertManager }),
  'webhook-failure-policy': webhooksOf({ bundle: async () => 'right', failurePolicy: 'Fail' }),
  'virtual-node-missing': config({
    virtualNode: { enabled: true, nodeName: 'another', vSwitchIDs: ['vsw-e2e'], securityGroupID: 'sg-e2e' },
  }),
  'virtual-node-silent': changed(LEASE, NODE_LEASE, {
    to: { spec: { renewTime: microTime(clock.now() - DAY_MS) } },
    back: { spec: { renewTime: microTime(clock.now() + DAY_MS) } },
  }),
  'virtual-node-version': nodeStatus(
    { nodeInfo: { kubeletVersion: 'v1.35.0-knative-eip-0.1.0' } },
    { nodeInfo: { kubeletVersion: 'v1.36.0-knative-eip-0.1.0' } },
  ),
  'node-certificate-not-approved': request,
  'image-cache-crd-missing': definition(IMAGE_CACHE, IMAGE_CACHE_DEFINITION),
  'image-cache-rights-missing': withoutBinding('knative-eip-virtual-node-image-caches-to-knative-eip'),
  'image-cache-of-another': cacheOfAddOn,
  'add-on-beside': another(NODE, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'virtual-kubelet-h', labels: { type: 'virtual-kubelet' } },
  }),
  'eci-profile-broken': both(profile({ selectors: '[{}]' }), honouring),
  'eci-profile-ignored': profile({ selectors: '[{"name": "planted"}]' }),
  'eci-profile-differs': both(profile({ selectors: '', vSwitchIds: 'vsw-of-the-add-on' }), honouring),
  'knative-untested': changed(DEPLOYMENT, KNATIVE_CONTROLLER, {
    to: { metadata: { labels: { 'app.kubernetes.io/version': '1.9.0' } } },
    back: { metadata: { labels: { 'app.kubernetes.io/version': '1.23.0' } } },
  }),
  'knative-feature-off': config({ webhook: NO_WEBHOOKS }),
  'cloud-unreachable': async (stage) =>
    config({ endpoints: { vpc: stage.cloudUrl, ecs: 'http://127.0.0.1:1', eci: stage.cloudUrl } })(stage),
  'cloud-clock-skew': refused('DescribeCommonBandwidthPackages', 'InvalidTimeStamp.Expired', 400),
  'credentials-refused': config({ credential: { accessKey: 'sandbox-access-key', accessSecret: 'not this' } }),
  'ram-action-missing': refused('DescribeCommonBandwidthPackages', 'Forbidden.RAM', 403),
  'wrong-account': both(config({ vpcID: 'vpc-other' }), async ({ cloud }) => cloud.world.addNatGateway('vpc-other', 1)),
  'cluster-id-shared': async ({ cloud }) => {
    const tags = { 'knative-eip/cluster-id': 'e2e', 'knative-eip/cluster-uid': 'another' };
    const { allocationId } = cloud.world.addEip({ tags });
    return () => cloud.world.human.release(allocationId);
  },
  'eip-quota-used': config({ cloud: { eipQuota: 1 } }),
  'cloud-throttled': refused('DescribeContainerGroups', 'Throttling.User', 400),
  'bandwidth-package-unusable': policy('planted', {
    namespaces: ['default'],
    defaults: { bandwidthPackage: 'cbwp-none' },
  }),
  'no-way-to-registries': async ({ withoutGateway }) => withoutGateway(),
  'policies-contradict': both(
    policy('planted-a', { namespaces: ['default'], resourceGroups: ['rg-a'] }),
    policy('planted-b', { namespaces: ['default'], resourceGroups: ['rg-b'] }),
  ),
  'policy-selects-nothing': policy('planted', { namespaces: ['nowhere'] }),
  'policy-not-understood': policy('planted', {
    namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'In' }] },
  }),
  'namespace-at-limit': both(
    policy('planted', { namespaces: ['default'], limits: { eips: 1 } }),
    podEip({ name: 'held' }, inUse, 0),
  ),
  'namespace-at-default-cap': both(config({ namespaceLimits: { eips: 1 } }), podEip({ name: 'held' }, inUse, 0)),
  'podeips-stuck': podEip(
    { name: 'stuck' },
    { status: 'False', reason: 'EipLocked', message: 'the EIP is locked' },
    DAY_MS,
  ),
  'recorded-eips-missing': podEip({ name: 'gone', allocationID: 'eip-gone0001' }, inUse, DAY_MS),
};
