import test from 'ava';
import * as fc from 'fast-check';
import { CLOUD_ACTIONS, mutates } from '../../src/cloud/api-actions.ts';
import type { CloudAction } from '../../src/cloud/api-actions.ts';
import type { CloudFaultKind } from '../../src/cloud/fault.ts';
import { ACTION_CODES, COMMON_CODES, type CodeSets } from '../../src/cloud/alicloud/code-tables.ts';
import { NETWORK_CODES, kindOfAnswer } from '../../src/cloud/alicloud/codes.ts';
import { printable, redact } from '../../src/cloud/alicloud/redact.ts';

/**
 * The error codes of the VPC and ECI API references, by action; those of the Terraform provider's retry
 * lists beside them.
 */
const DOCUMENTED: Partial<Record<CloudAction, string>> = {
  AllocateEipAddress: `FrequentPurchase.EIP COMMODITY_NO_EXIST QuotaExceeded.Eip QuotaExceeded.LargeSpecEip
    InvalidParameter InsufficientBalance ReserveIpFail InvalidRegion.NotSupport InvalidResourceGroupId Ip.Allocated
    Ip.Keeped OperationFailed.AllocateUnfamiliarIp ResourceNotEnough.PublicIpAddressPool
    ResourceNotFound.PublicIpAddressPool IncorrectStatus.PublicIpAddressPool Mismatch.IpAndPublicIpAddressPool
    OperationFailed.RiskControl OperationFailed.ResourceNotEnough IllegalParam.Isp Forbbiden Forbidden
    OperationConflict InternalError LastTokenProcessing SystemBusy ServiceUnavailable IdempotentParameterMismatch`,
  AssociateEipAddress: `InvalidAssociation.Duplicated IncorrectEipStatus IncorrectInstanceStatus TaskConflict
    InvalidBindingStatus BIND_INSTANCE_HAVE_PORTMAP_OR_BIND_EIP InvalidParameter InvalidParameter.Mismatch
    InvalidParameter.EniInstanceId InvalidStatus.EniStatusNotSupport InvalidStatus.EcsStatusNotSupport Mode.Conflict
    OperationFailed.EipBindModeConflict Eni.HasSubIp OperationFailed.EniSubIp InvalidEip.EipQuotaExceeded
    QuotaExceed.MultiBindedEip InvalidEIPStatus.BizDisabled Forbidden Forbidden.FinancialLocked
    OperationDenied.Ipv4GatewayExist OperationFailed.EcsMigrating OperationFailed.IpPrefixConflict
    UnsupportedFeature.EipBindPrefixIp OperationFailed.SystemBusy ResourceAlreadyAssociated.IpAddress
    InvalidAction.Denied InvalidAllocationId.NotFound InvalidInstanId.NotFound Forbidden.RegionNotFound
    ServiceUnavailable InvalidStatus.InstanceHasBandWidth`,
  UnassociateEipAddress: `IncorrectEipStatus TaskConflict InvalidBindingStatus InvalidStatus.NotAllow
    InvalidStatus.EniStatusNotSupport OperationFailed.SystemBusy InvalidAllocationId.NotFound InvalidInstanceId.NotFound
    InvalidBindInstance.NotFound OperationFailed.LastTokenProcessing InvalidIpStatus.HasBeenUsedBySnatTable`,
  ReleaseEipAddress: `IncorrectEipStatus Forbidden.ChargeTypeIsPrepaid TaskConflict.AssociateGlobalAccelerationInstance
    InvalidOperation.DeletionProtection Forbidden.ReleaseSegmentEip Forbidden InvalidAllocationId.NotFound InternalError`,
  AddCommonBandwidthPackageIp: `EipOperation.TooFrequently TaskConflict IncorrectStatus.Eip
    IpInstanceId.ChargeType.NotSupport IpInstanceId.InvalidIpInternetChargeType IpInstanceId.QuotaExceeded
    BandwidthPackageId.InvalidBizStatus OperationFailed.DistibuteLock InvalidBandwidthPackageId.NotFound
    InvalidIpInstanceId.NotFound BandwidthPackageOperation.conflict`,
  RemoveCommonBandwidthPackageIp: `OperationUnsupported.IpNotInCbwp IncorrectStatus.Eip OperationFailed.DistibuteLock
    OperationFailed.SystemBusy InvalidBandwidthPackageId.NotFound EipOperation.TooFrequently`,
  CreateContainerGroup: `Account.Arrearage DryRunOperation InvalidParameter.CPU.Memory InvalidParameter.DuplicatedName
    InvalidParameter.DuplicatedVolumeName IncorrectStatus ServiceNotEnabled ImageSnapshot.IncorrectStatus
    DiskVolume.NotSupport RamRole.NotSupport DiskNumber.LimitExceed InvalidPaymentMethod.InsufficientBalance NoPermission
    RecommendEmpty.InstanceTypeFamilyNotMatched EipPayInsufficientBalance EipPurchaseFlowControl Throttling
    PrivateIpAddress.Already.InUse IncorrectOperation FeatureBasedConstraintConflict OperationFailed.RiskControl
    OperationDenied.VswZoneMisMatch QuotaExceeded Zone.NotOnSale Forbidden.RiskControl Forbidden.SubUser
    Forbidden.OnlyForInvitedTest OperationDenied.SecurityGroupMisMatch InvalidVSwitchId.IpNotEnough
    Forbidden.UserBussinessStatus OperationDenied.NoStock Spot.NotMatched CreateServiceLinkedRole.Denied
    Throttling.Vcpu.PerDay FeatureAccessRestricted ImageSnapshot.NotFound InvalidDiskId.NotFound Degrade.Api
    containerRepositoryAuthorizationFailed`,
  DeleteContainerGroup: 'IncorrectStatus OperationConflict',
  DescribeEipAddresses:
    'Throttling.DeepPageSkip Throttling Throttling.User Throttling.Api Rejected.Throttling VPC_TASK_CONFLICT',
};

