import { refusal } from './refusal.ts';
import type { CloudRefusal } from './refusal.ts';
import type { ContainerRecord, VolumeRecord } from './records.ts';
import type { Parameters } from './rpc-wire.ts';

/*
 * The parameters of CreateContainerGroup, checked (ECI API reference, CreateContainerGroup; Elastic Container Instance,
 * "Limits": 20 containers, 20 volumes and 64 vCPU in one instance).
 */

const MOST_CONTAINERS = 20;
const MOST_VOLUMES = 20;
const MOST_VARIABLES = 240;
const MOST_VCPU = 64;
const MOST_VSWITCHES = 10;
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,126}[a-z0-9])$/;
const VARIABLE = /^[A-Za-z_.-][\w.-]{0,127}$/;

const wrong = (text: string): CloudRefusal => refusal('InvalidParameter', text);

const oneOf = (parameters: Parameters, name: string, values: readonly string[]): string | undefined => {
  const value = parameters.get(name);
  if (value !== undefined && !values.includes(value))
    throw wrong(`${name} must be ${values.join(' or ')}, not "${value}".`);
  return value;
};

const amount = (parameters: Parameters, name: string): number | undefined => {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw wrong(`${name} must be above 0, not "${text}".`);
  return value;
};

/** Exactly one of the three actions. */
const checkProbe = (container: string, kind: string, probe: Parameters): void => {
  if (probe.isEmpty) return;
  const actions = ['HttpGet', 'Exec', 'TcpSocket'].filter((action) => !probe.within(action).isEmpty);
  if (actions.length !== 1)
    throw wrong(`${kind} of ${container} must have one of HttpGet, Exec and TcpSocket, not ${actions.length}.`);
  if (actions[0] === 'Exec' && probe.list('Exec.Command').length === 0)
    throw wrong(`${kind} of ${container} has an Exec without Command.`);
  if (actions[0] !== 'Exec' && probe.integer(`${actions[0]}.Port`, { min: 1, max: 65_535 }) === undefined)
    throw wrong(`${kind} of ${container} has no Port.`);
  oneOf(probe, 'HttpGet.Scheme', ['HTTP', 'HTTPS']);
  probe.integer('PeriodSeconds', { min: 1, max: 1e6 });
  for (const name of ['InitialDelaySeconds', 'TimeoutSeconds', 'SuccessThreshold', 'FailureThreshold'])
    probe.integer(name, { min: 0, max: 1e6 });
};

const checkVariables = (container: string, variables: readonly Parameters[]): void => {
  if (variables.length > MOST_VARIABLES) throw wrong(`${container} has more than ${MOST_VARIABLES} variables.`);
  for (const variable of variables) {
    const key = variable.required('Key');
    if (!VARIABLE.test(key)) throw wrong(`EnvironmentVar.Key "${key}" of ${container}.`);
    const value = variable.get('Value');
    // The value is not repeated: it may be a secret.
    if ((value ?? '').length > 256) throw wrong(`EnvironmentVar ${key} of ${container} has more than 256 characters.`);
    const path = variable.get('FieldRef.FieldPath');
    if (path !== undefined && (path !== 'status.podIP' || value !== undefined))
      throw wrong(`EnvironmentVar ${key} of ${container} may only refer to status.podIP.`);
  }
};

const readContainer = (container: Parameters, volumes: ReadonlySet<string>): ContainerRecord => {
  const name = container.required('Name');
  const image = container.required('Image');
  if (!NAME.test(name) && !/^[a-z0-9]$/.test(name)) throw wrong(`Container.Name: "${name}".`);
  checkVariables(name, container.nested('EnvironmentVar'));
  checkProbe(name, 'ReadinessProbe', container.within('ReadinessProbe'));
  checkProbe(name, 'LivenessProbe', container.within('LivenessProbe'));
  for (const port of container.nested('Port')) {
    port.integer('Port', { min: 1, max: 65_535 });
    oneOf(port, 'Protocol', ['TCP', 'UDP']);
  }
  for (const mount of container.nested('VolumeMount')) {
    mount.required('MountPath');
    if (!volumes.has(mount.required('Name'))) throw wrong(`${name} mounts "${mount.get('Name')}", which is no volume.`);
    oneOf(mount, 'MountPropagation', ['None', 'HostToContainer', 'Bidirectional']);
  }
  for (const capability of container.list('SecurityContext.Capability.Add'))
    if (capability !== 'NET_ADMIN' && capability !== 'NET_RAW')
      throw wrong(`Capability.Add of ${name} may be NET_ADMIN or NET_RAW, not "${capability}".`);
  return { name, image, state: 'Waiting', reason: 'ContainerCreating', ready: false, restartCount: 0 };
};

const readVolumes = (parameters: Parameters): readonly VolumeRecord[] => {
  const volumes = parameters.nested('Volume');
  if (volumes.length > MOST_VOLUMES) throw wrong(`${volumes.length} volumes; there may be ${MOST_VOLUMES}.`);
  const names = new Set<string>();
  return volumes.map((volume) => {
    const name = volume.required('Name');
    if (names.has(name)) throw refusal('InvalidParameter.DuplicatedVolumeName', `Name: "${name}".`);
    names.add(name);
    const type = volume.required('Type');
    oneOf(volume, 'Type', [
      'EmptyDirVolume',
      'ConfigFileVolume',
      'NFSVolume',
      'FlexVolume',
      'HostPathVolume',
      'DiskVolume',
    ]);
    if (type !== 'EmptyDirVolume' && volume.within(type).isEmpty) throw wrong(`Volume ${name} has no ${type}.`);
    return {
      name,
      type,
      driver: volume.get('FlexVolume.Driver'),
      options: volume.get('FlexVolume.Options'),
      server: volume.get('NFSVolume.Server'),
      path: volume.get('NFSVolume.Path'),
    };
  });
};

