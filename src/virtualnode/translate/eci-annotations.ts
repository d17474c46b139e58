import { TAG_PREFIX } from '../../api/annotations.ts';
import type { Tag } from '../../cloud/port.ts';
import type { ContainerGroupSpec } from '../../cloud/container-groups.ts';
import { bandwidth, bool, list, number, oneOf, word } from './annotation-values.ts';
import { cutAt, quote } from '../../lib/text.ts';
import { gibOf, LONGEST_ANNOTATION } from '../../request/instance-choices.ts';
import type { NodeSettings, Remarks } from './input.ts';

const K8S = 'k8s.aliyun.com/';
const KUBERNETES = 'kubernetes.io/';
const IDS = { vsw: /^vsw-[a-z0-9-]{1,60}$/, sg: /^sg-[a-z0-9-]{1,60}$/ };

/** On a pod: the ECS instance types, or sizes such as 2-4Gi, that its instance may have. */
export const INSTANCE_TYPES = `${K8S}eci-use-specs`;
/** The older name of {@link INSTANCE_TYPES}. */
const FORMER_INSTANCE_TYPES = `${K8S}eci-instance-type`;

/** Whether a pod names instance types, and with them leaves its size open. */
export const namesInstanceTypes = (annotations: Readonly<Record<string, string>> = {}): boolean =>
  [INSTANCE_TYPES, FORMER_INSTANCE_TYPES].some((key) => annotations[key] !== undefined);

/** Whether the cloud may take the instance of the pod back at any time. */
export const isSpot = (annotations: Readonly<Record<string, string>> = {}): boolean =>
  (annotations[`${K8S}eci-spot-strategy`] ?? NO_SPOT) !== NO_SPOT;
const NO_SPOT = 'NoSpot';

/**
 * Annotations that the managed virtual node implements, but for which CreateContainerGroup, as it is used here, has no
 * parameter.
 */
const NOT_HONOURED: readonly string[] = [
  'acr-service-arns',
  'acr-user-arns',
  'eci-compute-category',
  'eci-custom-dnsconfig',
  'eci-custom-hosts',
  'eci-eviction-enable',
  'eci-fail-strategy',
  'eci-gpu-driver-version',
  'eci-instance-family',
  'eci-instance-generation',
  'eci-ipv6-bandwidth',
  'eci-ipv6-bandwidth-enable',
  'eci-max-pending-minute',
  'eci-privatepool-id',
  'eci-privatepool-match-criteria',
  'eci-reschedule-enable',
  'eci-sls-enable',
  'eci-spot-fallback',
  'imc-match-count-request',
  'imc-perfect-match',
  'pod-fail-on-create-err',
];

/** What Kubernetes has for the same. */
const INSTEAD: Readonly<Record<string, string>> = {
  'eci-custom-hosts': 'write spec.hostAliases',
  'eci-custom-dnsconfig': 'write spec.dnsConfig',
  'eci-sls-enable': 'leave it out; variables aliyun_logs_… are passed on as they are',
};

/**
 * Tags that users may set. Our prefix is for the tags that prove whose an instance is; the other prefixes are Alibaba
 * Cloud's (ECI API reference, CreateContainerGroup, Tag).
 */
const CUSTOM_TAG = new RegExp(`^(?!${TAG_PREFIX}|aliyun|acs:|https?:)[^:,]{1,128}:[^,]{0,128}$`);

/** An instance type such as ecs.c6.large, or vCPU and GiB such as 2-4Gi. */
const INSTANCE_TYPE = /^(?:[a-z][\w.-]{1,63}|\d{1,4}(?:\.\d{1,3})?-\d{1,5}(?:\.\d{1,3})?Gi)$/;

/** A single size is passed as vCPU and memory; one of several as an instance type. */
const sizeOrTypes = (types: readonly string[] | undefined): Pick<Annotated, 'cpu' | 'memory' | 'instanceTypes'> => {
  const [, cpu, memory] = (types?.length === 1 && /^([\d.]{1,8})-([\d.]{1,9})Gi$/.exec(types[0] ?? '')) || [];
  return cpu !== undefined && memory !== undefined
    ? { cpu: Number(cpu), memory: Number(memory) }
    : { instanceTypes: types };
};

