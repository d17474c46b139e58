import {
  isReached,
  REVISION_LABEL,
  SERVICE_LABEL,
  SERVICE_UID,
  type KnativeService,
  type TrafficTarget,
} from '../../api/knative.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { PodEipSituation } from './situation.ts';
import type { ReadStep } from './step.ts';

/**
 * How a Service routes to a Revision. `routed`: it receives requests, and the spec says so. `coming`: the spec says so,
 * and it will receive requests once it is ready. `left`: it still receives requests, and the spec says that it should
 * not. `none`: it receives none.
 */
export type Routing = 'routed' | 'coming' | 'left' | 'none';

/** The traffic of a Service whose spec names none. Source: pkg/apis/serving/v1/route_defaults.go. */
const LATEST: readonly TrafficTarget[] = [{ latestRevision: true, percent: 100 }];

/**
 * A Revision that is being rolled out counts before it receives requests: it becomes ready only with its EIP, and is
 * routed to only once it is ready.
 */
export const routingOf = ({ spec, status }: KnativeService, revision: string): Routing => {
  const wanted = spec?.traffic && spec.traffic.length > 0 ? spec.traffic : LATEST;
  const isWanted = wanted
    .filter(isReached)
    .some(({ revisionName = status?.latestCreatedRevisionName }) => revisionName === revision);
  const isServing = (status?.traffic ?? []).filter(isReached).some(({ revisionName }) => revisionName === revision);
  if (isWanted) return isServing ? 'routed' : 'coming';
  return isServing ? 'left' : 'none';
};

/**
 * The parts of a Service that determine what happens to its addresses: whether it is being deleted, and its routing.
 */
export const routingFacts = ({ metadata, spec, status }: KnativeService): string =>
  JSON.stringify([
    metadata.deletionTimestamp !== undefined,
    spec?.traffic ?? [],
    status?.traffic ?? [],
    status?.latestCreatedRevisionName ?? '',
  ]);

/** The Revision that the PodEIP's pod belongs to. */
export const revisionOf = ({ metadata: { labels } }: PodEip): string => labels?.[REVISION_LABEL] ?? '';

/** What must be read to know the Service of a PodEIP; undefined if it is known, or cannot be known. */
export const readService = ({ seen, podEip }: PodEipSituation): ReadStep | undefined => {
  const { [SERVICE_LABEL]: name, [SERVICE_UID]: uid } = podEip.metadata.labels ?? {};
  return seen.service === undefined && name !== undefined && uid !== undefined
    ? { do: 'ReadService', name, uid }
    : undefined;
};
