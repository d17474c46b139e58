import { adopt } from './adopt.ts';
import { claim } from './claim.ts';
import { attach } from './attach.ts';
import { finalize } from './finalize.ts';
import { isRetained, retain } from './retain.ts';
import { provision } from './provision.ts';
import { hasEipOfInstance } from './instance.ts';
import type { PodRequest } from './pod-request.ts';
import { isAnnounced, isFinal } from '../../api/pod.ts';
import { refusedOnEci } from './grant-on-eci.ts';
import { hasFinalizer, isOurs, isExternal } from './record.ts';
import type { ObservedState, Settings } from './observation.ts';
import { situationOf, withPodEip, type PodEipSituation, type Situation } from './situation.ts';
import { done, fail, justTampered, retire, unpublish, type Step } from './step.ts';
import { external } from './external.ts';

/**
 * The one thing to do next for a pod and its PodEIP. Pure and total; reads from top to bottom, the first line that
 * applies wins. It never trusts an order of events: whoever runs it may have died on any line before, or may run twice
 * at once.
 */
export const decide = (seen: ObservedState, settings: Settings): Step => {
  const step = next(situationOf(seen, settings));
  const { refusal } = seen.memory;
  // What was refused is not asked again at each event, only when its time has come.
  return refusal && refusal.action === step.do && refusal.dueInMs > 0
    ? fail(refusal.reason, refusal.message, refusal.dueInMs)
    : step;
};

const next = (it: Situation): Step => {
  const { podEip } = it.seen;
  if (!podEip) return begin(it);
  if (isExternal(podEip)) return external(withPodEip(it, podEip));
  return isOurs(podEip) ? proceed(withPodEip(it, podEip)) : adopt(it, podEip);
};

/** There is no PodEIP: does there have to be one? */
const begin = (it: Situation): Step => {
  const { asked } = it;
  if (!asked || isFinal(asked.pod) || asked.pod.metadata.deletionTimestamp !== undefined)
    return done('NoAddressWanted', 'no running pod');
  if (!asked.isWanted) return done('NoAddressWanted', 'the pod asks for no address');
  return refusedOnEci(asked) ?? claim(it, asked, 1);
};

/** There is a PodEIP of ours: on to its address, or on to its end. */
const proceed = (it: PodEipSituation): Step => {
  const { podEip, record, asked } = it;
  const misplaced = inOtherRegion(it);
  if (misplaced) return misplaced;
  if (podEip.metadata.deletionTimestamp !== undefined) return finalize(it);

  const because = endOf(it);
  if (because !== undefined) return isRetained(it) ? retain(it, because) : retire(podEip, because);
  if (!asked) return retire(podEip, 'the pod is gone');
  if (!record.request) return hasFinalizer(podEip) ? justTampered('request') : claim(it, asked, 1);
  return record.request.kind === 'new'
    ? withoutLost(it, asked, provision(it, asked, record.request))
    : withoutLost(it, asked, attach(it, asked, record.request));
};

/** Whatever stands in the way: a pod is not left with an address that it has lost. */
const withoutLost = ({ seen, settings }: Situation, { pod }: PodRequest, step: Step): Step => {
  const hasLost = step.do === 'Fail' && seen.memory.driftMs >= settings.readLagMs;
  return hasLost && isAnnounced(pod) ? unpublish(pod) : step;
};

/**
 * Where the configuration names another region than the one in which the EIP is, the EIP would count as released by
 * somebody: another one would be bought, and this one be paid for for ever.
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
  if (pod.metadata.uid !== record.podUid) return 'the pod was replaced by another of the same name';
  if (isFinal(pod)) return `the pod has ended (${pod.status?.phase})`;
  if (pod.metadata.deletionTimestamp !== undefined && !isAnnounced(pod))
    return 'the pod is ending before it got an address';
  if (hasEipOfInstance(asked)) return 'its instance came with an EIP of its own';
  return asked.isWanted ? undefined : 'the pod no longer asks for an address';
};
