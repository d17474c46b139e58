import type { PodEip } from '../../api/podeip.ts';
import type { ParsedRequest } from '../../request/parse.ts';
import { adopt } from './adopt.ts';
import { claim } from './claim.ts';
import { attach } from './attach.ts';
import { finalize } from './finalize.ts';
import { isRetained, retain } from './retain.ts';
import { provision } from './provision.ts';
import { hasEipOfInstance } from './instance.ts';
import { parsePod } from './pod-request.ts';
import { isAnnounced, isFinal, isGated } from '../../api/pod.ts';
import { refusedOnEci } from './grant-on-eci.ts';
import { underPolicy } from '../../request/policy.ts';
import { hasFinalizer, isOurs, isExternal, readRecord, type PodEipRecord } from './record.ts';
import type { ObservedState, Settings } from './observation.ts';
import { done, fail, justTampered, type Step } from './step.ts';
import { external } from './external.ts';

/**
 * The one thing to do next for a pod and its PodEIP. Pure and total; reads from top to bottom, the first line that applies
 * wins. It never trusts an order of events: whoever runs it may have died on any line before, or may run twice at once.
 */
export const decide = (seen: ObservedState, settings: Settings): Step => {
  const step = next(seen, underPolicy(settings, seen.policy?.effective));
  const { refusal } = seen.memory;
  // What was refused is not asked again at each event, only when its time has come.
  return refusal && refusal.action === step.do && refusal.dueInMs > 0
    ? fail(refusal.reason, refusal.message, refusal.dueInMs)
    : step;
};

const next = (seen: ObservedState, settings: Settings): Step => {
  const { pod, podEip } = seen;
  if (!podEip) return begin(seen, settings);
  if (isExternal(podEip)) return external(seen, podEip, settings);
  if (!isOurs(podEip)) return adopt(seen, podEip, settings);
  const record = readRecord(podEip);
  const misplaced = inOtherRegion(podEip, record, settings);
  if (misplaced) return misplaced;
  if (podEip.metadata.deletionTimestamp !== undefined) return finalize(seen, podEip, settings);

  const parsed = pod && parsePod(pod, settings);
  const because = endOf(seen, parsed, record);
  if (because !== undefined)
    return isRetained(podEip, record, settings)
      ? retain(seen, podEip, record, because, settings)
      : { do: 'Retire', because };
  if (!parsed) return { do: 'Retire', because: 'the pod is gone' };
  if (!record.request) return hasFinalizer(podEip) ? justTampered('request') : claim(parsed, seen, 1, settings);
  const step =
    record.request.kind === 'new'
      ? provision(seen, podEip, record, record.request, parsed, settings)
      : attach(seen, podEip, record, record.request, parsed, settings);
  // Whatever stands in the way: a pod is not left with an address that it has lost.
  const hasLost = step.do === 'Fail' && seen.memory.driftMs >= settings.readLagMs;
  return hasLost && pod && isAnnounced(pod) ? { do: 'Unpublish', isGated: isGated(pod) } : step;
};

/**
 * Where the configuration names another region than the one in which the EIP is, the EIP would count as released by somebody:
 * another one would be bought, and this one be paid for for ever.
 */
const inOtherRegion = (podEip: PodEip, { region }: PodEipRecord, settings: Settings): Step | undefined =>
  region === undefined || settings.region === undefined || region === settings.region || !hasFinalizer(podEip)
    ? undefined
    : fail(
        'CloudMisconfigured',
        `the EIP of PodEIP ${podEip.metadata.name} is in ${region}, and regionID of the configuration is ${settings.region}; correct the configuration, or drain with the old one first`,
        settings.recheckMs,
      );

/** Why the pod that has the address must not have it any longer; undefined while it may. */
const endOf = (
  { pod, node }: ObservedState,
  parsed: ParsedRequest | null,
  record: PodEipRecord,
): string | undefined => {
  if (!pod || !parsed) return 'the pod is gone';
  if (record.podUid === '') return 'its pod was gone';
  if (pod.metadata.uid !== record.podUid) return 'the pod was replaced by another of the same name';
  if (isFinal(pod)) return `the pod has ended (${pod.status?.phase})`;
  if (pod.metadata.deletionTimestamp !== undefined && !isAnnounced(pod))
    return 'the pod is ending before it got an address';
  if (hasEipOfInstance(pod, node)) return 'its instance came with an EIP of its own';
  return parsed.wanted ? undefined : 'the pod no longer asks for an address';
};

/** There is no PodEIP: does there have to be one? */
const begin = (seen: ObservedState, settings: Settings): Step => {
  const { pod } = seen;
  if (!pod || isFinal(pod) || pod.metadata.deletionTimestamp !== undefined)
    return done('NoAddressWanted', 'no running pod');
  const parsed = parsePod(pod, settings);
  const ungranted = refusedOnEci(pod, seen, settings);
  if (ungranted) return ungranted;
  return parsed.wanted ? claim(parsed, seen, 1, settings) : done('NoAddressWanted', 'the pod asks for no address');
};
