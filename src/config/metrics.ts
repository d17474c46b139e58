import { z } from 'zod';
import { int, rule } from './config-rule.ts';

/** `metrics`: what /metrics shows, and to whom. */
export const metrics = z
  .strictObject({
    authorization: z
      .boolean()
      .default(false)
      .meta(
        rule(
          'Whether only those may read /metrics whose token the API server knows and who may get the path /metrics; config/prometheus has the roles.',
          'true or false',
        ),
      ),
    addressLimit: int(0, 100_000)
      .default(2_000)
      .meta(
        rule(
          'Up to so many addresses in use are listed one by one in knative_eip_address_info; with more of them, none is.',
          'a whole number from 0 to 100000',
        ),
      ),
    revisionLimit: int(0, 100_000)
      .default(2_000)
      .meta(
        rule(
          'Up to so many series has knative_eip_revision_eips; with more Revisions only their Services are told apart, and then only namespaces.',
          'a whole number from 0 to 100000',
        ),
      ),
  })
  .prefault({})
  .meta(rule('What /metrics shows, and to whom.', 'a mapping'));
