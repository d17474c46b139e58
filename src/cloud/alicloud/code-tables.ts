import type { CloudAction } from '../api-actions.ts';
import type { CloudFaultKind } from '../fault.ts';

/** Codes by the kind of fault that they mean. */
export type CodeSets = Readonly<Partial<Record<CloudFaultKind, readonly string[]>>>;

/**
 * Codes that mean the same for every action. The API's own spelling is kept, mistakes included (`Forbbiden`,
 * `DistibuteLock`), beside the right one. Sources: the error code tables of the VPC API reference (2016-04-28) and of
 * the ECI API reference (2018-08-08), the common error codes of the OpenAPI portal, the retry lists of the Terraform
 * provider (aliyun/terraform-provider-alicloud, connectivity/client.go and resource_alicloud_eip_address.go), and the
 * codes that Terway (AliyunContainerService/terway, pkg/aliyun/client/errors) tells apart.
 */
export const COMMON_CODES: CodeSets = {
  throttled: [
    'Throttling',
    'Throttling.User',
    'Throttling.Api',
    'Rejected.Throttling',
    'FlowControl',
    'RequestLimitExceeded',
  ],
  later: [
    'TaskConflict',
    'VPC_TASK_CONFLICT',
    'OperationConflict',
    'Operation.Conflict',
    'SystemBusy',
    'OperationFailed.SystemBusy',
    // The call before, with the same token, is still under way: the same token again, later, gives its result.
    'LastTokenProcessing',
    'OperationFailed.LastTokenProcessing',
    'OperationFailed.DistibuteLock',
    'OperationFailed.DistributeLock',
  ],
  unknown: [
    'ServiceUnavailable',
    'InternalError',
    'UnknownError',
    'ServiceTimeout',
    // The same nonce twice: something between here and the cloud sent the request again; the first may have worked.
    'SignatureNonceUsed',
    // The API says itself that a call of its own failed: the effect may have happened all the same.
    'OperationFailed.InternalError',
    'OperationFailed.InvokeApi',
  ],
  refused: [
    'InvalidParameter',
    'MissingParameter',
    // The token was used with other parameters. Nothing happened now; the code tells the caller to look up by tag.
    'IdempotentParameterMismatch',
    'IdempotenceParamNotMatch',
    // The token is used up: the attempt that it stood for is over, and it is not taken again.
    'IdempotentFailed',
    'OperationDenied',
  ],
  quota: [
    'InsufficientBalance',
    'InvalidPaymentMethod.InsufficientBalance',
    'InvalidAccountStatus.NotEnoughBalance',
    'InvalidAccountStatus',
    'AccountMoneyValidateError',
    'OperationFailed.AccountMoneyInvalid',
    'OperationFailed.QuotaNotEnough',
    'Account.Arrearage',
    'Forbidden.FinancialLocked',
    'OperationFailed.RiskControl',
    'Forbidden.RiskControl',
  ],
  misconfigured: [
    'InvalidAccessKeyId',
    'InvalidAccessKeyId.NotFound',
    'InvalidAccessKeyId.Inactive',
    'InvalidSecurityToken.Expired',
    'InvalidSecurityToken.Malformed',
    'InvalidSecurityToken.MismatchWithAccessKey',
    'MissingSecurityToken',
    'InvalidCredentials',
    'SignatureDoesNotMatch',
    'IncompleteSignature',
    // The clock of this machine is wrong.
    'InvalidTimeStamp.Expired',
    'InvalidTimeStamp.Format',
    // "User not authorized to operate on the specified resource."
    'Forbidden',
    'Forbbiden',
    'Forbidden.RAM',
    'Forbidden.SubUser',
    'NoPermission',
    'UnauthorizedOperation',
    'OperationFailed.NoPermission',
    'RealNameAuthenticationError',
    'ServiceNotEnabled',
    // The region or the endpoint is another than meant.
    'Forbidden.RegionNotFound',
    'InvalidRegionId',
    'InvalidRegionId.NotFound',
    'InvalidAction.NotFound',
    'InvalidApi.NotFound',
    'InvalidProduct.NotFound',
    'InvalidVersion',
    'UnsupportedHTTPMethod',
    'ParameterMissing',
  ],
};

