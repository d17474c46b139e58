import type { Cloud } from '../cloud/port.ts';
import type { SweepStep } from '../plan/sweep.ts';
import { clientToken } from './token.ts';

/** A step of the sweeper that changes the cloud, with the private address that the cloud demands. */
export type SweepAct = Extract<SweepStep, { do: 'Unassociate' | 'LeaveBandwidthPackage' | 'Release' }>;

/**
 * Changes one thing about a stray EIP. Unassociate is a compare-and-swap: it undoes the named binding or nothing. Rejects
 * with a CloudFault.
 *
 * @param attempt counts the tries at this EIP: a token that is sent again once it was answered would do nothing
 */
export const sweepAct = (
  step: SweepAct,
  allocationId: string,
  attempt: number,
  cloud: Cloud,
  signal: AbortSignal,
): Promise<void> => {
  switch (step.do) {
    case 'Unassociate': {
      const { networkInterfaceId, privateIpAddress } = step;
      const token = clientToken('sweep', step.do, allocationId, networkInterfaceId, privateIpAddress, attempt);
      return cloud.unassociateEip({ allocationId, networkInterfaceId, privateIpAddress, clientToken: token }, signal);
    }
    case 'LeaveBandwidthPackage': {
      const { bandwidthPackageId } = step;
      const token = clientToken('sweep', step.do, allocationId, bandwidthPackageId, attempt);
      return cloud.leaveBandwidthPackage({ allocationId, bandwidthPackageId, clientToken: token }, signal);
    }
    case 'Release':
      return cloud.releaseEip(allocationId, signal);
  }
};
