import { OpenApiUtil } from '@alicloud/openapi-core';
import { AddCommonBandwidthPackageIpRequest } from '@alicloud/vpc20160428/dist/models/AddCommonBandwidthPackageIpRequest.js';
import { AddCommonBandwidthPackageIpResponse } from '@alicloud/vpc20160428/dist/models/AddCommonBandwidthPackageIpResponse.js';
import { AllocateEipAddressRequest } from '@alicloud/vpc20160428/dist/models/AllocateEipAddressRequest.js';
import { AllocateEipAddressResponse } from '@alicloud/vpc20160428/dist/models/AllocateEipAddressResponse.js';
import { AssociateEipAddressRequest } from '@alicloud/vpc20160428/dist/models/AssociateEipAddressRequest.js';
import { AssociateEipAddressResponse } from '@alicloud/vpc20160428/dist/models/AssociateEipAddressResponse.js';
import { DescribeCommonBandwidthPackagesRequest } from '@alicloud/vpc20160428/dist/models/DescribeCommonBandwidthPackagesRequest.js';
import { DescribeCommonBandwidthPackagesResponse } from '@alicloud/vpc20160428/dist/models/DescribeCommonBandwidthPackagesResponse.js';
import { DescribeEipAddressesRequest } from '@alicloud/vpc20160428/dist/models/DescribeEipAddressesRequest.js';
import { DescribeEipAddressesResponse } from '@alicloud/vpc20160428/dist/models/DescribeEipAddressesResponse.js';
import { ReleaseEipAddressRequest } from '@alicloud/vpc20160428/dist/models/ReleaseEipAddressRequest.js';
import { ReleaseEipAddressResponse } from '@alicloud/vpc20160428/dist/models/ReleaseEipAddressResponse.js';
import { RemoveCommonBandwidthPackageIpRequest } from '@alicloud/vpc20160428/dist/models/RemoveCommonBandwidthPackageIpRequest.js';
import { RemoveCommonBandwidthPackageIpResponse } from '@alicloud/vpc20160428/dist/models/RemoveCommonBandwidthPackageIpResponse.js';
import { TagResourcesRequest } from '@alicloud/vpc20160428/dist/models/TagResourcesRequest.js';
import { TagResourcesResponse } from '@alicloud/vpc20160428/dist/models/TagResourcesResponse.js';
import { UnTagResourcesRequest } from '@alicloud/vpc20160428/dist/models/UnTagResourcesRequest.js';
import { UnTagResourcesResponse } from '@alicloud/vpc20160428/dist/models/UnTagResourcesResponse.js';
import { UnassociateEipAddressRequest } from '@alicloud/vpc20160428/dist/models/UnassociateEipAddressRequest.js';
import { UnassociateEipAddressResponse } from '@alicloud/vpc20160428/dist/models/UnassociateEipAddressResponse.js';
import { cast, type Model } from '@darabonba/typescript';
import type { NamedCall } from './named-call.ts';

/** The requests of the VPC API that are sent. */
export const requests = {
  AddCommonBandwidthPackageIpRequest,
  AllocateEipAddressRequest,
  AssociateEipAddressRequest,
  DescribeCommonBandwidthPackagesRequest,
  DescribeEipAddressesRequest,
  ReleaseEipAddressRequest,
  RemoveCommonBandwidthPackageIpRequest,
  TagResourcesRequest,
  UnTagResourcesRequest,
  UnassociateEipAddressRequest,
};

/**
 * The calls of the VPC API that are made: the SDK's own requests and responses, sent by the generic client as the SDK's
 * client sends them. That client is left alone because importing it loads the models of all calls of the API, more than
 * a thousand: 0.7 s of CPU and 38 MiB of memory, for ten calls.
 *
 * @param call sends a call of the VPC API by its name
 */
export const createVpcClient = (call: NamedCall) => {
  const send = async <Response extends Model>(
    action: string,
    request: Model,
    response: Response,
  ): Promise<Response> => {
    request.validate();
    return cast(await call(action, OpenApiUtil.query(request.toMap())), response);
  };
  return {
    allocateEipAddress: (request: AllocateEipAddressRequest) =>
      send('AllocateEipAddress', request, new AllocateEipAddressResponse({})),
    associateEipAddress: (request: AssociateEipAddressRequest) =>
      send('AssociateEipAddress', request, new AssociateEipAddressResponse({})),
    unassociateEipAddress: (request: UnassociateEipAddressRequest) =>
      send('UnassociateEipAddress', request, new UnassociateEipAddressResponse({})),
    releaseEipAddress: (request: ReleaseEipAddressRequest) =>
      send('ReleaseEipAddress', request, new ReleaseEipAddressResponse({})),
    describeEipAddresses: (request: DescribeEipAddressesRequest) =>
      send('DescribeEipAddresses', request, new DescribeEipAddressesResponse({})),
    describeCommonBandwidthPackages: (request: DescribeCommonBandwidthPackagesRequest) =>
      send('DescribeCommonBandwidthPackages', request, new DescribeCommonBandwidthPackagesResponse({})),
    tagResources: (request: TagResourcesRequest) => send('TagResources', request, new TagResourcesResponse({})),
    unTagResources: (request: UnTagResourcesRequest) => send('UnTagResources', request, new UnTagResourcesResponse({})),
    addCommonBandwidthPackageIp: (request: AddCommonBandwidthPackageIpRequest) =>
      send('AddCommonBandwidthPackageIp', request, new AddCommonBandwidthPackageIpResponse({})),
    removeCommonBandwidthPackageIp: (request: RemoveCommonBandwidthPackageIpRequest) =>
      send('RemoveCommonBandwidthPackageIp', request, new RemoveCommonBandwidthPackageIpResponse({})),
  };
};
