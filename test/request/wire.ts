import type { EipPolicySpec } from '../../src/api/eippolicy.ts';
import type { ExecutionContext } from 'ava';
import { createReviewers } from '../../src/webhook/handlers.ts';
import { KEYS, READINESS_GATE } from '../../src/api/annotations.ts';
import { NODE, POD } from '../../src/api/core.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { Stage } from '../virtualnode/stage.ts';
import { Operating } from '../harness/operating.ts';
import { ruleSettings } from '../harness/settings.ts';

export type Annotations = Readonly<Record<string, string>>;

export const NEW = { [KEYS.withEip[1]]: 'true' };
export const NATIVE = { [KEYS.withEip[2]]: 'true' };
export const OWN_EIP = 'eip-users';
export const EXISTING = { [KEYS.instanceId[1]]: OWN_EIP };
export const NATIVE_EXISTING = { [KEYS.instanceId[2]]: OWN_EIP };

/** A call that changes something, with every parameter as the cloud received it. */
interface Received {
  readonly action: string;
  readonly sent: Readonly<Record<string, string>>;
}

/** Writes down what the cloud receives, from now on. */
export const listenTo = (cloud: EmbeddedCloud): Received[] => {
  const received: Received[] = [];
  cloud.inject({
    action: '*',
    when: ({ action, parameters }) => {
      const sent = JSON.parse(parameters.fingerprint()) as [string, string][];
      if (!/^(Describe|List)/.test(action)) received.push({ action, sent: Object.fromEntries(sent) });
      return false;
    },
    fault: {},
  });
  return received;
};

export const actions = (received: readonly Received[]) => received.map(({ action }) => action);

export const of = (received: readonly Received[], action: string): Readonly<Record<string, string>> =>
  received.find((call) => call.action === action)?.sent ?? {};

const among = (sent: Readonly<Record<string, string>>, isOne: (name: string) => boolean) =>
  Object.fromEntries(Object.entries(sent).filter(([name, value]) => value !== '' && isOne(name)));

/** All that CreateContainerGroup was told of EIPs. */
export const eipOf = (received: readonly Received[]) =>
  among(of(received, 'CreateContainerGroup'), (name) => name.includes('Eip'));

/** All that AllocateEipAddress was told, but for the region, the tags, and the mark at the end of the description. */
export const allocationOf = (received: readonly Received[]) => {
  const told = among(of(received, 'AllocateEipAddress'), (name) => name !== 'RegionId' && !name.startsWith('Tag.'));
  const { Description = '', ...others } = told;
  const [written = ''] = Description.split(/ ?knative-eip-mark-[-0-9a-f]{50}$/);
  return written === '' ? others : { ...others, Description: written };
};

export const PLAIN = { Bandwidth: '5', InternetChargeType: 'PayByTraffic', InstanceChargeType: 'PostPaid', ISP: 'BGP' };
export const EXPRESSED = { AutoCreateEip: 'true', EipBandwidth: '5', EipISP: 'BGP' };
const GATED = { readinessGates: [{ conditionType: READINESS_GATE }] };

/** Runs a pod on our virtual node until it is Ready, and gives what the cloud received. */
export const onOurNode = async (
  t: ExecutionContext,
  annotations: Annotations,
  look: (stage: Stage, received: readonly Received[]) => Promise<void> | void,
  metadata: object = {},
  policy?: EipPolicySpec,
): Promise<void> => {
  const stage = await Stage.create({ operating: true, cloud: { whitelistedIsps: ['ChinaTelecom'] } });
  stage.cloud.world.addEip({ allocationId: OWN_EIP });
  stage.cloud.world.addBandwidthPackage('cbwp-1');
  stage.cloud.world.addAddressPool('pippool-1', 5);
  await stage.setPolicy('test', policy);
  const received = listenTo(stage.cloud);
  await stage.runPod('web', annotations, GATED, metadata);
  const isReady = async () => (await stage.condition('web', 'Ready')) === 'True';
  t.true((await stage.until(isReady)) < 60_000, JSON.stringify(annotations));
  await stage.pass(10_000);
  await look(stage, received);
  await stage.stop();
};

