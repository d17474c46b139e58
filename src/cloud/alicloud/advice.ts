import type { CloudAction } from '../api-actions.ts';
import type { CloudFaultKind } from '../fault.ts';

/** What somebody can do about an answer. Sources: as those of the codes, code-tables.ts. */
interface Advice {
  readonly codes: RegExp;
  /** @default any */
  readonly actions?: readonly CloudAction[];
  /** Whole sentences. */
  readonly text: string;
}

const AGAIN = 'It is tried again by itself, within ten minutes.';

/** The first that fits counts. */
const ADVICE: readonly Advice[] = [
  { codes: /^InvalidAccessKeyId/u, text: 'Check the AccessKey ID: it is unknown or switched off.' },
  {
    codes: /^(?:InvalidSecurityToken|MissingSecurityToken)/u,
    text: 'Check the STS token: it has expired or belongs to another key.',
  },
  {
    codes: /^(?:Signature|IncompleteSignature)/u,
    text:
      'Check the AccessKey secret, and that no proxy rewrites the request. The API’s own text is left out: it quotes ' +
      'the signed request.',
  },
  { codes: /^InvalidTimeStamp/u, text: 'Check the clock of this machine.' },
  { codes: /^(?:InvalidRegionId|Forbidden\.RegionNotFound)/u, text: 'Check the configured region.' },
  {
    codes: /^(?:InvalidAction\.NotFound|InvalidApi|InvalidProduct|InvalidVersion)/u,
    text: 'Check the configured endpoint.',
  },
  {
    codes: /^Forbidden\.RamRoleNotExist/u,
    text: 'The RAM role that the instance is to have does not exist, or ram:PassRole for it is missing.',
  },
  { codes: /^RealNameAuthenticationError/u, text: 'Register the real name of the account in its console.' },
  { codes: /^InvalidVpcId/u, text: 'Check vpcID of the configuration.' },
  {
    codes: /NotOpenDdosOriginProtectService/u,
    text: 'Activate Anti-DDoS Origin in the console of the account, or leave security-protection-types out.',
  },
  { codes: /^ServiceNotEnabled/u, text: 'Activate the service in the console of the account.' },
  { codes: /^InvalidCredentials/u, text: 'No credentials are configured.' },
  // Money.
  {
    codes:
      /InsufficientBalance|INSUFFICIENT_BALANCE|NotEnoughBalance|AccountMoney|Arrearage|^InvalidAccountStatus|^Forbidden\.UserBussinessStatus/u,
    text: `Top up the account, or settle its bills. ${AGAIN}`,
  },
  {
    codes: /^BandwidthPackage\.FinancialLocked|^BandwidthPackageId\.InvalidBizStatus/u,
    text: `Pay for the bandwidth package. ${AGAIN}`,
  },
  {
    codes: /FinancialLocked|^InvalidEIPStatus\.BizDisabled/u,
    text: `It is locked for want of payment: settle the bills of the account. ${AGAIN}`,
  },
  {
    codes: /RiskControl/u,
    text: `The cloud holds back what this account orders: ask its support, with the ID of the request. ${AGAIN}`,
  },
  // Room.
  {
    codes: /^(?:QuotaExceeded\.(?:Eip|LargeSpecEip)|OperationFailed\.QuotaNotEnough|ORDER\.QUANTITY_INVALID)$/u,
    text: `Release EIPs that nobody needs, or have the quota of EIPs raised (Quota Center of the console). ${AGAIN}`,
  },
  {
    codes: /^(?:ReserveIpFail|OperationFailed\.(?:InsufficientEIP|ResourceNotEnough))$/u,
    text: `The cloud has no such EIP left in the region at present: ask for another line type, or wait. ${AGAIN}`,
  },
  {
    codes: /PublicIpAddressPool/u,
    text: 'Correct the address pool (annotation eip-public-ip-address-pool-id), or add addresses to it.',
  },
  {
    codes: /^IpInstanceId\.QuotaExceeded$/u,
    text: `The bandwidth package is full: name another one, or have its quota raised. ${AGAIN}`,
  },
  {
    codes:
      /^(?:OperationDenied\.NoStock|Spot\.NotMatched|RecommendEmpty\.InstanceTypeFamilyNotMatched|Zone\.NotOnSale)$/u,
    text: `The zone has no such instance left: add vSwitches of other zones (virtualNode.vSwitchIDs), or let the pod ask for another size. ${AGAIN}`,
  },
  {
    codes: /^InvalidVSwitchId\.IpNotEnough$/u,
    text: `The vSwitch has no free address: add others (virtualNode.vSwitchIDs). ${AGAIN}`,
  },
  {
    codes: /^(?:QuotaExceeded|Throttling\.Vcpu\.PerDay)$/u,
    actions: ['CreateContainerGroup'],
    text: `End instances that nobody needs, or have the quota of vCPUs raised (Quota Center of the console). ${AGAIN}`,
  },
  // Orders that are not sold like this.
  {
    codes: /^(?:ORDER\.|Order|PAY\.|PAYFOR\.|COMMODITY|SYSTEM\.SALE)/u,
    text: 'The account may not order this: look for unpaid orders and for limits of the account in its console, and ask its support with the ID of the request.',
  },
  // What was asked for.
  {
    codes: /^FrequentPurchase\.EIP$/u,
    text: 'EIPs are bought and given back too often; knative.holdOffSeconds keeps them between pods of a Service.',
  },
  {
    codes: /Bandwidth\.(?:Malformed|ValueNotSupported)$|EipBandwidthMax|^InvalidBandwidth/u,
    actions: ['AllocateEipAddress', 'CreateContainerGroup'],
    text: 'Correct the bandwidth (annotation eip-bandwidth).',
  },
  { codes: /\bIsp\b|^InvalidRegion\.NotSupport$/u, text: 'Correct the line type (annotation eip-isp).' },
  { codes: /ResourceGroup/u, text: 'Correct the resource group (annotation eip-resource-group-id), or leave it out.' },
  {
    codes: /^(?:UnsupportedFeature\.EipBindPrefixIp|OperationFailed\.IpPrefixConflict)$/u,
    text: 'The address comes out of a prefix of the interface: turn prefix mode of the network plugin off for these nodes.',
  },
  {
    codes:
      /^(?:Mode\.|OperationFailed\.EipBindModeConflict|Eni\.|OperationFailed\.EniSubIp|EIP_CAN_NOT_ASSOCIATE_WITH_PUBLIC_IP)/u,
    actions: ['AssociateEipAddress'],
    text: 'An EIP in another mode, or a fixed public address, is on the interface or its instance: take that off.',
  },
  {
    codes: /Ipv4Gateway/u,
    text: 'The VPC has an IPv4 gateway: have the route of the vSwitch lead to it, as its console says.',
  },
  {
    codes:
      /^(?:InvalidAssociation\.Duplicated|BIND_INSTANCE_HAVE_PORTMAP_OR_BIND_EIP|ResourceAlreadyAssociated\.IpAddress)$/u,
    text: 'The address has another EIP: that of a pod before it is taken off by itself, any other one by whoever bound it.',
  },
  {
    codes: /^OperationDenied\.Unauthorized$|^BIND_INSTANCE_OWENER_ERROR$/u,
    text: 'Another cloud service or another account manages the EIP or the interface; name one of your own.',
  },
  { codes: /DeletionProtection/u, text: `Turn its deletion protection off in the console. ${AGAIN}` },
  {
    codes: /ChargeTypeIsPrepaid/u,
    text: 'It is a subscription, which ends by itself: have it refunded in the console, or keep it.',
  },
  {
    codes: /BandwidthPackage|^IpInstanceId\.|^AttrMismatching/u,
    actions: ['AddCommonBandwidthPackageIp'],
    text: 'Correct the bandwidth package (annotation eip-common-bandwidth-package-id), or leave it out, and make the pod anew.',
  },
];

/** What somebody can do about an answer with this code; undefined where the cloud's own words have to do. */
export const adviceOn = (action: CloudAction, code: string, kind: CloudFaultKind): string | undefined =>
  ADVICE.find(({ codes, actions }) => codes.test(code) && (actions?.includes(action) ?? true))?.text ??
  (kind === 'unrecognized'
    ? 'knative-eip does not know this code; the API reference may. It is tried again by itself, within ten minutes.'
    : undefined);