/** What the instance is to have for a public address. */
export type EipWish =
  | { readonly kind: 'none' }
  | { readonly kind: 'existing'; readonly allocationId: string }
  | {
      readonly kind: 'new';
      readonly bandwidthMbps: number;
      readonly isp: string;
      readonly bandwidthPackageId: string | undefined;
    };

const readEip = (parameters: Parameters): EipWish => {
  const allocationId = parameters.get('EipInstanceId');
  const isNew = parameters.boolean('AutoCreateEip');
  // Nothing is documented for both: the EIP that is named is taken, and none is bought.
  if (allocationId !== undefined) return { kind: 'existing', allocationId };
  if (isNew) {
    return {
      kind: 'new',
      bandwidthMbps: parameters.integer('EipBandwidth', { min: 1, max: 200, fallback: 5 }),
      isp: oneOf(parameters, 'EipISP', ['BGP', 'BGP_PRO']) ?? 'BGP',
      bandwidthPackageId: parameters.get('EipCommonBandwidthPackage'),
    };
  }
  if (parameters.get('EipBandwidth') !== undefined)
    throw wrong('EipBandwidth can only be set when AutoCreateEip is true.');
  return { kind: 'none' };
};

/** What the embedded cloud takes, and keeps nothing of. */
const checkOptions = (parameters: Parameters): void => {
  parameters.integer('MaxPendingMinute', { min: 10, max: 1_440 });
  parameters.integer('DataCacheProvisionedIops', { min: 0, max: 50_000 });
  oneOf(parameters, 'DataCachePL', ['PL0', 'PL1', 'PL2', 'PL3']);
  for (const category of parameters.list('ComputeCategory'))
    if (category !== 'economy' && category !== 'general') throw wrong(`ComputeCategory "${category}".`);
  const bandwidth = parameters.integer('Ipv6GatewayBandwidth', { min: 1, max: 2_000 });
  if (bandwidth !== undefined && !parameters.boolean('Ipv6GatewayBandwidthEnable'))
    throw wrong('Ipv6GatewayBandwidth can only be set when Ipv6GatewayBandwidthEnable is true.');
  if (parameters.boolean('Ipv6GatewayBandwidthEnable') && parameters.get('Ipv6AddressCount') === undefined)
    throw wrong('Ipv6GatewayBandwidthEnable needs Ipv6AddressCount.');
};

/** What CreateContainerGroup asks for, as far as the embedded cloud keeps it. @throws Refusal */
export const readContainerGroup = (parameters: Parameters) => {
  parameters.required('RegionId');
  const containerGroupName = parameters.required('ContainerGroupName');
  if (!NAME.test(containerGroupName)) throw wrong(`ContainerGroupName: "${containerGroupName}".`);
  const securityGroupId = parameters.get('SecurityGroupId') ?? 'sg-default';
  if (!securityGroupId.startsWith('sg-')) throw wrong(`SecurityGroupId: "${securityGroupId}".`);
  const vSwitchIds = parameters.required('VSwitchId').split(',');
  if (vSwitchIds.length > MOST_VSWITCHES) throw wrong(`VSwitchId may name ${MOST_VSWITCHES}.`);
  const restartPolicy = oneOf(parameters, 'RestartPolicy', ['Always', 'Never', 'OnFailure']) ?? 'Always';
  const [given, before] = [parameters.nested('Container'), parameters.nested('InitContainer')];
  if (given.length === 0) throw wrong('There must be a Container.');
  if (given.length + before.length > MOST_CONTAINERS)
    throw wrong(`${given.length + before.length} containers; there may be ${MOST_CONTAINERS}.`);
  checkOptions(parameters);
  const volumes = readVolumes(parameters);
  const mountable = new Set(volumes.map(({ name }) => name));
  const containers = given.map((container) => readContainer(container, mountable));
  const initContainers = before.map((container) => readContainer(container, mountable));
  const names = [...containers, ...initContainers].map(({ name }) => name);
  if (new Set(names).size < names.length) throw refusal('InvalidParameter.DuplicatedName');
  const sum = (name: string) => given.reduce((total, container) => total + (amount(container, name) ?? 0), 0);
  // 2 vCPU and 4 GiB where nothing is said (ECI, "Specify the number of vCPUs and memory size").
  const cpu = amount(parameters, 'Cpu') ?? (sum('Cpu') || 2);
  const memory = amount(parameters, 'Memory') ?? (sum('Memory') || 4);
  if (cpu > MOST_VCPU) throw refusal('InvalidParameter.CPU.Memory', `${cpu} vCPU.`);
  const eip = readEip(parameters);
  return {
    containerGroupName,
    securityGroupId,
    vSwitchIds,
    restartPolicy,
    containers,
    initContainers,
    volumes,
    cpu,
    memory,
    eip,
  };
};
