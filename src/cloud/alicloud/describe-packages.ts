import type { BandwidthPackage } from '../port.ts';
import { check, inconsistent } from './answer-checks.ts';
import { bodyOf, readBandwidthPackages } from './answers.ts';
import type { ApiContext } from './api-context.ts';

/** The read of bandwidth packages, by ID. */
export const packageQueries = ({ clients, call }: ApiContext) => ({
  findBandwidthPackage: async (
    bandwidthPackageId: string,
    signal?: AbortSignal,
  ): Promise<BandwidthPackage | undefined> => {
    const action = 'DescribeCommonBandwidthPackages';
    check(action, [bandwidthPackageId]);
    const { packages, total } = await call({ action, signal }, clients.vpc, async ({ client, sdk }) => {
      const request = new sdk.DescribeCommonBandwidthPackagesRequest({ regionId: clients.region, bandwidthPackageId });
      return readBandwidthPackages(bodyOf(await client.describeCommonBandwidthPackages(request)));
    });
    const found = packages.find((each) => each.bandwidthPackageId === bandwidthPackageId);
    // More than were asked for: the filter was ignored, and the package may be on another page.
    if (!found && total > 0) throw inconsistent(action, `an answer that counts ${total} packages lists another one`);
    return found;
  },
});
