import type { Cloud } from '../../cloud/port.ts';
import { withToken, type Caller } from '../../lib/token.ts';
import type { ReleaseAction } from './release.ts';

/** What is changed, and by whom. */
interface ReleaseTarget {
  readonly cloud: Cloud;
  readonly allocationId: string;
  /** The sweeper of this process, and the tries at this EIP. */
  readonly caller: Caller;
}

/**
 * Changes one thing about a candidate EIP. Unassociate is a compare-and-swap: it undoes the named binding or nothing.
 * Rejects with a CloudFault.
 */
export const runReleaseAction = (
  step: ReleaseAction,
  { cloud, allocationId, caller }: ReleaseTarget,
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
