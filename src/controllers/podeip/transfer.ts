import { REQUEST } from '../../api/annotations.ts';
import { SERVICE_UID } from '../../api/knative.ts';
import type { PodEip } from '../../api/podeip.ts';
import { SEND_WITHIN_MS } from './quiet.ts';
import { isOurs, readRecord, type PodEipRecord } from './record.ts';
import { isMissing, isSettled, isTwinAbout, justAccepted, provesOwnership, settling } from './safeguards.ts';
import type { PodEipSituation } from './situation.ts';
import { POLL_MS, stepFirst, valueOf, wait, type Outcome, type Step } from './step.ts';

/**
 * The hold-off: the EIP of a pod that is gone is kept for a while for the next pod of the same Knative Service with the
 * same request, instead of being released and bought again. It changes hands in this order. Each step is a write that
 * the next one requires, so that the EIP has exactly one owner at any time:
 *
 * 1. the old PodEIP offers the EIP, once it is detached and settled;
 * 2. the new PodEIP is named as successor in the old one, by compare-and-swap, so that there is only one;
 * 3. the tags of the EIP are changed to name the new PodEIP, which then finds it as if it had bought it;
 * 4. the old PodEIP reads the new tags and is removed without releasing the EIP.
 *
 * While a successor exists, the old PodEIP releases nothing. If the successor is deleted before its tags are there, the
 * old PodEIP owns the EIP as before.
 */
export const isHeldOff = ({ podEip: { metadata, spec }, record, settings }: PodEipSituation): boolean =>
  settings.holdOffMs > 0 &&
  record.request?.kind === 'new' &&
  spec.allocationType.type === 'Auto' &&
  spec.allocationType.releaseStrategy === 'Follow' &&
  spec.allocationID !== '' &&
  metadata.labels?.[SERVICE_UID] !== undefined;

/** Whether `predecessor` is kept for the same request in the same Service, and so for this PodEIP, too. */
export const isReusableFor = (predecessor: PodEip, podEip: PodEip): boolean => {
  const { metadata, spec } = predecessor;
  const { uid, namespace, labels, annotations } = podEip.metadata;
  if (metadata.uid === uid || metadata.namespace !== namespace || !isOurs(predecessor)) return false;
  if (metadata.labels?.[SERVICE_UID] === undefined || metadata.labels[SERVICE_UID] !== labels?.[SERVICE_UID])
    return false;
  const { type, releaseStrategy } = spec.allocationType;
  if (spec.allocationID === '' || type !== 'Auto' || releaseStrategy !== 'Follow') return false;
  if (metadata.annotations?.[REQUEST] !== annotations?.[REQUEST]) return false;
  const { podUid, successorUid } = readRecord(predecessor);
  // A PodEIP whose EIP is being transferred to this one stays in view until it is gone.
  return podUid === '' && (metadata.deletionTimestamp === undefined || successorUid === uid);
};

/** How long a new pod waits for an EIP that is being detached from its predecessor; wall time, milliseconds. */
const DETACHING_MS = 30_000;

/** The same. Without an election it is offered only when nothing that a twin has sent can take effect any more. */
const detachingMs = ({ isUnelected, settleMs }: PodEipSituation['settings']): number =>
  DETACHING_MS + (isUnelected === true ? SEND_WITHIN_MS + settleMs : 0);

/** A PodEIP whose EIP may be transferred to this one, with its record. */
interface Predecessor {
  readonly podEip: PodEip;
  readonly record: PodEipRecord;
}

/** The step for the EIP of an earlier pod of the Service, before a new one is bought; undefined if there is none. */
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
  // A twin may be about to name this one as successor. Who sees its note too late fails by the version of the PodEIP.
  const isAnyFree = predecessors.some(({ record }) => record.successorUid === undefined);
  if (isAnyFree && isTwinAbout(it)) return settling(it);
  // A PodEIP whose own purchase may still take effect would end up with two EIPs.
  return isRefused || memory.isUntouched !== true ? undefined : chooseReusable(it, predecessors);
};

/**
 * The cloud refused to change the tags: another EIP is bought instead, once it is certain that the tags stay as they
 * are.
 */