type Annotated = Partial<ContainerGroupSpec> & Pick<ContainerGroupSpec, 'securityGroupId' | 'vSwitchIds'>;

type ReadAnnotation = <T>(
  key: string,
  parse: (text: string) => T | undefined,
  allowed: string,
  prefix?: string,
) => T | undefined;

const HOST = /^[A-Za-z0-9][\w.-]{0,252}$/;
/** A registry with its port, and `*` in its name. */
const REGISTRY = /^[\w*.-]{1,253}(?::\d{1,5})?$/;
const IPV4 = /^(?:\d{1,3}\.){3}\d{1,3}$/;
/** What begins with a bar is a program that the kernel would run. */
const CORE_PATTERN = /^\/[\w./%-]{1,127}$/;
const ACR_INSTANCE = /^(?:[a-z0-9-]{1,40}:)?cri-[a-z0-9]{1,40}$/;

/** Its address, its clock, its cores, and how its images are pulled. */
const ofInstance = (read: ReadAnnotation): Partial<ContainerGroupSpec> => {
  const isFixed = read('eci-fixed-ip', bool, '"true" or "false"') === true;
  const retainHours = read('eci-fixed-ip-retain-hour', number(1, 9_999), 'whole hours');
  const acr = ['acr-instance-id', 'acr-instance-ids'].flatMap(
    (key) =>
      read(key, list(ACR_INSTANCE, 10), 'at most 10 IDs such as cri-…, or cn-beijing:cri-…, separated by commas') ?? [],
  );
  const cores = read('eci-cpu-option-core', number(1, 512), 'a whole number of cores');
  const threadsPerCore = read('eci-cpu-option-ht', number(1, 2), '1 or 2, threads of a core');
  const registries = 'at most 20 addresses of registries such as reg*.example.com:5000, separated by commas';
  return {
    privateIpAddress: read('eci-private-ip-address', (text) => (IPV4.test(text) ? text : undefined), 'an IPv4 address'),
    fixedIp: isFixed ? { retainHours } : undefined,
    ntpServers: read('eci-ntp-server', list(HOST, 10), 'at most 10 addresses of NTP servers, separated by commas'),
    corePattern: read(
      'eci-core-pattern',
      (text) => (CORE_PATTERN.test(text) ? text : undefined),
      'an absolute path such as /dumps/core, at most 128 characters',
    ),
    cpuOptions: cores !== undefined || threadsPerCore !== undefined ? { cores, threadsPerCore } : undefined,
    plainHttpRegistries: read('plain-http-registry', list(REGISTRY, 20), registries),
    insecureRegistries: read('insecure-registry', list(REGISTRY, 20), registries),
    acrInstances: acr.length > 0 ? acr.map(acrInstance) : undefined,
  };
};

const acrInstance = (text: string): { readonly instanceId: string; readonly regionId?: string } => {
  const [before, after] = cutAt(text, ':');
  return after === '' ? { instanceId: before } : { instanceId: after, regionId: before };
};

/**
 * Reads ECI's own annotations of a pod. Source: ECI documentation, "Pod annotations supported by ECI". A value that
 * cannot be parsed is refused, because a wrong guess would cost money.
 */
