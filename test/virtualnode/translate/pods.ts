import type { ConfigMap, Secret } from '../../../src/api/core.ts';
import type { ContainerGroupSpec, ContainerSpec } from '../../../src/cloud/container-groups.ts';
import type { VirtualNodeAllowances } from '../../../src/api/eippolicy.ts';
import { UNRESTRICTED, type EffectivePolicy } from '../../../src/policies/policy.ts';
import { translate, type Translation } from '../../../src/virtualnode/translate/group.ts';
import type { NodeSettings, ReadClaim, Remark, TranslationInput } from '../../../src/virtualnode/translate/input.ts';
import type { WorkloadContainer, WorkloadPod } from '../../../src/virtualnode/workload-pod.ts';
import { nodeSettings } from '../../harness/settings.ts';

export const settings = nodeSettings({
  zoneId: 'cn-hangzhou-k',
  vSwitchIds: ['vsw-1', 'vsw-2'],
  clusterDNS: ['172.21.0.10'],
});

export const POD_UID = '7d7a5d26-0000-4000-8000-000000000001';

export const configMap = (
  name: string,
  data: Record<string, string>,
  binaryData?: Record<string, string>,
): ConfigMap => ({
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: '1' },
  data,
  binaryData,
});

export const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/** The data is in plain text here. */
export const secret = (name: string, data: Record<string, string>): Secret => ({
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: '1' },
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
});

export type PodChange = Partial<WorkloadPod['spec']> & {
  readonly annotations?: Record<string, string>;
  readonly labels?: Record<string, string>;
  readonly name?: string;
};

/** A pod with one container `app`, changed. */
export const podOf = ({ annotations, labels, name = 'web-0', ...spec }: PodChange = {}): WorkloadPod => ({
  metadata: { name, namespace: 'shop', uid: POD_UID, resourceVersion: '1', annotations, labels },
  spec: { containers: [app()], ...spec },
});

export const app = (change: Partial<WorkloadContainer> = {}): WorkloadContainer => ({
  name: 'app',
  image: 'nginx:1.29',
  ...change,
});

/** What one policy allows. */
export const allowing = (allows: VirtualNodeAllowances, policy = 'team'): EffectivePolicy => ({
  ...UNRESTRICTED,
  names: [policy],
  virtualNode: [{ policy, allows }],
});

const ALL = ['*'];
/** A policy under which pods may choose whatever there is: these tests are of the translation. */
export const EVERYTHING = allowing({
  ramRoles: ALL,
  securityGroups: ALL,
  vSwitches: ALL,
  resourceGroups: ALL,
  imageCaches: ALL,
  instanceTypes: ALL,
  disks: ALL,
  fileServers: ALL,
  buckets: ALL,
  mountOptions: ALL,
  tagKeys: ALL,
  acrInstances: ALL,
  acrRoles: ALL,
  dataCaches: ALL,
  privateAddresses: ALL,
  ephemeralStorageGiB: 2000,
  newDiskGiB: 2000,
  ipv6BandwidthMbps: 2000,
});

export type InputChange = Partial<Omit<TranslationInput, 'configMaps' | 'secrets' | 'settings'>> & {
  readonly configMaps?: readonly ConfigMap[];
  readonly secrets?: readonly Secret[];
  readonly settings?: Partial<NodeSettings>;
};

export const inputOf = (pod: WorkloadPod, { configMaps = [], secrets = [], ...change }: InputChange = {}) => ({
  nodeName: 'vnode-1',
  tokens: new Map<string, string>(),
  claims: new Map<string, ReadClaim>(),
  eip: {},
  policy: EVERYTHING,
  pod,
  ...change,
  settings: { ...settings, ...change.settings },
  configMaps: new Map(configMaps.map((each) => [each.metadata.name, each])),
  secrets: new Map(secrets.map((each) => [each.metadata.name, each])),
});

export const translated = (pod: WorkloadPod, change?: InputChange): Translation => translate(inputOf(pod, change));

/** The spec and the notes of a pod that can be run; otherwise it throws with the reasons. */
export const ran = (pod: WorkloadPod, change?: InputChange): { spec: ContainerGroupSpec; notes: readonly Remark[] } => {
  const translation = translated(pod, change);
  if (translation.kind !== 'spec') throw new Error(JSON.stringify(translation));
  return translation;
};

/** What the container `app` became. */
export const ranApp = (change: Partial<WorkloadContainer>, input?: InputChange, pod: PodChange = {}): ContainerSpec => {
  const [container] = ran(podOf({ containers: [app(change)], ...pod }), input).spec.containers;
  if (!container) throw new Error('there is no container');
  return container;
};

export const refusalsOf = (pod: WorkloadPod, change?: InputChange): readonly Remark[] => {
  const translation = translated(pod, change);
  if (translation.kind !== 'refused') throw new Error(JSON.stringify(translation));
  return translation.refusals;
};

export const missingOf = (pod: WorkloadPod, change?: InputChange): readonly Remark[] => {
  const translation = translated(pod, change);
  if (translation.kind !== 'waiting') throw new Error(JSON.stringify(translation));
  return translation.missing;
};
