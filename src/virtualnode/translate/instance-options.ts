import type { ContainerGroupSpec } from '../../cloud/container-groups.ts';
import { cutAt } from '../../lib/text.ts';
import { ipv6MbpsOf, MOST_IPV6_MBPS } from '../../request/instance-choices.ts';
import { bool, list, number, oneOf, word } from './annotation-values.ts';

/*
 * What of an instance has a parameter in CreateContainerGroup, and no field in a pod. Sources: ECI documentation, "Pod
 * annotations" (which keys there are, with an example each), and the API reference of CreateContainerGroup.
 */

/** Parses the annotation `k8s.aliyun.com/<key>`; undefined where it is not there, or is refused, which is noted. */
export type ReadAnnotation = <T>(
  key: string,
  parse: (text: string) => T | undefined,
  allowed: string,
  prefix?: string,
) => T | undefined;

/** Notes that an annotation is refused, though each part of it can be read. */
export type RefuseAnnotation = (key: string, problem: string, remedy: string) => void;

const TRUE_FALSE = '"true" or "false"';
const HOST = /^[A-Za-z0-9][\w.-]{0,252}$/;
/** A registry with its port, and `*` in its name. */
const REGISTRY = /^[\w*.-]{1,253}(?::\d{1,5})?$/;
const IPV4 = /^(?:\d{1,3}\.){3}\d{1,3}$/;
/** What begins with a bar is a program that the kernel would run. */
const CORE_PATTERN = /^\/[\w./%-]{1,127}$/;
const ACR_INSTANCE = /^(?:[a-z0-9-]{1,40}:)?cri-[a-z0-9]{1,40}$/;
const ACR_ROLE = /^acs:ram::\d{1,20}:role\/[\w.@-]{1,64}$/;
const CATEGORY = /^(?:economy|general)$/;
const MINUTES = { least: 10, most: 1_440 };

/** Its addresses. */
export const networkOf = (read: ReadAnnotation, refuse: RefuseAnnotation): Partial<ContainerGroupSpec> => {
  const isFixed = read('eci-fixed-ip', bool, TRUE_FALSE) === true;
  const retainHours = read('eci-fixed-ip-retain-hour', number(1, 9_999), 'whole hours');
  const hasIpv6 = read('eci-enable-ipv6', bool, TRUE_FALSE) === true;
  const isPublic = read('eci-ipv6-bandwidth-enable', bool, TRUE_FALSE) === true;
  const most = `Mbit/s from 1 to ${MOST_IPV6_MBPS}, such as 100M`;
  const mbps = read('eci-ipv6-bandwidth', ipv6MbpsOf, most);
  if (isPublic && !hasIpv6)
    refuse(
      'eci-ipv6-bandwidth-enable',
      'the instance has no IPv6 address that could have it',
      'write k8s.aliyun.com/eci-enable-ipv6: "true" too',
    );
  if (mbps !== undefined && !isPublic)
    refuse(
      'eci-ipv6-bandwidth',
      'it is the bandwidth of a public IPv6 address, and none is asked for',
      'write k8s.aliyun.com/eci-ipv6-bandwidth-enable: "true" too, or leave it out',
    );
  return {
    privateIpAddress: read('eci-private-ip-address', (text) => (IPV4.test(text) ? text : undefined), 'an IPv4 address'),
    fixedIp: isFixed ? { retainHours } : undefined,
    ipv6AddressCount: hasIpv6 ? 1 : undefined,
    ipv6Bandwidth: isPublic ? { mbps } : undefined,
  };
};

