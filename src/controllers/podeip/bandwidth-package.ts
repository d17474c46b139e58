import type { NewEip } from '../../request/request.ts';
import type { PodEipSituation } from './situation.ts';
import { fail, type Step } from './step.ts';

/** What a person can do about a package that takes no EIP. */
const REMEDY = 'correct the annotation, or leave it out';

/**
 * How long a look-up that keeps failing holds a purchase back; milliseconds. A throttle or an outage of this one call
 * must not keep pods without an address for good: the look-up only spares the price of an EIP that its package does not
 * take, for the ten minutes until it is given back.
 */
const PATIENCE_MS = 60_000;

/**
 * Why an EIP that is bought for the request could not join its bandwidth package, or the look-up without which that is
 * not known; undefined where nothing is known against it. What shows only when it joins costs an EIP that is given back
 * ten minutes later; where packages may not be looked up, or cannot be for a minute, so does everything.
 */
export const packageObstacle = (
  { seen, settings: { region } }: PodEipSituation,
  { bandwidthPackageId, isp }: NewEip,
): Step | undefined => {
  if (bandwidthPackageId === undefined) return undefined;
  const { bandwidthPackage, memory } = seen;
  if (bandwidthPackage === undefined)
    return (memory.packageUnseenMs ?? 0) < PATIENCE_MS ? { do: 'ReadBandwidthPackage', bandwidthPackageId } : undefined;
  if (bandwidthPackage === 'unreadable') return undefined;
  const named = `bandwidth package ${bandwidthPackageId}`;
  if (bandwidthPackage === null) {
    const where = region === undefined ? 'the region of the cluster' : region;
    return fail('CloudRefused', `${named} does not exist in ${where}, so that no EIP is bought for it; ${REMEDY}`);
  }
  const { businessStatus } = bandwidthPackage;
  if (businessStatus !== '' && businessStatus !== 'Normal')
    return fail(
      'QuotaExceeded',
      `${named} takes no EIP while its business status is ${businessStatus}, so that none is bought for it; pay for the package in the console (it is looked at again every minute), or ${REMEDY}`,
    );
  if (bandwidthPackage.isp !== '' && bandwidthPackage.isp !== isp)
    return fail(
      'CloudRefused',
      `${named} takes EIPs of the line type ${bandwidthPackage.isp}, and this one is to have ${isp}, so that none is bought for it; ${REMEDY}, or ask for the line type of the package`,
    );
  return undefined;
};
