import type { Pod } from '../../api/core.ts';
import { SERVICE_LABEL, SERVICE_UID, CONFIGURATION_GENERATION, POD_TEMPLATE_HASH } from '../../api/knative.ts';
import type { PodEip } from '../../api/podeip.ts';
import { isFinal } from '../../api/pod.ts';
import type { CompetingClaim, ObservedState } from './observation.ts';
import { revisionOf, routingOf, type Routing } from './service-routing.ts';

/**
 * Decides which of several pods of one Knative Service gets an existing EIP. Knative keeps the pod of the old Revision
 * until the pod of the new Revision is Ready, so that both want the EIP in every rollout; and if readiness depends on
 * the EIP, the new pod would wait for ever.
 */

/** How a Service routes to a Revision, by its name; undefined if that is not known. */
export type RoutingOf = (revision: string) => Routing | undefined;

export const routingIn = ({ service }: Pick<ObservedState, 'service'>): RoutingOf =>
  service && service !== 'unreadable' ? (revision) => routingOf(service, revision) : () => undefined;

/** The Revision that receives the requests comes first, whatever its age, so that the EIP follows a rollback. */
const PRIORITY: Readonly<Record<Routing, number>> = { routed: 2, coming: 2, left: 1, none: 0 };

/** What determines which of two pods of one Service gets an EIP. */
interface Rank {
  readonly namespace: string;
  readonly serviceUid: string;
  readonly generation: number;
  readonly templateHash: string;
  /** Whether its pod is ending, or gone. */
  readonly isEnding: boolean;
  /** When its pod was created, RFC 3339; '' if that is not known. */
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

/** Whether both belong to pods of the same Knative Service, by its UID: a Service of the same name is another one. */
export const isSameService = (a: PodEip, b: PodEip): boolean => {
  const [mine, theirs] = [rankOf(a, null), rankOf(b, null)];
  return mine.serviceUid !== '' && mine.serviceUid === theirs.serviceUid && mine.namespace === theirs.namespace;
};

/**
 * Whether the competitor belongs to a pod of a Knative Service that had this one's name before. Names are unique, so
 * that the former Service has been deleted, and its pods are ending.
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
 * a running pod before one that is ending; then the pod whose Revision is routed to; then the newer Revision; then, if
 * a Deployment replaces the pods of one Revision, the pod that was created later. Pods of the same template never take
 * an EIP from each other.
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

/** Whether the pod could serve at once: all its containers are ready, and only readiness gates are open. */
export const areContainersReady = (pod: Pod | null): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'ContainersReady' && status === 'True') ?? false;