const codesOf = (sets: CodeSets): string[] => Object.values(sets).flat();

const kind = (action: CloudAction, code: string, status = 400) => kindOfAnswer(action, code, status).kind;

/**
 * What each answer has to mean, by action, HTTP status and kind. Sources: the pages of the VPC API in
 * AlibabaCloudDocs/eip and cbwp, real answers in issues of Terraform's and Packer's providers, and the lists of Terway.
 */
const MEANING: readonly (readonly [action: CloudAction, status: number, kind: CloudFaultKind, codes: string])[] = [
  [
    'AllocateEipAddress',
    400,
    'quota',
    `OrderError.EIP OrderFailed OrderFailure ORDER.QUANTITY_INVALID InsufficientBalance InsufficientBalance.Eip
    PAY.INSUFFICIENT_BALANCE PAYFOR.CREDIT_PAY_INSUFFICIENT_BALANCE CreditPayInsufficientBalance InvalidAccountStatus
    AccountMoneyValidateError OperationFailed.AccountMoneyInvalid SYSTEM.SALE_VALIDATE_UNEXPECTED_ERROR
    OperationFailed.QuotaNotEnough OperationFailed.InsufficientEIP`,
  ],
  ['AllocateEipAddress', 403, 'quota', 'InvalidAccountStatus.NotEnoughBalance'],
  [
    'AllocateEipAddress',
    400,
    'refused',
    `COMMODITY.INVALID_COMPONENT InvalidBandwidth.Malformed InvalidComponent.EipBandwidthMax QueryParameter.Illegal
    InvalidChargeType.ValueNotSupported OperationUnsupported.ResourceGroupId INSTANCE_TYPE_NOT_SUPPORT
    OperationDenied.NotOpenDdosOriginProtectService Mismatch.EipSecurityProtectionTypeAndPoolSecurityProtectionType
    IdempotentFailed InvalidParameter.ResourceGroupId`,
  ],
  ['AllocateEipAddress', 400, 'misconfigured', 'OperationFailed.NoPermission RealNameAuthenticationError'],
  ['AllocateEipAddress', 400, 'unknown', 'OperationFailed.InternalError OperationFailed.InvokeApi UnknownError'],
  ['AllocateEipAddress', 400, 'later', 'OperationFailed.QueryIpPoolFailed Operation.Conflict IncorrectStatus'],
  ['AllocateEipAddress', 400, 'throttled', 'RequestLimitExceeded Rejected.Throttling FrequentPurchase.EIP'],
  [
    'AssociateEipAddress',
    400,
    'refused',
    `OperationDenied.Unauthorized OperationDenied.NoAvailablePrivateIp OperationDenied.CloudBoxResourceExist
    OperationDenied.CloudBoxVSwitchExist OperationDenied.UnsupportedEipBindMode OperationUnsupported.MultiIp
    OperationUnsupported.EipBindModel InvalidInstanceType.ValueNotSupported Invalid.DirectEip.BindType Eni.Attached
    EIP_CAN_NOT_ASSOCIATE_WITH_PUBLIC_IP BIND_INSTANCE_OWENER_ERROR Mode.NotSupport UnsupportedRegion
    OperationFailed.Ipv4GatewayNotOpenedInVpc InstanceType.NotSupport BindInstance.NotSupported
    AttrMismatching.BandwidthPackageIpVersion OperationFailed.ZoneIdInconsistent BandwidthPackageId.InvalidBandwidth
    Forbidden Forbbiden`,
  ],
  [
    'AssociateEipAddress',
    404,
    'gone',
    `InvalidEniId.NotFound InvalidEcsId.NotFound InvalidParams.NotFound InvalidNicOrVm.NotFound
    InvalidInstance.NotExist OperationFailed.InstanceNotExist`,
  ],
  [
    'AssociateEipAddress',
    400,
    'later',
    'IncorrectHaVipStatus OperationUnsupported.EipInBinding InvalidOperation.InvalidEniState',
  ],
  ['AssociateEipAddress', 403, 'misconfigured', 'Forbidden Forbbiden Forbidden.RAM'],
  ['UnassociateEipAddress', 400, 'refused', 'Forbidden Forbbiden'],
  ['UnassociateEipAddress', 400, 'later', 'IncorrectHaVipStatus InvalidStatus.SnatOrDnat'],
  ['ReleaseEipAddress', 400, 'refused', 'Forbidden Forbbiden Mismatch.EipAndPool'],
  ['ReleaseEipAddress', 400, 'later', 'OperationFailed.EipStatusInvalid'],
  ['AddCommonBandwidthPackageIp', 404, 'quota', 'BandwidthPackage.FinancialLocked'],
  ['AddCommonBandwidthPackageIp', 400, 'already', 'IpInstanceId.AlreadyInBandwidthPackage'],
  ['AddCommonBandwidthPackageIp', 400, 'gone', 'InvalidInstanceId.NotFound'],
  [
    'AddCommonBandwidthPackageIp',
    404,
    'refused',
    `InvalidBandwidth.ValueNotSupported OperationUnsupported.IpType InvalidBandwidthPackage.NotExist
    InvalidBandwidthPackageIdNumber.NotSupported`,
  ],
  [
    'RemoveCommonBandwidthPackageIp',
    404,
    'already',
    'IpInstanceId.NotBandwidthPackage InvalidInstanceId.NotFound InvalidBandwidthPackage.NotExist',
  ],
  ['RemoveCommonBandwidthPackageIp', 404, 'quota', 'BandwidthPackage.FinancialLocked'],
  ['DescribeNetworkInterfaces', 404, 'misconfigured', 'InvalidVpcId.NotFound'],
  ['DescribeEipAddresses', 400, 'later', 'OperationFailed.InternalError'],
  ['CreateContainerGroup', 403, 'misconfigured', 'Forbidden.RamRoleNotExist'],
  ['DeleteContainerGroup', 400, 'gone', 'InvalidParameter.NotFound'],
];

