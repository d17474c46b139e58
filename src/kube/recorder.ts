import { backoffMs } from '../lib/backoff.ts';
import { sleepUnlessAborted, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { KubeFault } from './fault.ts';
import { microTime } from './microtime.ts';
import type { Kube, KubeObject, Resource } from './port.ts';
import { createRateLimit } from './ratelimit.ts';
import type { RateLimit } from './ratelimit.ts';
import { legible, withoutEnd } from '../lib/text.ts';

/** The object that an Event is about. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid: string;
}

/** events.k8s.io/v1 Event, as it is written here. */
export interface KubeEvent extends KubeObject {
  readonly eventTime: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  readonly regarding: ObjectReference;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly series?: { readonly count: number; readonly lastObservedTime: string } | undefined;
}

/** Since Kubernetes 1.19. */
export const EVENT: Resource<KubeEvent> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

/** What happened. The texts are cut to what the API allows. */
export interface Happening {
  readonly type: 'Normal' | 'Warning';
  /** Why, in CamelCase, for machines: at most 128 bytes. */
  readonly reason: string;
  /** What was done or tried, in CamelCase: at most 128 bytes. */
  readonly action: string;
  /** For people: at most 1024 bytes. The same words each time, or repeats cannot be told. */
  readonly note: string;
}

export interface RecorderOptions {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** A qualified name, for example `alibabacloud.com/knative-eip`. */
  readonly controller: string;
  /** The process, for example its pod's name. */
  readonly instance: string;
  /** How long after the last time the same counts as a repeat. Default 6 min, as client-go's series. */
  readonly windowMs?: number | undefined;
  /** How often the count of a repeat is written at most. Default 30 s. */
  readonly seriesEveryMs?: number | undefined;
}

interface RecorderStats {
  readonly written: number;
  /** Given up, because of failures or because too much was waiting. */
  readonly dropped: number;
  /** Not written, because too many different Events were about one object. */
  readonly limited: number;
}

/** Tells people about objects through Events. Best effort: it never waits, never throws and never fails a reconcile. */
interface Recorder {
  record(about: ObjectReference, happening: Happening): void;
  /** Takes nothing more, writes what is waiting for at most `deadlineMs`, and ends. Never rejects. */
  stop(deadlineMs: number): Promise<void>;
  stats(): RecorderStats;
}

/** One Event object, and how often it has happened. */
interface Series {
  event: KubeEvent;
  created: boolean;
  count: number;
  writtenCount: number;
  lastAtMs: number;
  lastObservedTime: string;
  writtenAtMs: number;
  waiting: boolean;
  cancel: (() => void) | undefined;
}

/** As many as client-go's caches of Events remember. */
const MOST_SERIES = 4096;
const MOST_WAITING = 1000;
/**
 * As client-go's EventSourceObjectSpamFilter: 25 different Events about an object at once, then one per five minutes.
 */
const PER_OBJECT = { qps: 1 / 300, burst: 25 };
const ATTEMPTS = 5;
/**
 * What the API server says of a new object in a namespace that goes (apiserver
 * plugin/pkg/admission/namespace/lifecycle).
 */
const NAMESPACE_ENDS = 'because it is being terminated';
/** For so long no new Event is tried there, milliseconds: one of the same name may come after it. */
const NAMESPACE_ENDS_MS = 60_000;
/** Faults that pass by themselves. */
const PASSING: ReadonlySet<KubeFault['kind']> = new Set(['unavailable', 'throttled', 'conflict']);

/** So many namespaces that go are remembered. */
const MOST_NAMESPACES = 1_000;
const BACKOFF = { baseMs: 500, capMs: 10_000 };

export const createRecorder = (options: RecorderOptions): Recorder => {
  const { kube, clock, random, controller, instance, windowMs = 360_000, seriesEveryMs = 30_000 } = options;
  const log = options.log.child({ component: 'events' });
  // Both in the order of last use, so that the first is the one to forget.
  const known = new Map<string, Series>();
  const limits = new Map<string, RateLimit>();
  const waiting: Series[] = [];
  /** When each namespace that is going was found to be, in that order. */
  const endingNamespaces = new Map<string, number>();
  const stats = { written: 0, dropped: 0, limited: 0 };
  const ending = new AbortController();
  let stopped = false;
  let writing: Promise<void> | undefined;

  const allowed = ({ uid, kind, namespace, name }: ObjectReference): boolean => {
    const key = `${kind}/${namespace}/${name}/${uid}`;
    const limit = limits.get(key) ?? createRateLimit(clock, PER_OBJECT);
    touch(limits, key, limit);
    return limit.tryTake();
  };

  const enqueue = (series: Series) => {
    series.cancel?.();
    series.cancel = undefined;
    if (series.waiting) return;
    if (waiting.length >= MOST_WAITING) {
      stats.dropped += 1;
      return;
    }
    series.waiting = true;
    waiting.push(series);
    writing ??= drain();
  };

  const drain = async () => {
    for (let series = waiting.shift(); series !== undefined; series = waiting.shift()) {
      series.waiting = false;
      const written = await write(series);
      if (written) stats.written += 1;
      else stats.dropped += 1;
      // What happened while it was being written.
      if (written && series.count > series.writtenCount) repeat(series);
    }
    writing = undefined;
  };

  /** Nobody reads an Event in a namespace that is being deleted, and it takes none. */
  const isEnding = (namespace: string): boolean =>
    clock.mono() - (endingNamespaces.get(namespace) ?? -Infinity) < NAMESPACE_ENDS_MS;

  const write = async (series: Series): Promise<boolean> => {
    const { namespace = '' } = series.event.metadata;
    if (!series.created && isEnding(namespace)) return false;
    for (let failures = 0; failures < ATTEMPTS; failures += 1) {
      if (ending.signal.aborted) return false;
      try {
        await writeOnce(series);
        return true;
      } catch (error) {
        if (ending.signal.aborted) return false;
        if (!(error instanceof KubeFault)) return refused(series, error);
        if (!mayTryAgain(series, error)) return false;
        const waitMs = Math.max(error.retryAfterMs ?? 0, backoffMs(BACKOFF, failures, random));
        await sleepUnlessAborted(clock, waitMs, ending.signal);
      }
    }
    return refused(series, new Error(`${ATTEMPTS} attempts failed`));
  };

  /** Whether another attempt may succeed, perhaps under another name. */
  const mayTryAgain = (series: Series, fault: KubeFault): boolean => {
    if (PASSING.has(fault.kind)) return true;
    if (fault.kind === 'exists') series.event = named(series.event);
    else if (fault.kind === 'notFound' && series.created) {
      // API servers forget Events after an hour (--event-ttl).
      const event = named({ ...series.event, eventTime: series.lastObservedTime });
      Object.assign(series, { created: false, writtenCount: 0, event });
    } else if (fault.kind === 'forbidden' && fault.message.includes(NAMESPACE_ENDS)) {
      const { namespace = '' } = series.event.metadata;
      touch(endingNamespaces, namespace, clock.mono(), MOST_NAMESPACES);
      log.debug({ namespace }, 'The namespace is being deleted, and takes no new Events.');
      return false;
    } else return refused(series, fault);
    return true;
  };

  const refused = ({ event: { regarding, reason } }: Series, error: unknown): false => {
    // An Event that cannot be written is a fact about the cluster (a namespace that is being deleted, missing
    // permissions), not about the object.
    const message = error instanceof Error ? error.message : String(error);
    log.warn({ kind: regarding.kind, name: regarding.name, reason, error: message }, 'An Event could not be written.');
    return false;
  };

  const writeOnce = async (series: Series) => {
    const { event, count, lastObservedTime } = series;
    if (!series.created) {
      await kube.create(EVENT, event, ending.signal);
      series.created = true;
      series.writtenCount = Math.max(series.writtenCount, 1);
    } else {
      const body = { series: { count, lastObservedTime } };
      await kube.patch(EVENT, event.metadata, { type: 'merge', body }, ending.signal);
      series.writtenCount = count;
    }
    series.writtenAtMs = clock.mono();
  };

  /** Writes the first repeat at once and further ones together. */
  const repeat = (series: Series) => {
    if (series.waiting || series.cancel !== undefined) return;
    const inMs = series.writtenCount < 2 ? 0 : series.writtenAtMs + seriesEveryMs - clock.mono();
    if (inMs <= 0 || stopped) enqueue(series);
    else series.cancel = clock.timer(inMs, () => enqueue(series));
  };

  /** A new name: `<object>.<16 hexadecimal digits>`, cut so that it remains a valid one (253 characters). */
  const named = (event: KubeEvent): KubeEvent => {
    const suffix = random.uuid().replaceAll('-', '').slice(0, 16);
    const name = `${withoutEnd(event.regarding.name.slice(0, 253 - 17), '.-')}.${suffix}`;
    return { ...event, metadata: { ...event.metadata, name } };
  };

  const eventOf = (regarding: ObjectReference, { type, reason, action, note }: Happening, eventTime: string) =>
    named({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      // Events about cluster-scoped objects live in `default` (kubernetes pkg/apis/core/validation/events.go).
      metadata: { namespace: regarding.namespace ?? 'default', name: '' } as KubeEvent['metadata'],
      eventTime,
      type,
      reason: cut(reason, 128),
      action: cut(action, 128),
      note: cut(legible(note), 1024),
      regarding: {
        apiVersion: regarding.apiVersion,
        kind: regarding.kind,
        namespace: regarding.namespace,
        name: regarding.name,
        uid: regarding.uid,
      },
      reportingController: controller,
      reportingInstance: cut(instance, 128),
    });

  return {
    record(about, happening) {
      if (stopped) return;
      const { type, reason, action, note } = happening;
      if (reason === '' || action === '') {
        log.error({ kind: about.kind, name: about.name, note }, 'An Event needs a reason and an action; dropped.');
        stats.dropped += 1;
        return;
      }
      const key = JSON.stringify([about.kind, about.namespace, about.name, about.uid, type, reason, action, note]);
      const now = clock.mono();
      const time = microTime(clock.now());
      const old = known.get(key);
      if (old !== undefined && now - old.lastAtMs < windowMs) {
        old.count += 1;
        old.lastAtMs = now;
        old.lastObservedTime = time;
        touch(known, key, old);
        repeat(old);
        return;
      }
      if (!allowed(about)) {
        stats.limited += 1;
        return;
      }
      const series: Series = {
        event: eventOf(about, happening, time),
        created: false,
        count: 1,
        writtenCount: 0,
        lastAtMs: now,
        lastObservedTime: time,
        writtenAtMs: now,
        waiting: false,
        cancel: undefined,
      };
      const forgotten = touch(known, key, series);
      if (forgotten?.cancel !== undefined) enqueue(forgotten);
      enqueue(series);
    },
    async stop(deadlineMs) {
      stopped = true;
      for (const series of known.values()) if (series.cancel !== undefined) enqueue(series);
      if (writing === undefined) return;
      const cancel = clock.timer(deadlineMs, () => ending.abort(new Error('The recorder has been stopped.')));
      await writing;
      cancel();
    },
    stats: () => ({ ...stats }),
  };
};

/** Puts the entry last, and forgets the first where there are too many. Returns what was forgotten. */
const touch = <V>(map: Map<string, V>, key: string, value: V, most = MOST_SERIES): V | undefined => {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return undefined;
  const [oldest, forgotten] = map.entries().next().value!;
  map.delete(oldest);
  return forgotten;
};

/** At most so many bytes of UTF-8, which is what the API counts, without half a character at the end. */
const cut = (text: string, bytes: number): string => {
  if (Buffer.byteLength(text) <= bytes) return text;
  const kept = Buffer.from(text).subarray(0, bytes - 3);
  return `${withoutEnd(kept.toString('utf8'), '\uFFFD')}…`;
};
