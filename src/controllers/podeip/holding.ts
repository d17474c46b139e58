import type { EipHolder } from '../../api/eipholder.ts';
import type { Eip } from '../../cloud/port.ts';
import { isGranted, notThere } from './grant.ts';
import { latestBinding, readRecord } from './record.ts';
import type { PodEipSituation } from './situation.ts';
import { RETRY_MS, stepFirst, valueOf, wait, type Outcome, type Step } from './step.ts';

/** Into how many parts the time is cut after which an EIP is let go: it is written down as named once in each. */
const RENEWALS = 30;

/**
 * Whose the existing EIP is, with `existingEips: firstUse`: what has to come before it is used, or why it is not;
 * undefined where it may be. An EIP that is nobody's is written down as the namespace's by compare-and-swap before it
 * is won. If the process dies after that write, the namespace has an EIP that it does not use yet, and the next process
 * finds it there.
 */
export const holding = (it: PodEipSituation, eip: Eip): Step | undefined => {
  const { seen, podEip, settings } = it;
  if (settings.existingEips !== 'firstUse') return undefined;
  const { namespace = '' } = podEip.metadata;
  const { allocationId } = eip;
  const elsewhere = isHeldElsewhere(it, allocationId);
  if (elsewhere.kind === 'step') return elsewhere.step;
  if (elsewhere.value) return heldElsewhere(it, eip);
  if (seen.holder?.namespace === namespace) return isDue(it, seen.holder) ? hold(it, allocationId) : undefined;
  if (podEip.spec.allocationID === '') return undefined;
  // It was won before there were holders, or somebody has deleted the one that there was.
  const { competitors } = seen;
  if (!competitors) return { do: 'ReadCompetingClaims', allocationId };
  const isElsewhere = competitors.some(
    (other) => other.podEip.metadata.namespace !== namespace && latestBinding(readRecord(other.podEip)),
  );
  return isElsewhere && !latestBinding(it.record)
    ? notThere(allocationId, namespace, settings)
    : hold(it, allocationId);
};

/**
 * Why an EIP that is another namespace's shows nothing here, whoever says that a pod has it; undefined where it is not
 * another's. What an operator grants is for several namespaces, whoever came first.
 */
export const heldElsewhere = (it: PodEipSituation, eip: Eip): Step | undefined => {
  const { podEip, settings } = it;
  if (settings.existingEips !== 'firstUse') return undefined;
  const { namespace = '' } = podEip.metadata;
  const elsewhere = isHeldElsewhere(it, eip.allocationId);
  if (elsewhere.kind === 'step') return elsewhere.step;
  return elsewhere.value && !isGranted(eip, namespace, settings)
    ? notThere(eip.allocationId, namespace, settings)
    : undefined;
};

/** What has to come before an EIP is won that nobody else wants; undefined where nothing has to. */
export const holdFirst = (it: PodEipSituation, { allocationId }: Eip): Step | undefined => {
  const { seen, podEip, settings } = it;
  if (settings.existingEips !== 'firstUse' || seen.holder?.namespace === podEip.metadata.namespace) return undefined;
  const elsewhere = isHeldElsewhere(it, allocationId);
  if (elsewhere.kind === 'step') return elsewhere.step;
  return elsewhere.value ? undefined : hold(it, allocationId);
};

/** Whether it is time to write down again that the EIP is named. An administrator's holder knows no time. */
const isDue = ({ seen: { now }, settings: { existingEipIdleMs = Infinity } }: PodEipSituation, holder: EipHolder) =>
  holder.lastNamed !== undefined && now - Date.parse(holder.lastNamed) > existingEipIdleMs / RENEWALS;

const hold = ({ seen: { namespace, holder = null } }: PodEipSituation, allocationId: string): Step => {
  if (namespace === undefined) return { do: 'ReadNamespace' };
  if (!namespace) return wait('Pending', 'the namespace is gone, and takes its pods with it', RETRY_MS);
  return { do: 'Hold', allocationId, namespace, holder };
};

/**
 * Whether the EIP that the user named is another namespace's, which used it first: whoever names it, waits for it or is
 * faster after a restart gets nothing. It is let go where its holder is deleted, or nothing there has named it for so
 * long; a PodEIP there that has it, or a Service that names it, keeps it whatever the clock says.
 */
export const isHeldElsewhere = (it: PodEipSituation, allocationId: string): Outcome<boolean> => {
  const { seen, podEip, settings } = it;
  const { holder, competitors, isNamedByService } = seen;
  if (holder === undefined) return stepFirst({ do: 'ReadHolder', allocationId });
  if (!holder || holder.namespace === podEip.metadata.namespace) return valueOf(false);
  const { namespace, lastNamed } = holder;
  // A clock that goes before the other lets nothing go too early.
  const now = Math.min(seen.now, seen.serverNow ?? seen.now);
  const idleMs = lastNamed === undefined ? Number.NaN : now - Date.parse(lastNamed);
  if (!(idleMs > (settings.existingEipIdleMs ?? Infinity))) return valueOf(true);
  if (!competitors) return stepFirst({ do: 'ReadCompetingClaims', allocationId });
  if (competitors.some((competitor) => competitor.podEip.metadata.namespace === namespace)) return valueOf(true);
  return isNamedByService === undefined
    ? stepFirst({ do: 'ReadNamingServices', allocationId, namespace })
    : valueOf(isNamedByService);
};
