import { REQUEST } from '../../api/annotations.ts';
import { SERVICE_UID } from '../../api/knative.ts';
import type { PodEip } from '../../api/podeip.ts';
import { isMissing } from './ownership.ts';
import { isOurs, provesOwnership, readRecord, type PodEipRecord } from './record.ts';
import { isSettled, justAccepted, type PodEipSituation } from './situation.ts';
import { POLL_MS, stepFirst, valueOf, wait, type Outcome, type Step } from './step.ts';

/**
 * The hold-off: the EIP of a pod that is gone waits for a while for the next pod of the same Knative Service with the
 * same request, instead of being released and bought again. It changes hands in this order, each step a write that the
 * next one needs, so that it is nobody's at no time and two's at none:
 *
 * 1. the old PodEIP, detached and settled, offers it;
 * 2. the new one is named as successor in the old one, by compare-and-swap, so that there is one successor;
 * 3. the EIP's own tags are changed to name the new one, which then finds it like one that it bought itself;
 * 4. the old one sees the tags, and goes without releasing what is not its own any more.
 *
 * While there is a living successor the old one releases nothing; if the successor goes before its tags are there, the
 * old one is what it was.
 */
export const isHeldOff = ({ podEip: { metadata, spec }, record, settings }: PodEipSituation): boolean =>
  settings.holdOffMs > 0 &&
  record.request?.kind === 'new' &&
  spec.allocationType.releaseStrategy === 'Follow' &&
  spec.allocationID !== '' &&
  metadata.labels?.[SERVICE_UID] !== undefined;

/** Whether `predecessor` is kept for whoever asks for the same in the same Service: for this PodEIP, too. */
export const isReusableFor = (predecessor: PodEip, podEip: PodEip): boolean => {
  const { metadata, spec } = predecessor;
  const { uid, namespace, labels, annotations } = podEip.metadata;
  if (metadata.uid === uid || metadata.namespace !== namespace || !isOurs(predecessor)) return false;
  if (metadata.labels?.[SERVICE_UID] === undefined || metadata.labels[SERVICE_UID] !== labels?.[SERVICE_UID])
    return false;
  if (spec.allocationID === '' || spec.allocationType.releaseStrategy !== 'Follow') return false;
  if (metadata.annotations?.[REQUEST] !== annotations?.[REQUEST]) return false;
  const { podUid, successorUid } = readRecord(predecessor);
  // Whose EIP is on its way here is of interest to its end.
  return podUid === '' && (metadata.deletionTimestamp === undefined || successorUid === uid);
};

/** How long a new pod waits for an EIP that is being detached from the one before it; wall time, milliseconds. */
const DETACHING_MS = 30_000;

/** A PodEIP whose EIP may come from it to this one, with what is written down there. */
interface Predecessor {
  readonly podEip: PodEip;
  readonly record: PodEipRecord;
}

/** What to do about the EIP of an earlier pod of the Service before one is bought; undefined where there is none. */
export const receiveTransfer = (it: PodEipSituation): Step | undefined => {
  const { seen, podEip, settings } = it;
  const { memory, reusable } = seen;
  const { uid, labels } = podEip.metadata;
  if (settings.holdOffMs === 0 || labels?.[SERVICE_UID] === undefined) return undefined;
  if (!reusable) return { do: 'ReadReusable' };
  const isRefused = memory.refusal?.action === 'TransferOwnership';
  const predecessors = reusable.map((its): Predecessor => ({ podEip: its, record: readRecord(its) }));
  const mine = predecessors.find(({ record }) => record.successorUid === uid);
  if (mine) return isRefused ? cancelTransfer(it, mine.podEip) : takeOwnership(it, mine.podEip);
  // Who may have an EIP of its own on the way would end with two of them.
  return isRefused || memory.isUntouched !== true ? undefined : chooseReusable(it, predecessors);
};

/**
 * The cloud refused to change the tags: another EIP is bought instead, once it is certain that they stay as they are.
 */
const cancelTransfer = (it: PodEipSituation, predecessor: PodEip): Step =>
  isSettled(it)
    ? { do: 'CancelTransfer', predecessor }
    : wait('Settling', `a request to take ${predecessor.spec.allocationID} over may still take effect`, POLL_MS);

