import type { PodEip } from '../../api/podeip.ts';
import type { Reading } from '../../request/parse.ts';
import { adopt } from './adopt.ts';
import { claim } from './claim.ts';
import { attach } from './attach.ts';
import { giveBack } from './finalize.ts';
import { isKept, keep } from './retain.ts';
import { obtain } from './provision.ts';
import { hasEipOfInstance } from './instance.ts';
import { readPod } from './pod.ts';
import { isAnnounced, isFinal, isGated } from '../../api/pod.ts';
import { refusedOnEci } from './grant-on-eci.ts';
import { underPolicy } from '../../request/policy.ts';
import { hasFinalizer, isOurs, isWitness, readNotes, type Notes } from './record.ts';
import type { Seen, Settings } from './observation.ts';
import { done, fail, justTampered, type Step } from './step.ts';
import { witness } from './external.ts';

/**
 * The one thing to do next for a pod and its PodEIP. Pure and total; reads from top to bottom, the first line that applies
 * wins. It never trusts an order of events: whoever runs it may have died on any line before, or may run twice at once.
 */
export const decide = (seen: Seen, settings: Settings): Step => {
  const step = next(seen, underPolicy(settings, seen.policy?.effective));
  const { refusal } = seen.memory;
  // What was refused is not asked again at each event, only when its time has come.
  return refusal && refusal.act === step.do && refusal.dueInMs > 0
    ? fail(refusal.reason, refusal.message, refusal.dueInMs)
    : step;
};

const next = (seen: Seen, settings: Settings): Step => {
  const { pod, podEip } = seen;
  if (!podEip) return begin(seen, settings);
  if (isWitness(podEip)) return witness(seen, podEip, settings);
  if (!isOurs(podEip)) return adopt(seen, podEip, settings);
  const notes = readNotes(podEip);
  const misplaced = inOtherRegion(podEip, notes, settings);
  if (misplaced) return misplaced;
  if (podEip.metadata.deletionTimestamp !== undefined) return giveBack(seen, podEip, settings);

  const reading = pod && readPod(pod, settings);
  const because = endOf(seen, reading, notes);
  if (because !== undefined)
    return isKept(podEip, notes, settings) ? keep(seen, podEip, notes, because, settings) : { do: 'Retire', because };
  if (!reading) return { do: 'Retire', because: 'the pod is gone' };
  if (!notes.request) return hasFinalizer(podEip) ? justTampered('request') : claim(reading, seen, 1, settings);
  const step =
    notes.request.kind === 'new'
      ? obtain(seen, podEip, notes, notes.request, reading, settings)
      : attach(seen, podEip, notes, notes.request, reading, settings);
  // Whatever stands in the way: a pod is not left with an address that it has lost.
  const hasLost = step.do === 'Fail' && seen.memory.driftMs >= settings.readLagMs;
  return hasLost && pod && isAnnounced(pod) ? { do: 'Unpublish', isGated: isGated(pod) } : step;
};

/**
 * Where the configuration names another region than the one in which the EIP is, the EIP would count as released by somebody:
 * another one would be bought, and this one be paid for for ever.
 */
const inOtherRegion = (podEip: PodEip, { region }: Notes, settings: Settings): Step | undefined =>
  region === undefined || settings.region === undefined || region === settings.region || !hasFinalizer(podEip)
    ? undefined
    : fail(
        'CloudMisconfigured',
        `the EIP of PodEIP ${podEip.metadata.name} is in ${region}, and regionID of the configuration is ${settings.region}; correct the configuration, or drain with the old one first`,
        settings.recheckMs,
      );

/** Why the pod that has the address must not have it any longer; undefined while it may. */
const endOf = ({ pod, node }: Seen, reading: Reading | null, notes: Notes): string | undefined => {
  if (!pod || !reading) return 'the pod is gone';
  if (notes.podUid === '') return 'its pod was gone';
  if (pod.metadata.uid !== notes.podUid) return 'the pod was replaced by another of the same name';
  if (isFinal(pod)) return `the pod has ended (${pod.status?.phase})`;
  if (pod.metadata.deletionTimestamp !== undefined && !isAnnounced(pod))
    return 'the pod is ending before it got an address';
  if (hasEipOfInstance(pod, node)) return 'its instance came with an EIP of its own';
  return reading.wanted ? undefined : 'the pod no longer asks for an address';
};

/** There is no PodEIP: does there have to be one? */
const begin = (seen: Seen, settings: Settings): Step => {
  const { pod } = seen;
  if (!pod || isFinal(pod) || pod.metadata.deletionTimestamp !== undefined)
    return done('NoAddressWanted', 'no running pod');
  const reading = readPod(pod, settings);
  const ungranted = refusedOnEci(pod, seen, settings);
  if (ungranted) return ungranted;
  return reading.wanted ? claim(reading, seen, 1, settings) : done('NoAddressWanted', 'the pod asks for no address');
};