/** Its clock, its cores, and what it is chosen from. */
export const machineOf = (read: ReadAnnotation): Partial<ContainerGroupSpec> => {
  const cores = read('eci-cpu-option-core', number(1, 512), 'a whole number of cores');
  const threadsPerCore = read('eci-cpu-option-ht', number(1, 2), '1 or 2, threads of a core');
  return {
    ntpServers: read('eci-ntp-server', list(HOST, 20), 'at most 20 addresses of NTP servers, separated by commas'),
    corePattern: read(
      'eci-core-pattern',
      (text) => (CORE_PATTERN.test(text) ? text : undefined),
      'an absolute path such as /dumps/core, at most 128 characters',
    ),
    cpuOptions: cores !== undefined || threadsPerCore !== undefined ? { cores, threadsPerCore } : undefined,
    computeCategories: read(
      'eci-compute-category',
      list(CATEGORY, 2) as (text: string) => readonly ('economy' | 'general')[] | undefined,
      'economy, general, or both in the order of preference, separated by a comma',
    ),
    gpuDriverVersion: read(
      'eci-gpu-driver-version',
      (text) => (/^[a-z]{1,20}=[\d.]{1,30}$/.test(text) ? text : undefined),
      'a driver with its version, such as tesla=525.85.12',
    ),
    maxPendingMinutes: read(
      'eci-max-pending-minute',
      number(MINUTES.least, MINUTES.most),
      `whole minutes from ${MINUTES.least} to ${MINUTES.most}`,
    ),
  };
};

/** How its images are pulled. */
export const pullingOf = (read: ReadAnnotation, refuse: RefuseAnnotation): Partial<ContainerGroupSpec> => {
  const registries = 'at most 20 addresses of registries such as reg*.example.com:5000, separated by commas';
  const instances = ['acr-instance-id', 'acr-instance-ids'].flatMap(
    (key) =>
      read(key, list(ACR_INSTANCE, 10), 'at most 10 IDs such as cri-…, or cn-beijing:cri-…, separated by commas') ?? [],
  );
  const arns = 'at most 10 names of roles such as acs:ram::1609982529000000:role/puller, separated by commas';
  const [services = [], users = []] = [
    read('acr-service-arns', list(ACR_ROLE, 10), arns),
    read('acr-user-arns', list(ACR_ROLE, 10), arns),
  ];
  const count = instances.length > 0 ? instances.length : Math.max(services.length, users.length);
  // One for all, or one for each, in the same order: that is all that can be meant.
  for (const [key, given] of [
    ['acr-service-arns', services],
    ['acr-user-arns', users],
  ] as const)
    if (given.length > 1 && given.length !== count)
      refuse(
        key,
        `there are ${given.length} of them for ${count} instances of ACR or roles`,
        'write one for all, or as many, in the same order',
      );
  if (users.length > 0 && services.length === 0)
    refuse(
      'acr-user-arns',
      'the role of the other account is assumed by a role of this one, and none is named',
      'write k8s.aliyun.com/acr-service-arns too',
    );
  return {
    plainHttpRegistries: read('plain-http-registry', list(REGISTRY, 20), registries),
    insecureRegistries: read('insecure-registry', list(REGISTRY, 20), registries),
    acrInstances:
      count === 0
        ? undefined
        : Array.from({ length: count }, (_, at) => ({
            ...acrInstance(instances[at]),
            arnService: ofAll(services, at),
            arnUser: ofAll(users, at),
          })),
  };
};

/** One for all, or the one of this place. */
const ofAll = (given: readonly string[], at: number) => (given.length === 1 ? given[0] : given[at]);

const acrInstance = (text: string | undefined): { readonly instanceId?: string; readonly regionId?: string } => {
  if (text === undefined) return {};
  const [before, after] = cutAt(text, ':');
  return after === '' ? { instanceId: before } : { instanceId: after, regionId: before };
};

/** The disk that is made from a data cache, whose paths are the volumes of the kind hostPath. */
export const dataCacheOf = (read: ReadAnnotation, refuse: RefuseAnnotation): Partial<ContainerGroupSpec> => {
  const bucket = read('eci-data-cache-bucket', word, 'the bucket of a data cache, such as default');
  const options = {
    performanceLevel: read('eci-data-cache-pl', oneOf('PL0', 'PL1', 'PL2', 'PL3'), 'PL0, PL1, PL2 or PL3'),
    provisionedIops: read('eci-data-cache-provisionedIops', number(0, 50_000), 'a whole number up to 50000'),
    isBursting: read('eci-data-cache-burstingEnabled', bool, TRUE_FALSE),
  };
  if (bucket === undefined && Object.values(options).some((value) => value !== undefined))
    refuse(
      'eci-data-cache-bucket',
      'there are options of a data cache, and none is named',
      'write it too, or leave them out',
    );
  return { dataCache: bucket === undefined ? undefined : { bucket, ...options } };
};
