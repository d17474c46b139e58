import { KEYS } from '../api/annotations.ts';
import { sentence } from '../api/finding.ts';
import type { KnativeService } from '../api/knative.ts';
import type { PodEip } from '../api/podeip.ts';
import { isReason } from '../api/reason-policy.ts';
import type { Config } from '../config/schema.ts';
import type { Caches } from '../controllers/caches.ts';
import type { ServiceCache } from '../controllers/service/controller.ts';
import { findingsOf, summarize, summarySentence } from '../controllers/service/summary.ts';
import type { StoreEvent } from '../kube/mirror.ts';
import { keyOf, refOf } from '../kube/store.ts';
import { docsLink, withoutLink } from '../rules/docs-link.ts';
import type { createHistory } from '../view/history.ts';
import { phaseOf, readyReasonOf, serviceNameOf } from '../view/phase.ts';
import type { Changed, Phase, ShownFinding, ShownService } from '../web/overview.ts';
import { settingsOf } from './settings.ts';

interface IndexSources {
  readonly config: Pick<Config, 'docsURL'> & Config;
  readonly caches: Pick<Caches, 'podEips' | 'pods'>;
  readonly services: Pick<ServiceCache, 'subscribe'> | undefined;
  readonly history: ReturnType<typeof createHistory>;
}

/** What of a PodEIP is counted. */
interface Counted {
  readonly phase: Phase;
  /** The key of its Knative Service. */
  readonly service: string | undefined;
}

/**
 * The counts, Services and findings of the status page. They follow the caches change by change: to walk through all
 * PodEIPs each second costs more than everything else that an idle controller does.
 */
export interface StatusIndex {
  readonly counts: () => Readonly<Record<Phase, number>>;
  readonly services: () => readonly ShownService[];
  readonly service: (key: string) => ShownService | undefined;
  readonly findings: () => readonly ShownFinding[];
  /** About the object of this kind, namespace and name, with slashes between. */
  readonly findingsAbout: (object: string) => readonly ShownFinding[];
  readonly subscribe: (changed: (what: Changed, key: string) => void) => () => void;
  /** To be called when what the history has of this pod has changed. */
  readonly told: (pod: string) => void;
}

