import * as z from 'zod';
import { rule } from './config-rule.ts';

/** How pods are told their addresses. */
export const announcement = z
  .strictObject({
    through: z
      .enum(['status', 'pod'])
      .default('status')
      .meta(
        rule(
          'How the controller annotates pods: status writes through pods/status; pod patches the pod itself, so that webhooks and watchers on pods hear of it, such as those of OpenKruiseGame, and needs the rights of config/announce-on-pods.',
          'one of status, pod',
        ),
      ),
    networkKey: z
      .enum(['asked', 'always', 'never'])
      .default('asked')
      .meta(
        rule(
          'Which pods have their address under network.alibabacloud.com/allocated-eipAddress too: those that ask by an annotation with that prefix, all, or none.',
          'one of asked, always, never',
        ),
      ),
  })
  .prefault({})
  .meta(rule('How pods are told their addresses.', 'a mapping'));
