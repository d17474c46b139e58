import type { Pod } from '../../api/core.ts';
import { SERVICE_LABEL, SERVICE_UID, CONFIGURATION_GENERATION, POD_TEMPLATE_HASH } from '../../api/knative.ts';
import type { PodEip } from '../../api/podeip.ts';
import { isFinal } from '../../api/pod.ts';
import type { CompetingClaim, ObservedState } from './observation.ts';
import { revisionOf, routingOf, type Routing } from './service-routing.ts';

/**
 * An existing EIP moves between the pods of one Knative Service. Knative keeps the pod of the old Revision until the
 * one of the new Revision is Ready, so that in every rollout both want the EIP at once; and where readiness waits for
 * the EIP, the new one would wait for ever.
 */

/** How a Service routes to a Revision, by its name; undefined where nobody can say. */
export type RoutingOf = (revision: string) => Routing | undefined;

export const routingIn = ({ service }: Pick<ObservedState, 'service'>): RoutingOf =>
  service && service !== 'unreadable' ? (revision) => routingOf(service, revision) : () => undefined;

/** The Revision that gets the requests goes first, whatever its age: so the EIP follows a rollback. */
const PRIORITY: Readonly<Record<Routing, number>> = { routed: 2, coming: 2, left: 1, none: 0 };

/** What decides which of two pods of one Service an EIP goes to. */
interface Rank {
  readonly namespace: string;
  readonly serviceUid: string;
  readonly generation: number;
  readonly templateHash: string;
  /** Its pod is on its way out, or gone. */
  readonly isEnding: boolean;
  /** When its pod was created, RFC 3339; '' where that is not known. */
  readonly createdAt: string;
}

const rankOf = ({ metadata: { namespace = '', labels = {} } }: PodEip, pod: Pod | null): Rank => ({
  namespace,
  serviceUid: labels[SERVICE_UID] ?? '',
  generation: Number(labels[CONFIGURATION_GENERATION] ?? Number.NaN),
  templateHash: labels[POD_TEMPLATE_HASH] ?? '',
  isEnding: !pod || isFinal(pod) || pod.metadata.deletionTimestamp !== undefined,
  createdAt: pod?.metadata.creationTimestamp ?? '',
});

/** Whether both were made for pods of the same Knative Service: the same one, not one of the same name. */
export const isSameService = (a: PodEip, b: PodEip): boolean => {
  const [mine, theirs] = [rankOf(a, null), rankOf(b, null)];
  return mine.serviceUid !== '' && mine.serviceUid === theirs.serviceUid && mine.namespace === theirs.namespace;
};

/**
 * Whether the competitor was made for a pod of a Knative Service that had this one's name before: names are unique, so
 * that one has been deleted, and its pods end by themselves.
 */
export const isOfFormerService = ({ metadata: mine }: PodEip, { metadata: theirs }: PodEip): boolean => {
  const [my = {}, their = {}] = [mine.labels, theirs.labels];
  return (
    mine.namespace === theirs.namespace &&
    (my[SERVICE_LABEL] ?? '') !== '' &&
    my[SERVICE_LABEL] === their[SERVICE_LABEL] &&
    my[SERVICE_UID] !== their[SERVICE_UID] &&
    (theirs.creationTimestamp ?? '') <= (mine.creationTimestamp ?? '')
  );
};

/**
 * Whether the EIP that the competitor holds goes to this pod. A strict order, so that an EIP never goes back and forth:
 * a pod that runs before one that is ending, then one whose Revision is routed to, then the newer Revision, then, where
 * a Deployment replaces the pods of one Revision, the pod that was created later. Pods of the same template never take
 * it from each other.
 */
export const hasPriorityOver = (
  podEip: PodEip,
  pod: Pod | null,
  competitor: CompetingClaim,
  routing: RoutingOf,
): boolean => {
  if (!isSameService(podEip, competitor.podEip)) return false;
  const mine = rankOf(podEip, pod);
  const theirs = rankOf(competitor.podEip, competitor.pod);
  if (mine.isEnding || theirs.isEnding) return !mine.isEnding;
  const [my, their] = [routing(revisionOf(podEip)), routing(revisionOf(competitor.podEip))];
  if (my !== undefined && their !== undefined && PRIORITY[my] !== PRIORITY[their])
    return PRIORITY[my] > PRIORITY[their];
  if (mine.generation !== theirs.generation) return mine.generation > theirs.generation;
  return mine.templateHash !== theirs.templateHash && mine.createdAt > theirs.createdAt;
};

/** Whether the pod could serve at once: all its containers are ready, and only readiness gates may be missing. */
export const areContainersReady = (pod: Pod | null): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'ContainersReady' && status === 'True') ?? false;
