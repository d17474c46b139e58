import type eciSdk from '@alicloud/eci20180808';
import type { ContainerGroupVolume } from '../container-group-volume.ts';
import type { ContainerGroupSpec, ContainerHook, ContainerProbe, ContainerSpec } from '../container-groups.ts';
import { check, refuse } from './answer-checks.ts';

/*
 * ContainerGroupSpec in the words of CreateContainerGroup (ECI API reference 2018-08-08). The SDK flattens lists to
 * `Container.1.EnvironmentVar.2.Key` and puts every parameter into the URL of the request, which grows with the
 * configuration files to hundreds of kilobytes. No limit is documented; a gateway that finds it too long says 414 or
 * 431, and these are `refused` (see codes.ts).
 */

const ACTION = 'CreateContainerGroup';
/** ECI API reference, CreateContainerGroup, VSwitchId. */
const MOST_VSWITCHES = 10;

const probe = (given: ContainerProbe | undefined) =>
  given && {
    ...given,
    exec: given.exec && { command: given.exec.command },
  };

/** The flat parameters `Lifecycle<When>Handler…` of a hook. */
const hook = (when: 'PostStart' | 'PreStop', given: ContainerHook | undefined): Record<string, unknown> => {
  const name = `lifecycle${when}Handler`;
  return {
    [`${name}Exec`]: given?.exec,
    [`${name}HttpGetHost`]: given?.httpGet?.host,
    [`${name}HttpGetPath`]: given?.httpGet?.path,
    [`${name}HttpGetPort`]: given?.httpGet?.port,
    [`${name}HttpGetScheme`]: given?.httpGet?.scheme,
    [`${name}HttpGetHttpHeader`]: given?.httpGet?.headers,
    [`${name}TcpSocketHost`]: given?.tcpSocket?.host,
    [`${name}TcpSocketPort`]: given?.tcpSocket?.port,
  };
};

const securityContext = ({ addCapabilities, readOnlyRootFilesystem, runAsUser }: ContainerSpec) =>
  addCapabilities === undefined && readOnlyRootFilesystem === undefined && runAsUser === undefined
    ? undefined
    : { capability: addCapabilities && { add: addCapabilities }, readOnlyRootFilesystem, runAsUser };

/** What containers and init containers have in common. */
const plainContainer = (container: ContainerSpec): Record<string, unknown> => ({
  name: container.name,
  image: container.image,
  cpu: container.cpu,
  memory: container.memory,
  gpu: container.gpu,
  command: container.command,
  arg: container.arg,
  imagePullPolicy: container.imagePullPolicy,
  workingDir: container.workingDir,
  environmentVar: container.environmentVar?.map((variable) =>
    'value' in variable ? variable : { key: variable.key, fieldRef: { fieldPath: variable.fieldPath } },
  ),
  port: container.port,
  volumeMount: container.volumeMount,
  securityContext: securityContext(container),
  terminationMessagePath: container.terminationMessagePath,
  terminationMessagePolicy: container.terminationMessagePolicy,
});

const mainContainer = (container: ContainerSpec): Record<string, unknown> => ({
  ...plainContainer(container),
  readinessProbe: probe(container.readinessProbe),
  livenessProbe: probe(container.livenessProbe),
  ...hook('PostStart', container.postStart),
  ...hook('PreStop', container.preStop),
  securityContextRunAsGroup: container.runAsGroup,
  securityContextRunAsNonRoot: container.runAsNonRoot,
  stdin: container.stdin,
  stdinOnce: container.stdinOnce,
  tty: container.tty,
});

/** What InitContainer.N has no parameter for. */
const NOT_BEFORE_START = [
  'readinessProbe',
  'livenessProbe',
  'postStart',
  'preStop',
  'runAsGroup',
  'runAsNonRoot',
  'stdin',
  'stdinOnce',
  'tty',
] as const;

const initContainer = (container: ContainerSpec): Record<string, unknown> => {
  for (const field of NOT_BEFORE_START) {
    if ((container[field] ?? false) !== false)
      throw refuse(ACTION, `the API has no ${field} for an init container, and ${container.name} has one`);
  }
  return plainContainer(container);
};

const volume = (given: ContainerGroupVolume): Record<string, unknown> => {
  const { name } = given;
  if ('emptyDir' in given) return { name, type: 'EmptyDirVolume', emptyDirVolume: given.emptyDir };
  if ('nfs' in given) return { name, type: 'NFSVolume', NFSVolume: given.nfs };
  if ('hostPath' in given) return { name, type: 'HostPathVolume', hostPathVolume: given.hostPath };
  if ('flexVolume' in given) return { name, type: 'FlexVolume', flexVolume: given.flexVolume };
  return {
    name,
    type: 'ConfigFileVolume',
    configFileVolume: { defaultMode: given.configFiles.defaultMode, configFileToPath: given.configFiles.files },
  };
};

/** @throws CloudFault of kind `refused` for what cannot be said in this API */
const checkSpec = (spec: ContainerGroupSpec): void => {
  check(ACTION, [spec.securityGroupId, ...spec.vSwitchIds], spec.clientToken);
  if ('eipInstanceId' in spec.eip && spec.eip.eipInstanceId !== undefined) check(ACTION, [spec.eip.eipInstanceId]);
  if (spec.vSwitchIds.length === 0 || spec.vSwitchIds.length > MOST_VSWITCHES)
    throw refuse(ACTION, `${spec.vSwitchIds.length} vSwitches; there must be 1–${MOST_VSWITCHES}`);
  for (const type of spec.instanceTypes ?? []) {
    // They travel in a comma list.
    if (!/^[\w.-]{1,64}$/u.test(type)) throw refuse(ACTION, 'a name in instanceTypes is not an instance type');
  }
};

