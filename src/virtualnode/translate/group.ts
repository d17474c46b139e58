import { createHash } from 'node:crypto';
import { ECI_ATTEMPT, TAG_CLUSTER_UID, TAG_POD, TAG_PREFIX } from '../../api/annotations.ts';
import type { Tag } from '../../cloud/port.ts';
import type { ContainerGroupSpec } from '../../cloud/container-groups.ts';
import { forbiddenChoices } from '../../policies/instance-policy.ts';
import { UNRESTRICTED } from '../../policies/policy.ts';
import type { WorkloadPod } from '../workload-pod.ts';
import { annotated, INSTANCE_TYPES } from './eci-annotations.ts';
import { withClaims } from './bound-claims.ts';
import { compact, containerOf, initContainerOf } from './container.ts';
import { noRemarks, type NodeSettings, type Remark, type Remarks, type TranslationInput } from './input.ts';
import { LONGEST_NAME, MOST_CONTAINERS, MOST_TAGS, MOST_VOLUMES } from './eci-limits.ts';
import { withQueueProxyEquivalents } from './queue-proxy.ts';
import { unsaidToEci } from './pod-security.ts';
import { registryCredentialsOf } from './image-registry.ts';
import { sizeOf } from './size.ts';
import { choicesOf, temporaryStorageOf } from './temporary-storage.ts';
import { volumeOf } from './volumes.ts';
import { withoutEnd, withoutStart } from '../../lib/text.ts';

/** Tag: UID of the pod that an instance runs. */
export const TAG_POD_UID = `${TAG_PREFIX}pod-uid`;
/** Tag: name of the virtual node that created an instance. */
export const TAG_NODE = `${TAG_PREFIX}node`;
/** Like the kubelet (pkg/kubelet/network/dns): further ones are dropped. */
const MOST_NAME_SERVERS = 3;

/** The result of a translation. `notes` become an Event: the pod runs, with small differences from what was written. */
export type Translation =
  | { readonly kind: 'spec'; readonly spec: ContainerGroupSpec; readonly notes: readonly Remark[] }
  /** The pod cannot run here as it is. Nothing may be bought. */
  | { readonly kind: 'refused'; readonly refusals: readonly Remark[] }
  /** Something that the pod refers to does not exist yet. */
  | { readonly kind: 'waiting'; readonly missing: readonly Remark[] };

/** Translates a pod to the parameters of CreateContainerGroup. Pure and total. */
export const translate = (input: TranslationInput): Translation => {
  const { pod, policy, settings } = input;
  const choices = choicesOf(pod.metadata.annotations, pod.spec.volumes, pod.spec);
  const forbidden = forbiddenChoices(choices, policy, settings).map(
    ({ choice: { field }, problem, remedy }): Remark => ({ field, problem, remedy }),
  );
  const { remarks, spec } = translated(input);
  const refusals = [...forbidden, ...remarks.refusals];
  if (refusals.length > 0) return { kind: 'refused', refusals };
  // What may not be read would be told as missing, too.
  if (input.withheld && input.withheld.length > 0) return { kind: 'waiting', missing: input.withheld };
  if (remarks.missing.length > 0) return { kind: 'waiting', missing: remarks.missing };
  return { kind: 'spec', spec, notes: remarks.notes };
};

const translated = (input: TranslationInput) => {
  const remarks = noRemarks();
  const pod = withQueueProxyEquivalents(withClaims(input, remarks), remarks);
  return { remarks, spec: specOf({ ...input, pod }, remarks) };
};

/**
 * What the translation would refuse of a pod, and change, as far as it depends on nothing that the pod refers to, nor
 * on what its namespace may choose: before anything runs. Pure and total.
 */
export const remarksOn = (
  pod: WorkloadPod,
  settings: Pick<NodeSettings, 'vSwitchIds' | 'clusterDNS' | 'clusterDomain'>,
): Pick<Remarks, 'refusals' | 'notes'> => {
  const { refusals, notes } = translated({
    pod,
    nodeName: '',
    settings: { clusterUid: '', securityGroupId: '', ...settings },
    configMaps: new Map(),
    secrets: new Map(),
    tokens: new Map(),
    claims: new Map(),
    eip: {},
    policy: UNRESTRICTED,
  }).remarks;
  return { refusals, notes };
};