for (const [action, status, kind, codes] of MEANING)
  test(`${action}, HTTP ${status}: ${kind}: ${codes.trim().split(/\s+/u)[0]} …`, (t) => {
    for (const code of codes.trim().split(/\s+/u))
      t.deepEqual(kindOfAnswer(action, code, status), { kind, mapped: true }, code);
  });

test('every documented code has a kind for its action', (t) => {
  for (const [action, codes] of Object.entries(DOCUMENTED)) {
    for (const code of codes.trim().split(/\s+/u)) {
      t.true(kindOfAnswer(action as CloudAction, code, 400).mapped, `${action} ${code}`);
    }
  }
});

test('no code is in two sets of the same action', (t) => {
  for (const action of CLOUD_ACTIONS) {
    const codes = [...codesOf(COMMON_CODES), ...codesOf(ACTION_CODES[action])];
    t.deepEqual(
      codes.filter((code, n) => codes.indexOf(code) !== n),
      [],
      action,
    );
  }
  const network = codesOf(NETWORK_CODES);
  t.is(new Set(network).size, network.length);
});

test('the same code means what the action makes of it', (t) => {
  t.is(kind('ReleaseEipAddress', 'InvalidAllocationId.NotFound', 404), 'gone');
  t.is(kind('AssociateEipAddress', 'InvalidInstanId.NotFound', 404), 'gone');
  t.is(kind('UnassociateEipAddress', 'InvalidInstanId.NotFound', 404), 'already');
  t.is(kind('AddCommonBandwidthPackageIp', 'InvalidBandwidthPackageId.NotFound', 404), 'refused');
  t.is(kind('RemoveCommonBandwidthPackageIp', 'InvalidBandwidthPackageId.NotFound', 404), 'already');
  t.is(kind('AllocateEipAddress', 'FrequentPurchase.EIP'), 'throttled');
  t.is(kind('DescribeEipAddresses', 'Throttling.DeepPageSkip'), 'refused');
  t.is(kind('AllocateEipAddress', 'Throttling.Whatever', 503), 'throttled');
});

