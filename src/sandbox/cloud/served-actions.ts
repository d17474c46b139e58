import type { Account, Call } from './cloud-account.ts';
import { allocateEipAddress, modifyEipAddressAttribute, releaseEipAddress } from './allocation.ts';
import { associateEipAddress, unassociateEipAddress } from './binding.ts';
import {
  describeContainerGroups,
  describeContainerGroupStatus,
  describeContainerLog,
} from './container-group-description.ts';
import { execContainerCommand } from './container-commands.ts';
import { describeMultiContainerGroupMetric } from './container-group-metrics.ts';
import { createContainerGroup, deleteContainerGroup } from './container-group-service.ts';
import { createNetworkInterface, deleteNetworkInterface, describeNetworkInterfaces } from './ecs.ts';
import { describeEipAddresses } from './eip-description.ts';
import { createImageCache, deleteImageCache, describeImageCaches } from './image-cache-service.ts';
import {
  addCommonBandwidthPackageIp,
  describeCommonBandwidthPackages,
  removeCommonBandwidthPackageIp,
} from './packages.ts';
import { describeNatGateways, describeSnatTableEntries } from './nat-gateways.ts';
import { refusal } from './refusal.ts';
import { listTagResources, tagResources, untagResources } from './tagging.ts';
import type { CloudAnswer } from './rpc-wire.ts';

/** One API action. `run` throws a Refusal before it has changed anything, or changes everything and answers. */
export interface ServedAction {
  readonly run: (account: Account, call: Call) => CloudAnswer;
  /** Honours ClientToken. ReleaseEipAddress, for one, does not know it. */
  readonly takesToken: boolean;
}

const withToken = (run: ServedAction['run']): ServedAction => ({ run, takesToken: true });
const plain = (run: ServedAction['run']): ServedAction => ({ run, takesToken: false });

/** Every product by its API version, every action by its name: the whole extent of the embedded cloud. */
const products: Readonly<
  Record<string, { readonly host: string; readonly actions: Readonly<Record<string, ServedAction>> }>
> = {
  '2016-04-28': {
    host: 'vpc.aliyuncs.com',
    actions: {
      AllocateEipAddress: withToken(allocateEipAddress),
      DescribeEipAddresses: plain(describeEipAddresses),
      AssociateEipAddress: withToken(associateEipAddress),
      UnassociateEipAddress: withToken(unassociateEipAddress),
      ReleaseEipAddress: plain(releaseEipAddress),
      ModifyEipAddressAttribute: plain(modifyEipAddressAttribute),
      AddCommonBandwidthPackageIp: withToken(addCommonBandwidthPackageIp),
      RemoveCommonBandwidthPackageIp: withToken(removeCommonBandwidthPackageIp),
      DescribeCommonBandwidthPackages: plain(describeCommonBandwidthPackages),
      DescribeNatGateways: plain(describeNatGateways),
      DescribeSnatTableEntries: plain(describeSnatTableEntries),
      TagResources: plain(tagResources),
      UnTagResources: plain(untagResources),
      ListTagResources: plain(listTagResources),
    },
  },
  '2014-05-26': {
    host: 'ecs.aliyuncs.com',
    actions: {
      CreateNetworkInterface: withToken(createNetworkInterface),
      DeleteNetworkInterface: plain(deleteNetworkInterface),
      DescribeNetworkInterfaces: plain(describeNetworkInterfaces),
    },
  },
  '2018-08-08': {
    host: 'eci.aliyuncs.com',
    actions: {
      CreateContainerGroup: withToken(createContainerGroup),
      DeleteContainerGroup: withToken(deleteContainerGroup),
      DescribeContainerGroups: plain(describeContainerGroups),
      DescribeContainerGroupStatus: plain(describeContainerGroupStatus),
      DescribeContainerLog: plain(describeContainerLog),
      DescribeMultiContainerGroupMetric: plain(describeMultiContainerGroupMetric),
      ExecContainerCommand: plain(execContainerCommand),
      CreateImageCache: withToken(createImageCache),
      DeleteImageCache: withToken(deleteImageCache),
      DescribeImageCaches: plain(describeImageCaches),
    },
  },
};

/** @throws Refusal InvalidVersion or InvalidAction.NotFound */
export const findAction = (version: string, action: string): ServedAction => {
  const product = Object.hasOwn(products, version) ? products[version] : undefined;
  if (!product) throw refusal('InvalidVersion', `Version: "${version}".`);
  const found = Object.hasOwn(product.actions, action) ? product.actions[action] : undefined;
  if (!found) throw refusal('InvalidAction.NotFound');
  return found;
};

/** The HostId of error answers. */
export const hostOf = (version: string): string =>
  (Object.hasOwn(products, version) ? products[version]?.host : undefined) ?? 'aliyuncs.com';