export const annotated = (
  annotations: Readonly<Record<string, string>>,
  settings: NodeSettings,
  remarks: Remarks,
): { spec: Annotated; tags: readonly Tag[] } => {
  const read: ReadAnnotation = (key, parse, allowed, prefix = K8S) => {
    const given = annotations[prefix + key];
    if (given === undefined) return undefined;
    const field = `metadata.annotations[${prefix}${key}]`;
    const remedy = `write ${allowed}`;
    if (given.length > LONGEST_ANNOTATION) {
      const problem = `${quote(given)} has ${given.length} characters, and more than ${LONGEST_ANNOTATION} are not looked at`;
      remarks.refusals.push({ field, problem, remedy });
      return undefined;
    }
    const text = given.trim();
    if (text === '') return undefined;
    const value = parse(text);
    if (value === undefined) remarks.refusals.push({ field, problem: `${quote(text)} is not possible`, remedy });
    return value;
  };

  const vSwitchIds = read('eci-vswitch', list(IDS.vsw, 10), 'at most 10 IDs such as vsw-bp1…, separated by commas');
  const securityGroupId = read(
    'eci-security-group',
    list(IDS.sg, 1),
    'one ID such as sg-bp1…: CreateContainerGroup takes one',
  )?.[0];
  const strategies = ['NoSpot', 'SpotAsPriceGo', 'SpotWithPriceLimit'] as const;
  const spotStrategy = read('eci-spot-strategy', oneOf(...strategies), `one of ${strategies.join(', ')}`);
  const spotPriceLimit = read(
    'eci-spot-price-limit',
    number(0, 100_000, false),
    'a price per hour with at most three decimals',
  );
  if (spotStrategy === 'SpotWithPriceLimit' && spotPriceLimit === undefined)
    remarks.refusals.push({
      field: `metadata.annotations[${K8S}eci-spot-strategy]`,
      problem: 'SpotWithPriceLimit has no limit',
      remedy: `write ${K8S}eci-spot-price-limit too, or SpotAsPriceGo`,
    });
  const allowedTypes = 'at most 5 instance types such as ecs.c6.large, or sizes such as 2-4Gi, separated by commas';
  const types =
    read('eci-use-specs', list(INSTANCE_TYPE, 5), allowedTypes) ??
    read('eci-instance-type', list(INSTANCE_TYPE, 5), allowedTypes);
  const spec = {
    vSwitchIds: vSwitchIds ?? settings.vSwitchIds,
    securityGroupId: securityGroupId ?? settings.securityGroupId,
    // A vSwitch determines the zone, which need not be the node's.
    zoneId: vSwitchIds ? undefined : settings.zoneId,
    scheduleStrategy: read(
      'eci-schedule-strategy',
      // Alibaba Cloud's own pages also spell them with a small letter at the beginning.
      (text) => oneOf('VSwitchOrdered', 'VSwitchRandom')(text.replace(/^v/, 'V')),
      'VSwitchOrdered or VSwitchRandom',
    ),
    ...sizeOrTypes(types),
    spotStrategy,
    spotPriceLimit,
    spotDuration: read('eci-spot-duration', number(0, 1), '0 or 1, hours'),
    ramRoleName: read('eci-ram-role-name', word, 'the name of a RAM role'),
    resourceGroupId: read('eci-resource-group-id', word, 'the ID of a resource group') ?? settings.resourceGroupId,
    imageSnapshotId:
      read('eci-imc-id', word, 'the ID of an image cache') ??
      read('eci-image-snapshot-id', word, 'the ID of an image cache'),
    autoMatchImageCache:
      read('eci-auto-imc', bool, '"true" or "false"') ?? read('eci-image-cache', bool, '"true" or "false"'),
    ephemeralStorage: read(
      'eci-extra-ephemeral-storage',
      (text) => number(1, 2000)(String(gibOf(text))),
      'a size such as 50Gi',
    ),
    ipv6AddressCount: read('eci-enable-ipv6', bool, '"true" or "false"') === true ? 1 : undefined,
    ...ofInstance(read),
    // In bits per second, like Kubernetes' CNI plugin for bandwidth.
    ingressBandwidth: read('ingress-bandwidth', bandwidth, 'bits per second such as 10M', KUBERNETES),
    egressBandwidth: read('egress-bandwidth', bandwidth, 'bits per second such as 10M', KUBERNETES),
  };
  const pairs = read(
    'eci-custom-tags',
    list(CUSTOM_TAG, 3),
    `at most three tags as "key:value,key:value", none with the prefix ${TAG_PREFIX}, aliyun or acs:`,
  );
  const tags = pairs?.map((pair) => {
    const colon = pair.indexOf(':');
    return { key: pair.slice(0, colon), value: pair.slice(colon + 1) };
  });
  for (const key of NOT_HONOURED)
    if (annotations[K8S + key] !== undefined)
      remarks.notes.push({
        field: `metadata.annotations[${K8S}${key}]`,
        problem: 'this virtual node does not honour it',
        remedy: INSTEAD[key] ?? 'leave it out; the instance runs without it',
      });
  return { spec, tags: tags ?? [] };
};
