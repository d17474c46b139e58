import * as z from 'zod';
import { int, rule, textRule } from './config-rule.ts';

/** The controllers, with the names that the Helm values of ack-extend-network-controller have for them. */
export const networkController = z
  .strictObject({
    eipController: z
      .strictObject({
        maxConcurrentReconciles: int(1, 64)
          .default(32)
          .meta(
            rule(
              'How many pods are worked on at the same time, of each of five groups: new or looked at again, about to get an EIP, waiting for it to be bound, detached, and going back. One that waits for an answer costs nothing.',
              'a whole number from 1 to 64',
            ),
          ),
        garbageCollectionPeriodInMinutes: int(1, 1440)
          .default(10)
          .meta(
            rule(
              'How often addresses that nobody needs any more are looked for, in minutes.',
              'a whole number from 1 to 1440',
            ),
          ),
      })
      .prefault({})
      .meta(rule('The eip controller.', 'a mapping')),
    customStatefulWorkloadKinds: z
      .array(textRule(/^[A-Za-z][A-Za-z0-9]*$/, 63))
      .default([])
      .meta(
        rule(
          'Kinds, besides StatefulSet, whose pods keep their names and so may keep their addresses.',
          'a list of kinds such as CloneSet',
        ),
      ),
  })
  .prefault({})
  .meta(rule('The controllers.', 'a mapping'));
