import type { Finding, FindingId } from '../api/finding.ts';
import { REVISION, type KnativeCondition, type KnativeService, type PodAutoscaler } from '../api/knative.ts';
import type { PodEip } from '../api/podeip.ts';
import type { GuardSettings } from '../guard/case.ts';
import { NOTHING_KNOWN } from '../guard/facts.ts';
import { judge } from '../guard/judge.ts';
import type { Workload } from '../guard/workload.ts';

/** How the addresses of one Knative Service stand. */
export interface ServiceSummary {
  /** PodEIPs of its pods: one for each pod that asks for an address. */
  readonly asked: number;
  /** Addresses in use, by Revision. */
  readonly inUse: ReadonlyMap<string, readonly string[]>;
  /** Reasons of those that have none yet, with how many. `Kept` and the like are not among them. */
  readonly waiting: ReadonlyMap<string, number>;
}

const readyOf = ({ status }: PodEip) => status?.conditions?.find(({ type }) => type === 'Ready');

/** Sums up the PodEIPs of one Service. Those on their way out are not counted: nobody asks for them any more. */
export const summarize = (podEips: Iterable<PodEip>): ServiceSummary => {
  const inUse = new Map<string, string[]>();
  const waiting = new Map<string, number>();
  let asked = 0;
  for (const podEip of podEips) {
    if (podEip.metadata.deletionTimestamp !== undefined) continue;
    asked += 1;
    const ready = readyOf(podEip);
    if (ready?.status === 'True') {
      const revision = podEip.metadata.labels?.[REVISION] ?? '';
      inUse.set(revision, [...(inUse.get(revision) ?? []), podEip.status?.eipAddress ?? podEip.spec.allocationID]);
    } else waiting.set(ready?.reason ?? 'Pending', (waiting.get(ready?.reason ?? 'Pending') ?? 0) + 1);
  }
  return { asked, inUse, waiting };
};

/** So many addresses are named; a Service with more is not read address by address. */
const MOST_NAMED = 5;

/** The summary in one sentence, the same words for the same state. */
export const sentenceOf = ({ asked, inUse, waiting }: ServiceSummary): string => {
  if (asked === 0) return 'no pod asks for an address';
  const has = [...inUse.values()].reduce((sum, addresses) => sum + addresses.length, 0);
  const named = [...inUse]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([revision, addresses]) => {
      const some = addresses.toSorted().slice(0, MOST_NAMED).join(', ');
      const more = addresses.length > MOST_NAMED ? ` and ${addresses.length - MOST_NAMED} more` : '';
      return `${revision === '' ? '' : `${revision}: `}${some}${more}`;
    });
  const without = [...waiting]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([reason, count]) => `${count} × ${reason}`);
  return [
    `${has} of ${asked} pods ${asked === 1 ? 'has' : 'have'} an address`,
    ...(named.length > 0 ? [named.join('; ')] : []),
    ...(without.length > 0 ? [`without one: ${without.join(', ')}`] : []),
  ].join('; ');
};

/** What the autoscalers say of the Revisions that are at zero, as the end of a sentence; empty where none is. */
export const idleSentence = (autoscalers: readonly PodAutoscaler[]): string => {
  const idle = autoscalers
    .flatMap(({ metadata, status }) => {
      const active = status?.conditions?.find(({ type }) => type === 'Active');
      return active?.status === 'False' ? [`${metadata.name} (${active.reason ?? 'Inactive'})`] : [];
    })
    .toSorted();
  return idle.length === 0 ? '' : `: Knative has scaled ${idle.slice(0, MOST_NAMED).join(', ')} to zero`;
};

/** What only the Service shows: its pods get neither what is written on it, nor what it says about their number. */
const OF_SERVICES: ReadonlySet<FindingId> = new Set([
  'AnnotationOnService',
  'ExistingEipForMany',
  'ExistingEipMayScale',
  'ReservedInstanceKeepsEip',
]);

/** What there is to say about a Service that nobody would hear of from its pods, where no webhook has said it. */
export const findingsOf = ({ metadata, spec }: KnativeService, settings: GuardSettings): readonly Finding[] => {
  const annotations = spec?.template?.metadata?.annotations ?? {};
  const workload: Workload = {
    kind: 'Service',
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    isKnative: true,
    service: metadata.name,
    owner: undefined,
    annotations,
    outside: metadata.annotations ?? {},
    template: { metadata: { annotations } },
    hostNetwork: false,
    replicas: undefined,
    isEnding: metadata.deletionTimestamp !== undefined,
  };
  const findings = judge({ workload, target: undefined, settings, facts: NOTHING_KNOWN });
  return findings.filter(({ id }) => OF_SERVICES.has(id));
};

/** The type of the informational condition on a Service. */
export const EIP_READY = 'EIPReady';

/**
 * The condition that shows the summary in `kn service describe`. Of severity Info: any other would count for the Service's
 * own readiness.
 */
export const conditionOf = (
  summary: ServiceSummary,
  before: KnativeCondition | undefined,
  now: number,
): KnativeCondition => {
  const status = summary.waiting.size === 0 ? 'True' : 'False';
  const [reason = 'InUse'] = [...summary.waiting.keys()].toSorted();
  return {
    type: EIP_READY,
    status,
    severity: 'Info',
    reason: summary.asked === 0 ? 'NoAddressWanted' : reason,
    message: sentenceOf(summary),
    lastTransitionTime:
      before?.status === status && before.lastTransitionTime !== undefined
        ? before.lastTransitionTime
        : `${new Date(now).toISOString().slice(0, 19)}Z`,
  };
};
