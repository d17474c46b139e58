import type { Eip } from '../../cloud/port.ts';

/**
 * Why the API would refuse to release the EIP, and what to do about it; undefined if it would not. For people; follows
 * the ID of the EIP in a sentence. Source: VPC API reference, ReleaseEipAddress.
 */
export const obstacleToRelease = (eip: Eip): string | undefined => {
  const { serviceManaged, chargeType, lockReasons, deletionProtection, segmentInstanceId } = eip;
  if (serviceManaged) return 'another cloud service manages it';
  if (lockReasons.length > 0) return `it is locked (${lockReasons.join(', ')}); clear the lock in the console`;
  if (deletionProtection) return 'its deletion protection is on; turn it off in the console';
  if (chargeType !== 'PostPaid') return `its charge type is ${chargeType}; turn it into PostPaid, or let it expire`;
  if (segmentInstanceId !== undefined)
    return `it belongs to the contiguous group ${segmentInstanceId}; release the group in the console`;
  return undefined;
};
