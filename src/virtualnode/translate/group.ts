import { createHash } from 'node:crypto';
import { TAG_CLUSTER_UID, TAG_POD, TAG_PREFIX } from '../../api/annotations.ts';
import type { Tag } from '../../cloud/port.ts';
import type { ContainerGroupSpec } from '../../cloud/container-groups.ts';
import type { WorkloadPod } from '../workload-pod.ts';
import { annotated, INSTANCE_TYPES } from './eci-annotations.ts';
import { compact, containerOf, initContainerOf } from './container.ts';
import { noRemarks, type NodeSettings, type Remark, type Remarks, type TranslationInput } from './input.ts';
import { LONGEST_NAME, MOST_CONTAINERS, MOST_TAGS, MOST_VOLUMES } from './eci-limits.ts';
import { withQueueProxyEquivalents } from './queue-proxy.ts';
import { registryCredentialsOf } from './image-registry.ts';
import { sizeOf } from './size.ts';
import { volumeOf } from './volumes.ts';
import { withoutEnd, withoutStart } from '../../lib/text.ts';

/** UID of the pod that an instance runs. */
export const TAG_POD_UID = `${TAG_PREFIX}pod-uid`;
/** Name of the virtual node that made an instance. */
export const TAG_NODE = `${TAG_PREFIX}node`;
/** As the kubelet (pkg/kubelet/network/dns): what is more is left out. */
const MOST_NAME_SERVERS = 3;

/** What becomes of a pod. `notes` are for an Event: it runs, a little differently from what was written. */
export type Translation =
  | { readonly kind: 'spec'; readonly spec: ContainerGroupSpec; readonly notes: readonly Remark[] }
  /** It cannot run here as it is, whatever happens. Nothing may be bought. */
  | { readonly kind: 'refused'; readonly refusals: readonly Remark[] }
  /** Something that it refers to is not there yet. */
  | { readonly kind: 'waiting'; readonly missing: readonly Remark[] };

/** A pod as CreateContainerGroup takes it. Pure and total. */
export const translate = (input: TranslationInput): Translation => {
  const remarks = noRemarks();
  const spec = specOf({ ...input, pod: withQueueProxyEquivalents(input.pod, remarks) }, remarks);
  if (remarks.refusals.length > 0) return { kind: 'refused', refusals: remarks.refusals };
  if (remarks.missing.length > 0) return { kind: 'waiting', missing: remarks.missing };
  return { kind: 'spec', spec, notes: remarks.notes };
};

const specOf = (input: TranslationInput, remarks: Remarks): ContainerGroupSpec => {
  const { pod, settings, eip } = input;
  const { spec, metadata } = pod;
  refuseWhatCannotBe(pod, remarks);
  const own = annotated(metadata.annotations ?? {}, settings, remarks);
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
    clientToken: groupToken(settings.clusterUid, metadata.uid),
    containerGroupName: groupName(metadata.namespace ?? 'default', metadata.name, metadata.uid),
    ...own.spec,
    ...size,
    restartPolicy: (['Never', 'OnFailure'] as const).find((each) => each === spec.restartPolicy) ?? 'Always',
    hostName: hostName(hostname ?? metadata.name),
    ...dnsOf(pod, settings, remarks),
    hostAliases: spec.hostAliases?.map(({ ip, hostnames = [] }) => ({ ip, hostnames })),
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

/** The tags that prove whose an instance is, and find it again. */
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
 * The same for a pod each time, so that a request that is repeated starts no second instance. 60 characters of ASCII.
 */
export const groupToken = (clusterUid: string, podUid: string): string =>
  `kg1-${digest(clusterUid, podUid).slice(0, 56)}`;

/** A namespace, a hyphen, and the longest name that a pod can have. */
const LONGEST_GIVEN = 63 + 1 + 253;

/**
 * `namespace-name`, cut with a hash where it is longer than the 128 characters that ECI takes. Pods' names may have
 * dots.
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
 * As the kubelet names a pod's host (pkg/kubelet GeneratePodHostname): 63 characters at most, no dot or hyphen last.
 */
const hostName = (name: string): string | undefined => {
  const cut = withoutEnd(name.slice(0, 63), '-.');
  // ECI's has two at least.
  return cut.length >= 2 ? cut : undefined;
};

/**
 * Of two tags with one key the first counts, so that nobody's takes the place of the proof of whose the instance is.
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

/** They ask the cluster's name servers first. */
const CLUSTER_POLICIES: ReadonlySet<string> = new Set(['ClusterFirst', 'ClusterFirstWithHostNet']);

/** Search domains as the kubelet writes them (pkg/kubelet/network/dns), and ndots 5. */
const dnsOf = ({ spec, metadata }: WorkloadPod, settings: NodeSettings, remarks: Remarks) => {
  const { nameservers = [], searches = [], options = [] } = spec.dnsConfig ?? {};
  const policy = spec.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None' && nameservers.length === 0)
    remarks.refusals.push({
      field: 'spec.dnsConfig.nameservers',
      problem: 'the DNS policy None has no name servers',
      remedy: 'name one, or use another policy',
    });
  const isCluster = CLUSTER_POLICIES.has(policy) && settings.clusterDNS.length > 0;
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
