import { readFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { NODE_TYPE, OUR_VIRTUAL_NODE, VIRTUAL_KUBELET } from '../../src/api/annotations.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { DEPLOYMENT } from '../../src/api/apps.ts';
import { CONFIG_MAP, NAMESPACE } from '../../src/api/core.ts';
import { EIP_POLICY, EIP_USAGE } from '../../src/api/eippolicy.ts';
import { runCommand } from '../../src/cli/commands.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import type { DiagnosisFinding } from '../../src/doctor/diagnose.ts';
import { LEASE } from '../../src/kube/lease.ts';
import { microTime } from '../../src/kube/microtime.ts';
import type { KubeObject, Resource } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { installKnative } from '../../src/sandbox/knative/definitions.ts';
import { VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { definitionOf } from '../harness/cluster.ts';
import { freePort } from '../harness/free-port.ts';
import { configuration } from '../harness/settings.ts';
import { startControlPlane } from '../kube-api/real.ts';
import { areWebhooksTrusted, LONGEST_WAIT_SECONDS, webhookConfiguration, webhookSettings } from './admission.ts';
import { grant, HOME } from './rights.ts';
import { LONG_LEASE, setStage, VIRTUAL_NODE_NAME, VPC, type Stage } from './stage.ts';

export const CONFIG = { namespace: HOME, name: 'knative-eip-config-h4sh' };
export const OURS = { namespace: HOME, name: 'knative-eip' };
/** The one that the account has. */
export const AN_EIP = 'eip-planted1';
export const IMAGE_CACHE_DEFINITION: unknown = parse(
  readFileSync('config/virtual-node-image-caches/imagecaches.eci.alibabacloud.com.yaml', 'utf8'),
);
export const NODE_LEASE = { namespace: 'kube-node-lease', name: VIRTUAL_NODE_NAME };
export const KNATIVE_CONTROLLER = { namespace: 'knative-serving', name: 'controller' };

/** What the planted configuration says, with what a fault changes in it. */
export const configurationOf = (stage: Pick<Stage, 'cloudUrl'>, over: Partial<ConfigInput> = {}): string =>
  stringify(
    configuration({
      clusterID: 'e2e',
      vpcID: VPC,
      credential: { accessKey: sandboxCredential.accessKeyId, accessSecret: sandboxCredential.accessKeySecret },
      endpoints: { vpc: stage.cloudUrl, ecs: stage.cloudUrl, eci: stage.cloudUrl },
      webhook: { enabled: true },
      virtualNode: { enabled: true, vSwitchIDs: ['vsw-e2e'], securityGroupID: 'sg-e2e', imageCaches: true },
      ...over,
    }),
  );

const lease = (ref: { namespace: string; name: string }, renewedMs: number) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: ref,
  spec: {
    holderIdentity: 'somebody',
    leaseDurationSeconds: LONG_LEASE.leaseDurationSeconds,
    renewTime: microTime(renewedMs),
  },
});
export const heldLease = (ref: { namespace: string; name: string }) => lease(ref, clock.now());

export const deployment = (
  ref: { namespace: string; name: string },
  more: { version?: string; account?: string } = {},
) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    ...ref,
    labels: {
      'app.kubernetes.io/name': ref.name,
      ...(more.version !== undefined && { 'app.kubernetes.io/version': more.version }),
    },
  },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: ref.name } },
    template: {
      metadata: { labels: { app: ref.name } },
      spec: {
        ...(more.account !== undefined && { serviceAccountName: more.account }),
        containers: [{ name: 'controller', image: 'knative-eip:test' }],
        volumes: more.account === undefined ? [] : [{ name: 'config', configMap: { name: CONFIG.name } }],
      },
    },
  },
});

const validatingWebhooks = (port: number) => {
  const manifest = parse(readFileSync('config/webhook/validating_webhook_configuration.yaml', 'utf8')) as {
    webhooks: { clientConfig: { service: { path: string } } }[];
  };
  return {
    ...manifest,
    webhooks: manifest.webhooks.map((webhook) => ({
      ...webhook,
      timeoutSeconds: LONGEST_WAIT_SECONDS,
      clientConfig: { url: `https://127.0.0.1:${port}${webhook.clientConfig.service.path}` },
    })),
  };
};

const RBAC = 'rbac.authorization.k8s.io';
export const clusterKind = (plural: string, kind: string): Resource<KubeObject> => ({
  group: RBAC,
  version: 'v1',
  plural,
  kind,
  namespaced: false,
});

