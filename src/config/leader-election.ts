import * as z from 'zod';
import { int, NAMESPACE_NAME, OBJECT_NAME, rule, textRule } from './config-rule.ts';

/** Which of several replicas works. */
export const leaderElection = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .meta(
        rule(
          'Whether one replica is chosen to work while the others wait. Where it is false, only one process is meant to run, in a roll-out too (strategy Recreate): two at once make the same calls to the cloud. Because another one may be at work, also one that runs alone waits half a minute before it lets go of an EIP of the user’s, or hands one to the next pod.',
          'true or false',
        ),
      ),
    namespace: textRule(NAMESPACE_NAME, 63)
      .default('knative-eip-system')
      .meta(rule('Where the Lease is. POD_NAMESPACE is the default where it is set.', 'the name of a namespace')),
    name: textRule(OBJECT_NAME, 253)
      .default('knative-eip')
      .meta(rule('The name of the Lease.', 'lower-case letters, digits, - and ., at most 253')),
    identity: textRule(/^[\x21-\x7e]+$/, 253)
      .optional()
      .meta(
        rule(
          'The name of this replica in the Lease. POD_NAME is the default where it is set; otherwise one is made up.',
          '1–253 printable ASCII characters without blanks',
        ),
      ),
    leaseDurationSeconds: int(1, 600)
      .default(15)
      .meta(rule('How long the others wait for a leader that is silent.', 'a whole number from 1 to 600')),
    renewDeadlineSeconds: int(1, 600)
      .default(10)
      .meta(rule('How long a leader that cannot renew its Lease goes on.', 'a whole number from 1 to 600')),
    retryPeriodSeconds: int(1, 600)
      .default(2)
      .meta(
        rule(
          'How often the Lease is renewed. A replica that waits looks four times as often.',
          'a whole number from 1 to 600',
        ),
      ),
  })
  .prefault({})
  .meta(rule('How one of several replicas becomes the one that works.', 'a mapping'));
