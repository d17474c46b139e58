import { KNATIVE_REVISION } from '../api/knative.ts';
import type { ClusterFacts, RevisionFacts } from '../rules/cluster-facts.ts';
import { revisionsToRead } from '../rules/revision-traffic.ts';
import type { Workload } from '../rules/workload.ts';
import { CONTEXT_TIMEOUT_MS, readWithin, type ContextReader } from './read-within.ts';

/**
 * Reads the Revisions to which a Knative Service that names an existing EIP routes by name. If the API server does not
 * answer in time, or forbids it, the Service is admitted without this check; the controller sees the pods and reports
 * it there.
 */
export const routedRevisions =
  ({ kube, clock, log }: ContextReader): ((workload: Workload) => Promise<ClusterFacts>) =>
  async ({ kind, isKnative, namespace, annotations, traffic, templateName: name }) => {
    const names = kind === 'Service' && isKnative ? revisionsToRead({ annotations, name }, traffic) : [];
    if (names.length === 0) return {};
    const reading = await readWithin(clock, CONTEXT_TIMEOUT_MS, (signal) =>
      Promise.all(names.map((each) => kube.get(KNATIVE_REVISION, { namespace, name: each }, signal))),
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
