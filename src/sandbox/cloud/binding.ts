import type { Account, Call, Deed } from './cloud-account.ts';
import { refuseUnlessIdle } from './allocation.ts';
import type { EipBinding, EipRecord } from './eips.ts';
import { isInPrefix } from './interfaces.ts';
import type { InterfaceRecord } from './interfaces.ts';
import { refusal } from './refusal.ts';
import type { CloudAnswer, Parameters } from './rpc-wire.ts';

/** VPC API reference, AssociateEipAddress, InstanceType. The embedded cloud has network interfaces and nothing else. */
const instanceTypes: ReadonlySet<string> = new Set([
  'EcsInstance',
  'NetworkInterface',
  'Nat',
  'SlbInstance',
  'HaVip',
  'IpAddress',
]);

const modes: ReadonlySet<string> = new Set(['NAT', 'MULTI_BINDED', 'BINDED']);

const readInstanceType = (parameters: Parameters): string => {
  const type = parameters.get('InstanceType') ?? 'EcsInstance';
  if (!instanceTypes.has(type)) throw refusal('InvalidInstanceType.ValueNotSupported', `InstanceType: "${type}".`);
  return type;
};

/** Whether the interface is that of an elastic container instance. */
const isOfContainerGroup = ({ instanceId }: InterfaceRecord): boolean => instanceId.startsWith('eci-');

/** The interface that these two mean: itself, or under the reading `eciSpelling` that of a container instance. */
const interfaceOf = (account: Account, instanceId: string, type: string): InterfaceRecord | undefined => {
  if (type === 'NetworkInterface') return account.interfaces.get(instanceId);
  if (type !== 'EcsInstance' || !account.is('eciSpelling')) return undefined;
  return [...account.interfaces.all()].find((eni) => eni.instanceId === instanceId && isOfContainerGroup(eni));
};

/** What DescribeEipAddresses calls the instance of a binding, and UnassociateEipAddress wants to hear. */
export const describedInstance = (
  account: Account,
  { instanceId, instanceType }: EipBinding,
): Pick<EipBinding, 'instanceId' | 'instanceType'> => {
  const eni = account.is('eciSpelling') ? account.interfaces.get(instanceId) : undefined;
  return eni && isOfContainerGroup(eni)
    ? { instanceId: eni.instanceId, instanceType: 'EcsInstance' }
    : { instanceId, instanceType };
};

/**
 * What a call of Associate wants to bind to, with everything that does not depend on the EIP checked.
 * @throws Refusal
 */
const readBinding = (account: Account, parameters: Parameters): EipBinding => {
  const instanceId = parameters.required('InstanceId');
  const instanceType = readInstanceType(parameters);
  const mode = parameters.get('Mode') ?? 'NAT';
  if (!modes.has(mode)) throw refusal('IllegalParam.Mode', `Mode: "${mode}".`);
  const eni = interfaceOf(account, instanceId, instanceType);
  if (!eni) throw refusal('InvalidInstanId.NotFound', `InstanceId: "${instanceId}".`);
  // The page says that it is required for a NetworkInterface; Terraform's acceptance tests bind without it.
  const privateIpAddress = parameters.get('PrivateIpAddress') ?? eni.primaryIp;
  if (isInPrefix(eni, privateIpAddress)) throw refusal('UnsupportedFeature.EipBindPrefixIp');
  if (!eni.privateIps.includes(privateIpAddress))
    throw refusal('InvalidParameter.EniInstanceId', `PrivateIpAddress: "${privateIpAddress}".`);
  // An interface that is attached to nothing may have an EIP (Terraform's acceptance tests).
  if (eni.status !== 'InUse' && eni.status !== 'Available')
    throw refusal('InvalidStatus.EniStatusNotSupport', `Status: ${eni.status}.`);
  return bindingTo(eni, privateIpAddress, mode);
};

/** The binding of an EIP to a private address of a network interface. */
export const bindingTo = (eni: InterfaceRecord, privateIpAddress: string, mode = 'NAT'): EipBinding => ({
  instanceId: eni.networkInterfaceId,
  instanceType: 'NetworkInterface',
  privateIpAddress,
  primary: privateIpAddress === eni.primaryIp,
  mode,
});

