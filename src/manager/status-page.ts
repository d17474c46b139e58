import { KEYS } from '../api/annotations.ts';
import { sentence } from '../api/finding.ts';
import type { KnativeService } from '../api/knative.ts';
import { PODEIP, type PodEip } from '../api/podeip.ts';
import { isReason } from '../api/reason-policy.ts';
import { CLOUD_ACTIONS } from '../cloud/api-actions.ts';
import { ACCOUNT_RATES_PER_MINUTE, type Throttle } from '../cloud/throttle.ts';
import type { ObservedCall } from '../cloud/observe.ts';
import type { Config } from '../config/schema.ts';
import type { Caches } from '../controllers/caches.ts';
import type { ServiceCache } from '../controllers/service/controller.ts';
import type { Election } from '../kube/lease.ts';
import { keyOf, refOf } from '../kube/store.ts';
import type { Clock } from '../lib/clock.ts';
import { createCallBudget, type CallEnd } from '../view/budget.ts';
import type { EventNote, Regarding } from '../controllers/podeip/events.ts';
import { createHistory, type HistoryEntry } from '../view/history.ts';
import { settingsOf } from './settings.ts';
import { docsLink, withoutLink } from '../rules/docs-link.ts';
import { findingsOf, summarySentence, summarize } from '../controllers/service/summary.ts';
import { readyReasonOf, serviceNameOf, phaseOf } from '../view/phase.ts';
import { addressOf } from '../view/shown-address.ts';
import type {
  Overview,
  Phase,
  ShownBudget,
  ShownFinding,
  ShownService,
  Status,
  ShownEndpoint,
} from '../web/overview.ts';

interface StatusSources {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly caches: Caches;
  readonly services: ServiceCache | undefined;
  readonly election: Election | undefined;
  /** Where the cloud's APIs are asked at present. */
  readonly endpoints: () => readonly ShownEndpoint[];
  /** How many EIPs the account has and may have in the region; undefined while nobody knows. */
  readonly quota: () => Overview['quota'];
}

/** The data of the status page, and the inputs that no cache provides. */
interface StatusFeed {
  readonly status: Status;
  /** To be called with every Event that is recorded. */
  recorded(about: Regarding, note: EventNote): void;
  /** To be called with every API call that ends. */
  called(call: ObservedCall): void;
  /** To be called once it is known that AllocateEipAddress drops its tags. */
  tagsDropped(): void;
  /** To be called once the cloud is assembled. */
  throttledBy(throttle: Throttle): void;
}

const time = (ms: number): string => new Date(ms).toISOString();