const specOf = (input: TranslationInput, remarks: Remarks): ContainerGroupSpec => {
  const { pod, settings, eip } = input;
  const { spec, metadata } = pod;
  refuseWhatCannotBe(pod, remarks);
  remarks.notes.push(...unsaidToEci(pod));
  const own = annotated(metadata, settings, remarks);
  const size = own.spec.instanceTypes || own.spec.cpu ? {} : sizeOf(pod);
  const hasGpu = spec.containers.some(({ resources }) => resources?.limits?.['nvidia.com/gpu'] !== undefined);
  if (hasGpu && !own.spec.instanceTypes)
    remarks.refusals.push({
      field: 'spec.containers[*].resources.limits[nvidia.com/gpu]',
      problem: 'only instances of a type with GPUs have some, and no type is named',
      remedy: `name one with ${INSTANCE_TYPES}, for example ecs.gn6i-c4g1.xlarge`,
    });
  if (!size)
    remarks.refusals.push({
      field: 'spec.containers[*].resources',
      problem: 'together they are larger than 64 vCPU or 512 GiB, or have a ratio that ECI does not offer',
      remedy: `lower them, or name an instance type with ${INSTANCE_TYPES}`,
    });
  const { terminationGracePeriodSeconds, activeDeadlineSeconds, shareProcessNamespace, hostname } = spec;
  return compact({
    clientToken: groupToken(settings.clusterUid, metadata.uid, attemptOf(pod)),
    containerGroupName: groupName(metadata.namespace ?? 'default', metadata.name, metadata.uid),
    ...own.spec,
    ephemeralStorage: temporaryStorageOf(spec, own.spec.ephemeralStorage, remarks),
    dataCache: usedDataCache(pod, own.spec.dataCache, remarks),
    ...size,
    restartPolicy: (['Never', 'OnFailure'] as const).find((each) => each === spec.restartPolicy) ?? 'Always',
    hostName: hostName(hostname ?? metadata.name),
    ...dnsOf(withCustomDns(pod, own.dnsConfig, settings, remarks), settings, remarks),
    hostAliases: hostAliasesOf(pod, own.hostAliases),
    sysctls: spec.securityContext?.sysctls,
    shareProcessNamespace,
    terminationGracePeriodSeconds,
    activeDeadlineSeconds,
    registryCredentials: registryCredentialsOf(input, remarks),
    containers: spec.containers.map((each) => containerOf(each, `spec.containers[${each.name}]`, input, remarks)),
    initContainers: spec.initContainers?.map((each) =>
      initContainerOf(each, `spec.initContainers[${each.name}]`, input, remarks),
    ),
    volumes: spec.volumes?.flatMap((each) => volumeOf(each, input, remarks) ?? []),
    tags: tagsOf([...ownTags(input), ...(settings.tags ?? []), ...own.tags], remarks),
    eip,
  });
};

/** The tags that prove whose an instance is, and by which it is found again. */
const ownTags = ({ settings, pod: { metadata }, nodeName }: TranslationInput): Tag[] => [
  ...nodeTags(settings.clusterUid, nodeName),
  { key: TAG_POD_UID, value: metadata.uid },
  { key: TAG_POD, value: `${metadata.namespace ?? 'default'}/${metadata.name}`.slice(0, 128) },
];

/** The tag of all instances of a cluster. */
export const clusterTag = (clusterUid: string): Tag => ({ key: TAG_CLUSTER_UID, value: clusterUid });

/** The tags of all instances of a virtual node. */
export const nodeTags = (clusterUid: string, nodeName: string): Tag[] => [
  clusterTag(clusterUid),
  { key: TAG_NODE, value: nodeName },
];

