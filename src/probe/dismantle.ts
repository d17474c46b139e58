import { unbindingQuery } from './lab.ts';
import type { Mark } from './run-mark.ts';
import type { NamedProduct } from '../cloud/named-answer.ts';
import type { EipSeen, GroupSeen, InterfaceSeen } from './seen.ts';

/** What of an account is one run's. */
export interface Belongings {
  readonly eips: readonly EipSeen[];
  /** EIPs without the mark that are bound to one of the run's container groups. */
  readonly eipsOfGroups: readonly EipSeen[];
  readonly interfaces: readonly InterfaceSeen[];
  readonly groups: readonly GroupSeen[];
}

/** One call that gives something back. */
export interface ReturningCall {
  readonly product: NamedProduct;
  readonly action: string;
  readonly query: Readonly<Record<string, string>>;
}

export const isNothing = ({ eips, eipsOfGroups, interfaces, groups }: Belongings): boolean =>
  eips.length + eipsOfGroups.length + interfaces.length + groups.length === 0;

const stepOfEip = (eip: EipSeen): ReturningCall | undefined => {
  const AllocationId = eip.allocationId;
  if (eip.status === 'InUse') return { product: 'vpc', action: 'UnassociateEipAddress', query: unbindingQuery(eip) };
  if (eip.status !== 'Available') return undefined;
  if (eip.packageId !== '') {
    const query = { BandwidthPackageId: eip.packageId, IpInstanceId: AllocationId };
    return { product: 'vpc', action: 'RemoveCommonBandwidthPackageIp', query };
  }
  return { product: 'vpc', action: 'ReleaseEipAddress', query: { AllocationId } };
};

/**
 * What can be done now to give everything back, in this order: instances, which take their own EIPs with them, then
 * EIPs step by step, then interfaces that no EIP is bound to. `waiting`: what has to pass first, in words.
 */
export const dismantle = (
  { eips, eipsOfGroups, interfaces, groups }: Belongings,
  mark: Mark,
): { readonly steps: readonly ReturningCall[]; readonly waiting: readonly string[] } => {
  const steps: ReturningCall[] = [];
  const waiting: string[] = [];
  // An EIP that is made with an instance should go with it. Marked, it is found if it does not.
  for (const eip of eipsOfGroups)
    if (!eip.isManaged)
      steps.push({
        product: 'vpc',
        action: 'TagResources',
        query: { ResourceType: 'EIP', 'ResourceId.1': eip.allocationId, ...mark.tag },
      });
  for (const group of groups) {
    if (group.status === 'Terminating') waiting.push(`${group.containerGroupId} is Terminating`);
    else
      steps.push({
        product: 'eci',
        action: 'DeleteContainerGroup',
        query: { ContainerGroupId: group.containerGroupId },
      });
  }
  const ofGroups = new Set(groups.flatMap((group) => [group.containerGroupId, group.networkInterfaceId]));
  for (const eip of eips) {
    const step = eip.instanceId !== '' && ofGroups.has(eip.instanceId) ? undefined : stepOfEip(eip);
    if (step) steps.push(step);
    else waiting.push(`${eip.allocationId} is ${eip.status}`);
  }
  for (const eni of interfaces) {
    const isUsed = eips.some((eip) => eip.instanceId === eni.networkInterfaceId);
    if (isUsed) waiting.push(`${eni.networkInterfaceId} has an EIP`);
    else
      steps.push({
        product: 'ecs',
        action: 'DeleteNetworkInterface',
        query: { NetworkInterfaceId: eni.networkInterfaceId },
      });
  }
  return { steps, waiting };
};