const cancelTransfer = (it: PodEipSituation, predecessor: PodEip): Step =>
  isSettled(it)
    ? { do: 'CancelTransfer', predecessor }
    : wait('Settling', `a request to take ${predecessor.spec.allocationID} over may still take effect`, POLL_MS);

/**
 * This PodEIP is named as successor: it tags the EIP as its own, provided that the current tags name the predecessor.
 */
const takeOwnership = (it: PodEipSituation, predecessor: PodEip): Step | undefined => {
  const { seen, podEip, settings } = it;
  const { eip } = seen;
  const { allocationID } = predecessor.spec;
  if (justAccepted('TransferOwnership', it))
    return wait('EipNotVisibleYet', `the tags of ${allocationID} are not listed yet`, POLL_MS);
  if (eip === undefined) return { do: 'ReadEip', allocationId: allocationID };
  // Once the EIP is known to be gone, the PodEIP that had it is removed, too.
  if (!eip || provesOwnership(eip, podEip, settings.clusterUid))
    return wait('EipNotVisibleYet', `${allocationID} is not listed with the tags of this PodEIP yet`, POLL_MS);
  // Anybody who may write PodEIPs may record any EIP of the account in one and offer it: only the tags of the EIP prove
  // whose it is.
  if (provesOwnership(eip, predecessor, settings.clusterUid))
    return { do: 'TransferOwnership', podEip, allocationId: allocationID };
  return isSettled(it)
    ? undefined
    : wait('Settling', `a request to take ${allocationID} over may still take effect`, POLL_MS);
};

/**
 * No PodEIP names this one as successor: it is named where an EIP is offered, and waits for one that is being detached.
 */
const chooseReusable = (
  { seen: { now, claimedOffers }, podEip, settings }: PodEipSituation,
  predecessors: readonly Predecessor[],
): Step | undefined => {
  const free = predecessors.filter(
    ({ record, podEip: { metadata } }) =>
      record.successorUid === undefined && claimedOffers?.has(metadata.uid) !== true,
  );
  const [offered] = free
    .filter(({ record }) => record.isReusable)
    .map((predecessor) => predecessor.podEip)
    .toSorted((a, b) => (a.metadata.uid < b.metadata.uid ? -1 : 1));
  if (offered) return { do: 'AssignSuccessor', podEip, predecessor: offered };
  // A time in the future was written by another clock, and may be far away.
  const detaching = free.find(({ record }) => Math.abs(now - (record.goneSince ?? 0)) < detachingMs(settings));
  return (
    detaching && wait('InTransition', `${detaching.podEip.spec.allocationID} is coming from an earlier pod`, POLL_MS)
  );
};

/**
 * The state of a transfer. `transferred`: the successor has taken the EIP over and recorded it, so that it no longer
 * needs this PodEIP to find it. `notTransferred`: the successor will not take it any more, and this PodEIP disposes of
 * it again.
 */
type Transfer = 'transferred' | 'notTransferred';

/** The state of the transfer to a successor, or the step that has to come first. */
export const transferState = (it: PodEipSituation, successorUid: string): Outcome<Transfer> => {
  const { seen, podEip, settings } = it;
  const { eip, successor, memory } = seen;
  const allocationId = podEip.spec.allocationID;
  if (eip === undefined) return stepFirst({ do: 'ReadEip', allocationId });
  if (successor === undefined) return stepFirst({ do: 'ReadSuccessor', uid: successorUid });
  // Somebody released the EIP: there is nothing left to take, and the successor buys a new one once this PodEIP is
  // gone.
  if (eip === null && isMissing(it)) return valueOf('transferred');
  const isTaken = eip === null || !provesOwnership(eip, podEip, settings.clusterUid);
  const now = isTaken ? 'transferred' : 'notTransferred';
  if (successor === null) return valueOf(now);
  const { allocationID } = successor.spec;
  // A successor that has recorded the EIP has read its own tags on it: a read that still shows those of this PodEIP is
  // stale.
  if (allocationID === allocationId && isTaken) return valueOf('transferred');
  // A successor that holds another EIP will not take this one, but an earlier request to do so may still take effect.
  if (allocationID !== '' && allocationID !== allocationId && memory.quietMs >= settings.settleMs) return valueOf(now);
  return stepFirst(
    wait('HandedOver', `${allocationId} goes to pod ${successor.metadata.name} of the same Knative Service`, POLL_MS),
  );
};
