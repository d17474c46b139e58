import * as z from 'zod';
import { int, rule } from './config-rule.ts';

/** `sweeper`: what looks for EIPs of this cluster that nobody has. */
export const sweeper = z
  .strictObject({
    mode: z
      .enum(['release', 'report', 'off'])
      .default('release')
      .meta(
        rule(
          'What becomes of EIPs that carry the tags of this cluster and belong to no PodEIP: they are released, or only reported.',
          'one of release, report, off',
        ),
      ),
    graceSeconds: int(60, 86_400)
      .default(600)
      .meta(
        rule(
          'How long such an EIP must have been seen, in at least two periods, before it is released, in seconds.',
          'a whole number from 60 to 86400',
        ),
      ),
    maxReleasesPerPeriod: int(1, 1000)
      .default(10)
      .meta(rule('How many such EIPs are worked on in one period.', 'a whole number from 1 to 1000')),
    brakeAbove: int(1, 100_000)
      .optional()
      .meta(
        rule(
          'How many such EIPs may be due at once; above that nothing is released. Default: 5, or a fifth of all EIPs of this cluster if that is more, and none while there is no PodEIP at all.',
          'a whole number from 1 to 100000',
        ),
      ),
  })
  .prefault({})
  .meta(rule('The sweeper, which works every garbageCollectionPeriodInMinutes.', 'a mapping'));
