/**
 * Every error that the embedded cloud answers by itself: code → HTTP status and message, spelt as the provider spells
 * them ("InvalidInstanId", "DistibuteLock"), because clients match on them.
 *
 * Sources: VPC API reference (AllocateEipAddress, AllocateEipAddressPro, AssociateEipAddress, UnassociateEipAddress,
 * ReleaseEipAddress, AddCommonBandwidthPackageIp, RemoveCommonBandwidthPackageIp, TagResources) and ECI API reference,
 * sections "Error codes"; "Public error codes" of Alibaba Cloud's API gateway; VPC developer guide "How to ensure
 * idempotence". Where a page prints only `%s` for a message, the message here is ours.
 */
const catalogue = {
  // The gateway.
  MissingAccessKeyId: [400, 'AccessKeyId is mandatory for this action.'],
  'InvalidAccessKeyId.NotFound': [404, 'Specified access key is not found.'],
  SignatureDoesNotMatch: [400, 'Specified signature is not matched with our calculation.'],
  SignatureNonceUsed: [400, 'Specified signature nonce was used already.'],
  'InvalidTimeStamp.Expired': [400, 'Specified time stamp or date value is expired.'],
  'InvalidTimeStamp.Format': [400, 'Specified time stamp or date value is not well formatted.'],
  MissingSecurityToken: [400, 'SecurityToken is mandatory for this action.'],
  'InvalidSecurityToken.MismatchWithAccessKey': [400, 'Specified SecurityToken mismatch with the AccessKey.'],
  'InvalidSecurityToken.Expired': [400, 'Specified SecurityToken is expired.'],
  InvalidVersion: [400, 'Specified parameter Version is not valid.'],
  'InvalidAction.NotFound': [404, 'Specified api is not found, please check your url and method.'],
  'Throttling.User': [400, 'Request was denied due to user flow control.'],
  InvalidParameter: [400, 'The specified parameter is not valid.'],
  'InvalidRegionId.NotFound': [404, 'The specified RegionId does not exist.'],
  InternalError: [500, 'The request processing has failed due to some unknown error.'],
  ServiceUnavailable: [503, 'The request has failed due to a temporary failure of the server.'],

  // Idempotence.
  'InvalidClientToken.Malformed': [400, 'The specified ClientToken is invalid: at most 64 ASCII characters.'],
  IdempotentParameterMismatch: [
    400,
    'The request uses the same client token as a previous, but non-identical request.',
  ],
  LastTokenProcessing: [400, 'The last request with this client token is still being processed.'],

  // EIPs.
  'InvalidAllocationId.NotFound': [404, 'Specified allocation ID is not found.'],
  'QuotaExceeded.Eip': [400, 'Elastic IP address quota exceeded.'],
  'InvalidBandwidth.Malformed': [400, 'The specified Bandwidth is invalid.'],
  'IllegalParam.Isp': [400, 'The param of Isp is illegal.'],
  'InvalidRegion.NotSupport': [400, 'The specified region does not support.'],
  InvalidResourceGroupId: [400, 'The specified ResourceGroupId does not exist.'],
  'Ip.Allocated': [400, 'The reserve ip has been allocated.'],
  'OperationFailed.AllocateUnfamiliarIp': [
    400,
    'The operation failed because only IP addresses used within the last seven days can be allocated.',
  ],
  'ResourceNotEnough.PublicIpAddressPool': [400, 'The specified resource of PublicIpAddressPool is not enough.'],
  'ResourceNotFound.PublicIpAddressPool': [400, 'The specified resource of PublicIpAddressPool is not found.'],
  IncorrectEipStatus: [400, 'Current elastic IP status does not support this operation.'],
  TaskConflict: [400, 'The eip operate too frequent, TaskConflict.'],
  'InvalidEIPStatus.BizDisabled': [400, 'The EIP has been locked.'],
  'Forbidden.FinancialLocked': [400, 'The ip business status is invalid.'],
  Forbidden: [400, 'The eip instance owner error'],
  'InvalidAssociation.Duplicated': [400, 'Specified instance already is associated.'],
  'InvalidInstanceType.ValueNotSupported': [400, 'The specified value of InstanceType is not supported.'],
  'InvalidInstanId.NotFound': [404, 'Specified instance does not exist.'],
  'InvalidBindInstance.NotFound': [404, 'The specified bind instance does not exist.'],
  'UnsupportedFeature.EipBindPrefixIp': [400, 'The IP address of a prefix does not support binding an EIP.'],
  'InvalidStatus.EniStatusNotSupport': [400, 'The status of the network interface does not support this operation.'],
  'InvalidParameter.EniInstanceId': [400, 'The network interface does not hold the specified PrivateIpAddress.'],
  'IllegalParam.Mode': [400, 'The param of Mode is illegal.'],
  'Mode.Conflict': [400, 'The eni can bind only one mode of eip.'],
  'OperationFailed.EipBindModeConflict': [
    400,
    'Eips can not bind Eni with NAT mode and MULTI_BINDED mode at the same time.',
  ],
  'Forbidden.ChargeTypeIsPrepaid': [400, "It's forbidden to release a prepaid EIP"],
  'InvalidOperation.DeletionProtection': [400, 'The instance cannnot delete because of deletion protecion.'],
  'Forbidden.ReleaseSegmentEip': [400, 'Release single segment eip is forbidden.'],

  // Internet Shared Bandwidth.
  'InvalidBandwidthPackageId.NotFound': [404, 'The specified bandwidthPackageId does not exist in our records.'],
  'InvalidIpInstanceId.NotFound': [404, 'The specified Eip InstanceId does not exist in our records.'],
  'IpInstanceId.AlreadyInBandwidthPackage': [400, 'The specified Eip InstanceId already in bandwidthPackage.'],
  'IpInstanceId.ChargeType.NotSupport': [
    400,
    'The specified Eip instance is PrePaid type, Cannot add to BandwidthPackage.',
  ],
  'IpInstanceId.QuotaExceeded': [
    400,
    'The specified BandwidthPackageId has too many ip in it. exceed the quota , Cannot add more.',
  ],
  'BandwidthPackageId.InvalidBizStatus': [
    400,
    'The specified BandwidthPackageId has been FinancialLocked, Cannot add Ip.',
  ],
  'IncorrectStatus.Eip': [400, 'Eip status error.'],
  'OperationUnsupported.IpType': [400, 'Ip type does not support the operation.'],
  'InvalidParameter.Isp': [400, 'The line types of the EIP and of the bandwidth package are not the same.'],
  'OperationUnsupported.IpNotInCbwp': [400, 'The specified eip not exist in the commonBandwidthPackage.'],

  // Container groups (ECI API reference, CreateContainerGroup and DeleteContainerGroup).
  'InvalidParameter.DuplicatedName': [400, 'Container name is duplicated.'],
  'InvalidParameter.DuplicatedVolumeName': [400, 'Volume name is duplicated.'],
  'InvalidParameter.CPU.Memory': [400, 'The specified cpu and memory are not allowed.'],
  'InvalidVSwitchId.NotFound': [404, 'The specified VSwitch does not exist.'],
  'InvalidVSwitchId.IpNotEnough': [403, 'The specified VSwitch does not have enough IP addresses.'],
  DryRunOperation: [400, 'Request validation has been passed with DryRun flag set.'],
  QuotaExceeded: [403, 'The quota of the account is exceeded.'],
  IncorrectStatus: [400, 'The status of the container group does not support this operation.'],
  // The same, ExecContainerCommand.
  'InvalidParameter.ValueExceeded': [400, 'The specified parameter is too long.'],
  // No code is documented for an instance that does not exist. With the reading goneCodes it is the second
  // (terraform-provider-alicloud, service_alicloud_eci.go).
  'InvalidContainerGroupId.NotFound': [404, 'The specified container group does not exist.'],

  // The same of an image cache.
  'InvalidImageCacheId.NotFound': [404, 'The specified image cache does not exist.'],
  'InvalidParameter.NotFound': [404, 'The specified container group does not exist.'],

  // Network interfaces (terraform-provider-alicloud, service_alicloud_ecs.go).
  'InvalidEcsId.NotFound': [404, 'The specified EcsId is not found.'],
  'InvalidEniId.NotFound': [404, 'The specified EniId is not found.'],
  'InvalidOperation.InvalidEniState': [400, 'The operation is not allowed in the current state of the interface.'],

  // Tags.
  'MissingParameter.ResourceIdOrTag': [400, 'You must specify ResourceId or Tag.'],
  'InvalidResourceType.NotFound': [404, 'The ResourceType provided does not exist in our records.'],
  'InvalidResourceId.NotFound': [404, 'The specified ResourceIds are not found in our records.'],
  'NumberExceed.ResourceIds': [400, "The ResourceIds parameter's number is exceed , Valid : 50"],
  'NumberExceed.Tags': [400, "The Tags parameter's number is exceed , Valid : 20"],
  'QuotaExceed.TagsPerResource': [400, 'The maximum number of tags for each resource is exceeded.'],
  'Duplicate.TagKey': [400, 'The Tag.N.Key contain duplicate key.'],
  'InvalidTagKey.Malformed': [400, 'The specified Tag.n.Key is not valid.'],
  'InvalidTagValue.Malformed': [400, 'The specified Tag.n.Value is not valid.'],
  'InvalidParameter.NextToken': [400, 'The specified parameter NextToken is not valid.'],
} as const satisfies Record<string, readonly [number, string]>;

