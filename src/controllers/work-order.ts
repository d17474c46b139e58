import type { Pod } from '../api/core.ts';
import { isFinal } from '../api/pod.ts';
import type { PodEip } from '../api/podeip.ts';
import type { QueueLane } from '../kube/queue.ts';
import type { TrackedState } from './podeip/observation.ts';
import { isExternal, isOurs, readRecord } from './podeip/record.ts';

/**
 * What is worked on first, as far as the caches know. Nothing of what is decided depends on it.
 *
 * - `priority`: the address is being given back. It costs money, and others may wait for its place.
 * - `detach`: the same of an EIP that is still bound. Only as many are worked on as may call UnassociateEipAddress now,
 *   so that what is detached is released before the next one is detached.
 * - `started`: there is an EIP, and the pod does not have it yet. One step more brings an address into use, while a
 *   step for a newcomer brings one more EIP that is paid for and used by nobody.
 * - `purchase`: an EIP is to be bought. Only as many are worked on as may call AllocateEipAddress now.
 * - `main`: newcomers, whose wish is written down first, and behind them (`resync` in src/kube/queue.ts) what is only
 *   looked at again.
 */
export const laneOf = ({
  pod,
  podEip,
  accepted,
}: {
  readonly pod: Pod | undefined;
  readonly podEip: PodEip | undefined;
  /** The last change of its EIP that this process has had accepted. */
  readonly accepted?: TrackedState['accepted'];
}): QueueLane => {
  if (!podEip) return 'main';
  if (isGoingBack(pod, podEip))
    return podEip.status?.status === 'InUse' && accepted !== 'Unassociate' ? 'detach' : 'priority';
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
}

/** How many keys of a lane may be worked on at once. */
export const roomOf = (lane: QueueLane, calls: CallsOf): number => {
  const action = NEXT_CALL[lane];
  return action === undefined ? Infinity : calls.left(action) + calls.underWay(action) + WAIT_FOR_TURN;
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
