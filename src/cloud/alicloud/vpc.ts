import { isIPv4 } from 'node:net';
import type { CloudAction } from '../api-actions.ts';
import { LARGEST_BATCH } from '../batch.ts';
import type { FoldableCloud } from '../batch.ts';
import { CloudFault } from '../fault.ts';
import type { AllocateEip, Binding, Eip, NetworkInterface, PackageMembership, Tag } from '../port.ts';
import { bodyOf, readAllocation, readEips, readNetworkInterfaces } from './answers.ts';
import { createCaller } from './call.ts';
import type { CallerSettings } from './call.ts';
import { check, inconsistent, refuse } from './answer-checks.ts';
import { createClients } from './clients.ts';
import type { ClientSettings } from './clients.ts';
import { printable } from './redact.ts';

export interface CloudSettings extends ClientSettings, CallerSettings {
  /**
   * Admits every call after the first of a list (the caller of the list has the first one admitted): the throttle's
   * `acquire`. Without it, the pages follow each other at once.
   */
  readonly nextPage?: ((action: CloudAction, signal?: AbortSignal) => Promise<void>) | undefined;
}

/**
 * What ECS says of an instance that it does not know. Sources: ECS API reference, DescribeNetworkInterfaces; the
 * Terraform provider's service_alicloud_ecs.go.
 */
const NO_SUCH_INSTANCE = ['InvalidInstanceId', 'InvalidEcsId', 'InvalidEniId'] as const;

/** The cloud port on the SDK, and what only the process around it needs. */
export interface AlicloudCloud extends FoldableCloud {
  /** Imports the SDK and fetches credentials, so that the first call is as fast as the others. */
  warmUp(): Promise<void>;
  /** How many EIPs of the region count towards the account's quota: all that are paid for as they are used. */
  countEips(signal?: AbortSignal): Promise<number>;
}

/** VPC API reference, DescribeEipAddresses: PageSize, at most 100. */
const PAGE_SIZE = 100;
/** VPC API reference, DescribeEipAddresses: Tag.N, at most 20. Further tags are compared here. */
const MOST_TAGS = 20;
/** How often a list that changed while it was read is read again before it is given up for now. */
const LIST_PASSES = 3;
/** ECS API reference, DescribeNetworkInterfaces: MaxResults, 10–500. One address has one interface. */
const INTERFACE_PAGE_SIZE = 100;
/** More pages than this for one address mean that the filter was ignored. */
const MOST_INTERFACE_PAGES = 10;

