/** Metering method of an EIP. Source: VPC API reference, AllocateEipAddress, InternetChargeType. */
export type InternetChargeType = 'PayByTraffic' | 'PayByBandwidth';

/** Line types of EIPs. Source: ACK documentation, "Attach an independent EIP to a pod", eip-isp. */
export const ISPS = [
  'BGP',
  'BGP_PRO',
  'ChinaTelecom',
  'ChinaUnicom',
  'ChinaMobile',
  'ChinaTelecom_L2',
  'ChinaUnicom_L2',
  'ChinaMobile_L2',
  'BGP_FinanceCloud',
] as const;
