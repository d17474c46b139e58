import { backoffMs } from '../lib/backoff.ts';
import type { Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { raceAbort } from './deadline.ts';
import type { KubeFault } from './fault.ts';
import { listPages, wholeOf } from './pages.ts';
import { collectionPath } from './path.ts';
import type { KubeObject, KubeTransport, ListOptions, ObjectMeta, Resource } from './port.ts';
import { compareResourceVersions } from './resourceversion.ts';
import { needsList } from './safeguards.ts';
import { listSelected, type Interest, type SelectedPage } from './selective-list.ts';
import { faultOfError } from './api-status.ts';
import { createMirror, type StoreHandler } from './mirror.ts';
import { keyOf } from './store.ts';
import type { IndexFunction, Store } from './store.ts';
import { watch } from './watch.ts';

export interface ReflectorOptions<T extends KubeObject, K extends KubeObject> extends ListOptions {
  readonly transport: KubeTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly resource: Resource<T>;
  /** What of an object is stored; undefined where it is of no interest. Whole objects would fill the memory. */
  readonly keep: (object: T) => K | undefined;
  /**
   * Whether `keep` may want an object, by its metadata alone. With it a list is one of metadata, and of that only what
   * may be wanted and is not stored yet is read whole: for kinds of which few are kept. Watches are of whole objects.
   */
  readonly mayKeep?: ((metadata: ObjectMeta) => boolean) | undefined;
  readonly indexes?: Readonly<Record<string, IndexFunction<K>>> | undefined;
  /** Called for each failure, for example kind `notFound` while the CRD is not installed. It is retried in any case. */
  readonly onTrouble?: ((fault: KubeFault) => void) | undefined;
  /** Called whenever the server has accepted a watch. */
  readonly onWatch?: (() => void) | undefined;
  /** How often everything is listed anew, although the watch seems healthy. Default 10 min, ±10 %. */
  readonly relistEveryMs?: number | undefined;
  /** Silence after which a watch is taken for dead. Default 90 s: API servers send a bookmark each minute. */
  readonly idleMs?: number | undefined;
  /** Default 800 ms to 30 s, as in client-go's reflector. */
  readonly backoff?: Backoff | undefined;
  /** How long one page of a list may take. Default 60 s. */
  readonly pageTimeoutMs?: number | undefined;
}

/** Counters since the start. */
interface ReflectorStats {
  readonly lists: number;
  readonly watches: number;
  readonly events: number;
  /** Events that were older than what is known. */
  readonly stale: number;
  readonly faults: number;
}

/** Keeps a store equal to what the API server has. */
export interface Reflector<K extends KubeObject> {
  readonly store: Store<K>;
  /** Handlers are told of what is there already as `added`. Returns how to unsubscribe. */
  subscribe(handler: StoreHandler<K>): () => void;
  /** Runs until the signal aborts; never rejects. Nothing is delivered after the abort. To be called once. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves when the first list is complete; rejects with the signal's reason where the run ends before. */
  readonly synced: Promise<void>;
  hasSynced(): boolean;
  /** How long ago the API server was heard of last, bookmarks included; before that, how long ago this was made. */
  lastActivityAgeMs(): number;
  /** What is wrong at present: the last failure, until a list or a watch succeeds. */
  trouble(): KubeFault | undefined;
  stats(): ReflectorStats;
}

/** The backoff starts anew after a watch that lived so long. */
const HEALTHY_MS = 10_000;
/** A watch without any event that ends sooner has not worked ("very short watch" in client-go's reflector). */
const QUICK_MS = 1_000;
/** After so many watches that did not work the resource version is dropped: servers do not always say 410. */
const STRIKES = 3;

/**
 * List, then watch from there, for as long as it goes; list anew when the server has forgotten the resource version,
 * when watches keep failing, and now and then anyway. Every failure is retried with backoff, except that an expired
 * resource version leads to a list at once the first time.
 */
export const createReflector = <T extends KubeObject, K extends KubeObject>(
  options: ReflectorOptions<T, K>,
): Reflector<K> => {
  const { transport, clock, random, resource, keep, mayKeep, onTrouble, onWatch } = options;
  const { relistEveryMs = 600_000, idleMs = 90_000, pageTimeoutMs = 60_000 } = options;
  const { backoff = { baseMs: 800, capMs: 30_000 } } = options;
  const log = options.log.child({ resource: resource.plural });
  const { store, subscribe, put, drop, failed } = createMirror({ resource, keep, indexes: options.indexes, log });
  const stats = { lists: 0, watches: 0, events: 0, stale: 0, faults: 0 };
  const { promise: synced, resolve: resolveSynced, reject: rejectSynced } = Promise.withResolvers<void>();
  // A caller that awaits it gets the rejection; without one it is not an unhandled rejection.
  synced.catch(() => undefined);
  let hasSynced = false;
  let heardAt = clock.mono();
  let trouble: KubeFault | undefined;
  /** Where the watch goes on; undefined where only a list helps. */
  let resourceVersion: string | undefined;

  const heard = () => {
    heardAt = clock.mono();
    trouble = undefined;
  };

  const opened = () => {
    heard();
    onWatch?.();
  };

  const isStored = (metadata: ObjectMeta): boolean => {
    const stored = store.get(keyOf(metadata))?.metadata;
    return stored?.uid === metadata.uid && stored.resourceVersion === metadata.resourceVersion;
  };

  /** What is to be done about an object of which a list shows the metadata. */
  const needOf = (metadata: ObjectMeta, wanted: (metadata: ObjectMeta) => boolean): Interest => {
    try {
      if (!wanted(metadata)) return 'none';
    } catch (error) {
      failed(error, `Reading the metadata of ${resource.kind} ${keyOf(metadata)}`);
    }
    return isStored(metadata) ? 'known' : 'read';
  };

  async function* pages(signal: AbortSignal): AsyncGenerator<SelectedPage<T>, void> {
    const source = { transport, clock, timeoutMs: pageTimeoutMs };
    if (mayKeep) yield* listSelected(source, options, (metadata) => needOf(metadata, mayKeep), signal);
    else for await (const page of listPages(source, resource, options, signal)) yield { ...page, known: [] };
  }

  const list = async (signal: AbortSignal) => {
    stats.lists += 1;
    /** The keys of what is kept: of tens of thousands of pods a few hundred. */
    const seen = new Set<string>();
    let at: string | undefined;
    for await (const page of pages(signal)) {
      heard();
      at = page.resourceVersion;
      for (const key of page.known) seen.add(key);
      for (const item of page.items) {
        signal.throwIfAborted();
        const key = keyOf(item.metadata);
        if (!isStored(item.metadata)) put(item, 'list', signal);
        if (store.get(key) !== undefined) seen.add(key);
      }
    }
    for (const key of store.keys()) {
      signal.throwIfAborted();
      if (!seen.has(key)) drop(key, 'list', signal);
    }
    resourceVersion = at;
    if (hasSynced) return;
    hasSynced = true;
    resolveSynced();
  };

  /** Resolves with whether any event came. `maxMs` is the time until the next list is due. */
  const follow = async (maxMs: number, signal: AbortSignal): Promise<boolean> => {
    stats.watches += 1;
    // 240 to 300 s, so that many watches do not end together. The client's own limit only steps in where
    // the server's fails.
    const seconds = Math.max(1, Math.ceil(Math.min(240 + 60 * random.next(), maxMs / 1000)));
    const path = collectionPath(
      resource,
      { namespace: options.namespace },
      {
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion,
        timeoutSeconds: seconds,
        labelSelector: options.labelSelector,
        fieldSelector: options.fieldSelector,
      },
    );
    const limit = { idleMs, maxMs: Math.min(maxMs, seconds * 1000 + 30_000) };
    let any = false;
    for await (const { type, object } of watch<T>({ transport, clock, path, onOpen: opened, ...limit }, signal)) {
      signal.throwIfAborted();
      heard();
      any = true;
      const version = object.metadata.resourceVersion;
      if (type !== 'BOOKMARK') {
        stats.events += 1;
        const key = keyOf(object.metadata);
        const old = store.get(key);
        // A stream is ordered: what is older than its last event is a repetition and must not bring back what is gone.
        const stale =
          isOlder(version, resourceVersion) || isOlder(version, old?.metadata.resourceVersion, type !== 'DELETED');
        if (stale) stats.stale += 1;
        else if (type !== 'DELETED') put(wholeOf(resource, object), 'watch', signal);
        else if (old?.metadata.uid === object.metadata.uid) drop(key, 'watch', signal, wholeOf(resource, object));
      }
      if (version && !isOlder(version, resourceVersion)) resourceVersion = version;
    }
    return any;
  };

  /** What the attempts before this one came to. */
  const past = { failures: 0, strikes: 0, expired: 0 };
  let relistAt = 0;

  /** A watch has ended as watches do. Returns how long to wait before the next, milliseconds. */
  const ended = (any: boolean, start: number): number => {
    const quick = !any && clock.mono() - start < QUICK_MS && clock.mono() < relistAt;
    const waitMs = quick ? backoffMs(backoff, past.failures, random) : 0;
    past.strikes = quick ? past.strikes + 1 : 0;
    past.failures = quick ? past.failures + 1 : 0;
    past.expired = 0;
    return waitMs;
  };

  /** A list or a watch has failed. Returns how long to wait before the next, milliseconds. */
  const broken = (fault: KubeFault, listing: boolean, start: number): number => {
    if (!listing && clock.mono() - start >= HEALTHY_MS) past.failures = past.strikes = 0;
    // A list that fails although the watch could go on is tried again later: the watch must not stand still for it.
    if (listing && resourceVersion !== undefined) relistAt = clock.mono() + relistEveryMs / 10;
    if (!listing && casts(fault)) past.strikes += 1;
    past.expired = fault.kind === 'expired' ? past.expired + 1 : 0;
    const backoffWaitMs = past.expired === 1 ? 0 : backoffMs(backoff, past.failures, random);
    const waitMs = Math.max(backoffWaitMs, Math.min(fault.retryAfterMs ?? 0, 2 * backoff.capMs));
    past.failures += 1;
    if (fault.kind === 'expired') log.info({ reason: fault.message }, 'The resource version has expired; listing.');
    else report(fault, listing ? 'list' : 'watch', waitMs);
    return waitMs;
  };

  const loop = async (signal: AbortSignal) => {
    for (;;) {
      const listing = resourceVersion === undefined || clock.mono() >= relistAt;
      const start = clock.mono();
      let waitMs = 0;
      try {
        if (listing) {
          await list(signal);
          relistAt = clock.mono() + relistEveryMs * (0.9 + 0.2 * random.next());
          continue;
        }
        waitMs = ended(await follow(relistAt - start, signal), start);
      } catch (error) {
        if (signal.aborted) throw error;
        const fault = faultOfError(error);
        waitMs = broken(fault, listing, start);
        if (needsList(fault, listing)) resourceVersion = undefined;
      }
      if (past.strikes >= STRIKES) {
        past.strikes = 0;
        resourceVersion = undefined;
      }
      if (waitMs > 0) await clock.sleep(waitMs, signal);
      else signal.throwIfAborted();
    }
  };

  const report = (fault: KubeFault, what: string, retryInMs: number) => {
    stats.faults += 1;
    trouble = fault;
    log.warn({ fault: fault.kind, error: fault.message, retryInMs: Math.round(retryInMs) }, `The ${what} failed.`);
    try {
      onTrouble?.(fault);
    } catch (error) {
      failed(error, 'A trouble handler');
    }
  };

  return {
    store,
    subscribe,
    async run(signal) {
      try {
        await raceAbort(loop(signal), signal);
      } catch (error) {
        rejectSynced(error);
        if (!signal.aborted) throw error;
      }
    },
    synced,
    hasSynced: () => hasSynced,
    lastActivityAgeMs: () => clock.mono() - heardAt,
    trouble: () => trouble,
    stats: () => ({ ...stats }),
  };
};

const isOlder = (version: string, than: string | undefined, orSame = false): boolean => {
  const order = than === undefined ? undefined : compareResourceVersions(version, than);
  return order !== undefined && (order < 0 || (orSame && order === 0));
};

/**
 * Whether the failure of a watch casts doubt on its resource version, rather than on the network or a server under
 * load: 504 is what API servers say to a version that lies in their future, 500 to a history that they cannot decode.
 */
const casts = ({ kind, status }: KubeFault): boolean =>
  // These two are lost in any case.
  kind !== 'expired' &&
  kind !== 'notFound' &&
  (kind === 'invalid' || kind === 'conflict' || status === 500 || status === 504);