const digest = (...parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');

/**
 * The client token of an attempt of a pod: always the same, so that a repeated request creates no second instance. 60
 * ASCII characters.
 */
export const groupToken = (clusterUid: string, podUid: string, attempt = 0): string =>
  `kg1-${digest(clusterUid, podUid, ...(attempt === 0 ? [] : [String(attempt)])).slice(0, 56)}`;

/** Which attempt at an instance the pod's object says is being made; the first is 0, and is not written down. */
export const attemptOf = ({ metadata: { annotations } }: WorkloadPod): number => {
  const attempt = Number(annotations?.[ECI_ATTEMPT]);
  return Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 0;
};

/** A namespace, a hyphen, and the longest name of a pod. */
const LONGEST_GIVEN = 63 + 1 + 253;

/**
 * `namespace-name`, shortened with a hash if it is longer than ECI's 128 characters. Names of pods may contain dots.
 */
export const groupName = (namespace: string, name: string, uid: string): string => {
  const all = `${namespace}-${name}`
    .slice(0, LONGEST_GIVEN)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-');
  const full = withoutStart(withoutEnd(all, '-'), '-');
  if (full.length >= 2 && full.length <= LONGEST_NAME) return full;
  const start = withoutEnd(full.slice(0, LONGEST_NAME - 11), '-');
  return `${start || 'pod'}-${digest(uid).slice(0, 10)}`;
};

/**
 * The host name of a pod, as the kubelet determines it (pkg/kubelet GeneratePodHostname): at most 63 characters, with
 * no dot or hyphen at the end.
 */
const hostName = (name: string): string | undefined => {
  const cut = withoutEnd(name.slice(0, 63), '-.');
  // ECI requires at least two characters.
  return cut.length >= 2 ? cut : undefined;
};

/**
 * Of several tags with one key the first counts, so that no other tag replaces those that prove whose the instance is.
 */
const tagsOf = (tags: readonly Tag[], remarks: Remarks): Tag[] => {
  const byKey = new Map<string, Tag>();
  for (const tag of tags) if (!byKey.has(tag.key)) byKey.set(tag.key, tag);
  if (byKey.size > MOST_TAGS)
    remarks.refusals.push({
      field: 'metadata.annotations[k8s.aliyun.com/eci-custom-tags]',
      problem: `with those of the virtual node there are ${byKey.size} tags, and an instance takes at most ${MOST_TAGS}`,
      remedy: 'use fewer',
    });
  return [...byKey.values()];
};

const refuseWhatCannotBe = ({ spec }: WorkloadPod, remarks: Remarks): void => {
  const refuse = (field: string, problem: string, remedy: string) =>
    remarks.refusals.push({ field: `spec.${field}`, problem, remedy });
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const)
    if (spec[field] === true) refuse(field, 'true is not possible: an ECI instance has no host', 'leave it out');
  const { windowsOptions, fsGroup, supplementalGroups } = spec.securityContext ?? {};
  if (windowsOptions) refuse('securityContext.windowsOptions', 'instances run Linux', 'leave it out');
  for (const [field, value] of Object.entries({ fsGroup, supplementalGroups }))
    if (value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0))
      remarks.notes.push({
        field: `spec.securityContext.${field}`,
        problem: 'ECI cannot be told the groups of processes and volumes; it is left out',
        remedy: 'let a container that is not root only read what everybody may read, or write to paths of its own',
      });
  const containers = spec.containers.length + (spec.initContainers?.length ?? 0);
  if (containers > MOST_CONTAINERS)
    refuse('containers', `there are ${containers}, and an instance takes at most ${MOST_CONTAINERS}`, 'use more pods');
  if ((spec.volumes?.length ?? 0) > MOST_VOLUMES)
    refuse(
      'volumes',
      `there are ${spec.volumes?.length ?? 0}, and an instance takes at most ${MOST_VOLUMES}`,
      'project several into one',
    );
};

/** Which volumes are of it says what of the account is chosen, so that without any none is named. */
const usedDataCache = (
  { spec }: WorkloadPod,
  dataCache: ContainerGroupSpec['dataCache'],
  remarks: Remarks,
): ContainerGroupSpec['dataCache'] => {
  if (!dataCache || spec.volumes?.some(({ hostPath }) => hostPath !== undefined)) return dataCache;
  remarks.notes.push({
    field: 'metadata.annotations[k8s.aliyun.com/eci-data-cache-bucket]',
    problem: 'no volume of the kind hostPath is of the data cache; it is left out',
    remedy: 'write a volume with hostPath, the path in the cache',
  });
  return undefined;
};