/** Answers to the ID of a container group that does not exist. Source: Terraform provider, service_alicloud_eci.go. */
const NO_CONTAINER_GROUP = [
  'ContainerGroupNotFound',
  'ContainerGroup.NotFound',
  'InvalidContainerGroupId.NotFound',
  'InvalidParameter.NotFound',
];

/** The same of an image cache; no code is documented, and a read confirms it. */
const NO_IMAGE_CACHE = [
  'ImageCacheNotFound',
  'ImageCache.NotFound',
  'InvalidImageCacheId.NotFound',
  'InvalidParameter.NotFound',
];

/** Codes whose meaning hangs on the action. None of them is in {@link COMMON_CODES}. */
export const ACTION_CODES: Readonly<Record<CloudAction, CodeSets>> = {
  AllocateEipAddress: {
    // Buying and giving back too often: it has a rate of its own, and going on prolongs it.
    throttled: ['FrequentPurchase.EIP'],
    later: ['IncorrectStatus.PublicIpAddressPool', 'OperationFailed.QueryIpPoolFailed'],
    // The account or the cloud has no more of it. Passes, but slowly.
    quota: [
      'QuotaExceeded.Eip',
      'QuotaExceeded.LargeSpecEip',
      'ReserveIpFail',
      'ResourceNotEnough.PublicIpAddressPool',
      'OperationFailed.ResourceNotEnough',
      'OperationFailed.InsufficientEIP',
      'SYSTEM.SALE_VALIDATE_UNEXPECTED_ERROR',
    ],
    refused: [
      'COMMODITY_NO_EXIST',
      'COMMODITY.INVALID_COMPONENT',
      'InvalidComponent.EipBandwidthMax',
      'Mismatch.EipSecurityProtectionTypeAndPoolSecurityProtectionType',
      'INSTANCE_TYPE_NOT_SUPPORT',
      'InvalidRegion.NotSupport',
      'InvalidResourceGroupId',
      'Ip.Allocated',
      'Ip.Keeped',
      'OperationFailed.AllocateUnfamiliarIp',
      'ResourceNotFound.PublicIpAddressPool',
      'Mismatch.IpAndPublicIpAddressPool',
      'IllegalParam.Isp',
    ],
  },
  AssociateEipAddress: {
    // Perhaps ours, of an earlier call; perhaps another's. A read decides.
    already: ['InvalidAssociation.Duplicated'],
    later: [
      'IncorrectEipStatus',
      'IncorrectInstanceStatus',
      'InvalidBindingStatus',
      'InvalidStatus.EniStatusNotSupport',
      'InvalidStatus.EcsStatusNotSupport',
      'InvalidStatus.InstanceHasBandWidth',
      'OperationFailed.EcsMigrating',
      'OperationUnsupported.EipInBinding',
      'IncorrectHaVipStatus',
      'InvalidOperation.InvalidEniState',
      'InvalidOperation.InvalidEcsState',
      // The private address has an EIP still, most likely that of the pod that had the address before. It passes when
      // that one is taken off; if it is ours, the read before the next attempt sees it.
      'BIND_INSTANCE_HAVE_PORTMAP_OR_BIND_EIP',
      'ResourceAlreadyAssociated.IpAddress',
    ],
    // The EIP or what it is to be bound to. A network interface may also be too new to be seen: a read decides.
    gone: [
      'InvalidAllocationId.NotFound',
      'InvalidInstanId.NotFound',
      'InvalidInstanceId.NotFound',
      'InvalidEniId.NotFound',
      'InvalidEcsId.NotFound',
      'InvalidParams.NotFound',
      'InvalidNicOrVm.NotFound',
      'InvalidInstance.NotExist',
      'OperationFailed.InstanceNotExist',
    ],
    quota: ['InvalidEip.EipQuotaExceeded', 'QuotaExceed.MultiBindedEip', 'InvalidEIPStatus.BizDisabled'],
    refused: [
      'InvalidParameter.Mismatch',
      'InvalidParameter.EniInstanceId',
      'Mode.Conflict',
      'OperationFailed.EipBindModeConflict',
      'Eni.HasSubIp',
      'OperationFailed.EniSubIp',
      'OperationDenied.Ipv4GatewayExist',
      'OperationFailed.IpPrefixConflict',
      'UnsupportedFeature.EipBindPrefixIp',
      'InvalidAction.Denied',
      'BIND_INSTANCE_OWENER_ERROR',
      'EIP_CAN_NOT_ASSOCIATE_WITH_PUBLIC_IP',
      'INSTANCE_TYPE_NOT_SUPPORT',
      // What the API says to an instance type that it does not know.
      'Invalid.DirectEip.BindType',
      // An interface in cut-through mode has the EIP as its own address.
      'Eni.Attached',
      'Mode.NotSupport',
      'InstanceType.NotSupport',
      'BindInstance.NotSupported',
      'UnsupportedRegion',
      'AttrMismatching.BandwidthPackageIpVersion',
      'BandwidthPackageId.InvalidBandwidth',
      'OperationFailed.Ipv4GatewayNotOpenedInVpc',
      'OperationFailed.ZoneIdInconsistent',
    ],
  },
  UnassociateEipAddress: {
    // What it was bound to is not there: a network interface that is deleted takes the binding with it. A read decides.
    already: ['InvalidInstanceId.NotFound', 'InvalidInstanId.NotFound', 'InvalidBindInstance.NotFound'],
    // IncorrectEipStatus: in transition, or Available already; both are seen by the next read.
    later: [
      'IncorrectEipStatus',
      'IncorrectInstanceStatus',
      'IncorrectHaVipStatus',
      'InvalidBindingStatus',
      'InvalidStatus.NotAllow',
    ],
    gone: ['InvalidAllocationId.NotFound'],
  },
  ReleaseEipAddress: {
    later: [
      'IncorrectEipStatus',
      'OperationFailed.EipStatusInvalid',
      'TaskConflict.AssociateGlobalAccelerationInstance',
    ],
    gone: ['InvalidAllocationId.NotFound'],
    refused: ['Forbidden.ChargeTypeIsPrepaid', 'InvalidOperation.DeletionProtection', 'Forbidden.ReleaseSegmentEip'],
  },
  AddCommonBandwidthPackageIp: {
    // TooFrequently is about this one EIP, not about the account's rate: it does not slow the others down.
    later: [
      'EipOperation.TooFrequently',
      'IncorrectStatus.Eip',
      'BandwidthPackageOperation.conflict',
      'OperationUnsupported.IpNotInCbwp',
    ],
    // It is in a package already: in this one, or in another. A read decides.
    already: ['IpInstanceId.AlreadyInBandwidthPackage'],
    gone: ['InvalidIpInstanceId.NotFound', 'InvalidInstanceId.NotFound'],
    // InvalidBizStatus: the package is locked for want of payment.
    quota: ['IpInstanceId.QuotaExceeded', 'BandwidthPackageId.InvalidBizStatus'],
    refused: [
      'IpInstanceId.ChargeType.NotSupport',
      'IpInstanceId.InvalidIpInternetChargeType',
      // The user named a package that does not exist.
      'InvalidBandwidthPackageId.NotFound',
      'InvalidBandwidthPackage.NotExist',
      'InvalidBandwidthPackageIdNumber.NotSupported',
      'AttrMismatching.BandwidthPackageIpVersion',
      'BandwidthPackageId.InvalidBandwidth',
      'OperationFailed.ZoneIdInconsistent',
    ],
  },
  RemoveCommonBandwidthPackageIp: {
    // IpNotInCbwp is success. A package that is gone holds no EIP either; a read confirms it.
    already: [
      'OperationUnsupported.IpNotInCbwp',
      'IpInstanceId.NotBandwidthPackage',
      'InvalidBandwidthPackageId.NotFound',
      'InvalidBandwidthPackage.NotExist',
      'InvalidInstanceId.NotFound',
    ],
    later: ['EipOperation.TooFrequently', 'IncorrectStatus.Eip', 'BandwidthPackageOperation.conflict'],
    gone: ['InvalidIpInstanceId.NotFound'],
  },
  TagResources: {
    gone: ['InvalidResourceId.NotFound'],
    refused: [
      'QuotaExceed.TagsPerResource',
      'NumberExceed.Tags',
      'InvalidTagKey.Malformed',
      'InvalidTagValue.Malformed',
    ],
  },
  UnTagResources: { gone: ['InvalidResourceId.NotFound'], refused: ['NumberExceed.Tags', 'InvalidTagKey.Malformed'] },
  DescribeEipAddresses: {
    // Refuses pages too deep, however slowly one asks.
    refused: ['Throttling.DeepPageSkip'],
  },
  DescribeCommonBandwidthPackages: {},
  DescribeNetworkInterfaces: {
    // vpcID of the configuration.
    misconfigured: ['InvalidVpcId.NotFound'],
  },
  CreateContainerGroup: {
    // EIPs were bought too often, or the API is degraded: nothing was made.
    throttled: ['EipPurchaseFlowControl', 'Degrade.Api'],
    // The registry did not answer for the image; PrivateIpAddress: the address is given back soon, or another is taken.
    later: ['IncorrectOperation', 'PrivateIpAddress.Already.InUse', 'containerRepositoryAuthorizationFailed'],
    // The account, the vSwitch or the zone has no more of it.
    quota: [
      'QuotaExceeded',
      'EipPayInsufficientBalance',
      'OperationDenied.NoStock',
      'InvalidVSwitchId.IpNotEnough',
      'Throttling.Vcpu.PerDay',
      'Spot.NotMatched',
      'RecommendEmpty.InstanceTypeFamilyNotMatched',
      'Forbidden.UserBussinessStatus',
    ],
    refused: [
      'DryRunOperation',
      'DiskNumber.LimitExceed',
      'RamRole.NotSupport',
      'FeatureBasedConstraintConflict',
      'FeatureAccessRestricted',
      'OperationDenied.VswZoneMisMatch',
      'OperationDenied.SecurityGroupMisMatch',
      'Zone.NotOnSale',
      'ImageSnapshot.NotFound',
      'InvalidDiskId.NotFound',
    ],
    // RamRoleNotExist is also what a caller without ram:PassRole for the role is told.
    misconfigured: ['Forbidden.OnlyForInvitedTest', 'Forbidden.RamRoleNotExist', 'CreateServiceLinkedRole.Denied'],
  },
  DeleteContainerGroup: {
    // The reference lists no code for a group that is not there. A read confirms these; any other 404 stays `later`.
    gone: [
      'ContainerGroupNotFound',
      'ContainerGroup.NotFound',
      'InvalidContainerGroup.NotFound',
      'InvalidContainerGroupId.NotFound',
      'InvalidParameter.ContainerGroupId.NotFound',
      'InvalidParameter.NotFound',
    ],
  },
  DescribeContainerGroups: {
    gone: NO_CONTAINER_GROUP,
  },
  DescribeContainerGroupStatus: {},
  DescribeContainerLog: {
    gone: NO_CONTAINER_GROUP,
  },
  DescribeMultiContainerGroupMetric: {
    gone: NO_CONTAINER_GROUP,
  },
  // ECI API reference, ExecContainerCommand: an instance or a container that does not run.
  ExecContainerCommand: {
    refused: ['IncorrectStatus', 'InvalidParameter.ValueExceeded'],
    gone: NO_CONTAINER_GROUP,
  },
  CreateImageCache: {
    quota: ['OperationDenied.NoStock', 'InvalidVSwitchId.IpNotEnough'],
    refused: ['InvalidVSwitchId.NotFound', 'OperationDenied.SecurityGroupMisMatch'],
  },
  DeleteImageCache: {
    gone: NO_IMAGE_CACHE,
  },
  DescribeImageCaches: {
    gone: NO_IMAGE_CACHE,
  },
};
