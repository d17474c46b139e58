import { EIP_BEFORE_TRAFFIC } from '../api/annotations.ts';
import type { ProbedContainer } from '../api/core.ts';
import { quote } from '../lib/text.ts';
import { finding, type Rule } from './rule.ts';

/** Knative's own container; its probes say nothing of the user's. */
const QUEUE_PROXY = 'queue-proxy';

/**
 * Whether Knative's activator waits until a pod of these containers is Ready before it sends requests there. Otherwise
 * it sends them as soon as the queue-proxy answers, whatever readiness gates say. Source: knative/serving
 * pkg/activator/net, revision_backends.go.
 */
const isWaitedFor = (containers: readonly ProbedContainer[]): boolean =>
  containers.some(
    ({ name, startupProbe, readinessProbe }) => name !== QUEUE_PROXY && (startupProbe ?? readinessProbe?.exec),
  );

/**
 * What makes requests wait for the EIP: read by the webhook where it is "true", and by nobody otherwise. The webhook
 * may have been away when the Service was written, or be younger than the Service: only the pod shows it.
 */
export const beforeTraffic: Rule = ({ workload: { annotations, kind, isKnative, template }, target }) => {
  const text = annotations[EIP_BEFORE_TRAFFIC];
  if (text === undefined || text === 'false') return [];
  if (text !== 'true')
    return [
      finding(
        'BeforeTrafficIgnored',
        [EIP_BEFORE_TRAFFIC],
        `annotation ${EIP_BEFORE_TRAFFIC}: ${quote(text)} is neither "true" nor "false", so that requests do not wait for the EIP`,
        'write "true" or "false"',
      ),
    ];
  const containers = template.spec?.containers;
  const isPodOnEcs = kind === 'Pod' && isKnative && target?.on === 'ecs' && target.certainty === 'proved';
  if (!isPodOnEcs || containers === undefined || isWaitedFor(containers)) return [];
  return [
    finding(
      'BeforeTrafficIgnored',
      [EIP_BEFORE_TRAFFIC],
      `annotation ${EIP_BEFORE_TRAFFIC}: "true" does not make requests wait for the EIP when the Service scales from zero: no container of the pod has a startup probe, because the webhook that adds one was not called when the Service was written`,
      'write a startupProbe into the container that serves, or change anything in the template of the Service while the webhook works',
    ),
  ];
};