/** Webhooks of another name than ours are nobody's right, and so another fault: the controller may write these. */
const mayWritePlanted: readonly (readonly [Resource<KubeObject>, object])[] = [
  [
    clusterKind('clusterroles', 'ClusterRole'),
    {
      metadata: { name: 'planted' },
      rules: [
        {
          apiGroups: ['admissionregistration.k8s.io'],
          resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
          resourceNames: ['planted'],
          verbs: ['patch'],
        },
      ],
    },
  ],
  [
    clusterKind('clusterrolebindings', 'ClusterRoleBinding'),
    {
      metadata: { name: 'planted' },
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'planted' },
      subjects: [{ kind: 'ServiceAccount', name: 'knative-eip', namespace: HOME }],
    },
  ],
];

interface Examination {
  readonly code: number;
  readonly findings: readonly DiagnosisFinding[];
  readonly notAsked: readonly { readonly question: string; readonly why: string }[];
}

/**
 * A real control plane without controllers, on which everything that doctor looks at is as it should be: what is
 * planted stays as it is. The one process of ours waits for a Lease that somebody else holds, and serves the webhooks.
 */
export const setDoctorStage = async () => {
  const plane = await startControlPlane();
  if (!plane) throw new Error('there is no real control plane');
  const api = { path: plane.kubeconfig, stop: plane.stop, deployments: false, schedules: true };
  const stage = await setStage('real', { api });
  const { kube, cloud } = stage;
  const create = <T extends KubeObject>(resource: Resource<T>, object: unknown) => kube.create(resource, object);
  for (const kind of [EIP_POLICY, EIP_USAGE]) await create(CRD, definitionOf(kind));
  await create(CRD, IMAGE_CACHE_DEFINITION);
  await grant(kube, 'virtual-node-image-caches', OURS.name);
  await create(CONFIG_MAP, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: CONFIG,
    data: { 'config.yaml': configurationOf(stage) },
  });
  await create(LEASE, heldLease(OURS));
  for (const [resource, object] of mayWritePlanted)
    await create(resource, { apiVersion: `${RBAC}/v1`, kind: resource.kind, ...object });
  await installKnative(kube);
  await create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: KNATIVE_CONTROLLER.namespace } });
  for (const [ref, more] of [
    [OURS, { account: 'knative-eip' }],
    [KNATIVE_CONTROLLER, { version: '1.23.0' }],
  ] as const) {
    await create(DEPLOYMENT, deployment(ref, more));
    const status = { replicas: 2, readyReplicas: 2, availableReplicas: 2 };
    await kube.patch(DEPLOYMENT, ref, { type: 'merge', subresource: 'status', body: { status } });
  }
  const labels = { [NODE_TYPE]: VIRTUAL_KUBELET, [OUR_VIRTUAL_NODE]: 'true' };
  await create(VIRTUAL_NODE, { apiVersion: 'v1', kind: 'Node', metadata: { name: VIRTUAL_NODE_NAME, labels } });
  const status = {
    capacity: { pods: '100' },
    conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: '' }],
    nodeInfo: { ...EMPTY_NODE_INFO, kubeletVersion: 'v1.36.0-knative-eip-0.1.0' },
  };
  await kube.patch(
    VIRTUAL_NODE,
    { name: VIRTUAL_NODE_NAME },
    { type: 'merge', subresource: 'status', body: { status } },
  );
  // Nobody renews it: it was renewed in the future, so that it is fresh however long the test takes.
  await create(LEASE, lease(NODE_LEASE, clock.now() + 86_400_000));
  cloud.world.addEip({ allocationId: AN_EIP });
  let takeGateway = cloud.world.addNatGateway(VPC, 1);
  const withoutGateway = () => {
    takeGateway();
    return () => {
      takeGateway = cloud.world.addNatGateway(VPC, 1);
    };
  };
  const port = await freePort();
  await create(MUTATING_WEBHOOKS, webhookConfiguration(port));
  await create(VALIDATING_WEBHOOKS, validatingWebhooks(port));
  await stage.startController(webhookSettings(port));
  await areWebhooksTrusted(stage);

  /** The command in this process, as JSON. */
  const examine = async (
    where: readonly string[] = ['-n', HOME],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Examination> => {
    let out = '';
    const code = await runCommand(['doctor', '--kubeconfig', stage.kubeconfig, '--output', 'json', ...where], {
      env,
      clock,
      out: (text) => (out += text),
      err: (text) => (out += text),
      errIsTerminal: false,
      columns: 80,
      runs: {},
    });
    return { code, ...(JSON.parse(out) as Omit<Examination, 'code'>) };
  };
  const close = async () => {
    await stage.close();
    await plane.stop();
  };
  return { ...stage, port, withoutGateway, examine, close };
};

export type DoctorStage = Awaited<ReturnType<typeof setDoctorStage>>;

const EMPTY_NODE_INFO = {
  architecture: 'amd64',
  operatingSystem: 'linux',
  kubeProxyVersion: '',
  containerRuntimeVersion: '',
  kernelVersion: '',
  osImage: '',
  machineID: '',
  systemUUID: '',
  bootID: '',
};
