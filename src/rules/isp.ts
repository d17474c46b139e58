import { KEYS } from '../api/annotations.ts';
import type { Finding } from '../api/finding.ts';
import { finding, writtenKeys, type Rule } from './rule.ts';

/** Regions with BGP (Multi-ISP) Pro lines. Source: VPC API reference, AllocateEipAddress, ISP. */
const BGP_PRO_REGIONS = [
  'cn-hongkong',
  'ap-southeast-1',
  'ap-northeast-1',
  'ap-southeast-3',
  'ap-southeast-6',
  'ap-southeast-5',
  'ap-southeast-7',
];
/** Its only line type is BGP_FinanceCloud. Source: VPC API reference, AllocateEipAddress, ISP. */
const FINANCE_REGION = 'cn-hangzhou-finance';
const FINANCE_ISP = 'BGP_FinanceCloud';
const SINGLE_LINE = /^China(Telecom|Unicom|Mobile)(_L2)?$/;

const where = (keys: readonly string[]): string => (keys.length > 0 ? '' : ' (of the configuration)');

/** Line types by region, and what goes with lines of a single carrier. */
export const ispRules: Rule = ({ workload: { annotations }, parsed: { request }, settings: { region } }) => {
  if (request?.kind !== 'new') return [];
  const { isp } = request;
  const keys = writtenKeys(KEYS.isp, annotations);
  const found: Finding[] = [];
  if (region !== undefined && (isp === FINANCE_ISP) !== (region === FINANCE_REGION))
    found.push(
      finding(
        'FinanceCloudIsp',
        keys,
        `the line type ${isp}${where(keys)} is not sold in region ${region}`,
        region === FINANCE_REGION ? `write "${FINANCE_ISP}"` : 'write "BGP"',
      ),
    );
  if (region !== undefined && region !== FINANCE_REGION && isp === 'BGP_PRO' && !BGP_PRO_REGIONS.includes(region))
    found.push(
      finding(
        'IspNotInRegion',
        keys,
        `the line type BGP_PRO${where(keys)} is not documented for region ${region}, and the cloud will probably refuse it`,
        'write "BGP"',
      ),
    );
  if (SINGLE_LINE.test(isp)) {
    found.push(
      finding(
        'SingleLineIsp',
        keys,
        `the line type ${isp}${where(keys)} is only sold to accounts that Alibaba Cloud has allowed it`,
        'make sure that the account is allowed, or write "BGP"',
      ),
    );
    if (request.internetChargeType === 'PayByTraffic')
      found.push(
        finding(
          'SingleLineByTraffic',
          [...keys, ...writtenKeys(KEYS.internetChargeType, annotations)],
          `the line type ${isp}${where(keys)} is sold by bandwidth, and the EIP is to be paid by traffic`,
          `write ${KEYS.internetChargeType[0]}: "PayByBandwidth"`,
        ),
      );
  }
  return found;
};

/** The bandwidth of an EIP in a package is the package's. Source: VPC API reference, AddCommonBandwidthPackageIp. */
export const packages: Rule = ({ workload: { annotations }, parsed: { request } }) => {
  if (request?.kind !== 'new' || request.bandwidthPackageId === undefined) return [];
  if (request.internetChargeType !== 'PayByBandwidth') return [];
  const keys = [
    ...writtenKeys(KEYS.bandwidthPackageId, annotations),
    ...writtenKeys(KEYS.internetChargeType, annotations),
  ];
  return [
    finding(
      'PackagePaidByBandwidth',
      keys,
      `the EIP joins bandwidth package ${request.bandwidthPackageId}, whose bandwidth it then has, and is to be paid by a bandwidth of its own`,
      `write ${KEYS.internetChargeType[0]}: "PayByTraffic"`,
    ),
  ];
};
