import type { Finding, FindingId } from '../../api/finding.ts';
import { REVISION_LABEL, type KnativeCondition, type KnativeService, type PodAutoscaler } from '../../api/knative.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { RuleSettings } from '../../rules/rule.ts';
import { NO_FACTS, type RevisionFacts } from '../../rules/cluster-facts.ts';
import { evaluate } from '../../rules/evaluate.ts';
import type { Workload } from '../../rules/workload.ts';
import { readRecord } from '../podeip/record.ts';

/** The state of the addresses of one Knative Service. */
export interface ServiceSummary {
  /** The number of PodEIPs of its pods: one for each pod that asks for an address. */
  readonly asked: number;
  /** Addresses in use, by Revision. */
  readonly inUse: ReadonlyMap<string, readonly string[]>;
  /** The names of the pods that have no address yet, by reason. Reasons such as `Kept` are left out. */
  readonly waiting: ReadonlyMap<string, readonly string[]>;
  /** The number of pods that go on without their EIP, because another pod of the Service has it now. */
  readonly handedOver: number;
}

const readyOf = ({ status }: PodEip) => status?.conditions?.find(({ type }) => type === 'Ready');

/**
 * Summarizes the PodEIPs of one Service. Not counted are those that are being deleted, or keep their EIP for the next
 * pod, because no pod asks for them; and those whose EIP went to another pod: nothing is missing, and Knative will
 * remove them with their Revision.
 */
export const summarize = (podEips: Iterable<PodEip>): ServiceSummary => {
  const inUse = new Map<string, string[]>();
  const waiting = new Map<string, string[]>();
  let asked = 0;
  let handedOver = 0;
  for (const podEip of podEips) {
    if (podEip.metadata.deletionTimestamp !== undefined || readRecord(podEip).goneSince !== undefined) continue;
    const ready = readyOf(podEip);
    if (ready?.status !== 'True' && ready?.reason === 'HandedOver') {
      handedOver += 1;
      continue;
    }
    asked += 1;
    if (ready?.status === 'True') {
      const revision = podEip.metadata.labels?.[REVISION_LABEL] ?? '';
      addTo(inUse, revision, podEip.status?.eipAddress ?? podEip.spec.allocationID);
    } else {
      addTo(waiting, ready?.reason ?? 'Pending', podEip.metadata.name);
    }
  }
  return { asked, inUse, waiting, handedOver };
};

const addTo = (lists: Map<string, string[]>, key: string, value: string): void => {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
};

/** How many addresses, or pods, are listed by name. */
const MOST_NAMED = 5;

/** The summary as one sentence; equal states give equal sentences. */
export const summarySentence = ({ asked, inUse, waiting, handedOver }: ServiceSummary): string => {
  if (asked === 0) return 'no pod asks for an address';
  const has = [...inUse.values()].reduce((sum, addresses) => sum + addresses.length, 0);
  const named = [...inUse]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([revision, addresses]) => {
      return `${revision === '' ? '' : `${revision}: `}${someOf(addresses)}`;
    });
  const without = [...waiting]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([reason, pods]) => `${pods.length} × ${reason} (${someOf(pods)})`);
  return [
    `${has} of ${asked} ${asked === 1 ? 'pod has' : 'pods have'} an address`,
    ...(named.length > 0 ? [named.join('; ')] : []),
    ...(without.length > 0 ? [`without one: ${without.join(', ')}`] : []),
    ...(handedOver > 0 ? [`${handedOver} ${handedOver === 1 ? 'goes' : 'go'} on without the one handed over`] : []),
  ].join('; ');
};

const someOf = (names: readonly string[]): string => {
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return `${names.toSorted().slice(0, MOST_NAMED).join(', ')}${more}`;
};

/** What was reported about a Service's addresses, and what would be reported now. Times are monotonic milliseconds. */
export interface ToldSummary {
  /** The reported addresses; undefined before the first report. */
  readonly addresses: ReadonlySet<string> | undefined;
  /** The reported reasons why pods wait; '' if none waited. */
  readonly waiting: string;
  /** The current reasons why pods wait, and since when. */
  readonly now: { readonly waiting: string; readonly since: number };
}