const VIRTUAL_NODE = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'virtual-kubelet-h', labels: { type: 'virtual-kubelet' } },
};

interface Place {
  readonly nodeName?: string | undefined;
  readonly labels?: Readonly<Record<string, string>>;
  readonly marks?: Annotations;
  readonly enableVirtualNode?: boolean;
}

/** A pod that others run, here or there, and what the cloud receives from the controller within a minute. */
export const elsewhere = async (annotations: Annotations, place: Place): Promise<readonly Received[]> => {
  const { nodeName, labels = {}, marks = {}, enableVirtualNode = false } = place;
  const world = await Operating.create({ config: { enableVirtualNode } });
  const { cloud, kube } = world;
  cloud.world.addEip({ allocationId: OWN_EIP });
  cloud.world.addNetworkInterface({
    networkInterfaceId: 'eni-eci',
    vpcId: 'vpc-1',
    instanceId: '',
    primaryIp: '10.9.0.2',
  });
  cloud.world.addNetworkInterface({
    networkInterfaceId: 'eni-1',
    vpcId: 'vpc-1',
    instanceId: 'i-1',
    primaryIp: '10.0.0.1',
  });
  cloud.world.addPrivateIp('eni-1', '10.0.0.2');
  await kube.create(NODE, VIRTUAL_NODE);
  const received = listenTo(cloud);
  await kube.create(POD, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', annotations: { ...annotations, ...marks }, labels },
    spec: { ...(nodeName !== undefined && { nodeName }), containers: [{ name: 'main', image: 'nginx' }] },
  });
  const podIP = nodeName === 'node-1' ? '10.0.0.2' : '10.9.0.2';
  const conditions = [{ type: 'ContainersReady', status: 'True' }];
  const body = { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions } };
  const ref = { namespace: 'default', name: 'web' };
  if (nodeName !== undefined) await kube.patch(POD, ref, { type: 'strategic', subresource: 'status', body });
  await world.pass(60_000);
  await world.stop();
  return received;
};

export const ECS: Place = { nodeName: 'node-1' };
export const ADD_ON: Place = {
  nodeName: VIRTUAL_NODE.metadata.name,
  labels: { 'alibabacloud.com/eci': 'true' },
  marks: { 'k8s.aliyun.com/eci-instance-id': 'eci-1' },
};
export const ACS: Place = {
  nodeName: VIRTUAL_NODE.metadata.name,
  labels: { 'alibabacloud.com/acs': 'true' },
  marks: { 'alibabacloud.com/instance-id': 'acs-1' },
};

/** What the pod webhook answers on a pod that is bound for the cluster's add-on. */
export const reviewed = async (annotations: Annotations, enableVirtualNode = false, metadata: object = {}) => {
  const world = await Operating.create();
  const { clock, kube } = world;
  const reviewers = createReviewers({
    kube,
    clock,
    log: silentLog,
    settings: ruleSettings({ enableVirtualNode }),
    provider: 'add-on',
  });
  const object = {
    metadata: { name: 'web', annotations, labels: { 'alibabacloud.com/eci': 'true' }, ...metadata },
    spec: { containers: [{ name: 'main', image: 'nginx' }] },
  };
  const request = {
    uid: 'u-1',
    operation: 'CREATE',
    resource: { group: '', version: 'v1', resource: 'pods' },
    namespace: 'default',
    object,
    oldObject: null,
    dryRun: false,
  };
  const answer = await reviewers['/mutate/pods']?.({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request,
  });
  await world.stop();
  const { response } = answer as { response: { patch?: string; warnings?: readonly string[] } };
  const patch = JSON.parse(Buffer.from(response.patch ?? 'W10=', 'base64').toString()) as {
    path: string;
    value: string;
  }[];
  const prefix = '/metadata/annotations/';
  const written = patch
    .filter(({ path }) => path.startsWith(prefix))
    .map(({ path, value }) => [path.slice(prefix.length).replaceAll('~1', '/'), value] as const);
  return {
    annotations: { ...annotations, ...Object.fromEntries(written) } as Annotations,
    warnings: response.warnings ?? [],
  };
};
