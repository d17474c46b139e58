import * as z from 'zod';
import { int, rule } from './config-rule.ts';

/** What each namespace may buy, whatever EipPolicies there are. */
export const namespaceLimits = z
  .strictObject({
    eips: int(0, 1_000_000)
      .default(1_000)
      .meta(
        rule(
          'How many EIPs that were bought a namespace may hold at once, where no EipPolicy has limits.eips for it; 0: any number.',
          'a whole number from 0 to 1000000',
        ),
      ),
    purchasesPerMinute: int(0, 100_000)
      .default(100)
      .meta(
        rule(
          'How many EIPs are bought for a namespace in a minute, counted over ten minutes, and for pods of one name six in ten minutes; 0: any number.',
          'a whole number from 0 to 100000',
        ),
      ),
  })
  .prefault({})
  .meta(rule('What each namespace may buy.', 'a mapping'));