/** Builds the status page's data from what the process knows. Makes no requests and no decisions. */
export const createStatus = ({
  config,
  version,
  clock,
  caches,
  services,
  election,
  endpoints,
  quota,
}: StatusSources): StatusFeed => {
  const { podEips, pods } = caches;
  const settings = settingsOf(config, '');
  const history = createHistory();
  const budget = createCallBudget(clock);
  const started = time(clock.now());
  let throttle: Throttle | undefined;
  let areTagsDropped = false;

  // Every replica sees these changes; Events are known to the leader only.
  podEips.subscribe(({ type, object, old, from }) => {
    const state = type === 'deleted' ? GONE : stateOf(object);
    const isKnown = type === 'updated' ? old !== undefined && stateOf(old).note === state.note : from === 'list';
    if (isKnown && type !== 'deleted') return;
    const { namespace, name, uid } = object.metadata;
    history.add(
      { apiVersion: '', kind: WATCHED, namespace, name, uid },
      { type: 'State', action: '', ...state },
      clock.now(),
    );
  });

  const findingsOfPods = function* (): Generator<ShownFinding> {
    for (const { about, entry } of history.warnings('Pod')) {
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
        since: time(at),
        docs: config.docsURL !== undefined && isReason(reason) ? docsLink(reason, config.docsURL) : undefined,
      };
    }
  };

  const overview: Status['overview'] = () => {
    const counts: Record<Phase, number> = { inUse: 0, waiting: 0, attention: 0, kept: 0, goingBack: 0 };
    const findings: ShownFinding[] = [...findingsOfPods()];
    const byService = new Map<string, PodEip[]>();
    for (const podEip of podEips.store.values()) {
      const standing = phaseOf(podEip);
      counts[standing] += 1;
      if (standing === 'attention') findings.push(findingOf(podEip, config.docsURL));
      const name = serviceNameOf(podEip);
      if (name === undefined) continue;
      const key = keyOf({ namespace: podEip.metadata.namespace, name });
      const others = byService.get(key);
      if (others) others.push(podEip);
      else byService.set(key, [podEip]);
    }
    for (const service of services?.store.values() ?? []) {
      const { namespace = '', name } = service.metadata;
      for (const finding of findingsOf(service, settings))
        findings.push({
          severity: finding.severity === 'refuse' ? 'attention' : 'warn',
          kind: 'Service',
          namespace,
          name,
          reason: finding.id,
          text: sentence(finding),
          since: undefined,
          docs: config.docsURL && docsLink(finding.id, config.docsURL),
        });
      if (asks(service) && !byService.has(keyOf(service.metadata))) byService.set(keyOf(service.metadata), []);
    }
    return {
      cluster: config.clusterID,
      region: config.regionID,
      version,
      started,
      isComplete: caches.all.every(([, reflector]) => reflector.hasSynced()),
      isLeader: election?.isLeader() ?? true,
      leader: election?.holder(),
      counts,
      services: [...byService].map(([key, all]) => serviceOf(key, all)).toSorted((a, b) => (a.key < b.key ? -1 : 1)),
      findings: findings.toSorted(compare),
      budget: budgets(),
      endpoints: endpoints(),
      areTagsDropped,
      quota: quota(),
    };
  };

  const budgets = (): ShownBudget[] => {
    const called = new Set(budget.actions());
    return CLOUD_ACTIONS.filter((action) => !action.includes('Container') || called.has(action)).map((action) => {
      const { ok, later, throttled, failed } = budget.lastMinute(action);
      return {
        action,
        perMinute: Math.round(ACCOUNT_RATES_PER_MINUTE[action] * config.cloud.apiShare * (throttle?.pace(action) ?? 1)),
        called: ok + later + throttled + failed,
        later,
        throttled,
        failed,
        waiting: throttle?.waiting(action) ?? 0,
      };
    });
  };

  return {
    status: {
      overview,
      *addresses() {
        for (const podEip of podEips.store.values()) yield addressOf(podEip);
      },
      address: (key) => {
        const podEip = podEips.store.get(key);
        return podEip && addressOf(podEip);
      },
      history: (key) => {
        const told = history.of(PODEIP.kind, key);
        // Most Events are recorded for both pod and PodEIP. Those for the pod alone are older than the PodEIP.
        const only = history.of('Pod', key).filter((it) => !told.some((other) => isSame(it, other)));
        return [...told, ...only, ...history.of(WATCHED, key)]
          .toSorted((a, b) => a.at - b.at)
          .map(({ at, count, type, reason, note }) => ({ at: time(at), count, type, reason, note }));
      },
      subscribe: (changed) => podEips.subscribe(({ object }) => changed(keyOf(object.metadata))),
    },
    recorded: (about, note) => {
      history.add(about, note, clock.now());
    },
    called: ({ action, outcome }) => budget.called(action, callEndOf(outcome)),
    tagsDropped: () => {
      areTagsDropped = true;
    },
    throttledBy: (it) => {
      throttle = it;
    },
  };
};

/** The answers by which nothing is wrong: it is as was wanted already, or it is not there any more. */
const AS_WANTED: ReadonlySet<ObservedCall['outcome']> = new Set(['success', 'already', 'gone']);
const NOT_NOW: ReadonlySet<ObservedCall['outcome']> = new Set(['again', 'later']);

export const callEndOf = (outcome: ObservedCall['outcome']): CallEnd => {
  if (AS_WANTED.has(outcome)) return 'ok';
  if (NOT_NOW.has(outcome)) return 'later';
  return outcome === 'throttled' ? 'throttled' : 'failed';
};

/** The kind under which the history keeps what the watch of PodEIPs saw. */
const WATCHED = 'PodEIP state';
const GONE = { reason: 'Gone', note: 'the PodEIP is gone: nothing is held for the pod' };

/** Whether it is the same Event, recorded for two objects. */
const isSame = (a: HistoryEntry, b: HistoryEntry): boolean =>
  a.reason === b.reason && a.note === b.note && Math.abs(a.at - b.at) < 1_000;

const readyOf = ({ status }: PodEip) => status?.conditions?.find(({ type }) => type === 'Ready');

/** The state of a PodEIP as an entry of its history. */
const stateOf = (podEip: PodEip): { readonly reason: string; readonly note: string } => {
  const { spec, status, metadata } = podEip;
  const parts = [
    ...(spec.allocationID === '' ? ['no EIP yet'] : [`EIP ${spec.allocationID}`]),
    ...(status?.eipAddress ? [status.eipAddress] : []),
    ...(status?.status ? [`is ${status.status}`] : []),
    readyOf(podEip)?.status === 'True' ? 'ready' : 'not ready',
    ...(metadata.deletionTimestamp === undefined ? [] : ['on its way back']),
  ];
  return { reason: readyReasonOf(podEip), note: parts.join(', ') };
};

const findingOf = (podEip: PodEip, docsURL: string | undefined): ShownFinding => {
  const { namespace = '', name } = podEip.metadata;
  const ready = readyOf(podEip);
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

const serviceOf = (key: string, podEips: readonly PodEip[]): ShownService => {
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
  return `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1;
};