type RefusalCode = keyof typeof catalogue;

/** An error answer of the cloud: what the caller gets instead of the result, and proof that nothing took effect. */
export class CloudRefusal extends Error {
  override readonly name = 'Refusal';
  readonly code: string;
  readonly status: number;
  /** Sent as header `x-acs-retry-after`, milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(refusal: { code: string; status: number; message: string; retryAfterMs?: number | undefined }) {
    super(refusal.message);
    this.code = refusal.code;
    this.status = refusal.status;
    this.retryAfterMs = refusal.retryAfterMs;
  }
}

/** The documented refusal of this code; `detail` is appended to the documented message. */
export const refusal = (code: RefusalCode, detail?: string): CloudRefusal => {
  const [status, message] = catalogue[code];
  return new CloudRefusal({ code, status, message: detail === undefined ? message : `${message} ${detail}` });
};

/** The gateway's answer to a mandatory parameter that is absent: `Missing` and its name ("Public error codes"). */
export const missing = (parameter: string): CloudRefusal =>
  new CloudRefusal({ code: `Missing${parameter}`, status: 400, message: `${parameter} is mandatory for this action.` });

/** What a code means when a fault only names it: the documented status and message, or 400 and the code itself. */
export const documented = (code: string): { status: number; message: string } => {
  const known = (catalogue as Record<string, readonly [number, string] | undefined>)[code];
  return known ? { status: known[0], message: known[1] } : { status: 400, message: `${code}.` };
};
