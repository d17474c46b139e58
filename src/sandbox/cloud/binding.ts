import type { Account, Call, Deed } from './cloud-account.ts';
import { refuseUnlessIdle } from './allocation.ts';
import type { EipBinding, EipRecord } from './eips.ts';
import type { InterfaceRecord } from './interfaces.ts';
import { refusal } from './refusal.ts';
import type { CloudAnswer, Parameters } from './wire.ts';

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

/**
 * What a call of Associate wants to bind to, with everything that does not depend on the EIP checked.
 * @throws Refusal
 */
const readBinding = (account: Account, parameters: Parameters): EipBinding => {
  const instanceId = parameters.required('InstanceId');
  const instanceType = readInstanceType(parameters);
  const mode = parameters.get('Mode') ?? 'NAT';
  if (!modes.has(mode)) throw refusal('IllegalParam.Mode', `Mode: "${mode}".`);
  const eni = instanceType === 'NetworkInterface' ? account.interfaces.get(instanceId) : undefined;
  if (!eni) throw refusal('InvalidInstanId.NotFound', `InstanceId: "${instanceId}".`);
  const privateIpAddress = parameters.get('PrivateIpAddress');
  if (privateIpAddress === undefined)
    throw refusal('InvalidParameter', 'PrivateIpAddress is required for InstanceType NetworkInterface.');
  if (!eni.privateIps.includes(privateIpAddress))
    throw refusal('InvalidParameter.EniInstanceId', `PrivateIpAddress: "${privateIpAddress}".`);
  if (eni.status !== 'InUse') throw refusal('InvalidStatus.EniStatusNotSupport', `Status: ${eni.status}.`);
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
const names = (parameters: Parameters, binding: EipBinding): boolean => {
  const instanceId = parameters.get('InstanceId');
  const privateIp = parameters.get('PrivateIpAddress');
  const checksType = instanceId !== undefined || parameters.get('InstanceType') !== undefined;
  return (
    (instanceId === undefined || instanceId === binding.instanceId) &&
    (!checksType || readInstanceType(parameters) === binding.instanceType) &&
    (privateIp === undefined || privateIp === binding.privateIpAddress)
  );
};

/** UnassociateEipAddress: asynchronous, Unassociating and then Available. */
export const unassociateEipAddress = (account: Account, call: Call): CloudAnswer => {
  const { parameters, at } = call;
  const eip = account.eip(parameters.required('AllocationId'));
  refuseUnlessIdle(eip);
  if (eip.status !== 'InUse' || !eip.binding) throw refusal('IncorrectEipStatus');
  if (!names(parameters, eip.binding)) throw refusal('InvalidBindInstance.NotFound');
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