/** One EIP per private address, one mode per interface (AssociateEipAddress, error codes). @throws Refusal */
const refuseIfOccupied = (account: Account, binding: EipBinding): void => {
  const others = account.eips.boundTo(binding.instanceId);
  if (others.some((other) => other.binding?.privateIpAddress === binding.privateIpAddress))
    throw refusal('InvalidAssociation.Duplicated');
  if (others.length > 0 && (binding.mode === 'BINDED' || others.some((other) => other.binding?.mode === 'BINDED')))
    throw refusal('Mode.Conflict');
  if (others.some((other) => other.binding?.mode !== binding.mode))
    throw refusal('OperationFailed.EipBindModeConflict');
};

/** AssociateEipAddress: asynchronous, Associating and then InUse. */
export const associateEipAddress = (account: Account, call: Call): CloudAnswer => {
  const { parameters, at } = call;
  const eip = account.eip(parameters.required('AllocationId'));
  refuseUnlessIdle(eip);
  if (eip.status !== 'Available') throw refusal('IncorrectEipStatus');
  const binding = readBinding(account, parameters);
  refuseIfOccupied(account, binding);
  const associating: EipRecord = { ...eip, status: 'Associating', binding };
  account.begin(associating, account.settings.transitions.associate, at, (then) => ({ ...then, status: 'InUse' }));
  account.record(call, associating);
  return {};
};

/**
 * Whether the instance, its type and the private address of a call of Unassociate are those that the EIP is bound to.
 * What the call does not name does not count; but an InstanceId without InstanceType means an ECS
 * instance, as documented.
 */
const names = (account: Account, parameters: Parameters, binding: EipBinding): boolean => {
  const described = describedInstance(account, binding);
  const instanceId = parameters.get('InstanceId');
  const privateIp = parameters.get('PrivateIpAddress');
  const checksType = instanceId !== undefined || parameters.get('InstanceType') !== undefined;
  return (
    (instanceId === undefined || instanceId === described.instanceId) &&
    (!checksType || readInstanceType(parameters) === described.instanceType) &&
    (privateIp === undefined || privateIp === binding.privateIpAddress)
  );
};

/** UnassociateEipAddress: asynchronous, Unassociating and then Available. */
export const unassociateEipAddress = (account: Account, call: Call): CloudAnswer => {
  const { parameters, at } = call;
  const eip = account.eip(parameters.required('AllocationId'));
  refuseUnlessIdle(eip);
  if (eip.status !== 'InUse' || !eip.binding) throw refusal('IncorrectEipStatus');
  if (!names(account, parameters, eip.binding)) throw refusal('InvalidBindInstance.NotFound');
  account.begin({ ...eip, status: 'Unassociating' }, account.settings.transitions.unassociate, at, unbound);
  account.record(call, eip);
  return {};
};

/** The EIP as it is after its binding has ended. */
const unbound = (eip: EipRecord): EipRecord => ({ ...eip, status: 'Available', binding: undefined });

/**
 * The task under way if it is about a bandwidth package: a change of the binding overtakes only tasks of the binding.
 */
export const packageTask = ({ task, bandwidthPackage }: EipRecord): number | undefined =>
  bandwidthPackage && bandwidthPackage.status !== 'BINDED' ? task : undefined;

/** Ends a binding at once, whatever state it is in. */
export const unbindAtOnce = (account: Account, eip: EipRecord, deed: Deed): void => {
  account.record(deed, eip);
  account.eips.put({ ...unbound(eip), task: packageTask(eip) }, deed.at);
};

/** Deletes an interface. The cloud ends the bindings of all EIPs on it (terway, pkg/aliyun/eip.go). */
export const removeInterface = (account: Account, networkInterfaceId: string, deed: Deed): void => {
  for (const eip of account.eips.boundTo(networkInterfaceId)) unbindAtOnce(account, eip, deed);
  account.interfaces.remove(networkInterfaceId);
};
