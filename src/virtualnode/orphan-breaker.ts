import { DELETE_ORPHANS, TAG_CLUSTER_UID } from '../api/annotations.ts';
import type { Node } from '../api/core.ts';

/** More orphans than this at once, and than a fifth of all groups, are rather a mistake. */
const USUAL_MOST = 5;
const USUAL_SHARE = 0.2;

/**
 * What is known when the circuit breaker decides. Groups that have ended are left out: they cost nothing and run
 * nothing.
 */
export interface OrphanCount {
  /** How many groups of the cluster run. */
  readonly groups: number;
  /** Those whose pod does not exist. */
  readonly orphans: number;
  readonly node: Node | undefined;
  /** How many may be deleted at once, where that is configured. */
  readonly brakeAbove: number | undefined;
}

/**
 * Why no orphan is deleted, for people; undefined if they are.
 *
 * Many groups that lose their pods at once are a sign that this cluster is a copy of another (a restored etcd has the
 * same UIDs), or that it was restored to an earlier state. So they also are where the Node is younger than its groups:
 * that it was deleted, and its pods with it (pod garbage collector), may have happened in a copy, whose original still
 * uses the groups. A process that is there when pods go ends their groups by itself (`endFormer`), and none is left.
 */
export const breakerOf = ({ groups, orphans, node, brakeAbove }: OrphanCount): string | undefined => {
  const most = brakeAbove ?? Math.max(USUAL_MOST, Math.floor(USUAL_SHARE * groups));
  if (orphans <= Math.max(most, allowedOn(node))) return undefined;
  const name = node?.metadata.name ?? '';
  return `${orphans} of ${groups} running container groups of this cluster have no pod; more than ${most} at once is rather a mistake, or this cluster is a copy of another, unless the Node was deleted while no controller ran. None is deleted, and all are paid for. To have them deleted: kubectl annotate node ${name} ${DELETE_ORPHANS}=${orphans}; to keep one, remove its tag ${TAG_CLUSTER_UID}; virtualNode.orphanBrakeAbove sets the limit.`;
};

/** How many somebody lets go by hand. */
const allowedOn = (node: Node | undefined): number => {
  const count = Number(node?.metadata.annotations?.[DELETE_ORPHANS]);
  return Number.isSafeInteger(count) ? count : 0;
};