test('an unknown code never means success, and never more than its status proves', (t) => {
  const code = fc.stringMatching(/^[A-Za-z][\w.]{0,30}$/u);
  const status = fc.integer({ min: 400, max: 599 });
  fc.assert(
    fc.property(fc.constantFrom(...CLOUD_ACTIONS), code, status, (action, code, status) => {
      const answer = kindOfAnswer(action, code, status);
      if (answer.mapped) return;
      t.false(['gone', 'already', 'again'].includes(answer.kind));
      if (status >= 500 || status === 408) t.is(answer.kind, mutates(action) ? 'unknown' : 'later');
      if (!mutates(action)) t.not(answer.kind, 'unknown');
    }),
  );
  t.is(kindOfAnswer('ReleaseEipAddress', 'HTTP404', 404).kind, 'unrecognized');
  t.is(kindOfAnswer('ReleaseEipAddress', 'HTTP403', 403).kind, 'misconfigured');
  t.is(kindOfAnswer('ReleaseEipAddress', 'HTTP429', 429).kind, 'throttled');
  t.is(kindOfAnswer('ReleaseEipAddress', 'HTTP431', 431).kind, 'refused');
});

test('texts of the cloud become one bounded line', (t) => {
  t.is(printable('a\r\nb\u0000\u001b[31mc\u202Ed'), 'a b [31mc d');
  t.is(printable(7), '');
  t.is(printable('x'.repeat(600)).length, 512);
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
      const line = printable(text, 80);
      t.true(line.length <= 80 && line.isWellFormed() && !/[\p{Cc}\u2028\u2029]/u.test(line));
    }),
  );
});

test('what the provider says keeps its sense without its secrets', (t) => {
  t.is(redact('The EIP eip-bp1abc is not in the right state.'), 'The EIP eip-bp1abc is not in the right state.');
  t.is(
    redact('see https://api.aliyun.com/troubleshoot?q=Forbidden'),
    'see https://api.aliyun.com/troubleshoot?[redacted]',
  );
  t.is(redact('key LTAI5tAbCdEfGhIjKl is off'), 'key [redacted] is off');
  t.is(redact('the value of s3cr3t', ['s3cr3t']), 'the value of [redacted]');
  // Hostile input costs no more than any other.
  t.true(redact(`${'a-'.repeat(200_000)}secret=x`).length <= 512);
});

test('a known secret is hidden however it is written, and where its beginning or its end was cut off', (t) => {
  const secrets = ['s3cr3t/W+th"Odd=Signs&more', 'LTAIs-no-more0123456789', '密钥-abc-0123456789-xyz'];
  for (const secret of secrets) {
    const bare = Buffer.from(secret).toString('base64');
    const forms = [
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret),
      JSON.stringify({ header: [secret] }),
      secret.slice(0, -4),
      secret.slice(4),
      bare,
      Buffer.from(`id:${secret}`).toString('base64'),
      Buffer.from(`a:${secret}@b`).toString('base64'),
      Buffer.from(`abc${secret}`).toString('base64'),
    ];
    for (const form of forms) {
      const said = redact(`before ${form} after`, [secret]);
      for (let at = 0; at + 8 <= secret.length; at += 1)
        t.false(said.includes(secret.slice(at, at + 8)), `${form} → ${said}`);
      for (const part of said.split(' ')) {
        const decoded = Buffer.from(part, 'base64').toString();
        t.false(decoded.includes(secret.slice(4, 14)), `${form} → ${said}`);
      }
    }
  }
});
