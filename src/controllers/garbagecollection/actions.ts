import type { Cloud } from '../../cloud/port.ts';
import { withToken, type Caller } from '../../lib/token.ts';
import type { CollectStep } from './orphans.ts';

/** A step of the sweeper that changes the cloud, with the private address that the cloud demands. */
export type CollectAction = Extract<CollectStep, { do: 'Unassociate' | 'LeaveBandwidthPackage' | 'Release' }>;

/**
 * Changes one thing about a candidate EIP. Unassociate is a compare-and-swap: it undoes the named binding or nothing. Rejects
 * with a CloudFault.
 *
 * @param caller the sweeper of this process, and the tries at this EIP
 */
export const runCollectAction = (
  step: CollectAction,
  allocationId: string,
  caller: Caller,
  cloud: Cloud,
  signal: AbortSignal,
): Promise<void> => {
  switch (step.do) {
    case 'Unassociate': {
      const { networkInterfaceId, privateIpAddress } = step;
      const bound = { allocationId, networkInterfaceId, privateIpAddress };
      return cloud.unassociateEip(withToken('UnassociateEipAddress', caller, bound), signal);
    }
    case 'LeaveBandwidthPackage': {
      const { bandwidthPackageId } = step;
      return cloud.leaveBandwidthPackage(withToken(step.do, caller, { allocationId, bandwidthPackageId }), signal);
    }
    case 'Release':
      return cloud.releaseEip(allocationId, signal);
  }
};
