import * as z from 'zod';
import { ISPS } from '../api/eip.ts';
import { int, rule, textRule } from './config-rule.ts';

const price = z.number().min(0).max(1_000_000);
const A_PRICE = 'a number, 0 or more';

/**
 * `priceTable`: what EIPs cost, for `knative-eip explain`. There is no default: prices change, and accounts
 * have their own.
 */
export const priceTable = z
  .strictObject({
    currency: textRule(/^[A-Z]{3}$/, 3)
      .default('CNY')
      .meta(rule('The currency of all prices.', 'three capital letters such as CNY')),
    hoursPerMonth: int(1, 744).default(730).meta(rule('The hours of a month.', 'a whole number from 1 to 744')),
    prices: z
      .array(
        z.strictObject({
          isp: z
            .enum(ISPS)
            .default('BGP')
            .meta(rule('Line type.', `one of ${ISPS.join(', ')}`)),
          internetChargeType: z
            .enum(['PayByTraffic', 'PayByBandwidth'])
            .meta(rule('What is paid for.', 'one of PayByTraffic, PayByBandwidth')),
          perHour: price
            .default(0)
            .meta(rule('What one EIP costs an hour, whatever it does (the configuration fee).', A_PRICE)),
          perMbpsHour: z
            .array(
              z.strictObject({
                upTo: int(1, 10_000).meta(rule('For the Mbit/s up to this one.', 'a whole number from 1 to 10000')),
                price: price.meta(rule('What each of these Mbit/s costs an hour.', A_PRICE)),
              }),
            )
            .default([])
            .meta(rule('What bandwidth costs, with PayByBandwidth, in tiers.', 'a list of upTo and price')),
          perGB: price
            .optional()
            .meta(
              rule(
                'What a gigabyte costs that leaves the cloud, with PayByTraffic. It is named, not added up.',
                A_PRICE,
              ),
            ),
        }),
      )
      .default([])
      .meta(rule('One entry for each line type and charge type.', 'a list')),
  })
  .optional()
  .meta(rule('What EIPs cost, so that knative-eip explain can say it. Without it no costs are said.', 'a mapping'));
