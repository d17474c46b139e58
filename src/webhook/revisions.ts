import { KNATIVE_REVISION } from '../api/knative.ts';
import type { ClusterFacts, RevisionFacts } from '../rules/cluster-facts.ts';
import { revisionsToRead } from '../rules/revision-traffic.ts';
import type { Workload } from '../rules/workload.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { readWithin } from './read-within.ts';

interface RevisionsParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
}

/** Of the 3 s that the API server waits for the answer. Milliseconds. */
const TIMEOUT_MS = 1_500;

/**
 * The Revisions that a Knative Service which names an existing EIP routes to by their names. Where the API server does
 * not say it in time, or may not, the Service is judged without, and the controller, which sees the pods, says it on
 * them.
 */
export const routedRevisions =
  ({ kube, clock, log }: RevisionsParts): ((workload: Workload) => Promise<ClusterFacts>) =>
  async ({ kind, isKnative, namespace, annotations, traffic }) => {
    const names = kind === 'Service' && isKnative ? revisionsToRead(annotations, traffic) : [];
    if (names.length === 0) return {};
    const reading = await readWithin(clock, TIMEOUT_MS, (signal) =>
      Promise.all(names.map((name) => kube.get(KNATIVE_REVISION, { namespace, name }, signal))),
    );
    if (reading.kind === 'unread') {
      log.warn({ namespace }, `The Revisions that a Service routes to cannot be read: ${reading.why}`);
      return {};
    }
    const revisions = reading.value.flatMap((it): readonly RevisionFacts[] =>
      it ? [{ namespace, name: it.metadata.name, annotations: it.metadata.annotations ?? {} }] : [],
    );
    return { revisions };
  };
