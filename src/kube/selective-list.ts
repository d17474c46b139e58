import { createKube } from './client.ts';
import { fetchPage, fetchWholePage, type AnyPage, type Page, type PageSource } from './pages.ts';
import type { KubeObject, ListOptions, ObjectMeta, Resource } from './port.ts';
import { keyOf } from './store.ts';

/**
 * What is to be done about an object whose metadata is known: nothing, because nobody wants it; nothing, because it is
 * known as it is; or to read it.
 */
export type Interest = 'none' | 'known' | 'read';

export interface SelectedPage<T> extends Page<T> {
  /** The keys of what the page has and is known as it is. */
  readonly known: readonly string[];
}

interface Selection<T extends KubeObject> extends ListOptions {
  readonly resource: Resource<T>;
}

/**
 * Reads at once. They go beside the calls of the reconcilers and take nothing of their rate: no more than a tenth of a
 * page comes between two pages, so that the API server is asked for less than by a list of whole objects.
 */
const AT_ONCE = 10;

/** So many are read one by one, however short the page is. */
const FEW = 10;

/** Of a longer page, one in so many: the page whole costs as much as the others one by one. */
const ONE_IN = 10;

const areMany = (toRead: number, all: number): boolean => toRead > Math.max(FEW, all / ONE_IN);

/**
 * A quorum list of metadata, page by page, with the objects that are needed read whole: one by one where they are few,
 * and otherwise by fetching the page once more, which then takes the place of the first, with its version and its
 * token. Where many of a page were needed, the next is fetched whole at once: a list is never dearer than one of whole
 * objects by more than a page now and then. An API server that knows no lists of metadata answers whole pages.
 *
 * What was read one by one may be newer than the page, and so than the list's version: a watch from there tells some
 * changes again. What a read does not find is not on the page; what it finds under another UID is. Throws
 * {@link KubeFault}, or the signal's reason; nothing of a page is delivered before all of it has been read.
 */
export async function* listSelected<T extends KubeObject>(
  source: PageSource,
  { resource, namespace, labelSelector, fieldSelector }: Selection<T>,
  needOf: (metadata: ObjectMeta) => Interest,
  signal: AbortSignal,
): AsyncGenerator<SelectedPage<T>, void> {
  const { transport, clock } = source;
  const kube = createKube({ transport, clock, qps: 0 });
  const read = (metadata: ObjectMeta, signal: AbortSignal) => kube.get(resource, metadata, signal);
  const list = { namespace, labelSelector, fieldSelector };
  let token: string | undefined;
  let form: AnyPage<T>['form'] = 'metadata';
  do {
    let page: AnyPage<T> = await fetchPage(source, resource, { ...list, token, form }, signal);
    const needed = select(page.items, needOf);
    form = areMany(needed.read.length, page.items.length) ? 'whole' : 'metadata';
    if (form === 'whole' && page.form === 'metadata') {
      clear(page.items, needed.read, needed.known);
      page = await fetchWholePage(source, resource, { ...list, token }, signal);
    }
    const { resourceVersion } = page;
    const isWhole = page.form === 'whole';
    const items = page.form === 'whole' ? page.items : await readEach(needed.read, read, signal);
    yield { resourceVersion, items, known: isWhole ? [] : needed.known };
    token = page.token;
    // Nothing of it may stay in memory while the next page is read: all on the way hold on to it.
    clear(page.items, items, needed.read, needed.known);
  } while (token !== undefined);
}

const clear = (...arrays: readonly unknown[][]): void => {
  for (const array of arrays) array.length = 0;
};

/** The objects of a page that are to be read, and the keys of those that are known. */
const select = (items: readonly Pick<KubeObject, 'metadata'>[], needOf: (metadata: ObjectMeta) => Interest) => {
  const read: ObjectMeta[] = [];
  const known: string[] = [];
  for (const { metadata } of items) {
    const need = needOf(metadata);
    if (need === 'read') read.push(metadata);
    if (need === 'known') known.push(keyOf(metadata));
  }
  return { read, known };
};

/** Reads them, a few at once, and gives those that are there in their order. The first failure ends all. */
const readEach = async <T>(
  all: readonly ObjectMeta[],
  read: (metadata: ObjectMeta, signal: AbortSignal) => Promise<T | undefined>,
  signal: AbortSignal,
): Promise<T[]> => {
  signal.throwIfAborted();
  const found: (T | undefined)[] = [];
  const scope = new AbortController();
  const abort = () => scope.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const next = all.entries();
  const work = async () => {
    for (const [index, metadata] of next) found[index] = await read(metadata, scope.signal);
  };
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, all.length) }, work));
  } catch (error) {
    scope.abort(error);
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
  return found.filter((it) => it !== undefined);
};
