import type { CloudAction } from '../api-actions.ts';
import type { FoldableCloud } from '../batch.ts';
import { CloudFault } from '../fault.ts';
import type { AllocateEip, Binding, PackageMembership } from '../port.ts';
import { bodyOf, readAllocation } from './answers.ts';
import type { ApiContext } from './api-context.ts';
import { associateParameters, unassociateParameters } from './bindings.ts';
import { createCaller } from './call.ts';
import type { CallerSettings } from './call.ts';
import { check } from './answer-checks.ts';
import { createClients } from './clients.ts';
import type { ClientSettings } from './clients.ts';
import { eipQueries } from './describe-eips.ts';
import { networkInterfaceQueries } from './describe-network-interfaces.ts';
import { packageQueries } from './describe-packages.ts';

export interface CloudSettings extends ClientSettings, CallerSettings {
  /**
   * Admits every call after the first of a list (the first is admitted by whoever calls the list): the throttle's
   * `acquire`. Without it, the pages follow each other at once.
   */
  readonly nextPage?: ((action: CloudAction, signal?: AbortSignal) => Promise<void>) | undefined;
}

/** The cloud port on the SDK, and what only the process around it needs. */
export interface AlicloudCloud extends FoldableCloud {
  /** Imports the SDK and fetches credentials, so that the first call is as fast as the others. */
  warmUp(): Promise<void>;
  /** How many EIPs of the region count towards the account's quota: all that are paid for as they are used. */
  countEips(signal?: AbortSignal): Promise<number>;
}

/** A call that changes something: what it names, and the token by which a repetition is known. */
interface Mutation {
  readonly action: CloudAction;
  readonly ids: readonly string[];
  readonly clientToken?: string | undefined;
  /** See {@link ApiContext.call}. */
  readonly asked: string;
  readonly signal: AbortSignal | undefined;
}

/** The cloud port on Alibaba Cloud's SDK: one API call for each function, for a list one for each page. */
export const createCloud = (settings: CloudSettings): AlicloudCloud => {
  const clients = createClients(settings);
  const { nextPage, credentials } = settings;
  const context: ApiContext = { clients, call: createCaller(settings), nextPage };
  return {
    ...eipQueries(context),
    ...networkInterfaceQueries(context),
    ...packageQueries(context),
    ...eipChanges(context),
    ...packageChanges(context),
    warmUp: async () => {
      await Promise.all([clients.vpc(), credentials?.get()]);
    },
  };
};

type Vpc = Awaited<ReturnType<ApiContext['clients']['vpc']>>;

/** Sends a call that changes something; an answer that is no clear success is a fault. */
const mutate = async <T>(
  { clients, call }: ApiContext,
  { action, ids, clientToken, asked, signal }: Mutation,
  send: (vpc: Vpc) => Promise<T>,
): Promise<T> => {
  check(action, ids, clientToken);
  return call({ action, signal, asked }, clients.vpc, send);
};

type EipChanges = Pick<
  FoldableCloud,
  'allocateEip' | 'associateEip' | 'unassociateEip' | 'releaseEip' | 'tagEip' | 'untagEip'
>;

/** What decides whether such an EIP can be had. */
const eipInWords = ({
  bandwidthMbps,
  internetChargeType,
  isp,
  publicIpAddressPoolId,
  resourceGroupId,
  securityProtectionTypes = [],
}: AllocateEip): string =>
  [
    `an EIP of ${bandwidthMbps} Mbit/s`,
    internetChargeType,
    `line type ${isp}`,
    ...(publicIpAddressPoolId === undefined ? [] : [`pool ${publicIpAddressPoolId}`]),
    ...(resourceGroupId === undefined ? [] : [`resource group ${resourceGroupId}`]),
    ...securityProtectionTypes,
  ].join(', ');

