import { mutates } from '../api-actions.ts';
import type { CloudAction } from '../api-actions.ts';
import type { CloudFaultKind } from '../fault.ts';

/** Codes by the kind of fault that they mean. */
export type CodeSets = Readonly<Partial<Record<CloudFaultKind, readonly string[]>>>;

/**
 * Codes that mean the same for every action. The API's own spelling is kept, mistakes included (`Forbbiden`,
 * `DistibuteLock`), beside the right one. Sources: the error code tables of the VPC API reference (2016-04-28), the
 * those of the ECI API reference (2018-08-08), the common error codes of the OpenAPI portal, and the retry lists of the Terraform provider
 * (aliyun/terraform-provider-alicloud, connectivity/client.go and resource_alicloud_eip_address.go).
 */
export const COMMON_CODES: CodeSets = {
  throttled: ['Throttling', 'Throttling.User', 'Throttling.Api', 'Rejected.Throttling', 'FlowControl'],
  later: [
    'TaskConflict',
    'VPC_TASK_CONFLICT',
    'OperationConflict',
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
  ],
  refused: [
    'InvalidParameter',
    'MissingParameter',
    // The token was used with other parameters. Nothing happened now; the code tells the caller to look up by tag.
    'IdempotentParameterMismatch',
    'IdempotenceParamNotMatch',
    'OperationDenied',
  ],
  quota: [
    'InsufficientBalance',
    'InvalidPaymentMethod.InsufficientBalance',
    'InvalidAccountStatus.NotEnoughBalance',
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

/** Codes whose meaning hangs on the action. None of them is in {@link COMMON_CODES}. */
export const ACTION_CODES: Readonly<Record<CloudAction, CodeSets>> = {
  AllocateEipAddress: {
    // Buying and giving back too often: it has a rate of its own, and going on prolongs it.
    throttled: ['FrequentPurchase.EIP'],
    later: ['IncorrectStatus.PublicIpAddressPool'],
    // The account or the cloud has no more of it. Passes, but slowly.
    quota: [
      'QuotaExceeded.Eip',
      'QuotaExceeded.LargeSpecEip',
      'ReserveIpFail',
      'ResourceNotEnough.PublicIpAddressPool',
      'OperationFailed.ResourceNotEnough',
    ],
    refused: [
      'COMMODITY_NO_EXIST',
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
      // The private address has an EIP still, most likely that of the pod that had the address before. It passes when
      // that one is taken off; if it is ours, the read before the next attempt sees it.
      'BIND_INSTANCE_HAVE_PORTMAP_OR_BIND_EIP',
      'ResourceAlreadyAssociated.IpAddress',
    ],
    gone: ['InvalidAllocationId.NotFound', 'InvalidInstanId.NotFound', 'InvalidInstanceId.NotFound'],
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
    ],
  },
  UnassociateEipAddress: {
    // What it was bound to is not there: a network interface that is deleted takes the binding with it. A read decides.
    already: ['InvalidInstanceId.NotFound', 'InvalidInstanId.NotFound', 'InvalidBindInstance.NotFound'],
    // IncorrectEipStatus: in transition, or Available already; both are seen by the next read.
    later: ['IncorrectEipStatus', 'IncorrectInstanceStatus', 'InvalidBindingStatus', 'InvalidStatus.NotAllow'],
    gone: ['InvalidAllocationId.NotFound'],
  },
  ReleaseEipAddress: {
    later: ['IncorrectEipStatus', 'TaskConflict.AssociateGlobalAccelerationInstance'],
    gone: ['InvalidAllocationId.NotFound'],
    refused: ['Forbidden.ChargeTypeIsPrepaid', 'InvalidOperation.DeletionProtection', 'Forbidden.ReleaseSegmentEip'],
  },
  AddCommonBandwidthPackageIp: {
    // TooFrequently is about this one EIP, not about the account's rate: it does not slow the others down.
    later: ['EipOperation.TooFrequently', 'IncorrectStatus.Eip', 'BandwidthPackageOperation.conflict'],
    gone: ['InvalidIpInstanceId.NotFound'],
    // InvalidBizStatus: the package is locked for want of payment.
    quota: ['IpInstanceId.QuotaExceeded', 'BandwidthPackageId.InvalidBizStatus'],
    refused: [
      'IpInstanceId.ChargeType.NotSupport',
      'IpInstanceId.InvalidIpInternetChargeType',
      // The user named a package that does not exist.
      'InvalidBandwidthPackageId.NotFound',
    ],
  },
  RemoveCommonBandwidthPackageIp: {
    // IpNotInCbwp is success. A package that is gone holds no EIP either; a read confirms it.
    already: ['OperationUnsupported.IpNotInCbwp', 'InvalidBandwidthPackageId.NotFound'],
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
  DescribeEipAddresses: {
    // Refuses pages too deep, however slowly one asks.
    refused: ['Throttling.DeepPageSkip'],
  },
  DescribeNetworkInterfaces: {},
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
    misconfigured: ['Forbidden.OnlyForInvitedTest', 'CreateServiceLinkedRole.Denied'],
  },
  DeleteContainerGroup: {
    // The reference lists no code for a group that is not there. A read confirms these; any other 404 stays `later`.
    gone: [
      'ContainerGroupNotFound',
      'ContainerGroup.NotFound',
      'InvalidContainerGroup.NotFound',
      'InvalidContainerGroupId.NotFound',
      'InvalidParameter.ContainerGroupId.NotFound',
    ],
  },
  DescribeContainerGroups: {},
  DescribeContainerGroupStatus: {},
  DescribeContainerLog: {
    gone: ['ContainerGroupNotFound', 'ContainerGroup.NotFound', 'InvalidContainerGroupId.NotFound'],
  },
};

/**
 * Families of codes, tried in this order after the exact ones. None leads to `gone` or `already`: these two are taken
 * for success, and an unknown `….NotFound` may just as well speak of the action or the region.
 */
const CODE_FAMILIES: readonly (readonly [RegExp, CloudFaultKind])[] = [
  [/Throttling|FlowControl/u, 'throttled'],
  [/^(?:QuotaExceed|Quota\.)/u, 'quota'],
  [/^(?:TaskConflict|IncorrectStatus|IncorrectEipStatus|InvalidStatus|InvalidIpStatus\.HasBeenUsedBy)/u, 'later'],
  [/^(?:InvalidAccessKey|InvalidSecurityToken|Signature|Forbidden\.RAM|NoPermission)/u, 'misconfigured'],
  [
    /^(?:InvalidParameter|InvalidParam|MissingParam|IllegalParam|UnsupportedFeature|SDK\.|ImageSnapshot\.|DiskVolume\.)/u,
    'refused',
  ],
];

/** Codes after which the credentials in hand are not tried again: the next call gets new ones. */
export const STALE_CREDENTIAL_CODES =
  /^(?:InvalidAccessKeyId|InvalidSecurityToken|MissingSecurityToken|SignatureDoesNotMatch)/u;

/**
 * What the network says, where there was no answer. `later`: nothing was sent. `misconfigured`: nothing was sent, and
 * it will not pass by itself (no such host, a certificate that is not trusted). All else is {@link kindOfSilence}.
 */
export const NETWORK_CODES: CodeSets = {
  later: ['ECONNREFUSED', 'EAI_AGAIN'],
  misconfigured: [
    'ENOTFOUND',
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'ERR_TLS_CERT_ALTNAME_INVALID',
  ],
  // The request could not be written down as a URL (a lone surrogate): nothing was sent.
  refused: ['ERR_INVALID_URI', 'SDK.ValidateError'],
};

const indexOf = (sets: CodeSets): ReadonlyMap<string, CloudFaultKind> =>
  new Map(
    Object.entries(sets).flatMap(([kind, codes]) => codes.map((code) => [code, kind as CloudFaultKind] as const)),
  );

const common = indexOf(COMMON_CODES);
const network = indexOf(NETWORK_CODES);
const ofAction = new Map(
  Object.entries(ACTION_CODES).map(([action, sets]) => [action as CloudAction, indexOf(sets)] as const),
);

/** No answer, or one that nobody understands: a read is simply asked again, a mutation must be read about first. */
export const kindOfSilence = (action: CloudAction): CloudFaultKind => (mutates(action) ? 'unknown' : 'later');

/** The kind of what the network said, where it proves something. */
export const kindOfNetworkCode = (action: CloudAction, code: string): CloudFaultKind | undefined =>
  // TLS that fails is nearly always a wrong endpoint, but it may also break after the request went out.
  /^(?:EPROTO|ERR_SSL_)/u.test(code) && !mutates(action) ? 'misconfigured' : network.get(code);

/**
 * The kind of an answer with this code and HTTP status, and whether the code is one that this file knows.
 *
 * An unknown 4xx is `later`: the API did answer, so nothing happened, and a caller that backs off neither spins nor
 * gives up on an EIP that is still being paid for; `mapped: false` makes it visible. 401 and 403 are an operator's
 * business, 408 is no answer, 429 a throttle, and 413, 414 and 431 will be refused again.
 */
export const kindOfAnswer = (
  action: CloudAction,
  code: string,
  status: number,
): { kind: CloudFaultKind; mapped: boolean } => {
  const kind =
    ofAction.get(action)?.get(code) ?? common.get(code) ?? CODE_FAMILIES.find(([family]) => family.test(code))?.[1];
  if (kind !== undefined) {
    return { kind: kind === 'unknown' ? kindOfSilence(action) : kind, mapped: true };
  }
  return { kind: kindOfStatus(action, status), mapped: false };
};

const kindOfStatus = (action: CloudAction, status: number): CloudFaultKind => {
  if (status === 429) return 'throttled';
  if (status === 401 || status === 403) return 'misconfigured';
  if (status === 413 || status === 414 || status === 431) return 'refused';
  if (status >= 400 && status < 500 && status !== 408) return 'later';
  return kindOfSilence(action);
};
