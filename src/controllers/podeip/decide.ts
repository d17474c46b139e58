import { adopt } from './adopt.ts';
import { unlessBesideOthers, unpublishLost } from './beside-others.ts';
import { claim } from './claim.ts';
import { attach } from './attach.ts';
import { finalize } from './finalize.ts';
import { isRetained, retain } from './retain.ts';
import { lookInTime, provision } from './provision.ts';
import { hasEipOfInstance } from './instance.ts';
import type { PodRequest } from './pod-request.ts';
import { FINALIZER } from '../../api/podeip.ts';
import { isAnnounced, isFinal } from '../../api/pod.ts';
import { refusedOnEci } from './grant-on-eci.ts';
import { hasFinalizer, isOurs, isExternal } from './record.ts';
import { hasLostFinalizer, isItsPod } from './safeguards.ts';
import type { ObservedState, Settings } from './observation.ts';
import { noteDue } from './quiet.ts';
import { situationOf, withPodEip, type PodEipSituation, type Situation } from './situation.ts';
import { done, fail, justTampered, refusedUntil, retire, type Step } from './step.ts';
import { external } from './external.ts';

/**
 * The next step for a pod and its PodEIP. Pure and total; reads from top to bottom, and the first line that applies
 * wins. It relies on no order of events: the process that runs it may have died on any line before, and two may run at
 * once.
 */
export const decide = (seen: ObservedState, settings: Settings): Step => {
  const step = next(situationOf(seen, settings));
  const { refusal } = seen.memory;
  // A refused step is not repeated at each event, but only when it is due.
  const isEarly = refusal && refusal.action === step.do && refusal.dueInMs > 0;
  const result = lookInTime(isEarly ? refusedUntil(refusal) : step, seen.memory);
  return noteDue(result, seen, settings) ?? result;
};

const next = (it: Situation): Step => {
  const { podEip } = it.seen;
  if (!podEip) return begin(it);
  if (isExternal(podEip)) return external(withPodEip(it, podEip));
  return isOurs(podEip) ? proceed(withPodEip(it, podEip)) : adopt(it, podEip);
};

/** There is no PodEIP: decides whether one is needed. */
const begin = (it: Situation): Step => {
  const { asked } = it;
  if (!asked || isFinal(asked.pod) || asked.pod.metadata.deletionTimestamp !== undefined)
    return done('NoAddressWanted', 'no running pod');
  if (!asked.isWanted) return done('NoAddressWanted', 'the pod asks for no address');
  return refusedOnEci(it, asked) ?? claim(it, asked, 1);
};

/** There is a PodEIP of this controller: provides its address, or ends it. */
const proceed = (it: PodEipSituation): Step => {
  const { podEip, record, asked } = it;
  const misplaced = inOtherRegion(it);
  if (misplaced) return misplaced;
  if (podEip.metadata.deletionTimestamp !== undefined) return finalize(it);
  if (hasLostFinalizer(it)) return restoreFinalizer(it);

  const because = endOf(it);
  if (because !== undefined) return isRetained(it) ? retain(it, because) : retire(podEip, because);
  if (!asked) return retire(podEip, 'the pod is gone');
  if (!record.request) return hasFinalizer(podEip) ? justTampered('request') : claim(it, asked, 1);
  return record.request.kind === 'new'
    ? withoutLost(it, asked, provision(it, asked, record.request))
    : withoutLost(it, asked, unlessBesideOthers(it, asked, attach(it, asked, record.request)));
};

/** Software that keeps taking it off is not answered each time; meanwhile nothing is bought, nor bound. */
const restoreFinalizer = ({ podEip, seen: { memory } }: PodEipSituation): Step => {
  const { restoreInMs = 0 } = memory;
  if (restoreInMs === 0) return { do: 'RestoreFinalizer', podEip };
  return fail(
    'RecordTampered',
    `something keeps taking the finalizer ${FINALIZER} off PodEIP ${podEip.metadata.name}, without which its EIP would be left behind; find out what, with the audit log of the API server or metadata.managedFields, and stop it`,
    restoreInMs,
  );
};

/** Whatever prevents the step: a lost address is removed from the pod first. */
const withoutLost = (it: PodEipSituation, asked: PodRequest, step: Step): Step => {
  const hasLost = step.do === 'Fail' && it.seen.memory.driftMs >= it.settings.readLagMs;
  return hasLost && isAnnounced(asked.pod) ? unpublishLost(it, asked) : step;
};

/**
 * If the configuration names another region than that of the EIP, the EIP would count as released by somebody: another
 * one would be bought, and this one would be paid for for ever.
 */
const inOtherRegion = ({ podEip, record: { region }, settings }: PodEipSituation): Step | undefined =>
  region === undefined || settings.region === undefined || region === settings.region || !hasFinalizer(podEip)
    ? undefined
    : fail(
        'CloudMisconfigured',
        `the EIP of PodEIP ${podEip.metadata.name} is in ${region}, and regionID of the configuration is ${settings.region}; correct the configuration, or drain with the old one first`,
        settings.recheckMs,
      );

/** Why the pod that has the address must not have it any longer; undefined while it may. */
const endOf = (it: PodEipSituation): string | undefined => {
  const { asked, record } = it;
  if (!asked) return 'the pod is gone';
  const { pod } = asked;
  if (record.podUid === '') return 'its pod was gone';
  if (!isItsPod(it, pod)) return 'the pod was replaced by another of the same name';
  if (isFinal(pod)) return `the pod has ended (${pod.status?.phase})`;
  if (pod.metadata.deletionTimestamp !== undefined && !isAnnounced(pod))
    return 'the pod is ending before it got an address';
  if (hasEipOfInstance(asked)) return 'its instance came with an EIP of its own';
  return asked.isWanted ? undefined : 'the pod no longer asks for an address';
};