/** A call that changes something: what it names, and the token by which a repetition is known. */
interface Mutation {
  readonly action: CloudAction;
  readonly ids: readonly string[];
  readonly clientToken?: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The cloud port on Alibaba Cloud's SDK: one API call for each function, for a list one for each page. */
export const createCloud = (settings: CloudSettings): AlicloudCloud => {
  const clients = createClients(settings);
  const call = createCaller(settings);
  const { nextPage, credentials } = settings;
  const regionId = clients.region;

  interface Query {
    readonly allocationId?: string;
    readonly eipAddress?: string;
    readonly tag?: Tag[];
    readonly chargeType?: 'PostPaid';
    readonly pageNumber: number;
    readonly pageSize?: number;
  }

  const page = async (query: Query, signal?: AbortSignal) =>
    call({ action: 'DescribeEipAddresses', signal }, clients.vpc, async ({ client, sdk }) => {
      const request = new sdk.DescribeEipAddressesRequest({ regionId, pageSize: PAGE_SIZE, ...query });
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
  const listOnce = async (tag: Tag[], signal?: AbortSignal): Promise<Map<string, Eip> | undefined> => {
    const found = new Map<string, Eip>();
    let expected: number | undefined;
    for (let pageNumber = 1; expected === undefined || found.size < expected; pageNumber += 1) {
      if (pageNumber > 1) await nextPage?.('DescribeEipAddresses', signal);
      const { eips, total } = await page({ tag, pageNumber }, signal);
      expected ??= total;
      if (total !== expected || (eips.length === 0 && found.size < expected)) return undefined;
      for (const eip of eips) {
        if (found.has(eip.allocationId)) return undefined;
        found.set(eip.allocationId, eip);
      }
    }
    return found.size === expected ? found : undefined;
  };

  const findEips = async (tags: readonly Tag[], signal?: AbortSignal): Promise<readonly Eip[]> => {
    if (tags.length === 0) throw refuse('DescribeEipAddresses', 'no tags: this would list every EIP of the account');
    const tag = tags.slice(0, MOST_TAGS).map(({ key, value }) => ({ key, value }));
    for (let pass = 1; pass <= LIST_PASSES; pass += 1) {
      if (pass > 1) await nextPage?.('DescribeEipAddresses', signal);
      const found = await listOnce(tag, signal);
      // An API that ignores the filter must not hand us EIPs of others.
      if (found !== undefined) {
        return [...found.values()].filter((eip) => tags.every(({ key, value }) => eip.tags.get(key) === value));
      }
    }
    throw inconsistent('DescribeEipAddresses', `the pages contradicted each other in ${LIST_PASSES} passes`);
  };

  const findEipByAddress = async (ipAddress: string, signal?: AbortSignal): Promise<Eip | undefined> => {
    if (!isIPv4(ipAddress))
      throw refuse('DescribeEipAddresses', `${JSON.stringify(printable(ipAddress, 60))} is not an IPv4 address`);
    const { eips } = await page({ eipAddress: ipAddress, pageNumber: 1 }, signal);
    return eips.find((eip) => eip.ipAddress === ipAddress);
  };

  /** All pages of the network interfaces that this asks for and that `fits` agrees to. */
  const describeInterfaces = async (
    where: Readonly<Record<string, string>>,
    fits: (eni: NetworkInterface) => boolean,
    signal?: AbortSignal,
  ): Promise<readonly NetworkInterface[]> => {
    const action = 'DescribeNetworkInterfaces';
    const found = new Map<string, NetworkInterface>();
    let token: string | undefined;
    for (let pages = 1; pages <= MOST_INTERFACE_PAGES; pages += 1) {
      if (pages > 1) await nextPage?.(action, signal);
      const query: Record<string, string> = {
        RegionId: regionId,
        ...where,
        MaxResults: String(INTERFACE_PAGE_SIZE),
        ...(token === undefined ? {} : { NextToken: token }),
      };
      const read = await call({ action, signal }, clients.ecs, async (ecs) =>
        readNetworkInterfaces(await ecs(action, query)),
      );
      for (const eni of read.networkInterfaces) if (fits(eni)) found.set(eni.networkInterfaceId, eni);
      if (read.nextToken === undefined) return [...found.values()];
      token = read.nextToken;
    }
    throw inconsistent(action, `more than ${MOST_INTERFACE_PAGES} pages of interfaces for one address or instance`);
  };

  const findNetworkInterfaces = (
    { vpcId, privateIpAddress }: { vpcId: string; privateIpAddress: string },
    signal?: AbortSignal,
  ): Promise<readonly NetworkInterface[]> =>
    describeInterfaces(
      // The VPC always: addresses repeat across VPCs.
      { VpcId: vpcId, 'PrivateIpAddress.1': privateIpAddress },
      (eni) => eni.vpcId === vpcId && eni.privateIpAddresses.includes(privateIpAddress),
      signal,
    );

  const networkInterfacesOf = async (
    instanceId: string,
    signal?: AbortSignal,
  ): Promise<readonly NetworkInterface[]> => {
    try {
      return await describeInterfaces({ InstanceId: instanceId }, (eni) => eni.instanceId === instanceId, signal);
    } catch (error) {
      if (error instanceof CloudFault && NO_SUCH_INSTANCE.some((code) => error.code.startsWith(code))) return [];
      throw error;
    }
  };

  /** Sends a call that changes something; an answer that is no clear success is a fault. */
  const mutate = async <T>(
    { action, ids, clientToken, signal }: Mutation,
    send: (vpc: Awaited<ReturnType<typeof clients.vpc>>) => Promise<T>,
  ): Promise<T> => {
    check(action, ids, clientToken);
    return call({ action, signal }, clients.vpc, send);
  };

  /** The binding as Associate and Unassociate both name it: the address always, also the primary one. */
  const bindingOf = ({ allocationId, networkInterfaceId, instanceType, privateIpAddress, clientToken }: Binding) => ({
    regionId,
    allocationId,
    instanceId: networkInterfaceId,
    instanceType: instanceType ?? 'NetworkInterface',
    // An instance has no address that could be named.
    ...(privateIpAddress !== '' && { privateIpAddress }),
    clientToken,
  });

  return {
    allocateEip: (eip: AllocateEip, signal) =>
      mutate(
        { action: 'AllocateEipAddress', ids: [], clientToken: eip.clientToken, signal },
        async ({ client, sdk }) => {
          const request = new sdk.AllocateEipAddressRequest({
            regionId,
            clientToken: eip.clientToken,
            bandwidth: String(eip.bandwidthMbps),
            internetChargeType: eip.internetChargeType,
            // The only kind that can be given back.
            instanceChargeType: 'PostPaid',
            ISP: eip.isp,
            name: eip.name,
            description: eip.description,
            publicIpAddressPoolId: eip.publicIpAddressPoolId,
            resourceGroupId: eip.resourceGroupId,
            securityProtectionTypes: eip.securityProtectionTypes?.slice(),
            tag: eip.tags.map(({ key, value }) => ({ key, value })),
          });
          return readAllocation(bodyOf(await client.allocateEipAddress(request)));
        },
      ),

    describeEip: async (allocationId, signal) => (await describeEips([allocationId], signal)).get(allocationId),
    describeEips,
    findEips,
    findEipByAddress,
    findNetworkInterfaces,
    networkInterfacesOf,

    // VPC documentation, "EIP quotas": the quota is of pay-as-you-go EIPs.
    countEips: async (signal) => (await page({ chargeType: 'PostPaid', pageNumber: 1, pageSize: 1 }, signal)).total,

    associateEip: (binding, signal) =>
      mutate(
        {
          action: 'AssociateEipAddress',
          ids: [binding.allocationId, binding.networkInterfaceId],
          clientToken: binding.clientToken,
          signal,
        },
        async ({ client, sdk }) => {
          // Mode stays at its default, NAT.
          bodyOf(await client.associateEipAddress(new sdk.AssociateEipAddressRequest(bindingOf(binding))));
        },
      ),

    unassociateEip: (binding, signal) =>
      mutate(
        {
          action: 'UnassociateEipAddress',
          ids: [binding.allocationId, binding.networkInterfaceId],
          clientToken: binding.clientToken,
          signal,
        },
        async ({ client, sdk }) => {
          bodyOf(await client.unassociateEipAddress(new sdk.UnassociateEipAddressRequest(bindingOf(binding))));
        },
      ),

    releaseEip: (allocationId, signal) =>
      mutate({ action: 'ReleaseEipAddress', ids: [allocationId], signal }, async ({ client, sdk }) => {
        bodyOf(await client.releaseEipAddress(new sdk.ReleaseEipAddressRequest({ regionId, allocationId })));
      }),

    joinBandwidthPackage: ({ allocationId, bandwidthPackageId, clientToken }: PackageMembership, signal) =>
      mutate(
        { action: 'AddCommonBandwidthPackageIp', ids: [allocationId, bandwidthPackageId], clientToken, signal },
        async ({ client, sdk }) => {
          const request = new sdk.AddCommonBandwidthPackageIpRequest({
            regionId,
            bandwidthPackageId,
            ipInstanceId: allocationId,
            ipType: 'EIP',
            clientToken,
          });
          bodyOf(await client.addCommonBandwidthPackageIp(request));
        },
      ),

    tagEip: (allocationId, tags, signal) =>
      mutate({ action: 'TagResources', ids: [allocationId], signal }, async ({ client, sdk }) => {
        const request = new sdk.TagResourcesRequest({
          regionId,
          resourceType: 'EIP',
          resourceId: [allocationId],
          tag: tags.map(({ key, value }) => ({ key, value })),
        });
        bodyOf(await client.tagResources(request));
      }),

    leaveBandwidthPackage: async ({ allocationId, bandwidthPackageId, clientToken }: PackageMembership, signal) => {
      try {
        await mutate(
          { action: 'RemoveCommonBandwidthPackageIp', ids: [allocationId, bandwidthPackageId], clientToken, signal },
          async ({ client, sdk }) => {
            const request = new sdk.RemoveCommonBandwidthPackageIpRequest({
              regionId,
              bandwidthPackageId,
              ipInstanceId: allocationId,
              clientToken,
            });
            bodyOf(await client.removeCommonBandwidthPackageIp(request));
          },
        );
      } catch (error) {
        // "The EIP is not in the package" is what was wanted.
        if (!(error instanceof CloudFault && error.code === 'OperationUnsupported.IpNotInCbwp')) throw error;
      }
    },

    warmUp: async () => {
      await Promise.all([clients.vpc(), credentials?.get()]);
    },
  };
};
