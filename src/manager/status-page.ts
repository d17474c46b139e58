import { PODEIP, type PodEip } from '../api/podeip.ts';
import { CLOUD_ACTIONS } from '../cloud/api-actions.ts';
import { ACCOUNT_RATES_PER_MINUTE, type Throttle } from '../cloud/throttle.ts';
import type { ObservedCall } from '../cloud/call-observer.ts';
import type { Config } from '../config/schema.ts';
import type { Caches } from '../controllers/caches.ts';
import type { ServiceCache } from '../controllers/service/controller.ts';
import type { Election } from '../kube/lease.ts';
import { keyOf } from '../kube/store.ts';
import type { Clock } from '../lib/clock.ts';
import { createCallBudget, type CallEnd } from '../view/budget.ts';
import type { EventNote, Regarding } from '../controllers/podeip/events.ts';
import { createHistory, type HistoryEntry } from '../view/history.ts';
import { readyReasonOf } from '../view/phase.ts';
import { addressOf } from '../view/shown-address.ts';
import type { Overview, ShownBudget, ShownEndpoint, Status, Summary } from '../web/overview.ts';
import { createStatusIndex, readyConditionOf, type StatusIndex } from './status-index.ts';

type StateNote = Pick<HistoryEntry, 'type' | 'reason' | 'action' | 'note'>;

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

/** Its calls are of interest where there is a virtual node. */
const isOfEci = (action: string): boolean => action.includes('Container') || action.includes('ImageCache');

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
  const { podEips } = caches;
  const history = createHistory();
  const budget = createCallBudget(clock);
  const started = time(clock.now());
  let throttle: Throttle | undefined;
  let areTagsDropped = false;

  let made: StatusIndex | undefined;
  /** Nobody may ever look: it is made for the first who does. */
  const index = (): StatusIndex => (made ??= createStatusIndex({ config, caches, services, history }));

  const remember = (about: Regarding, note: EventNote | StateNote) => {
    const dropped = history.add(about, note, clock.now());
    if (about.kind === 'Pod' && note.type === 'Warning') made?.told(keyOf(about));
    if (dropped?.kind === 'Pod') made?.told(dropped.key);
  };

  // Every replica sees these changes; Events are known to the leader only.
  podEips.subscribe(({ type, object, old, from }) => {
    const state = type === 'deleted' ? GONE : stateOf(object);
    const isKnown = type === 'updated' ? old !== undefined && stateOf(old).note === state.note : from === 'list';
    if (isKnown && type !== 'deleted') return;
    const { namespace, name, uid } = object.metadata;
    remember({ apiVersion: '', kind: WATCHED, namespace, name, uid }, { type: 'State', action: '', ...state });
  });

  const summary = (): Summary => ({
    cluster: config.clusterID,
    region: config.regionID,
    version,
    started,
    isComplete: caches.all.every(([, reflector]) => reflector.hasSynced()),
    isLeader: election?.isLeader() ?? true,
    leader: election?.holder(),
    counts: index().counts(),
    budget: budgets(),
    endpoints: endpoints(),
    areTagsDropped,
    quota: quota(),
  });

  const budgets = (): ShownBudget[] => {
    const called = new Set(budget.actions());
    return CLOUD_ACTIONS.filter((action) => !isOfEci(action) || called.has(action)).map((action) => {
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
      summary,
      overview: () => ({ ...summary(), services: index().services(), findings: index().findings() }),
      service: (key) => index().service(key),
      findingsAbout: (object) => index().findingsAbout(object),
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
      subscribe: (changed) => index().subscribe(changed),
    },
    recorded: remember,
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

/** The state of a PodEIP as an entry of its history. */
const stateOf = (podEip: PodEip): { readonly reason: string; readonly note: string } => {
  const { spec, status, metadata } = podEip;
  const parts = [
    ...(spec.allocationID === '' ? ['no EIP yet'] : [`EIP ${spec.allocationID}`]),
    ...(status?.eipAddress ? [status.eipAddress] : []),
    ...(status?.status ? [`is ${status.status}`] : []),
    readyConditionOf(podEip)?.status === 'True' ? 'ready' : 'not ready',
    ...(metadata.deletionTimestamp === undefined ? [] : ['on its way back']),
  ];
  return { reason: readyReasonOf(podEip), note: parts.join(', ') };
};
