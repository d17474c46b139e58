import type { Cloud } from '../../cloud/port.ts';
import { withToken, type Caller } from '../../lib/token.ts';
import type { ReleaseAction } from './release.ts';

/** The EIP to change, and who changes it. */
interface ReleaseTarget {
  readonly cloud: Cloud;
  readonly allocationId: string;
  /** Identifies this process and its attempts at this EIP; part of the client token. */
  readonly caller: Caller;
}

/**
 * Makes one change to a candidate. Unassociate is a compare-and-swap: it undoes the named binding or nothing. Rejects
 * with a CloudFault.
 */
export const runReleaseAction = (
  step: ReleaseAction,
  { cloud, allocationId, caller }: ReleaseTarget,
  signal: AbortSignal,
): Promise<void> => {
  switch (step.do) {
    case 'Unassociate': {
      const { networkInterfaceId, instanceType, privateIpAddress } = step;
      const bound = {
        allocationId,
        networkInterfaceId,
        privateIpAddress,
        ...(instanceType !== undefined && { instanceType }),
      };
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