/** Reads the caches once, and goes on with what they tell. */
export const createStatusIndex = ({ config, caches, services, history }: IndexSources): StatusIndex => {
  const { podEips, pods } = caches;
  const settings = settingsOf(config, '');
  const counts: Record<Phase, number> = { inUse: 0, waiting: 0, attention: 0, kept: 0, goingBack: 0 };
  const counted = new Map<string, Counted>();
  /** How many PodEIPs each Knative Service has. */
  const members = new Map<string, number>();
  /** The Services whose templates ask for addresses. */
  const asking = new Set<string>();
  const findingsOfServices = new Map<string, readonly ShownFinding[]>();
  const listeners = new Set<(what: Changed, key: string) => void>();

  const tell = (what: Changed, key: string) => {
    for (const listener of listeners) listener(what, key);
  };

  const count = (it: Counted | undefined, by: 1 | -1) => {
    if (!it) return;
    counts[it.phase] += by;
    if (it.service === undefined) return;
    const left = (members.get(it.service) ?? 0) + by;
    if (left > 0) members.set(it.service, left);
    else members.delete(it.service);
  };

  podEips.subscribe(({ type, object }) => {
    const key = keyOf(object.metadata);
    const before = counted.get(key);
    const now = type === 'deleted' ? undefined : { phase: phaseOf(object), service: serviceKeyOf(object) };
    count(before, -1);
    count(now, 1);
    if (now) counted.set(key, now);
    else counted.delete(key);
    tell('address', key);
    for (const service of new Set([before?.service, now?.service])) if (service !== undefined) tell('service', service);
    const comesOrGoes = before === undefined || now === undefined;
    if (comesOrGoes || before.phase === 'attention' || now.phase === 'attention') tell('findings', `Pod/${key}`);
  });

  pods.subscribe(({ type, object }) => {
    if (type !== 'updated') tell('findings', `Pod/${keyOf(object.metadata)}`);
  });

  services?.subscribe(({ type, object }: StoreEvent<KnativeService>) => {
    const key = keyOf(object.metadata);
    const found =
      type === 'deleted'
        ? []
        : findingsOf(object, settings).map((finding) => ({
            severity: finding.severity === 'refuse' ? ('attention' as const) : ('warn' as const),
            kind: 'Service',
            namespace: object.metadata.namespace ?? '',
            name: object.metadata.name,
            reason: finding.id,
            text: sentence(finding),
            since: undefined,
            docs: config.docsURL && docsLink(finding.id, config.docsURL),
          }));
    if (type !== 'deleted' && asks(object)) asking.add(key);
    else asking.delete(key);
    tell('service', key);
    if (found.length > 0 || findingsOfServices.has(key)) tell('findings', `Service/${key}`);
    if (found.length > 0) findingsOfServices.set(key, found);
    else findingsOfServices.delete(key);
  });

  const service = (key: string): ShownService | undefined =>
    members.has(key) || asking.has(key) ? serviceOf(key, podEips.store.by('service', key)) : undefined;

  /** What the history has of the pod, where the PodEIP does not say it. */
  const fromHistory = function* (pod?: string): Generator<ShownFinding> {
    for (const { about, entry } of history.warnings('Pod', pod)) {
      const key = keyOf(about);
      if (pods.store.get(key)?.metadata.uid !== about.uid) continue;
      // A PodEIP's own condition is preferred: it is newer than the Event, and every replica knows it.
      const isOfRequest = entry.action === 'Claim' || entry.action === 'RecordExternal';
      if (!isOfRequest && podEips.store.get(key)) continue;
      const { namespace = '', name } = about;
      const { reason, note: text, at } = entry;
      yield {
        severity: isOfRequest ? 'warn' : 'attention',
        kind: 'Pod',
        namespace,
        name,
        reason,
        text,
        since: new Date(at).toISOString(),
        docs: config.docsURL !== undefined && isReason(reason) ? docsLink(reason, config.docsURL) : undefined,
      };
    }
  };

  const ofPodEip = (key: string): readonly ShownFinding[] => {
    const podEip = counted.get(key)?.phase === 'attention' ? podEips.store.get(key) : undefined;
    return podEip ? [findingOf(podEip, config.docsURL)] : [];
  };

  return {
    counts: () => ({ ...counts }),
    services: () =>
      [...new Set([...members.keys(), ...asking])]
        .toSorted()
        .map((key) => serviceOf(key, podEips.store.by('service', key))),
    service,
    findings: () => {
      const found = [...fromHistory(), ...[...findingsOfServices.values()].flat()];
      for (const [key, { phase }] of counted) if (phase === 'attention') found.push(...ofPodEip(key));
      return found.toSorted(compare);
    },
    findingsAbout: (object) => {
      const slash = object.indexOf('/');
      const key = object.slice(slash + 1);
      if (object.slice(0, slash) === 'Service') return findingsOfServices.get(key) ?? [];
      return [...fromHistory(key), ...ofPodEip(key)];
    },
    subscribe: (changed) => {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
    told: (pod) => tell('findings', `Pod/${pod}`),
  };
};

/** The condition Ready of a PodEIP. */
export const readyConditionOf = ({ status }: PodEip) => status?.conditions?.find(({ type }) => type === 'Ready');

const serviceKeyOf = (podEip: PodEip): string | undefined => {
  const name = serviceNameOf(podEip);
  return name === undefined ? undefined : keyOf({ namespace: podEip.metadata.namespace, name });
};

const findingOf = (podEip: PodEip, docsURL: string | undefined): ShownFinding => {
  const { namespace = '', name } = podEip.metadata;
  const ready = readyConditionOf(podEip);
  const reason = readyReasonOf(podEip);
  const message = ready?.message ?? '';
  const isKnown = docsURL !== undefined && isReason(reason);
  return {
    severity: 'attention',
    kind: 'Pod',
    namespace,
    name,
    reason,
    text: isReason(reason) ? withoutLink(message, reason) : message,
    since: ready?.lastTransitionTime,
    docs: isKnown ? docsLink(reason, docsURL) : undefined,
  };
};

const serviceOf = (key: string, podEips: Iterable<PodEip>): ShownService => {
  const { namespace = '', name } = refOf(key);
  const summary = summarize(podEips);
  const inUse = [...summary.inUse.values()].reduce((sum, addresses) => sum + addresses.length, 0);
  return { key, namespace, name, asked: summary.asked, inUse, summary: summarySentence(summary) };
};

/** Whether the Service's template asks for addresses, in any spelling. */
const asks = ({ spec }: KnativeService): boolean => {
  const annotations = spec?.template?.metadata?.annotations ?? {};
  return [...KEYS.withEip, ...KEYS.instanceId].some((key) => annotations[key] !== undefined);
};

const compare = (a: ShownFinding, b: ShownFinding): number => {
  if (a.severity !== b.severity) return a.severity === 'attention' ? -1 : 1;
  const [first, second] = [a, b].map(({ namespace, name, kind }) => `${namespace}/${name}/${kind}`) as [string, string];
  if (first === second) return 0;
  return first < second ? -1 : 1;
};
