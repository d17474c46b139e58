import { REQUEST } from '../../api/annotations.ts';
import { SERVICE_UID } from '../../api/knative.ts';
import type { PodEip } from '../../api/podeip.ts';
import { isMissing } from './ownership.ts';
import { isOurs, provesOwnership, readRecord, type PodEipRecord } from './record.ts';
import { isSettled, justAccepted, type ObservedState, type Settings } from './observation.ts';
import { POLL_MS, wait, type Step } from './step.ts';

/**
 * The hold-off: the EIP of a pod that is gone waits for a while for the next pod of the same Knative Service with the same
 * request, instead of being released and bought again. It changes hands in this order, each step a write that the next one
 * needs, so that it is nobody's at no time and two's at none:
 *
 * 1. the old PodEIP, detached and settled, offers it;
 * 2. the new one is named as successor in the old one, by compare-and-swap, so that there is one successor;
 * 3. the EIP's own tags are changed to name the new one, which then finds it like one that it bought itself;
 * 4. the old one sees the tags, and goes without releasing what is not its own any more.
 *
 * While there is a living successor the old one releases nothing; if the successor goes before its tags are there, the old one is
 * what it was.
 */
export const isHeldOff = ({ metadata, spec }: PodEip, { request }: PodEipRecord, { holdOffMs }: Settings): boolean =>
  holdOffMs > 0 &&
  request?.kind === 'new' &&
  spec.allocationType.releaseStrategy === 'Follow' &&
  spec.allocationID !== '' &&
  metadata.labels?.[SERVICE_UID] !== undefined;

/** Whether `predecessor` is kept for whoever asks for the same in the same Service: for this PodEIP, too. */
export const isReusableFor = (predecessor: PodEip, podEip: PodEip): boolean =>
  predecessor.metadata.uid !== podEip.metadata.uid &&
  predecessor.metadata.namespace === podEip.metadata.namespace &&
  isOurs(predecessor) &&
  // Whose EIP is on its way here is of interest to its end.
  (predecessor.metadata.deletionTimestamp === undefined ||
    readRecord(predecessor).successorUid === podEip.metadata.uid) &&
  readRecord(predecessor).podUid === '' &&
  predecessor.spec.allocationID !== '' &&
  predecessor.spec.allocationType.releaseStrategy === 'Follow' &&
  predecessor.metadata.labels?.[SERVICE_UID] !== undefined &&
  predecessor.metadata.labels[SERVICE_UID] === podEip.metadata.labels?.[SERVICE_UID] &&
  predecessor.metadata.annotations?.[REQUEST] === podEip.metadata.annotations?.[REQUEST];

/** How long a new pod waits for an EIP that is being detached from the one before it; wall time, milliseconds. */
const DETACHING_MS = 30_000;

/** What to do about the EIP of an earlier pod of the Service before one is bought; undefined where there is none. */
export const receiveTransfer = (seen: ObservedState, podEip: PodEip, settings: Settings): Step | undefined => {
  const { eip, memory, reusable, now } = seen;
  const { uid, labels } = podEip.metadata;
  if (settings.holdOffMs === 0 || labels?.[SERVICE_UID] === undefined) return undefined;
  if (!reusable) return { do: 'ReadReusable' };
  const isRefused = memory.refusal?.action === 'TransferOwnership';
  const mine = reusable.find((predecessor) => readRecord(predecessor).successorUid === uid);
  if (mine) {
    const { allocationID } = mine.spec;
    if (isRefused)
      return isSettled(seen, settings)
        ? { do: 'CancelTransfer', predecessor: mine }
        : wait('Settling', `a request to take ${allocationID} over may still take effect`, POLL_MS);
    if (justAccepted('TransferOwnership', seen, settings))
      return wait('EipNotVisibleYet', `the tags of ${allocationID} are not listed yet`, POLL_MS);
    if (eip === undefined) return { do: 'ReadEip', allocationId: allocationID };
    // Once it is known to be gone, the PodEIP that had it goes too.
    if (!eip || provesOwnership(eip, podEip, settings.clusterUid))
      return wait('EipNotVisibleYet', `${allocationID} is not listed with the tags of this PodEIP yet`, POLL_MS);
    // Whoever may write PodEIPs may write any EIP of the account into one and hand on it: only its own tags say whose it is.
    if (provesOwnership(eip, mine, settings.clusterUid)) return { do: 'TransferOwnership', allocationId: allocationID };
    return isSettled(seen, settings)
      ? undefined
      : wait('Settling', `a request to take ${allocationID} over may still take effect`, POLL_MS);
  }
  // Who may have an EIP of its own on the way would end with two of them.
  if (isRefused || memory.isUntouched !== true) return undefined;
  const free = reusable.filter((predecessor) => readRecord(predecessor).successorUid === undefined);
  const [offered] = free
    .filter((predecessor) => readRecord(predecessor).isReusable)
    .toSorted((a, b) => (a.metadata.uid < b.metadata.uid ? -1 : 1));
  if (offered) return { do: 'AssignSuccessor', predecessor: offered };
  // A time that has not come yet was written by another clock, and may be far away.
  const detaching = free.find((predecessor) => Math.abs(now - (readRecord(predecessor).goneSince ?? 0)) < DETACHING_MS);
  return detaching && wait('InTransition', `${detaching.spec.allocationID} is coming from an earlier pod`, POLL_MS);
};

/**
 * What becomes of an EIP that has a successor: a step, or who has it. `transferred`: it has taken it over, and has written that down,
 * so that it no longer needs this PodEIP to find it. `notTransferred`: the successor will not take it any more, and this PodEIP disposes
 * of it again.
 */
export const transferState = (
  seen: ObservedState,
  podEip: PodEip,
  { successorUid }: PodEipRecord,
  settings: Settings,
): Step | 'transferred' | 'notTransferred' => {
  const { eip, successor, memory } = seen;
  const allocationId = podEip.spec.allocationID;
  if (successorUid === undefined) return 'notTransferred';
  if (eip === undefined) return { do: 'ReadEip', allocationId };
  if (successor === undefined) return { do: 'ReadSuccessor', uid: successorUid };
  // Somebody released it: there is nothing left to take, and the successor buys one of its own once this PodEIP is gone.
  if (eip === null && isMissing(seen, settings)) return 'transferred';
  const isTaken = eip === null || !provesOwnership(eip, podEip, settings.clusterUid);
  if (successor === null) return isTaken ? 'transferred' : 'notTransferred';
  // One that has it has seen its own tags on it: where this PodEIP's are still read, the reading is old.
  if (successor.spec.allocationID === allocationId && isTaken) return 'transferred';
  // One that holds another EIP will not take this one; a request of its to do so may still be under way.
  if (
    successor.spec.allocationID !== '' &&
    successor.spec.allocationID !== allocationId &&
    memory.quietMs >= settings.settleMs
  )
    return isTaken ? 'transferred' : 'notTransferred';
  return wait(
    'HandedOver',
    `${allocationId} goes to pod ${successor.metadata.name} of the same Knative Service`,
    POLL_MS,
  );
};
