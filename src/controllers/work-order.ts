import type { Pod } from '../api/core.ts';
import { isFinal } from '../api/pod.ts';
import type { PodEip } from '../api/podeip.ts';
import type { QueueLane } from '../kube/queue.ts';
import { isExternal, isOurs, readRecord } from './podeip/record.ts';

/**
 * What is worked on first, as far as the caches know. Nothing of what is decided depends on it.
 *
 * - `priority`: the address is being given back. It costs money, and others may wait for its place.
 * - `detach`: the same of an EIP that is still bound, once its PodEIP says that it goes. Only as many are worked on as
 *   may call UnassociateEipAddress now, so that what is detached is released before the next one is detached.
 * - `started`: there is an EIP, and the pod does not have it yet. One step more brings an address into use, while a
 *   step for a newcomer brings one more EIP that is paid for and used by nobody.
 * - `purchase`: an EIP is to be bought. Only as many are worked on as may call AllocateEipAddress now.
 * - `main`: newcomers, whose wish is written down first, and behind them (`resync` in src/kube/queue.ts) what is only
 *   looked at again.
 */
export const laneOf = ({
  pod,
  podEip,
  isDetached = false,
}: {
  readonly pod: Pod | undefined;
  readonly podEip: PodEip | undefined;
  /** Whether this process has had its EIP detached. The status, which the caches know, says so late or never. */
  readonly isDetached?: boolean | undefined;
}): QueueLane => {
  if (!podEip) return 'main';
  if (isGoingBack(pod, podEip)) {
    const isToldOf = podEip.metadata.deletionTimestamp !== undefined || readRecord(podEip).podUid === '';
    return isToldOf && podEip.status?.status === 'InUse' && !isDetached ? 'detach' : 'priority';
  }
  if (podEip.spec.allocationID !== '') return isReady(podEip) ? 'main' : 'started';
  return isOurs(podEip) && !isExternal(podEip) && readRecord(podEip).request?.kind === 'new' ? 'purchase' : 'main';
};

/** So many may wait for their turn at the cloud, so that no turn is left unused. */
const WAIT_FOR_TURN = 1;

type ScarceAction = 'AllocateEipAddress' | 'UnassociateEipAddress';

/** What a key of the lane will call next, where only so many may. */
const NEXT_CALL: Readonly<Partial<Record<QueueLane, ScarceAction>>> = {
  purchase: 'AllocateEipAddress',
  detach: 'UnassociateEipAddress',
};

/** What is known of the calls of an action: see src/cloud/throttle.ts. */
interface CallsOf {
  /** How many may be sent now. */
  left(action: ScarceAction): number;
  /** How many are not answered yet: the keys that wait for these need no other. */
  underWay(action: ScarceAction): number;
  /** How many wait for their turn. */
  waiting(action: ScarceAction): number;
  /** How many a minute may be sent at the full rate. */
  perMinute(action: ScarceAction): number;
  /** The part of that which is used at present. */
  pace(action: ScarceAction): number;
}

/** What has waited long goes with others, for which it waits at most this part of that time more. */
const PART_OF_WAIT = 1 / 8;
/** At most so long, milliseconds. */
const LONGEST_FOR_OTHERS_MS = 3_000;

/**
 * How many keys go together. What becomes of their EIPs is then seen in one look: in a rush, one by one, the looks
 * would be several times the changes.
 */
const togetherOf = (action: ScarceAction, calls: CallsOf, waitedMs: number): number => {
  const forOthersMs = Math.min(LONGEST_FOR_OTHERS_MS, waitedMs * PART_OF_WAIT);
  return Math.max(1, Math.floor((forOthersMs * calls.perMinute(action) * calls.pace(action)) / 60_000));
};

/** What is known of a lane. */
interface Line {
  /** How long the key that is next has waited, milliseconds. */
  readonly waitedMs: number;
  /** How many of its keys are worked on. */
  readonly processing: number;
}

/** How many keys of a lane may be worked on at once. */
export const roomOf = (lane: QueueLane, calls: CallsOf, { waitedMs, processing }: Line): number => {
  const action = NEXT_CALL[lane];
  if (action === undefined) return Infinity;
  const together = togetherOf(action, calls, waitedMs);
  const left = calls.left(action);
  const underWay = calls.underWay(action);
  // Where others wait, one of the lane stands in line with them: they would never leave so many.
  const areOthersWaiting = calls.waiting(action) > Math.max(0, processing - underWay);
  if (together === 1 || areOthersWaiting) return left + underWay + WAIT_FOR_TURN;
  return left < together ? underWay : left + underWay;
};

/** So many look-ups of interfaces are left to those that have more need of them. */
const LOOKS_LEFT = 20;

/** Whether what a purchase needs may be looked up before it is its turn: who cannot buy now only stands in the way. */
export const mayLookAhead = (left: (action: ScarceAction | 'DescribeNetworkInterfaces') => number): boolean =>
  left('AllocateEipAddress') > 0 && left('DescribeNetworkInterfaces') > LOOKS_LEFT;

const isGoingBack = (pod: Pod | undefined, podEip: PodEip): boolean =>
  podEip.metadata.deletionTimestamp !== undefined ||
  !pod ||
  isFinal(pod) ||
  pod.metadata.uid !== readRecord(podEip).podUid;

const isReady = ({ status }: PodEip): boolean =>
  status?.conditions?.some((it) => it.type === 'Ready' && it.status === 'True') ?? false;
