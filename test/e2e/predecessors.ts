import { ALLOCATED_ADDRESS, CONTROLLER } from '../../src/api/annotations.ts';
import { DEPLOYMENT } from '../../src/api/apps.ts';
import { CONFIG_MAP, POD, type Pod } from '../../src/api/core.ts';
import { FINALIZER, PODEIP, type PodEip } from '../../src/api/podeip.ts';
import { bindingTo } from '../../src/sandbox/cloud/binding.ts';
import { until } from '../harness/until.ts';
import type { Stage } from './stage.ts';

/** What other controllers of EIPs leave behind, object by object as they are documented and written. */

export const ENC = 'ack-extend-network-controller';
export const WITH_EIP = { 'k8s.aliyun.com/pod-with-eip': 'true' };

/** What is special about the EIP of a pod: how it is kept, and for whom. */
interface Kept {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly allocationType: PodEip['spec']['allocationType'];
}

const numbered = (count: number, name: string, rest: Omit<Kept, 'name'>): readonly Kept[] =>
  Array.from({ length: count }, (_, index) => ({ name: `${name}-${index}`, ...rest }));

/** As ack-extend-network-controller writes them: ACK, "Attach an independent EIP to a pod". */
export const OF_ENC: readonly Kept[] = [
  ...numbered(32, 'follow', { annotations: WITH_EIP, allocationType: { type: 'Auto', releaseStrategy: 'Follow' } }),
  ...numbered(6, 'later', {
    annotations: { ...WITH_EIP, 'k8s.aliyun.com/pod-eip-release-strategy': '10s' },
    allocationType: { type: 'Auto', releaseStrategy: 'TTL', releaseAfter: '10s' },
  }),
  ...numbered(6, 'never', {
    annotations: { ...WITH_EIP, 'k8s.aliyun.com/pod-eip-release-strategy': 'Never' },
    allocationType: { type: 'Auto', releaseStrategy: 'Never' },
  }),
  ...Array.from({ length: 6 }, (_, index) => ({
    name: `named-${index}`,
    annotations: { 'k8s.aliyun.com/pod-eip-instanceid': `eip-named-${index}` },
    allocationType: { type: 'Static', releaseStrategy: 'Follow' } as const,
  })),
];

/** As Terway's users write them, under either prefix: the page on Terway's EIPs. */
export const OF_TERWAY: readonly Kept[] = [
  ...numbered(10, 'terway', { annotations: WITH_EIP, allocationType: { type: 'Auto', releaseStrategy: 'Follow' } }),
  ...numbered(6, 'terway-net', {
    annotations: { 'network.alibabacloud.com/pod-with-eip': 'true', 'network.alibabacloud.com/eip-bandwidth': '5' },
    allocationType: { type: 'Auto', releaseStrategy: 'Follow' },
  }),
  ...Array.from({ length: 4 }, (_, index) => ({
    name: `terway-named-${index}`,
    annotations: { 'k8s.aliyun.com/pod-eip-instanceid': `eip-terway-named-${index}` },
    allocationType: { type: 'Static', releaseStrategy: 'Follow' } as const,
  })),
];
export const ALL = [...OF_ENC, ...OF_TERWAY];
export const isStatic = ({ allocationType }: Kept) => allocationType.type === 'Static';
const idOf = ({ name }: Kept) => `eip-${name}`;
export const namesOf = (all: readonly Kept[]) => all.map(idOf).toSorted((a, b) => a.localeCompare(b));

/** As it is documented: Terway, "eip". */
export const TERWAY_CONFIGURATION =
  '{\n  "version": "1",\n  "enable_eip_pool": "true",\n  "vswitch_selection_policy": "ordered"\n}\n';

export const createPod = (stage: Stage, { name, annotations }: Pick<Kept, 'name' | 'annotations'>) =>
  stage.kube.create(POD, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', annotations },
    spec: { containers: [{ name: 'main', image: 'nginx' }] },
  });

