import type { Binding } from '../port.ts';

/** Parameters of AssociateEipAddress and UnassociateEipAddress. */
interface BindingParameters {
  readonly regionId: string;
  readonly allocationId: string;
  readonly instanceId?: string;
  readonly instanceType?: string;
  readonly privateIpAddress?: string;
  readonly clientToken: string;
}

/** Where the EIP shall be bound: the address always, also the primary one. An instance has none that could be named. */
export const associateParameters = (regionId: string, binding: Binding): BindingParameters => ({
  regionId,
  allocationId: binding.allocationId,
  instanceId: binding.networkInterfaceId,
  instanceType: binding.instanceType ?? 'NetworkInterface',
  ...(binding.privateIpAddress !== '' && { privateIpAddress: binding.privateIpAddress }),
  clientToken: binding.clientToken,
});

/**
 * From where the EIP shall be unbound, named as completely as where it was bound to. The API would do without: then a
 * request that comes late undoes whatever the EIP is bound to by then.
 */
export const unassociateParameters = (regionId: string, binding: Binding): BindingParameters =>
  associateParameters(regionId, binding);
