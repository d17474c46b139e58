import { REQUEST } from '../../api/annotations.ts';
import { SERVICE_UID } from '../../api/knative.ts';
import type { PodEip } from '../../api/podeip.ts';
import { isMissing } from './ownership.ts';
import { isOurs, provesOurs, readNotes, type Notes } from './record.ts';
import { isSettled, justAccepted, type Seen, type Settings } from './observation.ts';
import { POLL_MS, wait, type Step } from './step.ts';

/**
 * The hold-off: the EIP of a pod that is gone waits for a while for the next pod of the same Knative Service with the same
 * request, instead of being released and bought again. It changes hands in this order, each step a write that the next one
 * needs, so that it is nobody's at no time and two's at none:
 *
 * 1. the old PodEIP, detached and settled, offers it;
 * 2. the new one is named as heir in the old one, by compare-and-swap, so that there is one heir;
 * 3. the EIP's own tags are changed to name the new one, which then finds it like one that it bought itself;
 * 4. the old one sees the tags, and goes without releasing what is not its own any more.
 *
 * While there is a living heir the old one releases nothing; if the heir goes before its tags are there, the old one is
 * what it was.
 */
export const isHeldOff = ({ metadata, spec }: PodEip, { request }: Notes, { holdOffMs }: Settings): boolean =>
  holdOffMs > 0 &&
  request?.kind === 'new' &&
  spec.allocationType.releaseStrategy === 'Follow' &&
  spec.allocationID !== '' &&
  metadata.labels?.[SERVICE_UID] !== undefined;

/** Whether `spare` is kept for whoever asks for the same in the same Service: for this PodEIP, too. */
export const isSpare = (spare: PodEip, podEip: PodEip): boolean =>
  spare.metadata.uid !== podEip.metadata.uid &&
  spare.metadata.namespace === podEip.metadata.namespace &&
  isOurs(spare) &&
  // Whose EIP is on its way here is of interest to its end.
  (spare.metadata.deletionTimestamp === undefined || readNotes(spare).bequeathedTo === podEip.metadata.uid) &&
  readNotes(spare).podUid === '' &&
  spare.spec.allocationID !== '' &&
  spare.spec.allocationType.releaseStrategy === 'Follow' &&
  spare.metadata.labels?.[SERVICE_UID] !== undefined &&
  spare.metadata.labels[SERVICE_UID] === podEip.metadata.labels?.[SERVICE_UID] &&
  spare.metadata.annotations?.[REQUEST] === podEip.metadata.annotations?.[REQUEST];

/** How long a new pod waits for an EIP that is being detached from the one before it; wall time, milliseconds. */
const DETACHING_MS = 30_000;

/** What to do about the EIP of an earlier pod of the Service before one is bought; undefined where there is none. */
export const inherit = (seen: Seen, podEip: PodEip, settings: Settings): Step | undefined => {
  const { eip, memory, spares, now } = seen;
  const { uid, labels } = podEip.metadata;
  if (settings.holdOffMs === 0 || labels?.[SERVICE_UID] === undefined) return undefined;
  if (!spares) return { do: 'LookForSpares' };
  const isRefused = memory.refusal?.act === 'Inherit';
  const mine = spares.find((spare) => readNotes(spare).bequeathedTo === uid);
  if (mine) {
    const { allocationID } = mine.spec;
    if (isRefused)
      return isSettled(seen, settings)
        ? { do: 'Decline', spare: mine }
        : wait('Settling', `a request to take ${allocationID} over may still take effect`, POLL_MS);
    if (justAccepted('Inherit', seen, settings))
      return wait('EipNotVisibleYet', `the tags of ${allocationID} are not listed yet`, POLL_MS);
    if (eip === undefined) return { do: 'LookAtEip', allocationId: allocationID };
    // Once it is known to be gone, the PodEIP that had it goes too.
    if (!eip || provesOurs(eip, podEip, settings.clusterUid))
      return wait('EipNotVisibleYet', `${allocationID} is not listed with the tags of this PodEIP yet`, POLL_MS);
    // Whoever may write PodEIPs may write any EIP of the account into one and bequeath it: only its own tags say whose it is.
    if (provesOurs(eip, mine, settings.clusterUid)) return { do: 'Inherit', allocationId: allocationID };
    return isSettled(seen, settings)
      ? undefined
      : wait('Settling', `a request to take ${allocationID} over may still take effect`, POLL_MS);
  }
  // Who may have an EIP of its own on the way would end with two of them.
  if (isRefused || memory.isUntouched !== true) return undefined;
  const free = spares.filter((spare) => readNotes(spare).bequeathedTo === undefined);
  const [offered] = free
    .filter((spare) => readNotes(spare).isOffered)
    .toSorted((a, b) => (a.metadata.uid < b.metadata.uid ? -1 : 1));
  if (offered) return { do: 'Bequeath', spare: offered };
  // A time that has not come yet was written by another clock, and may be far away.
  const detaching = free.find((spare) => Math.abs(now - (readNotes(spare).goneSince ?? 0)) < DETACHING_MS);
  return detaching && wait('InTransition', `${detaching.spec.allocationID} is coming from an earlier pod`, POLL_MS);
};

/**
 * What becomes of an EIP that has an heir: a step, or who has it. `heir`: it has taken it over, and has written that down,
 * so that it no longer needs this PodEIP to find it. `nobody`: the heir will not take it any more, and this PodEIP disposes
 * of it again.
 */
export const bequeathed = (
  seen: Seen,
  podEip: PodEip,
  { bequeathedTo }: Notes,
  settings: Settings,
): Step | 'heir' | 'nobody' => {
  const { eip, heir, memory } = seen;
  const allocationId = podEip.spec.allocationID;
  if (bequeathedTo === undefined) return 'nobody';
  if (eip === undefined) return { do: 'LookAtEip', allocationId };
  if (heir === undefined) return { do: 'LookForHeir', uid: bequeathedTo };
  // Somebody released it: there is nothing left to take, and the heir buys one of its own once this PodEIP is gone.
  if (eip === null && isMissing(seen, settings)) return 'heir';
  const isTaken = eip === null || !provesOurs(eip, podEip, settings.clusterUid);
  if (heir === null) return isTaken ? 'heir' : 'nobody';
  // One that has it has seen its own tags on it: where this PodEIP's are still read, the reading is old.
  if (heir.spec.allocationID === allocationId && isTaken) return 'heir';
  // One that holds another EIP will not take this one; a request of its to do so may still be under way.
  if (heir.spec.allocationID !== '' && heir.spec.allocationID !== allocationId && memory.quietMs >= settings.settleMs)
    return isTaken ? 'heir' : 'nobody';
  return wait('HandedOver', `${allocationId} goes to pod ${heir.metadata.name} of the same Knative Service`, POLL_MS);
};