const placeInWords = ({ allocationId, privateIpAddress, networkInterfaceId }: Binding): string =>
  `${allocationId} at ${privateIpAddress === '' ? 'the primary address' : privateIpAddress} of ${networkInterfaceId}`;

const eipChanges = (context: ApiContext): EipChanges => {
  const regionId = context.clients.region;

  return {
    allocateEip: (eip: AllocateEip, signal) =>
      mutate(
        context,
        { action: 'AllocateEipAddress', ids: [], clientToken: eip.clientToken, asked: eipInWords(eip), signal },
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

    associateEip: (binding, signal) =>
      mutate(
        context,
        {
          action: 'AssociateEipAddress',
          ids: [binding.allocationId, binding.networkInterfaceId],
          clientToken: binding.clientToken,
          asked: `to bind ${placeInWords(binding)}`,
          signal,
        },
        async ({ client, sdk }) => {
          // Mode stays at its default, NAT.
          const request = new sdk.AssociateEipAddressRequest(associateParameters(regionId, binding));
          bodyOf(await client.associateEipAddress(request));
        },
      ),

    unassociateEip: (binding, signal) =>
      mutate(
        context,
        {
          action: 'UnassociateEipAddress',
          ids: [binding.allocationId, binding.networkInterfaceId],
          clientToken: binding.clientToken,
          asked: `to unbind ${placeInWords(binding)}`,
          signal,
        },
        async ({ client, sdk }) => {
          const request = new sdk.UnassociateEipAddressRequest(unassociateParameters(regionId, binding));
          bodyOf(await client.unassociateEipAddress(request));
        },
      ),

    releaseEip: (allocationId, signal) =>
      mutate(
        context,
        { action: 'ReleaseEipAddress', ids: [allocationId], asked: `to release ${allocationId}`, signal },
        async ({ client, sdk }) => {
          bodyOf(await client.releaseEipAddress(new sdk.ReleaseEipAddressRequest({ regionId, allocationId })));
        },
      ),

    tagEip: (allocationId, tags, signal) =>
      mutate(
        context,
        { action: 'TagResources', ids: [allocationId], asked: `to tag ${allocationId}`, signal },
        async ({ client, sdk }) => {
          const request = new sdk.TagResourcesRequest({
            regionId,
            resourceType: 'EIP',
            resourceId: [allocationId],
            tag: tags.map(({ key, value }) => ({ key, value })),
          });
          bodyOf(await client.tagResources(request));
        },
      ),

    untagEip: (allocationId, keys, signal) =>
      mutate(
        context,
        { action: 'UnTagResources', ids: [allocationId], asked: `to untag ${allocationId}`, signal },
        async ({ client, sdk }) => {
          const resource = { regionId, resourceType: 'EIP', resourceId: [allocationId] };
          bodyOf(await client.unTagResources(new sdk.UnTagResourcesRequest({ ...resource, tagKey: [...keys] })));
        },
      ),
  };
};

type PackageChanges = Pick<FoldableCloud, 'joinBandwidthPackage' | 'leaveBandwidthPackage'>;

const packageChanges = (context: ApiContext): PackageChanges => {
  const regionId = context.clients.region;
  return {
    joinBandwidthPackage: ({ allocationId, bandwidthPackageId, clientToken }: PackageMembership, signal) =>
      mutate(
        context,
        {
          action: 'AddCommonBandwidthPackageIp',
          ids: [allocationId, bandwidthPackageId],
          clientToken,
          asked: `to put ${allocationId} into ${bandwidthPackageId}`,
          signal,
        },
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

    leaveBandwidthPackage: async ({ allocationId, bandwidthPackageId, clientToken }: PackageMembership, signal) => {
      try {
        await mutate(
          context,
          {
            action: 'RemoveCommonBandwidthPackageIp',
            ids: [allocationId, bandwidthPackageId],
            clientToken,
            asked: `to take ${allocationId} out of ${bandwidthPackageId}`,
            signal,
          },
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
  };
};
