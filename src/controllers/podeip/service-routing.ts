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
 * How much a Service has to do with a Revision. `routed`: its requests go there, as its spec says. `coming`: its spec
 * says so, and they will once the Revision is ready. `left`: they still go there, and its spec says that they shall
 * not. `none`: no request gets there.
 */
export type Routing = 'routed' | 'coming' | 'left' | 'none';

/** Where a Service without any traffic in its spec sends requests. Source: pkg/apis/serving/v1/route_defaults.go. */
const LATEST: readonly TrafficTarget[] = [{ latestRevision: true, percent: 100 }];

/**
 * A Revision that is being rolled out is wanted before the first request gets there: it becomes ready only with its
 * EIP, and is routed to only once it is ready.
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

/** What decides what becomes of a Service's addresses: whether it is there, and where its requests go. */
export const routingFacts = ({ metadata, spec, status }: KnativeService): string =>
  JSON.stringify([
    metadata.deletionTimestamp !== undefined,
    spec?.traffic ?? [],
    status?.traffic ?? [],
    status?.latestCreatedRevisionName ?? '',
  ]);

/** The Revision that the PodEIP's pod belongs to. */
export const revisionOf = ({ metadata: { labels } }: PodEip): string => labels?.[REVISION_LABEL] ?? '';

/** What has to be read to know the Service of a PodEIP; undefined where it is known, or there is no way to know it. */
export const readService = ({ seen, podEip }: PodEipSituation): ReadStep | undefined => {
  const { [SERVICE_LABEL]: name, [SERVICE_UID]: uid } = podEip.metadata.labels ?? {};
  return seen.service === undefined && name !== undefined && uid !== undefined
    ? { do: 'ReadService', name, uid }
    : undefined;
};
