import type { Scale } from '../rules/scale.ts';
import type { NewEip } from '../request/request.ts';
import type { Cost } from './explanation.ts';

/** `priceTable` of the configuration. Prices are of one hour. */
export interface PriceTable {
  readonly currency: string;
  readonly hoursPerMonth: number;
  readonly prices: readonly {
    readonly isp: string;
    readonly internetChargeType: string;
    readonly perHour: number;
    /** Tiers of bandwidth, in any order: each Mbit/s costs what the lowest tier that holds it says. */
    readonly perMbpsHour: readonly { readonly upTo: number; readonly price: number }[];
    readonly perGB?: number | undefined;
  }[];
}

const cents = (amount: number): number => Math.round(amount * 100) / 100;

/** What the EIPs of a workload cost in a month; null where the table has no price for them. */
export const costOf = (request: NewEip, { least, most }: Scale, table: PriceTable): Cost | null => {
  const price = table.prices.find(
    ({ isp, internetChargeType }) => isp === request.isp && internetChargeType === request.internetChargeType,
  );
  if (!price) return null;
  // In a bandwidth package the bandwidth is the package's, and paid for there.
  const isByBandwidth = request.internetChargeType === 'PayByBandwidth' && request.bandwidthPackageId === undefined;
  let bandwidth = 0;
  let from = 0;
  for (const { upTo, price: each } of price.perMbpsHour.toSorted((a, b) => a.upTo - b.upTo)) {
    bandwidth += Math.max(0, Math.min(upTo, request.bandwidthMbps) - from) * each;
    from = Math.max(from, upTo);
  }
  const perEip = (price.perHour + (isByBandwidth ? bandwidth : 0)) * table.hoursPerMonth;
  return {
    currency: table.currency,
    perEip: cents(perEip),
    least: cents(perEip * least),
    most: most === undefined ? null : cents(perEip * most),
    perGB: request.internetChargeType === 'PayByTraffic' ? (price.perGB ?? null) : null,
  };
};
