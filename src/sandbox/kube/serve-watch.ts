import { onTheWire, type Backend, type RequestTarget } from './backend.ts';
import { CRD_STORE } from './crd.ts';
import type { ApiObject, JsonObject } from './json-values.ts';
import { Lines } from './lines.ts';
import { checkedOptions } from './list-options.ts';
import { parseVersion, selectorOf } from './read.ts';
import type { Selector } from './selectors.ts';
import { ApiError } from './failure-status.ts';
import type { StoredChange } from './storage.ts';
import type { Presenter } from './table.ts';

/** Source: bookmarkFrequency and the two seconds before the deadline in apiserver pkg/storage/cacher. */
const BOOKMARK_EVERY_MS = 60_000;
const BOOKMARK_BEFORE_END_MS = 2_000;

/** Source: InitialEventsAnnotationKey in apimachinery pkg/apis/meta/v1. */
const INITIAL_EVENTS_END = { 'k8s.io/initial-events-end': 'true' };

/** A watch without a timeout ends after one to two times this. Source: kube-apiserver --min-request-timeout. */
const DEFAULT_TIMEOUT_MS = 1_800_000;

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: JsonObject;
}

const line = (event: WatchEvent): string => `${JSON.stringify(event)}\n`;

/** What a change is to somebody who sees only what is selected: objects come and go as their labels change. */
const seen = (
  change: StoredChange,
  selected: Selector,
): { type: StoredChange['type']; object: ApiObject } | undefined => {
  const before = change.previous !== undefined && selected(change.previous);
  const after = change.type !== 'DELETED' && selected(change.object);
  if (after) return { type: before ? 'MODIFIED' : 'ADDED', object: change.object };
  if (!before || change.previous === undefined) return undefined;
  const { resourceVersion } = change.object.metadata;
  return {
    type: 'DELETED',
    object: { ...change.previous, metadata: { ...change.previous.metadata, resourceVersion } },
  };
};

/** The whole stream of a watch, as its lines. Ends with the timeout, the signal, or the kind itself. */
export const serveWatch = (
  { storage, clock, random }: Backend,
  target: RequestTarget,
  { query, signal }: { readonly query: URLSearchParams; readonly signal: AbortSignal | undefined },
  presenter: Presenter,
): AsyncIterable<string> => {
  const { kind, namespace } = target;
  const { sendInitialEvents } = checkedOptions(query, true);
  const byQuery = selectorOf(target, query);
  const selected: Selector = (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) && byQuery(object);
  const version = query.get('resourceVersion') ?? '';
  const from = version === '' ? 0 : parseVersion(version);
  const seconds = Number(query.get('timeoutSeconds') ?? 0);
  const timeoutMs = seconds > 0 ? seconds * 1000 : DEFAULT_TIMEOUT_MS * (1 + random.next());
  const deadline = clock.mono() + timeoutMs;
  // Where nothing is said, a watch from nowhere in particular begins with what is there.
  const isWhole = sendInitialEvents ?? from === 0;
  const start = isWhole || from === 0 ? storage.revision : from;
  const withBookmarks = query.get('allowWatchBookmarks') === 'true';

  const cleanups: (() => void)[] = [];
  const lines = new Lines(() => cleanups.forEach((cleanup) => cleanup()));
  const send = (change: StoredChange): void => {
    const event = seen(change, selected);
    if (event !== undefined)
      lines.push(line({ type: event.type, object: presenter.event(onTheWire(kind, event.object)) }));
  };

  if (isWhole)
    for (const object of storage.list(kind.store, namespace))
      if (selected(object)) lines.push(line({ type: 'ADDED', object: presenter.event(onTheWire(kind, object)) }));
  // The end of a streaming list.
  if (sendInitialEvents && withBookmarks)
    lines.push(line({ type: 'BOOKMARK', object: presenter.bookmark(String(start), INITIAL_EVENTS_END) }));
  try {
    if (!isWhole) for (const change of storage.since(kind.store, start)) send(change);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    lines.push(line({ type: 'ERROR', object: error.toStatus() }));
    lines.end();
    return lines;
  }

  const definition = `${kind.plural}.${kind.group}`;
  cleanups.push(
    storage.subscribe((change) => {
      if (change.store === kind.store && change.revision > start) send(change);
      if (change.store === CRD_STORE && change.type === 'DELETED' && change.object.metadata.name === definition)
        lines.end();
    }),
    clock.timer(timeoutMs, () => lines.end()),
  );
  if (withBookmarks) {
    let cancel: (() => void) | undefined;
    const schedule = (): void => {
      const left = deadline - clock.mono() - BOOKMARK_BEFORE_END_MS;
      if (left <= 0) return;
      const last = left <= BOOKMARK_EVERY_MS;
      cancel = clock.timer(Math.min(BOOKMARK_EVERY_MS, left), () => {
        // Without any write since the beginning there is nothing to tell, and the API server says nothing.
        if (storage.revision > start)
          lines.push(line({ type: 'BOOKMARK', object: presenter.bookmark(String(storage.revision)) }));
        if (!last) schedule();
      });
    };
    schedule();
    cleanups.push(() => cancel?.());
  }
  cleanups.push(lines.endWith(signal));
  return lines;
};
