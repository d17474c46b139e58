import type { Clock } from '../lib/clock.ts';
import { cutManagedFields } from './cut-managed-fields.ts';
import { withDeadline } from './deadline.ts';
import { KubeFault } from './fault.ts';
import { apiVersionOf, collectionPath } from './path.ts';
import type { KubeObject, KubeTransport, ListOptions, Resource } from './port.ts';
import { faultOfAnswer, faultOfError } from './api-status.ts';

/**
 * The page size that kubectl and client-go's reflector use: pages of a few megabytes, parsed in tens of milliseconds.
 */
const PAGE_SIZE = 500;

export interface Page<T> {
  /** Theirs until they ask for the next page. */
  readonly items: readonly T[];
  /** Of the collection, the same on all pages of one list. */
  readonly resourceVersion: string;
}

/** What is asked of the collection's objects. Servers that do not know the form `metadata` answer `whole`. */
type Form = 'whole' | 'metadata';

/** A page as it came, with the token of the next. */
interface Fetched<F extends Form, T> {
  readonly form: F;
  readonly items: T[];
  readonly resourceVersion: string;
  readonly token: string | undefined;
}

type WholePage<T> = Fetched<'whole', T>;
type MetadataPage = Fetched<'metadata', Pick<KubeObject, 'metadata'>>;

/** What a server gives, that may not have the form that is asked for. */
export type AnyPage<T> = WholePage<T> | MetadataPage;

/** Which page is asked for; the first where there is no token. */
interface PageOptions extends ListOptions {
  readonly token: string | undefined;
}

/** `timeoutMs` is for each page. */
export interface PageSource {
  readonly transport: KubeTransport;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** Kubernetes API concepts, "Metadata-only fetches". Servers take the first form that they have. */
const ACCEPT: Readonly<Record<Form, string>> = {
  whole: 'application/json',
  metadata: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json',
};

/**
 * One page of a quorum list, in that form if the server has it. `resourceVersion` stays unset: `0` would read a cache
 * and make the server ignore `limit` (Kubernetes API concepts, "Resource versions"). Throws {@link KubeFault}; of kind
 * `expired` when the token grew too old, after which the list must start anew, or the signal's reason.
 */
export const fetchPage = async <T extends KubeObject>(
  { transport, clock, timeoutMs }: PageSource,
  resource: Resource<T>,
  { namespace, labelSelector, fieldSelector, token, form }: PageOptions & { readonly form: Form },
  signal?: AbortSignal,
): Promise<AnyPage<T>> => {
  const path = collectionPath(
    resource,
    { namespace },
    { limit: PAGE_SIZE, labelSelector, fieldSelector, continue: token },
  );
  return withDeadline(clock, timeoutMs, signal, async (signal) => {
    const response = await transport({ method: 'GET', path, accept: ACCEPT[form], signal });
    const body = await response.text();
    if (response.status !== 200) throw faultOfAnswer(response, body, clock.now());
    return parsePage(resource, form === 'metadata' ? cutManagedFields(body) : body);
  }).catch((error: unknown) => {
    throw signal?.aborted === true ? (signal.reason as Error) : faultOfError(error);
  });
};

/** The same of whole objects. */
export const fetchWholePage = async <T extends KubeObject>(
  source: PageSource,
  resource: Resource<T>,
  page: PageOptions,
  signal?: AbortSignal,
): Promise<WholePage<T>> => {
  const fetched = await fetchPage(source, resource, { ...page, form: 'whole' }, signal);
  if (fetched.form !== 'whole') throw unreadable(resource, 'it has nothing but metadata');
  return fetched;
};

/** A list, page by page, of whole objects. Throws as {@link fetchPage} does. */
export async function* listPages<T extends KubeObject>(
  source: PageSource,
  resource: Resource<T>,
  list: ListOptions,
  signal?: AbortSignal,
): AsyncGenerator<Page<T>, void> {
  let token: string | undefined;
  do {
    const page = await fetchWholePage(source, resource, { ...list, token }, signal);
    yield page;
    token = page.token;
    // Its objects must not stay in memory while the next page is read: both generators on the way hold on to the page.
    page.items.length = 0;
  } while (token !== undefined);
}

/** The object with the parts that its type has. */
export const wholeOf = <T extends KubeObject>(resource: Resource<T>, object: T): T =>
  resource.whole ? resource.whole(object) : object;

const parsePage = <T extends KubeObject>(resource: Resource<T>, body: string): AnyPage<T> => {
  let list: { kind?: unknown; metadata?: { resourceVersion?: unknown; continue?: unknown } | null; items?: unknown };
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
  const next = list.metadata?.continue;
  const token = typeof next === 'string' && next !== '' ? next : undefined;
  if (list.kind === 'PartialObjectMetadataList')
    return { form: 'metadata', items: items as MetadataPage['items'], resourceVersion, token };
  const apiVersion = apiVersionOf(resource);
  // The items of a list come without apiVersion and kind, watch events with them: here both look the same.
  for (const item of items as { apiVersion?: string; kind?: string }[]) {
    item.apiVersion ??= apiVersion;
    item.kind ??= resource.kind;
  }
  return { form: 'whole', items: (items as T[]).map((item) => wholeOf(resource, item)), resourceVersion, token };
};

const unreadable = (resource: Resource<KubeObject>, why: string) =>
  new KubeFault({
    kind: 'unavailable',
    message: `The API server's list of ${resource.plural} cannot be read: ${why}.`,
  });