/** The pod's own aliases, and those of the annotation. */
const hostAliasesOf = ({ spec }: WorkloadPod, custom: NonNullable<WorkloadPod['spec']['hostAliases']>) => {
  const all = [...(spec.hostAliases ?? []), ...custom];
  return all.length === 0 && !spec.hostAliases ? undefined : all.map(({ ip, hostnames = [] }) => ({ ip, hostnames }));
};

/** The annotation says the same as spec.dnsConfig, which counts where both are there. */
const withCustomDns = (
  pod: WorkloadPod,
  custom: WorkloadPod['spec']['dnsConfig'],
  settings: NodeSettings,
  remarks: Remarks,
): WorkloadPod => {
  if (!custom) return pod;
  const field = 'metadata.annotations[k8s.aliyun.com/eci-custom-dnsconfig]';
  if (pod.spec.dnsConfig) {
    const problem = 'spec.dnsConfig is there too, and counts; this is left out';
    remarks.notes.push({ field, problem, remedy: 'leave one of them out' });
    return pod;
  }
  if ((custom.nameservers?.length ?? 0) > 0 && usesClusterDns(pod, settings))
    remarks.notes.push({
      field,
      problem: `with the DNS policy ${dnsPolicyOf(pod)} its name servers come behind those of the cluster, and are hardly ever asked`,
      remedy: 'write dnsPolicy: Default',
    });
  return { ...pod, spec: { ...pod.spec, dnsConfig: custom } };
};

/** DNS policies that use the cluster's name servers. */
const CLUSTER_POLICIES: ReadonlySet<string> = new Set(['ClusterFirst', 'ClusterFirstWithHostNet']);

const dnsPolicyOf = ({ spec }: WorkloadPod): string => spec.dnsPolicy ?? 'ClusterFirst';

const usesClusterDns = (pod: WorkloadPod, { clusterDNS }: NodeSettings): boolean =>
  CLUSTER_POLICIES.has(dnsPolicyOf(pod)) && clusterDNS.length > 0;

/** Search domains and ndots 5, as the kubelet writes them (pkg/kubelet/network/dns). */
const dnsOf = (pod: WorkloadPod, settings: NodeSettings, remarks: Remarks) => {
  const { spec, metadata } = pod;
  const { nameservers = [], searches = [], options = [] } = spec.dnsConfig ?? {};
  const policy = dnsPolicyOf(pod);
  if (policy === 'None' && nameservers.length === 0)
    remarks.refusals.push({
      field: 'spec.dnsConfig.nameservers',
      problem: 'the DNS policy None has no name servers',
      remedy: 'name one, or use another policy',
    });
  const isCluster = usesClusterDns(pod, settings);
  if (!isCluster && policy !== 'None' && nameservers.length + searches.length + options.length === 0)
    return { dnsPolicy: 'Default' as const };
  if (!isCluster && policy !== 'None' && nameservers.length === 0) {
    remarks.notes.push({
      field: 'spec.dnsConfig',
      problem: `without name servers ECI takes no search domains or options beside the policy ${policy}; they are left out`,
      remedy: 'name the name servers too',
    });
    return { dnsPolicy: 'Default' as const };
  }
  const domain = settings.clusterDomain;
  const cluster = [`${metadata.namespace ?? 'default'}.svc.${domain}`, `svc.${domain}`, domain];
  const hasNdots = options.some(({ name }) => name === 'ndots');
  return {
    dnsPolicy: 'None' as const,
    dnsConfig: {
      nameServers: [...new Set([...(isCluster ? settings.clusterDNS : []), ...nameservers])].slice(
        0,
        MOST_NAME_SERVERS,
      ),
      searches: [...new Set([...(isCluster ? cluster : []), ...searches])],
      options: [...(isCluster && !hasNdots ? [{ name: 'ndots', value: '5' }] : []), ...options],
    },
  };
};