/**
 * This PodEIP is named as successor: the EIP gets its tags, if those that it has prove that it was there to be handed
 * on.
 */
const takeOwnership = (it: PodEipSituation, predecessor: PodEip): Step | undefined => {
  const { seen, podEip, settings } = it;
  const { eip } = seen;
  const { allocationID } = predecessor.spec;
  if (justAccepted('TransferOwnership', it))
    return wait('EipNotVisibleYet', `the tags of ${allocationID} are not listed yet`, POLL_MS);
  if (eip === undefined) return { do: 'ReadEip', allocationId: allocationID };
  // Once it is known to be gone, the PodEIP that had it goes too.
  if (!eip || provesOwnership(eip, podEip, settings.clusterUid))
    return wait('EipNotVisibleYet', `${allocationID} is not listed with the tags of this PodEIP yet`, POLL_MS);
  // Whoever may write PodEIPs may write any EIP of the account into one and hand on it: only its own tags say whose it
  // is.
  if (provesOwnership(eip, predecessor, settings.clusterUid))
    return { do: 'TransferOwnership', podEip, allocationId: allocationID };
  return isSettled(it)
    ? undefined
    : wait('Settling', `a request to take ${allocationID} over may still take effect`, POLL_MS);
};

/**
 * Nobody has named this PodEIP as successor: it is named where an EIP is offered; one that is being detached is waited
 * for.
 */
const chooseReusable = (
  { seen: { now }, podEip }: PodEipSituation,
  predecessors: readonly Predecessor[],
): Step | undefined => {
  const free = predecessors.filter(({ record }) => record.successorUid === undefined);
  const [offered] = free
    .filter(({ record }) => record.isReusable)
    .map((predecessor) => predecessor.podEip)
    .toSorted((a, b) => (a.metadata.uid < b.metadata.uid ? -1 : 1));
  if (offered) return { do: 'AssignSuccessor', podEip, predecessor: offered };
  // A time that has not come yet was written by another clock, and may be far away.
  const detaching = free.find(({ record }) => Math.abs(now - (record.goneSince ?? 0)) < DETACHING_MS);
  return (
    detaching && wait('InTransition', `${detaching.podEip.spec.allocationID} is coming from an earlier pod`, POLL_MS)
  );
};

/**
 * What became of an EIP that has a successor. `transferred`: the successor has taken it over, and has written that
 * down, so that it no longer needs this PodEIP to find it. `notTransferred`: the successor will not take it any more,
 * and this PodEIP disposes of it again.
 */
type Transfer = 'transferred' | 'notTransferred';

/** What became of an EIP that has a successor, or what has to come before that can be said. */
export const transferState = (it: PodEipSituation, successorUid: string): Outcome<Transfer> => {
  const { seen, podEip, settings } = it;
  const { eip, successor, memory } = seen;
  const allocationId = podEip.spec.allocationID;
  if (eip === undefined) return stepFirst({ do: 'ReadEip', allocationId });
  if (successor === undefined) return stepFirst({ do: 'ReadSuccessor', uid: successorUid });
  // Somebody released it: there is nothing left to take, and the successor buys one of its own once this PodEIP is
  // gone.
  if (eip === null && isMissing(it)) return valueOf('transferred');
  const isTaken = eip === null || !provesOwnership(eip, podEip, settings.clusterUid);
  const now = isTaken ? 'transferred' : 'notTransferred';
  if (successor === null) return valueOf(now);
  const { allocationID } = successor.spec;
  // One that has it has seen its own tags on it: where this PodEIP's are still read, the reading is old.
  if (allocationID === allocationId && isTaken) return valueOf('transferred');
  // One that holds another EIP will not take this one; a request of its to do so may still be under way.
  if (allocationID !== '' && allocationID !== allocationId && memory.quietMs >= settings.settleMs) return valueOf(now);
  return stepFirst(
    wait('HandedOver', `${allocationId} goes to pod ${successor.metadata.name} of the same Knative Service`, POLL_MS),
  );
};
