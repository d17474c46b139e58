import { onTheWire, type Backend, type RequestTarget } from './backend.ts';
import type { ApiObject, JsonObject } from './json-values.ts';
import { checkedOptions } from './list-options.ts';
import { fieldSelector, labelSelector, type Selector } from './selectors.ts';
import { ApiError, badRequest, expired, expiredToken, notFound } from './failure-status.ts';
import { storageKeyOf } from './storage.ts';

export const get = ({ storage }: Backend, { kind, namespace, name = '' }: RequestTarget): ApiObject => {
  const object = storage.get(kind.store, namespace, name);
  if (object === undefined) throw notFound(kind, name);
  return onTheWire(kind, object);
};

/** Both selectors of a query as one. */
export const selectorOf = ({ kind }: RequestTarget, query: URLSearchParams): Selector => {
  const byLabels = labelSelector(query.get('labelSelector') ?? '');
  const byFields = fieldSelector(query.get('fieldSelector') ?? '', kind.fields);
  return (object) => byLabels(object) && byFields(object);
};

/** A resource version in a query. Throws 400 where it is not one. */
export const parseVersion = (text: string): number => {
  if (!/^\d+$/u.test(text))
    throw badRequest(`Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`);
  return Number(text);
};

/** The revision of a token that is too old to be consistent and asked to go on anyway. */
const INCONSISTENT = -1;

interface Page {
  readonly revision: number;
  readonly start: string;
}

const encodeToken = ({ revision, start }: Page): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start })).toString('base64url');

const decodeToken = (token: string): Page => {
  try {
    const { v, rv, start } = JSON.parse(Buffer.from(token, 'base64url').toString()) as Record<string, unknown>;
    if (v === 'meta.k8s.io/v1' && typeof rv === 'number' && typeof start === 'string') return { revision: rv, start };
  } catch (error) {
    throw badRequest(
      `invalid continue token: continue key is not valid: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  throw badRequest('continue key is not valid: server does not recognize this encoded version');
};

const TOKEN_EXPIRED =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

const tooLarge = (revision: number, current: number): ApiError =>
  new ApiError(504, 'Timeout', `Timeout: Too large resource version: ${revision}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });

const firstPage = ({ storage }: Backend, query: URLSearchParams): Page & { readonly limit: number } => {
  const version = query.get('resourceVersion') ?? '';
  const match = query.get('resourceVersionMatch') ?? '';
  const limit = Number(query.get('limit') ?? 0) || 0;
  const revision = version === '' ? 0 : parseVersion(version);
  if (revision > storage.revision) throw tooLarge(revision, storage.revision);
  // A list from the watch cache, which resourceVersion=0 is, knows no pages.
  if (version === '0') return { revision: storage.revision, start: '', limit: 0 };
  const exact = match === 'Exact' || (match === '' && revision > 0 && limit > 0);
  if (exact && revision < storage.compactedRevision)
    throw expired('The resourceVersion for the provided list is too old.');
  return { revision: exact ? revision : storage.revision, start: '', limit };
};

const nextPage = ({ storage }: Backend, query: URLSearchParams, token: string): Page & { readonly limit: number } => {
  const version = query.get('resourceVersion') ?? '';
  if (version !== '' && version !== '0')
    throw badRequest('specifying resource version is not allowed when using continue');
  const { revision, start } = decodeToken(token);
  const limit = Number(query.get('limit') ?? 0) || 0;
  if (revision === INCONSISTENT) return { revision: storage.revision, start, limit };
  if (revision < storage.compactedRevision)
    throw expiredToken(TOKEN_EXPIRED, encodeToken({ revision: INCONSISTENT, start }));
  return { revision, start, limit };
};

interface Listed {
  readonly items: ApiObject[];
  readonly metadata: JsonObject;
}

/** A list or a page of it, as it was at the revision that its metadata names. */
export const listObjects = (backend: Backend, target: RequestTarget, query: URLSearchParams): Listed => {
  const { kind, namespace } = target;
  checkedOptions(query, false);
  const token = query.get('continue') ?? '';
  const selected = selectorOf(target, query);
  const page = token === '' ? firstPage(backend, query) : nextPage(backend, query, token);
  const selective = query.has('labelSelector') || query.has('fieldSelector');
  const objects =
    page.revision === backend.storage.revision
      ? backend.storage.list(kind.store, namespace, page.start)
      : backend.storage.listAt(page.revision, kind.store, namespace, page.start);
  const items: ApiObject[] = [];
  let remaining = 0;
  let last = '';
  for (const object of objects) {
    if (!selected(object)) continue;
    if (page.limit > 0 && items.length === page.limit) {
      remaining += 1;
      if (selective) break;
      continue;
    }
    items.push(onTheWire(kind, object));
    last = storageKeyOf(object.metadata.namespace, object.metadata.name);
  }
  const metadata: JsonObject = { resourceVersion: String(page.revision) };
  if (remaining > 0) {
    metadata['continue'] = encodeToken({ revision: page.revision, start: `${last}\0` });
    if (!selective) metadata['remainingItemCount'] = remaining;
  }
  return { items, metadata };
};
