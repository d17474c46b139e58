import { isIPv4 } from 'node:net';
import { LARGEST_BATCH } from '../batch.ts';
import type { Eip, Tag } from '../port.ts';
import { check, inconsistent, refuse } from './answer-checks.ts';
import { bodyOf, readEips } from './answers.ts';
import type { ApiContext } from './api-context.ts';
import { printable } from './redact.ts';

/** VPC API reference, DescribeEipAddresses: PageSize, at most 100. */
const PAGE_SIZE = 100;
/** VPC API reference, DescribeEipAddresses: Tag.N, at most 20. Further tags are compared here. */
const MOST_TAGS = 20;
/** How often a list that changed while it was read is read again before it is given up for now. */
const LIST_PASSES = 3;

interface Query {
  readonly allocationId?: string;
  readonly eipAddress?: string;
  readonly tag?: Tag[];
  readonly chargeType?: 'PostPaid';
  readonly status?: 'Available';
  readonly pageNumber: number;
  readonly pageSize?: number;
}

/** The reads of EIPs: by ID, by tag and by address. */
export const eipQueries = ({ clients, call, nextPage }: ApiContext) => {
  const page = async (query: Query, signal?: AbortSignal) =>
    call({ action: 'DescribeEipAddresses', signal }, clients.vpc, async ({ client, sdk }) => {
      const request = new sdk.DescribeEipAddressesRequest({ regionId: clients.region, pageSize: PAGE_SIZE, ...query });
      return readEips(bodyOf(await client.describeEipAddresses(request)));
    });

  const describeChunk = async (ids: readonly string[], signal?: AbortSignal): Promise<readonly Eip[]> => {
    const { eips, total } = await page({ allocationId: ids.join(','), pageNumber: 1 }, signal);
    // More than were asked for: the filter was ignored, and an EIP that is missing here may be on another page.
    if (eips.length !== total || new Set(eips.map(({ allocationId }) => allocationId)).size !== total) {
      throw inconsistent('DescribeEipAddresses', `${eips.length} EIPs in an answer that counts ${total}`);
    }
    return eips;
  };

  const describeEips = async (allocationIds: readonly string[], signal?: AbortSignal) => {
    check('DescribeEipAddresses', allocationIds);
    const wanted = new Set(allocationIds);
    const ids = [...wanted];
    const found = new Map<string, Eip>();
    for (let from = 0; from < ids.length; from += LARGEST_BATCH) {
      if (from > 0) await nextPage?.('DescribeEipAddresses', signal);
      for (const eip of await describeChunk(ids.slice(from, from + LARGEST_BATCH), signal)) {
        if (wanted.has(eip.allocationId)) found.set(eip.allocationId, eip);
      }
    }
    return found;
  };

  /** One pass over all pages; undefined when the list changed under our hands. */
  const listOnce = async (
    where: Pick<Query, 'tag' | 'status'>,
    signal?: AbortSignal,
  ): Promise<Map<string, Eip> | undefined> => {
    const found = new Map<string, Eip>();
    let expected: number | undefined;
    for (let pageNumber = 1; expected === undefined || found.size < expected; pageNumber += 1) {
      if (pageNumber > 1) await nextPage?.('DescribeEipAddresses', signal);
      const { eips, total } = await page({ ...where, pageNumber }, signal);
      expected ??= total;
      if (total !== expected || (eips.length === 0 && found.size < expected)) return undefined;
      for (const eip of eips) {
        if (found.has(eip.allocationId)) return undefined;
        found.set(eip.allocationId, eip);
      }
    }
    return found.size === expected ? found : undefined;
  };

  const list = async (where: Pick<Query, 'tag' | 'status'>, signal?: AbortSignal): Promise<readonly Eip[]> => {
    for (let pass = 1; pass <= LIST_PASSES; pass += 1) {
      if (pass > 1) await nextPage?.('DescribeEipAddresses', signal);
      const found = await listOnce(where, signal);
      if (found !== undefined) return [...found.values()];
    }
    throw inconsistent('DescribeEipAddresses', `the pages contradicted each other in ${LIST_PASSES} passes`);
  };

  const findEips = async (tags: readonly Tag[], signal?: AbortSignal): Promise<readonly Eip[]> => {
    if (tags.length === 0) throw refuse('DescribeEipAddresses', 'no tags: this would list every EIP of the account');
    const tag = tags.slice(0, MOST_TAGS).map(({ key, value }) => ({ key, value }));
    // An API that ignores the filter must not hand us EIPs of others.
    return (await list({ tag }, signal)).filter((eip) => tags.every(({ key, value }) => eip.tags.get(key) === value));
  };

  const listFreeEips = async (signal?: AbortSignal): Promise<readonly Eip[]> =>
    (await list({ status: 'Available' }, signal)).filter(({ status }) => status === 'Available');

  const findEipsByAddress = async (
    ipAddresses: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Eip>> => {
    const bad = ipAddresses.find((ipAddress) => !isIPv4(ipAddress));
    if (bad !== undefined)
      throw refuse('DescribeEipAddresses', `${JSON.stringify(printable(bad, 60))} is not an IPv4 address`);
    const addresses = [...new Set(ipAddresses)];
    const found = new Map<string, Eip>();
    for (let from = 0; from < addresses.length; from += LARGEST_BATCH) {
      if (from > 0) await nextPage?.('DescribeEipAddresses', signal);
      const some = addresses.slice(from, from + LARGEST_BATCH);
      const { eips } = await page({ eipAddress: some.join(','), pageNumber: 1 }, signal);
      // An API that ignores the filter must not hand us EIPs of others.
      for (const eip of eips) if (some.includes(eip.ipAddress)) found.set(eip.ipAddress, eip);
    }
    return found;
  };

  return {
    describeEip: async (allocationId: string, signal?: AbortSignal) =>
      (await describeEips([allocationId], signal)).get(allocationId),
    describeEips,
    findEips,
    listFreeEips,
    findEipsByAddress,
    // VPC documentation, "EIP quotas": the quota is of pay-as-you-go EIPs.
    countEips: async (signal?: AbortSignal) =>
      (await page({ chargeType: 'PostPaid', pageNumber: 1, pageSize: 1 }, signal)).total,
  };
};