export const NOTHING_TOLD_YET: ToldSummary = { addresses: undefined, waiting: '', now: { waiting: '', since: 0 } };

/** New pods always wait for some seconds. Waiting longer for the same reason is reported. Milliseconds. */
export const LASTS_MS = 10_000;

/**
 * Whether a summary is to be reported: it has a new address and no pod waits; pods have waited for long for the same
 * reason; or no pod asks any more. Addresses that disappear are not reported.
 */
export const newsOf = (
  told: ToldSummary,
  { asked, inUse, waiting }: ServiceSummary,
  now: number,
): {
  readonly told: ToldSummary;
  readonly is: 'ready' | 'waiting' | undefined;
  readonly againMs: number | undefined;
} => {
  const reasons = [...waiting.keys()].toSorted().join(' ');
  const since = told.now.waiting === reasons ? told.now.since : now;
  const next = { ...told, now: { waiting: reasons, since } };
  if (reasons !== '') {
    if (reasons === told.waiting) return { told: next, is: undefined, againMs: undefined };
    const leftMs = since + LASTS_MS - now;
    if (leftMs > 0) return { told: next, is: undefined, againMs: leftMs };
    return { told: { ...next, waiting: reasons }, is: 'waiting', againMs: undefined };
  }
  const addresses = new Set([...inUse.values()].flat());
  const known = told.addresses;
  // A Service that never asked for an address gets no report.
  const hasChanged =
    asked === 0
      ? told.waiting !== '' || (known !== undefined && known.size > 0)
      : told.waiting !== '' || [...addresses].some((address) => known?.has(address) !== true);
  return {
    told: hasChanged || known === undefined ? { ...next, addresses, waiting: '' } : next,
    is: hasChanged ? 'ready' : undefined,
    againMs: undefined,
  };
};

/** What the autoscalers say about Revisions without pods, as the end of a sentence; empty if there are none. */
export const idleSentence = (autoscalers: readonly PodAutoscaler[]): string => {
  const idle = autoscalers
    .flatMap(({ metadata, status }) => {
      const active = status?.conditions?.find(({ type }) => type === 'Active');
      return active?.status === 'False' ? [`${metadata.name} (${active.reason ?? 'Inactive'})`] : [];
    })
    .toSorted();
  return idle.length === 0 ? '' : `: Knative has scaled ${idle.slice(0, MOST_NAMED).join(', ')} to zero`;
};

/** Findings about what only the Service has, and its pods do not: its own annotations, and the number of pods. */
const OF_SERVICES: ReadonlySet<FindingId> = new Set([
  'AnnotationOnService',
  'AnnotationAsLabel',
  'ExistingEipForMany',
  'ExistingEipMayScale',
  'ReservedInstanceKeepsEip',
  'ExistingEipInTwoRevisions',
]);

/** Findings about a Service that its pods do not report; needed where no webhook has reported them. */
export const findingsOf = (
  { metadata, spec, status }: KnativeService,
  settings: RuleSettings,
  revisions: readonly RevisionFacts[] = [],
): readonly Finding[] => {
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
    outsideLabels: metadata.labels,
    template: { metadata: { annotations, labels: spec?.template?.metadata?.labels } },
    hostNetwork: false,
    replicas: undefined,
    traffic: spec?.traffic,
    templateName: spec?.template?.metadata?.name,
    latestRevision: status?.latestCreatedRevisionName,
    isEnding: metadata.deletionTimestamp !== undefined,
  };
  const findings = evaluate({ workload, target: undefined, settings, facts: { ...NO_FACTS, revisions } });
  return findings.filter(({ id }) => OF_SERVICES.has(id));
};

/** The type of the informational condition on a Service. */
export const EIP_READY = 'EIPReady';

/**
 * The condition that shows the summary in `kn service describe`. Its severity is Info: any other would affect the
 * Service's own readiness.
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
    message: summarySentence(summary),
    lastTransitionTime:
      before?.status === status && before.lastTransitionTime !== undefined
        ? before.lastTransitionTime
        : `${new Date(now).toISOString().slice(0, 19)}Z`,
  };
};