/** Binds an EIP to each pod, without a word to the API, and has the pod and its PodEIP say what the controllers say. */
export const serve = async (stage: Stage, kept: Kept, pod: Pod): Promise<void> => {
  const { kube, cloud } = stage;
  const address = pod.status?.podIP ?? '';
  const eni = cloud.interfaces().find(({ privateIps }) => privateIps.includes(address));
  if (!eni) throw new Error(`no interface has ${address}`);
  const eip = cloud.world.addEip({
    allocationId: idOf(kept),
    status: 'InUse',
    binding: bindingTo(eni, address),
    name: `default/${kept.name}`,
  });
  const ref = { namespace: 'default', name: kept.name };
  const isOfEnc = OF_ENC.includes(kept);
  const key = isOfEnc ? ALLOCATED_ADDRESS : 'network.alibabacloud.com/allocated-eipAddress';
  await kube.patch(POD, ref, { type: 'merge', body: { metadata: { annotations: { [key]: eip.ipAddress } } } });
  if (!isOfEnc) return;
  await kube.create(PODEIP, {
    apiVersion: 'alibabacloud.com/v1beta1',
    kind: 'PodEIP',
    metadata: {
      ...ref,
      finalizers: [FINALIZER],
      // It writes its name since some version; the documented PodEIPs have none.
      ...(kept.name.startsWith('never') && { annotations: { [CONTROLLER]: ENC } }),
    },
    spec: { allocationID: eip.allocationId, allocationType: kept.allocationType },
  });
  const status = {
    eipAddress: eip.ipAddress,
    internetChargeType: eip.internetChargeType,
    isp: 'BGP',
    networkInterfaceID: eni.networkInterfaceId,
    podLastSeen: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    privateIPAddress: address,
    resourceGroupID: 'rg-1',
    status: 'InUse',
  };
  await kube.patch(PODEIP, ref, { type: 'merge', subresource: 'status', body: { status } });
};

export const prepare = async (stage: Stage, those: readonly Kept[] = ALL): Promise<void> => {
  for (const kept of those) await createPod(stage, kept);
  const pods = await until(
    'every pod has a private address',
    () => stage.kube.list(POD, { namespace: 'default' }),
    (all) => all.length === those.length && all.every(({ status }) => status?.podIP !== undefined),
  );
  for (const kept of those)
    await serve(
      stage,
      kept,
      pods.find(({ metadata }) => metadata.name === kept.name)!,
    );
  await stage.kube.create(CONFIG_MAP, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'kube-system', name: 'eni-config' },
    data: { eni_conf: TERWAY_CONFIGURATION },
  });
  await restartTerway(stage);
};

/** A new process of Terway, as its DaemonSet makes it, which has read the configuration as it is now. */
export const restartTerway = async ({ kube }: Stage, name = 'terway-eniip-1'): Promise<void> => {
  const ref = { namespace: 'kube-system', name };
  const old = await kube.get(POD, ref);
  if (old) await kube.delete(POD, ref, { uid: old.metadata.uid });
  await until(
    'the old process is gone',
    () => kube.get(POD, ref),
    (pod) => pod === undefined,
  );
  await kube.create(POD, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...ref, labels: { app: 'terway-eniip' } },
    spec: { containers: [{ name: 'terway', image: 'terway' }] },
  });
};

export const scaleEnc = async ({ kube }: Stage, replicas: number): Promise<void> => {
  const ref = { namespace: 'kube-system', name: ENC };
  if (await kube.get(DEPLOYMENT, ref))
    await kube.patch(DEPLOYMENT, ref, { type: 'merge', body: { spec: { replicas } } });
  else
    await kube.create(DEPLOYMENT, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: ref,
      spec: {
        replicas,
        selector: { matchLabels: { app: ENC } },
        template: { metadata: { labels: { app: ENC } }, spec: { containers: [{ name: ENC, image: ENC }] } },
      },
    });
  await until(
    `${replicas} replicas`,
    async () => (await kube.list(POD, { namespace: 'kube-system', labelSelector: `app=${ENC}` })).length,
    (count) => count === replicas,
  );
};
