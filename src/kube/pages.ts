import type { Clock } from '../lib/clock.ts';
import { withDeadline } from './deadline.ts';
import { KubeFault } from './fault.ts';
import { apiVersionOf, collectionPath } from './path.ts';
import type { KubeObject, KubeTransport, ListOptions, Resource } from './port.ts';
import { faultOfAnswer, faultOfError } from './api-status.ts';

/**
 * The page size that kubectl and client-go's reflector use: pages of a few megabytes, parsed in tens of milliseconds.
 */
const PAGE_SIZE = 500;

interface Page<T> {
  /** Theirs until they ask for the next page. */
  readonly items: readonly T[];
  /** Of the collection, the same on all pages of one list. */
  readonly resourceVersion: string;
}

/**
 * A quorum list, page by page. `resourceVersion` stays unset: `0` would read a cache and make the server ignore `limit`
 * (Kubernetes API concepts, "Resource versions"). Throws {@link KubeFault}; of kind `expired` when a page token grew
 * too old, after which the list must start anew, or the signal's reason.
 */
export async function* listPages<T extends KubeObject>(
  { transport, clock, timeoutMs }: { transport: KubeTransport; clock: Clock; timeoutMs: number },
  resource: Resource<T>,
  { namespace, labelSelector, fieldSelector }: ListOptions,
  signal?: AbortSignal,
): AsyncGenerator<Page<T>, void> {
  let token: string | undefined;
  do {
    const path = collectionPath(
      resource,
      { namespace },
      { limit: PAGE_SIZE, labelSelector, fieldSelector, continue: token },
    );
    const page = await withDeadline(clock, timeoutMs, signal, async (signal) => {
      const response = await transport({ method: 'GET', path, accept: 'application/json', signal });
      const body = await response.text();
      if (response.status !== 200) throw faultOfAnswer(response, body, clock.now());
      return parsePage(resource, body);
    }).catch((error: unknown) => {
      throw signal?.aborted === true ? (signal.reason as Error) : faultOfError(error);
    });
    yield page;
    token = page.token;
    // Its objects must not stay in memory while the next page is read: both generators on the way hold on to the page.
    page.items.length = 0;
  } while (token !== undefined);
}

/** The object with the parts that its type has. */
export const wholeOf = <T extends KubeObject>(resource: Resource<T>, object: T): T =>
  resource.whole ? resource.whole(object) : object;

const parsePage = <T extends KubeObject>(
  resource: Resource<T>,
  body: string,
): Page<T> & { readonly items: T[]; readonly token: string | undefined } => {
  let list: { metadata?: { resourceVersion?: unknown; continue?: unknown } | null; items?: unknown };
  try {
    list = JSON.parse(body) as typeof list;
  } catch {
    throw unreadable(resource, 'it is not JSON');
  }
  const resourceVersion = list.metadata?.resourceVersion;
  if (typeof resourceVersion !== 'string') throw unreadable(resource, 'it has no metadata.resourceVersion');
  // An empty list may be null: that is how Go writes a nil slice.
  const items = list.items ?? [];
  if (!Array.isArray(items)) throw unreadable(resource, 'it has no items');
  const apiVersion = apiVersionOf(resource);
  // The items of a list come without apiVersion and kind, watch events with them: here both look the same.
  for (const item of items as { apiVersion?: string; kind?: string }[]) {
    item.apiVersion ??= apiVersion;
    item.kind ??= resource.kind;
  }
  const token = list.metadata?.continue;
  return {
    items: (items as T[]).map((item) => wholeOf(resource, item)),
    resourceVersion,
    token: typeof token === 'string' && token !== '' ? token : undefined,
  };
};

const unreadable = (resource: Resource<KubeObject>, why: string) =>
  new KubeFault({
    kind: 'unavailable',
    message: `The API server's list of ${resource.plural} cannot be read: ${why}.`,
  });