/**
 * The request of CreateContainerGroup. Whatever is undefined is not sent, and the API's default holds.
 *
 * @throws CloudFault of kind `refused` for what cannot be said in this API
 */
export const createRequest = (
  sdk: typeof eciSdk,
  regionId: string,
  spec: ContainerGroupSpec,
): eciSdk.CreateContainerGroupRequest => {
  checkSpec(spec);
  const { vSwitchIds, instanceTypes, dnsConfig, hostAliases, sysctls, eip, ...rest } = spec;
  return new sdk.CreateContainerGroupRequest({
    regionId,
    clientToken: rest.clientToken,
    containerGroupName: rest.containerGroupName,
    securityGroupId: rest.securityGroupId,
    vSwitchId: vSwitchIds.join(','),
    zoneId: rest.zoneId,
    scheduleStrategy: rest.scheduleStrategy,
    restartPolicy: rest.restartPolicy,
    cpu: rest.cpu,
    memory: rest.memory,
    instanceType: instanceTypes?.join(','),
    resourceGroupId: rest.resourceGroupId,
    ramRoleName: rest.ramRoleName,
    hostName: rest.hostName,
    dnsPolicy: rest.dnsPolicy,
    dnsConfig: dnsConfig && {
      nameServer: dnsConfig.nameServers,
      search: dnsConfig.searches,
      option: dnsConfig.options,
    },
    hostAliase: hostAliases?.map(({ ip, hostnames }) => ({ ip, hostname: hostnames })),
    securityContext: sysctls && { sysctl: sysctls },
    shareProcessNamespace: rest.shareProcessNamespace,
    terminationGracePeriodSeconds: rest.terminationGracePeriodSeconds,
    activeDeadlineSeconds: rest.activeDeadlineSeconds,
    ephemeralStorage: rest.ephemeralStorage,
    spotStrategy: rest.spotStrategy,
    spotPriceLimit: rest.spotPriceLimit,
    spotDuration: rest.spotDuration,
    imageSnapshotId: rest.imageSnapshotId,
    autoMatchImageCache: rest.autoMatchImageCache,
    ipv6AddressCount: rest.ipv6AddressCount,
    ...(rest.ipv6Bandwidth && {
      ipv6GatewayBandwidthEnable: true,
      ipv6GatewayBandwidth: rest.ipv6Bandwidth.mbps?.toString(),
    }),
    privateIpAddress: rest.privateIpAddress,
    ...(rest.fixedIp && { fixedIp: 'true', fixedIpRetainHour: rest.fixedIp.retainHours }),
    ntpServer: rest.ntpServers,
    corePattern: rest.corePattern,
    cpuOptionsCore: rest.cpuOptions?.cores,
    cpuOptionsThreadsPerCore: rest.cpuOptions?.threadsPerCore,
    plainHttpRegistry: rest.plainHttpRegistries?.join(','),
    insecureRegistry: rest.insecureRegistries?.join(','),
    acrRegistryInfo: rest.acrInstances,
    dataCacheBucket: rest.dataCache?.bucket,
    dataCachePL: rest.dataCache?.performanceLevel,
    dataCacheProvisionedIops: rest.dataCache?.provisionedIops,
    dataCacheBurstingEnabled: rest.dataCache?.isBursting,
    ingressBandwidth: rest.ingressBandwidth,
    egressBandwidth: rest.egressBandwidth,
    imageRegistryCredential: rest.registryCredentials,
    container: rest.containers.map(mainContainer),
    initContainer: rest.initContainers?.map(initContainer),
    volume: rest.volumes?.map(volume),
    tag: rest.tags,
    ...eip,
  });
};

/**
 * The parameters that the SDK has no fields for. Sources: ECI API reference, CreateContainerGroup; the SDKs of other
 * languages of 2025.
 */
export const unknownToSdk = ({
  computeCategories = [],
  gpuDriverVersion,
  maxPendingMinutes,
}: ContainerGroupSpec): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(computeCategories.map((category, at) => [`ComputeCategory.${at + 1}`, category])),
  ...(gpuDriverVersion !== undefined && { GpuDriverVersion: gpuDriverVersion }),
  ...(maxPendingMinutes !== undefined && { MaxPendingMinute: String(maxPendingMinutes) }),
});

/** Shorter values say too little to be worth hiding, and would blot out half of any message. */
const SHORTEST_SECRET = 4;

/**
 * What of the spec may be secret: registry passwords, configuration files and values of environment variables, also as
 * they are written in the URL. The longest first, so that none is cut in two by one that it contains.
 */
export const secretsOf = (spec: ContainerGroupSpec): readonly string[] => {
  const values = [
    ...(spec.registryCredentials ?? []).map(({ password }) => password),
    ...[...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ environmentVar = [] }) =>
      environmentVar.flatMap((variable) => ('value' in variable ? [variable.value] : [])),
    ),
    ...(spec.volumes ?? []).flatMap((given) =>
      'configFiles' in given
        ? given.configFiles.files.flatMap(({ content }) => [content, Buffer.from(content, 'base64').toString()])
        : [],
    ),
    // A flex volume's options can hold the keys of a bucket.
    ...(spec.volumes ?? []).flatMap((given) => ('flexVolume' in given ? (given.flexVolume.options ?? []) : [])),
  ].filter((value) => value.length >= SHORTEST_SECRET);
  return [...new Set(values.flatMap((value) => [value, encodeURIComponent(value.toWellFormed())]))].sort(
    (a, b) => b.length - a.length,
  );
};
